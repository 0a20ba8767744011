//! ChaCha20-Poly1305 (RFC 8439) with WireGuard's nonce: four zero bytes, then the counter, little-endian.
use crate::crypto::{TransportKey, backend};
use chacha20::{R20, hchacha};

/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;

/// Authentication failed; the buffer's content is unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTag;

/// A key made ready for sealing and opening; wiped on drop.
pub struct AeadKey(backend::aead::AeadKey);

impl AeadKey {
    /// Makes `key` ready.
    #[must_use]
    pub fn new(key: &TransportKey) -> Self {
        Self(backend::aead::AeadKey::new(key))
    }
    /// Touches the part of the key that lies far from its beginning, so that it is fetched into the cache. The value has no
    /// meaning.
    #[must_use]
    #[inline]
    pub fn read_ahead(&self) -> u64 {
        self.0.read_ahead()
    }
    /// Encrypts `text` in place and returns its tag.
    #[must_use]
    #[inline]
    pub fn seal(&self, counter: u64, aad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        self.0.seal(&nonce(counter), aad, text)
    }
    /// Decrypts `sealed` (ciphertext, then tag) in place; the plaintext is all but its last [`TAG_LEN`] bytes.
    ///
    /// # Errors
    /// [`BadTag`] when authentication fails or `sealed` is shorter than a tag.
    #[inline]
    pub fn open(&self, counter: u64, aad: &[u8], sealed: &mut [u8]) -> Result<(), BadTag> {
        self.0.open(&nonce(counter), aad, sealed)
    }
}

impl core::fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("AeadKey(redacted)")
    }
}

/// XChaCha20-Poly1305 sealing for cookie replies (paper § 5.4.7): encrypts `text` in place, returns the tag.
#[must_use]
pub fn xseal(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
    let (key, counter) = extend(key, nonce);
    AeadKey::new(&key).seal(counter, aad, text)
}

/// XChaCha20-Poly1305 opening for cookie replies; `sealed` is ciphertext then tag.
///
/// # Errors
/// [`BadTag`] when authentication fails or `sealed` is shorter than a tag.
pub fn xopen(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], sealed: &mut [u8]) -> Result<(), BadTag> {
    let (key, counter) = extend(key, nonce);
    AeadKey::new(&key).open(counter, aad, sealed)
}

/// What XChaCha20-Poly1305 comes down to: the key and the counter to use ChaCha20-Poly1305 with
/// (draft-irtf-cfrg-xchacha-03 § 2.3).
#[must_use]
pub fn extend(key: &[u8; 32], nonce: &[u8; 24]) -> (TransportKey, u64) {
    let [head @ .., a, b, c, d, e, f, g, h] = nonce;
    let subkey = hchacha::<R20>(key.into(), head.into());
    (TransportKey::from_bytes(subkey.into()), u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
}

/// The nonce of `counter` (paper § 5.4.6).
#[must_use]
#[inline]
pub fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    let [_, _, _, _, low @ ..] = &mut nonce;
    *low = counter.to_le_bytes();
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonce_is_four_zero_bytes_then_the_counter_little_endian() {
        assert_eq!(nonce(0), [0; NONCE_LEN]);
        assert_eq!(nonce(0x0807_0605_0403_0201), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(nonce(u64::MAX - 1), [0, 0, 0, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255]);
    }
}
