//! X25519 (RFC 7748) on graviola, which panics on CPUs without the features it lists; those get the portable code.
extern crate std;

use crate::crypto::{PrivateKey, PublicKey, SharedSecret, portable};
use graviola::key_agreement::x25519;

/// The shared secret, or `None` when it is all zero.
#[must_use]
pub fn exchange(private: &PrivateKey, public: &PublicKey) -> Option<SharedSecret> {
    if !supported() {
        return portable::dh::exchange(private, public);
    }
    let secret = x25519::StaticPrivateKey::from_array(private.as_bytes());
    // Its only error is a shared secret of zero.
    let shared = secret.diffie_hellman(&x25519::PublicKey::from_array(public.as_bytes())).ok()?;
    SharedSecret::from_bytes(shared.0).nonzero()
}

/// The public key of `private`.
#[must_use]
pub fn public_key(private: &PrivateKey) -> PublicKey {
    if !supported() {
        return portable::dh::public_key(private);
    }
    let secret = x25519::StaticPrivateKey::from_array(private.as_bytes());
    PublicKey::from_bytes(secret.public_key().as_bytes())
}

/// Whether the CPU has every feature that graviola 0.4.2 asserts (its `low/x86_64/cpu.rs`, `verify_cpu_features`) or
/// that its X25519 is written in. A newer graviola may ask for more, which is why its version is pinned.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn supported() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("aes") && has!("pclmulqdq") && has!("bmi1") && has!("bmi2") && has!("adx") && has!("avx") && has!("avx2")
}

/// Whether the CPU has every feature that graviola 0.4.2 asserts (its `low/aarch64/cpu.rs`, `verify_cpu_features`).
/// A newer graviola may ask for more, which is why its version is pinned.
#[cfg(target_arch = "aarch64")]
#[must_use]
pub fn supported() -> bool {
    use std::arch::is_aarch64_feature_detected as has;
    has!("neon") && has!("aes") && has!("pmull") && has!("sha2")
}
