//! Every backend behind one table, so that each test runs against all of them.
#![allow(dead_code, reason = "each test file uses its part")]
use underpass_core::internals::crypto::{BadTag, NONCE_LEN, TAG_LEN};
use underpass_core::{PrivateKey, PublicKey};

/// Key, nonce, associated data, text in place.
type Crypt<T> = fn(&[u8; 32], &[u8; NONCE_LEN], &[u8], &mut [u8]) -> T;

/// The four functions of a backend, with keys as bytes.
pub struct Backend {
    pub name: &'static str,
    pub seal: Crypt<[u8; TAG_LEN]>,
    pub open: Crypt<Result<(), BadTag>>,
    pub exchange: fn(&PrivateKey, &PublicKey) -> Option<[u8; 32]>,
    pub public_key: fn(&PrivateKey) -> PublicKey,
}

macro_rules! backend {
    ($name:ident) => {{
        use underpass_core::internals::crypto::{TransportKey, $name as backend};
        Backend {
            name: stringify!($name),
            seal: |key, nonce, aad, text| {
                backend::aead::AeadKey::new(&TransportKey::from_bytes(*key)).seal(nonce, aad, text)
            },
            open: |key, nonce, aad, sealed| {
                backend::aead::AeadKey::new(&TransportKey::from_bytes(*key)).open(nonce, aad, sealed)
            },
            exchange: |private, public| backend::dh::exchange(private, public).map(|shared| *shared.as_bytes()),
            public_key: backend::dh::public_key,
        }
    }};
}

/// The backends compiled in: `portable` always, `fast` with its feature where it exists.
pub fn all() -> Vec<Backend> {
    vec![
        backend!(portable),
        #[cfg(all(feature = "fast", any(target_arch = "x86_64", target_arch = "aarch64")))]
        backend!(fast),
    ]
}
