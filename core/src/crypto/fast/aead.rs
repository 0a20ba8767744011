//! ChaCha20-Poly1305 (RFC 8439) on ring, which picks its code by the CPU's features at run time.
use crate::crypto::TransportKey;
use crate::crypto::aead::{BadTag, NONCE_LEN, TAG_LEN};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// A key expanded once for sealing and opening; wiped on drop.
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    /// Makes `key` ready.
    #[must_use]
    pub fn new(key: &TransportKey) -> Self {
        Self(expand(key.as_bytes()))
    }

    /// Touches the end of the key, where its algorithm is named. The value has no meaning.
    #[must_use]
    #[inline]
    pub fn read_ahead(&self) -> u64 {
        core::ptr::from_ref(self.0.algorithm()).addr() as u64
    }

    /// Encrypts `text` in place and returns its tag.
    #[must_use]
    #[inline]
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text);
        let mut bytes = [0; TAG_LEN];
        bytes.copy_from_slice(tag.expect("text is shorter than 256 GiB").as_ref());
        bytes
    }

    /// Decrypts `sealed` (ciphertext, then tag) in place.
    ///
    /// # Errors
    /// [`BadTag`] when authentication fails or `sealed` is shorter than a tag.
    #[inline]
    pub fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], sealed: &mut [u8]) -> Result<(), BadTag> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_in_place(nonce, Aad::from(aad), sealed).map(|_| ()).map_err(|_| BadTag)
    }
}

impl Drop for AeadKey {
    fn drop(&mut self) {
        // ring does not wipe its keys. Storing another in place does, and the black box keeps the store.
        self.0 = expand(&[0; 32]);
        core::hint::black_box(&self.0);
    }
}

fn expand(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has 32 bytes"))
}
