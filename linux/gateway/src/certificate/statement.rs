//! What a client signs, so that its signature is worth nothing elsewhere.
use ring::digest::{Context, SHA256, digest};
use rustls_pki_types::SignatureVerificationAlgorithm;
use underpass_core::PublicKey;
use webpki::ring as algorithms;

/// In the place of TLS's "TLS 1.3, client CertificateVerify" (RFC 8446 § 4.4.3): a signature for one is none for the other.
const CONTEXT: &[u8] = b"underpass client cert v1";
/// So many spaces come first (RFC 8446 § 4.4.3).
const SPACES: usize = 64;

/// One login of one peer at one gateway.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The gateway's static key.
    pub gateway: PublicKey,
    /// The peer's static key.
    pub peer: PublicKey,
    /// What the gateway chose for this login.
    pub gateway_nonce: [u8; 32],
    /// What the client chose for it.
    pub client_nonce: [u8; 16],
}

impl Statement {
    /// The bytes to be signed: 64 spaces, a context, a zero, and SHA-256 over both keys, both nonces and the chain's digest.
    #[must_use]
    pub fn message(&self, chain: &[Vec<u8>]) -> Vec<u8> {
        let mut hash = Context::new(&SHA256);
        hash.update(self.gateway.as_bytes());
        hash.update(self.peer.as_bytes());
        hash.update(&self.gateway_nonce);
        hash.update(&self.client_nonce);
        hash.update(digest(&SHA256, &chain.concat()).as_ref());
        let mut message = vec![b' '; SPACES];
        message.extend_from_slice(CONTEXT);
        message.push(0);
        message.extend_from_slice(hash.finish().as_ref());
        message
    }
}

/// A kind of signature, by its number in TLS 1.3 (RFC 8446 § 4.2.3). PKCS #1 v1.5 is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the scheme of the same name in RFC 8446")]
pub enum Scheme {
    EcdsaSecp256r1Sha256 = 0x0403,
    EcdsaSecp384r1Sha384 = 0x0503,
    RsaPssRsaeSha256 = 0x0804,
    RsaPssRsaeSha384 = 0x0805,
    RsaPssRsaeSha512 = 0x0806,
    Ed25519 = 0x0807,
}

impl Scheme {
    /// All of them, the preferred first.
    pub const ALL: [Self; 6] = [
        Self::Ed25519,
        Self::EcdsaSecp256r1Sha256,
        Self::EcdsaSecp384r1Sha384,
        Self::RsaPssRsaeSha256,
        Self::RsaPssRsaeSha384,
        Self::RsaPssRsaeSha512,
    ];

    /// The scheme with this number.
    #[must_use]
    pub fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| *scheme as u16 == number)
    }

    pub(super) fn algorithm(self) -> &'static dyn SignatureVerificationAlgorithm {
        match self {
            Self::EcdsaSecp256r1Sha256 => algorithms::ECDSA_P256_SHA256,
            Self::EcdsaSecp384r1Sha384 => algorithms::ECDSA_P384_SHA384,
            Self::RsaPssRsaeSha256 => algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            Self::RsaPssRsaeSha384 => algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
            Self::RsaPssRsaeSha512 => algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
            Self::Ed25519 => algorithms::ED25519,
        }
    }
}
