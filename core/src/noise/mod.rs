//! Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s as WireGuard uses it (paper § 5.4.2 to 5.4.5).
//!
//! The initiator knows the responder's static key and says, sealed, its own and the time:
//!
//! ```text
//! Initiator::initiate ── initiation ──▶ Unveiled::unveil ▶ Unveiled::authenticate ▶ Responder
//!        │                                                                             │
//! Initiator::finish  ◀── response ──────────────────────────────────────── Responder::respond
//!        ▼                                                                             ▼
//!  TransportKeys                                                                 TransportKeys
//! ```
//!
//! Each step verifies on copies; the caller commits. A state is consumed by its transition, except that
//! [`Initiator::finish`] borrows, so that a forged response leaves the handshake standing. States own their
//! secrets, wipe them on every exit and show nothing of them in `Debug`. The exchange of the two static keys is the
//! same for all handshakes of a peer: the caller makes it once and passes it in, having refused a zero.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod initiator;
mod responder;
mod symmetric;
pub mod timestamp;

pub use initiator::Initiator;
pub use responder::{Responder, Unveiled};
pub use timestamp::Tai64N;

use crate::crypto::{PrivateKey, PublicKey, TransportKey};
use crate::error::NoRandomness;

/// The protocol's name in Noise.
pub const CONSTRUCTION: &[u8] = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
/// The prologue by which handshakes of WireGuard differ from others of the same construction.
pub const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";

/// `HASH(CONSTRUCTION)`: the chaining key that every handshake begins with.
const INITIAL_CHAINING_KEY: [u8; 32] = [
    0x60, 0xe2, 0x6d, 0xae, 0xf3, 0x27, 0xef, 0xc0, 0x2e, 0xc3, 0x35, 0xe2, 0xa0, 0x25, 0xd2, 0xd0, 0x16, 0xeb, 0x42,
    0x06, 0xf8, 0x72, 0x77, 0xf5, 0x2d, 0x38, 0xd1, 0x98, 0x8b, 0x78, 0xcd, 0x36,
];
/// `HASH(INITIAL_CHAINING_KEY || IDENTIFIER)`: the transcript before the responder's key joins it.
const INITIAL_HASH: [u8; 32] = [
    0x22, 0x11, 0xb3, 0x61, 0x08, 0x1a, 0xc5, 0x66, 0x69, 0x12, 0x43, 0xdb, 0x45, 0x8a, 0xd5, 0x32, 0x2d, 0x9c, 0x6c,
    0x66, 0x22, 0x93, 0xe8, 0xb7, 0x0e, 0xe1, 0x9c, 0x65, 0xba, 0x07, 0x9e, 0xf3,
];

/// Our static keypair and what is derived from it once.
#[derive(Debug)]
pub struct Identity {
    private: PrivateKey,
    public: PublicKey,
    /// The transcript that every initiation to us begins with.
    initial_hash: [u8; 32],
}

impl Identity {
    /// Derives the public key and the handshake hash that every initiation to us starts from.
    #[must_use]
    pub fn new(private: PrivateKey) -> Self {
        let public = private.public_key();
        Self { private, public, initial_hash: symmetric::hash_for(&public) }
    }

    /// Our public key.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Our private key.
    #[must_use]
    pub fn private(&self) -> &PrivateKey {
        &self.private
    }
}

/// Why a handshake message was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// A field does not authenticate.
    BadTag,
    /// A key exchange yielded zero.
    LowOrderKey,
    /// The source of randomness gave none: nothing is wrong with the peer.
    NoRandomness,
}

impl From<NoRandomness> for HandshakeError {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

impl core::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::BadTag => "a field of the handshake does not authenticate",
            Self::LowOrderKey => "a key exchange of the handshake yielded zero",
            Self::NoRandomness => "the source of randomness gives none",
        })
    }
}

impl core::error::Error for HandshakeError {}

/// The two directions of a new keypair, from our side.
#[derive(Debug)]
pub struct TransportKeys {
    /// Seals what we send.
    pub send: TransportKey,
    /// Opens what we receive.
    pub receive: TransportKey,
}

#[cfg(test)]
mod tests;
