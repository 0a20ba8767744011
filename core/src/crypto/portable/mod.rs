//! Pure Rust, `no_std`, no C compiler: the RustCrypto AEAD and dalek's X25519.
pub mod aead;
pub mod dh;
