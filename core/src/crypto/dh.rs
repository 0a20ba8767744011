//! X25519 (RFC 7748).
use crate::crypto::{PrivateKey, PublicKey, SharedSecret, backend};

/// The shared secret, or `None` when it is all zero (the public key is of low order); constant time.
#[must_use]
pub fn exchange(private: &PrivateKey, public: &PublicKey) -> Option<SharedSecret> {
    backend::dh::exchange(private, public)
}

/// The public key of `private`.
#[must_use]
pub fn public_key(private: &PrivateKey) -> PublicKey {
    backend::dh::public_key(private)
}
