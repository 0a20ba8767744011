//! Client certificates (RFC 5280): who the holder of one is.
//!
//! There are two kinds, and both end in an [`Identity`]:
//!
//! - **The certificate of a WireGuard key** (RFC 8410): its key is the peer's static key, so that the handshake has proven already
//!   who holds it. The chain alone is sent ([`Authority::verify_key`]).
//! - **An ordinary certificate for signatures**, of a smart card or a phone's key store: the client signs what ties it to this
//!   tunnel and this login ([`Statement`], [`Authority::verify_signature`]).
//!
//! What is checked: the chain to one of our own authorities, validity, the purpose clientAuth, which has to be there, and
//! revocation, where there are lists of it. Nothing here fetches anything.
mod authority;
mod evidence;
mod names;
mod statement;

pub use authority::{Authority, BadAuthority};
pub use evidence::Evidence;
pub use names::{AlternativeName, Identity};
pub use statement::{Scheme, Statement};

/// Bytes of a chain, and certificates in it, at most.
pub const MAX_CHAIN_BYTES: usize = 16 * 1024;
/// Certificates in a chain at most.
pub const MAX_CHAIN: usize = 8;

/// Why a certificate is not accepted. For the audit log: the client is told no more than that it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is no certificate, or too many, or too long ones.
    #[error("no chain of 1 to {MAX_CHAIN} certificates with {MAX_CHAIN_BYTES} bytes at most")]
    Chain,
    /// A certificate cannot be read.
    #[error("a certificate is malformed")]
    Malformed,
    /// None of our authorities issued it.
    #[error("issued by nobody we trust")]
    UnknownIssuer,
    /// It has ended.
    #[error("expired")]
    Expired,
    /// It has not begun.
    #[error("not valid yet")]
    NotYet,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// No list says whether it was revoked, or the list is too old.
    #[error("nothing recent says whether it was revoked")]
    RevocationUnknown,
    /// It is not for clients.
    #[error("not for the authentication of clients")]
    Purpose,
    /// It is for another key than the peer's.
    #[error("for another key than the peer's")]
    OtherKey,
    /// The signature is wrong, or of a kind that does not fit the key.
    #[error("the signature is wrong")]
    Signature,
    /// Something else about the chain: constraints, a signature in it.
    #[error("the chain does not hold")]
    Invalid,
}
