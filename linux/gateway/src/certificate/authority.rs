//! Whom we trust to name people.
use super::names::{self, Identity};
use super::statement::{Scheme, Statement};
use super::{MAX_CHAIN, MAX_CHAIN_BYTES, Refused};
use crate::Time;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use std::time::Duration;
use subtle::ConstantTimeEq;
use underpass_core::PublicKey;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert, ring as algorithms,
};

/// What precedes the 32 bytes of an X25519 key in a certificate (RFC 8410 § 4): sequence, id-X25519, bit string.
const X25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];
/// With what authorities may sign.
const ISSUERS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ED25519,
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Authorities, and what they revoked.
#[derive(Debug)]
pub struct Authority {
    anchors: Vec<TrustAnchor<'static>>,
    revoked: Vec<CertRevocationList<'static>>,
}

/// Why there is no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAuthority {
    /// No certificate, or one that cannot be read.
    #[error("expected certificates of authorities in PEM")]
    Certificates,
    /// A list that cannot be read.
    #[error("expected lists of revoked certificates in PEM")]
    Lists,
}

impl Authority {
    /// From certificates in PEM (RFC 7468), all of which are trusted, and lists of revoked certificates, of which there may be
    /// none. Where there is one, there has to be one of each issuer of a chain, and it may not be older than it says.
    ///
    /// # Errors
    /// [`BadAuthority`].
    pub fn read(certificates: &[u8], lists: &[u8]) -> Result<Self, BadAuthority> {
        let anchor = |der: CertificateDer<'static>| anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned());
        let anchors: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates)
            .map(|der| der.map_err(|_| BadAuthority::Certificates))
            .map(|der| anchor(der?).map_err(|_| BadAuthority::Certificates))
            .collect();
        let anchors = anchors?;
        if anchors.is_empty() {
            return Err(BadAuthority::Certificates);
        }
        let list = |der: CertificateRevocationListDer<'_>| {
            OwnedCertRevocationList::from_der(&der).map(CertRevocationList::from)
        };
        let revoked: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(lists)
            .map(|der| der.map_err(|_| BadAuthority::Lists))
            .map(|der| list(der?).map_err(|_| BadAuthority::Lists))
            .collect();
        let revoked = revoked?;
        if revoked.is_empty() && lists.iter().any(|byte| !byte.is_ascii_whitespace()) {
            return Err(BadAuthority::Lists);
        }
        Ok(Self { anchors, revoked })
    }

    /// Who the peer with this static key is, by a chain of certificates (DER, its own first). The handshake has proven that
    /// the peer holds the key.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify_key(&self, chain: &[Vec<u8>], peer: &PublicKey, now: Time) -> Result<Identity, Refused> {
        let first = chain.first().ok_or(Refused::Chain)?;
        let identity = self.verify(chain, now)?;
        let key = names::key_of(first)?;
        let wanted = [&X25519[..], peer.as_bytes()].concat();
        if bool::from(key.ct_eq(&wanted)) { Ok(identity) } else { Err(Refused::OtherKey) }
    }

    /// Who signed `statement`, by a chain of certificates (DER, the signer's first).
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify_signature(
        &self,
        chain: &[Vec<u8>],
        statement: &Statement,
        scheme: Scheme,
        signature: &[u8],
        now: Time,
    ) -> Result<Identity, Refused> {
        let first = CertificateDer::from(chain.first().ok_or(Refused::Chain)?.as_slice());
        let identity = self.verify(chain, now)?;
        let signer = EndEntityCert::try_from(&first).map_err(|_| Refused::Malformed)?;
        let signed = signer.verify_signature(scheme.algorithm(), &statement.message(chain), signature);
        signed.map(|()| identity).map_err(|_| Refused::Signature)
    }

    fn verify(&self, chain: &[Vec<u8>], now: Time) -> Result<Identity, Refused> {
        let bytes: usize = chain.iter().map(Vec::len).sum();
        let (first, rest) = chain.split_first().ok_or(Refused::Chain)?;
        if chain.len() > MAX_CHAIN || bytes > MAX_CHAIN_BYTES {
            return Err(Refused::Chain);
        }
        let leaf = CertificateDer::from(first.as_slice());
        let leaf = EndEntityCert::try_from(&leaf).map_err(|_| Refused::Malformed)?;
        let rest: Vec<_> = rest.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let lists: Vec<_> = self.revoked.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let millis = u64::try_from(now.as_millis()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_millis(millis));
        let purpose = KeyUsage::client_auth();
        leaf.verify_for_usage(ISSUERS, &self.anchors, &rest, now, purpose, revocation, None)
            .map_err(|error| why(&error))?;
        names::identity(first)
    }
}

fn why(error: &webpki::Error) -> Refused {
    use webpki::Error as E;
    match error {
        E::UnknownIssuer => Refused::UnknownIssuer,
        E::CertExpired { .. } => Refused::Expired,
        E::CertNotValidYet { .. } => Refused::NotYet,
        E::CertRevoked => Refused::Revoked,
        E::UnknownRevocationStatus
        | E::CrlExpired { .. }
        | E::IssuerNotCrlSigner
        | E::InvalidCrlSignatureForPublicKey => Refused::RevocationUnknown,
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Refused::Purpose,
        E::BadDer | E::BadDerTime | E::TrailingData(_) | E::MalformedExtensions => Refused::Malformed,
        _ => Refused::Invalid,
    }
}
