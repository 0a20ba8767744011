//! ChaCha20-Poly1305 (RFC 8439) on the RustCrypto crates.
use crate::crypto::TransportKey;
use crate::crypto::aead::{BadTag, NONCE_LEN, TAG_LEN};
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};

/// A key made ready for sealing and opening; wiped on drop.
pub struct AeadKey(ChaCha20Poly1305);

impl AeadKey {
    /// Makes `key` ready.
    #[must_use]
    pub fn new(key: &TransportKey) -> Self {
        Self(ChaCha20Poly1305::new(key.as_bytes().into()))
    }

    /// Nothing: the key is 32 bytes, and its beginning all there is to read.
    #[must_use]
    #[inline]
    pub fn read_ahead(&self) -> u64 {
        0
    }

    /// Encrypts `text` in place and returns its tag.
    #[must_use]
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        self.0.encrypt_inout_detached(nonce.into(), aad, text.into()).expect("text is shorter than 256 GiB").into()
    }

    /// Decrypts `sealed` (ciphertext, then tag) in place.
    ///
    /// # Errors
    /// [`BadTag`] when authentication fails or `sealed` is shorter than a tag.
    pub fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], sealed: &mut [u8]) -> Result<(), BadTag> {
        let (text, tag) = split_tag(sealed)?;
        self.0.decrypt_inout_detached(nonce.into(), aad, text.into(), (&*tag).into()).map_err(|_| BadTag)
    }
}

/// Ciphertext and tag of `sealed`.
fn split_tag(sealed: &mut [u8]) -> Result<(&mut [u8], &mut [u8; TAG_LEN]), BadTag> {
    sealed.split_last_chunk_mut().ok_or(BadTag)
}
