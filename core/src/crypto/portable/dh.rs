//! X25519 (RFC 7748) on dalek.
use crate::crypto::{PrivateKey, PublicKey, SharedSecret};
use x25519_dalek::StaticSecret;

/// The shared secret, or `None` when it is all zero.
#[must_use]
pub fn exchange(private: &PrivateKey, public: &PublicKey) -> Option<SharedSecret> {
    let secret = StaticSecret::from(*private.as_bytes());
    let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(*public.as_bytes()));
    SharedSecret::from_bytes(*shared.as_bytes()).nonzero()
}

/// The public key of `private`.
#[cfg(feature = "tables")]
#[must_use]
pub fn public_key(private: &PrivateKey) -> PublicKey {
    let secret = StaticSecret::from(*private.as_bytes());
    PublicKey::from_bytes(x25519_dalek::PublicKey::from(&secret).to_bytes())
}

/// The public key of `private`: what it has in common with the base point, by the code of [`exchange`].
#[cfg(not(feature = "tables"))]
#[must_use]
pub fn public_key(private: &PrivateKey) -> PublicKey {
    let secret = StaticSecret::from(*private.as_bytes());
    let point = x25519_dalek::PublicKey::from(x25519_dalek::X25519_BASEPOINT_BYTES);
    PublicKey::from_bytes(*secret.diffie_hellman(&point).as_bytes())
}
