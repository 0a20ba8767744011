//! What a client sends: a chain, and a signature where the key is not the peer's own.
use super::{MAX_CHAIN, Refused, Scheme};

/// The first byte of a certificate in DER: a sequence.
const SEQUENCE: u8 = 0x30;

/// A client's proof. The certificates are DER, one after the other, the client's own first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The key of the first certificate is the peer's static key: the certificates alone.
    Key {
        /// The certificates.
        chain: Vec<Vec<u8>>,
    },
    /// The client signed: the number of the scheme and the length of the signature, two bytes each with the higher first, the
    /// signature, and the certificates. (No scheme's number begins with the byte that certificates begin with.)
    Signed {
        /// The kind of signature.
        scheme: Scheme,
        /// The signature.
        signature: Vec<u8>,
        /// The certificates.
        chain: Vec<Vec<u8>>,
    },
}

impl Evidence {
    /// Whether bytes are certificates alone.
    #[must_use]
    pub fn is_chain(bytes: &[u8]) -> bool {
        bytes.first() == Some(&SEQUENCE)
    }

    /// Reads what a client sent.
    ///
    /// # Errors
    /// [`Refused`]: it is neither of both.
    pub fn read(bytes: &[u8]) -> Result<Self, Refused> {
        if Self::is_chain(bytes) {
            return Ok(Self::Key { chain: certificates(bytes)? });
        }
        let (head, rest) = bytes.split_at_checked(4).ok_or(Refused::Malformed)?;
        let [scheme, len] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
        let scheme = Scheme::of(scheme).ok_or(Refused::Signature)?;
        let (signature, rest) = rest.split_at_checked(len.into()).ok_or(Refused::Malformed)?;
        Ok(Self::Signed { scheme, signature: signature.to_vec(), chain: certificates(rest)? })
    }

    /// Writes it as clients send it. A signature that is too long for its length is cut.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Key { chain } => chain.concat(),
            Self::Signed { scheme, signature, chain } => {
                let len = u16::try_from(signature.len()).unwrap_or(u16::MAX);
                let signature = &signature[..usize::from(len)];
                [&(*scheme as u16).to_be_bytes()[..], &len.to_be_bytes(), signature, &chain.concat()].concat()
            }
        }
    }
}

/// Certificates that follow each other, each of which says how long it is (X.690 § 8.1.3: lengths of one to three bytes more).
fn certificates(mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
    let mut chain = Vec::new();
    while !bytes.is_empty() {
        let (header, len) = match *bytes {
            [SEQUENCE, len @ 0..=0x7f, ..] => (2, usize::from(len)),
            [SEQUENCE, 0x81, len, ..] => (3, usize::from(len)),
            [SEQUENCE, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
            _ => return Err(Refused::Malformed),
        };
        let (one, rest) = bytes.split_at_checked(header + len).ok_or(Refused::Malformed)?;
        if chain.len() == MAX_CHAIN {
            return Err(Refused::Chain);
        }
        chain.push(one.to_vec());
        bytes = rest;
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(len: usize) -> Vec<u8> {
        let head = match len {
            0..0x80 => vec![0x30, len as u8],
            0x80..0x100 => vec![0x30, 0x81, len as u8],
            _ => vec![0x30, 0x82, (len >> 8) as u8, len as u8],
        };
        [head, vec![7; len]].concat()
    }

    #[test]
    fn what_is_written_is_read_again_and_what_is_cut_is_not() {
        for lengths in [vec![1], vec![0x7f, 0x80], vec![0xff, 0x100, 2000], vec![9; MAX_CHAIN]] {
            let chain: Vec<_> = lengths.iter().map(|len| certificate(*len)).collect();
            let signed = Evidence::Signed { scheme: Scheme::Ed25519, signature: vec![0x30; 64], chain: chain.clone() };
            for evidence in [Evidence::Key { chain }, signed] {
                let bytes = evidence.write();
                assert_eq!(Evidence::read(&bytes).as_ref(), Ok(&evidence));
                assert_eq!(Evidence::read(&bytes[..bytes.len() - 1]), Err(Refused::Malformed));
            }
        }
        let many = Evidence::Key { chain: vec![certificate(1); MAX_CHAIN + 1] };
        assert_eq!(Evidence::read(&many.write()), Err(Refused::Chain));
        assert_eq!(Evidence::read(&[4, 1, 0, 0]), Err(Refused::Signature), "PKCS #1 v1.5");
        for odd in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x83\0\0\0", b"\x08\x07\0\x01"] {
            assert_eq!(Evidence::read(odd), Err(Refused::Malformed), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(evidence) = Evidence::read(&bytes) {
                prop_assert_eq!(evidence.write(), bytes);
            }
        }
    }
}
