//! The cryptographic seam: one set of functions, two backends, the same vectors.
//!
//! [`aead`] and [`dh`] are the seam: the rest of the core calls them and never a backend.
//! [`portable`] is pure Rust and always compiled, so that the vectors prove it in every build.
//! `fast` is assembly behind the feature of that name, and chosen where it exists: on x86-64 and aarch64.
//! Hashing ([`hash`]) and keys ([`keys`]) are the same for both.
pub mod aead;
pub mod dh;
#[cfg(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub mod fast;
pub mod hash;
pub mod keys;
pub mod portable;
pub mod rng;

#[cfg(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")))]
use fast as backend;
#[cfg(not(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use portable as backend;

pub use aead::{AeadKey, BadTag, NONCE_LEN, TAG_LEN};
pub use keys::{PresharedKey, PrivateKey, PublicKey, SharedSecret, TransportKey};
pub use rng::Rng;
