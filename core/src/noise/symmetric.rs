//! The chaining key and the transcript hash that both sides of a handshake carry along (paper § 5.4).
use crate::crypto::hash::{hash, kdf};
use crate::crypto::{AeadKey, BadTag, PresharedKey, PublicKey, SharedSecret, TAG_LEN, TransportKey};
use crate::noise::{INITIAL_CHAINING_KEY, INITIAL_HASH};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What has been said and agreed so far. Wiped on drop; a clone is the copy on which a message is verified.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Symmetric {
    chaining_key: [u8; 32],
    hash: [u8; 32],
}

impl Symmetric {
    /// The transcript before the first message, whose responder's static key is known beforehand.
    pub(super) fn new(hash: [u8; 32]) -> Self {
        Self { chaining_key: INITIAL_CHAINING_KEY, hash }
    }

    /// `H = HASH(H || data)`.
    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        self.hash = hash(&[&self.hash, data]);
    }

    /// An ephemeral public key: into the transcript and, as the preshared-key pattern asks, into the chaining key.
    pub(super) fn mix_ephemeral(&mut self, ephemeral: &PublicKey) {
        self.mix_hash(ephemeral.as_bytes());
        self.mix(ephemeral.as_bytes());
    }

    /// `C = KDF1(C, secret)`.
    pub(super) fn mix_secret(&mut self, secret: &SharedSecret) {
        self.mix(secret.as_bytes());
    }

    /// `(C, k) = KDF2(C, secret)`, and `k` for the one field that it seals.
    pub(super) fn mix_secret_for_key(&mut self, secret: &SharedSecret) -> AeadKey {
        let outputs = Zeroizing::new(kdf::<2>(&self.chaining_key, secret.as_bytes()));
        let [chaining_key, key] = &*outputs;
        self.chaining_key = *chaining_key;
        AeadKey::new(&TransportKey::from_bytes(*key))
    }

    /// `(C, t, k) = KDF3(C, preshared)`, `H = HASH(H || t)`, and `k` for the one field that it seals.
    pub(super) fn mix_preshared(&mut self, preshared: &PresharedKey) -> AeadKey {
        let outputs = Zeroizing::new(kdf::<3>(&self.chaining_key, preshared.as_bytes()));
        let [chaining_key, transcript, key] = &*outputs;
        self.chaining_key = *chaining_key;
        self.mix_hash(transcript);
        AeadKey::new(&TransportKey::from_bytes(*key))
    }

    /// Seals a field in place, bound to the transcript, which it then joins. The last [`TAG_LEN`] bytes of `field`
    /// are the tag's; what they held is overwritten.
    pub(super) fn seal<const N: usize>(&mut self, key: &AeadKey, field: &mut [u8; N]) {
        const { assert!(N >= TAG_LEN, "a sealed field holds at least its tag") };
        let (text, tag) = field.split_last_chunk_mut::<TAG_LEN>().expect("the length was checked at compile time");
        *tag = key.seal(0, &self.hash, text);
        self.mix_hash(field);
    }

    /// Opens a field on a copy, which begins with the plaintext; the sealed field then joins the transcript.
    pub(super) fn open<const N: usize>(
        &mut self,
        key: &AeadKey,
        field: &[u8; N],
    ) -> Result<Zeroizing<[u8; N]>, BadTag> {
        let mut text = Zeroizing::new(*field);
        key.open(0, &self.hash, &mut *text)?;
        self.mix_hash(field);
        Ok(text)
    }

    /// The two transport keys, initiator to responder first (paper § 5.4.5).
    pub(super) fn split(&self) -> (TransportKey, TransportKey) {
        let outputs = Zeroizing::new(kdf::<2>(&self.chaining_key, &[]));
        let [to_responder, to_initiator] = &*outputs;
        (TransportKey::from_bytes(*to_responder), TransportKey::from_bytes(*to_initiator))
    }

    /// `C = KDF1(C, input)`.
    fn mix(&mut self, input: &[u8; 32]) {
        let outputs = Zeroizing::new(kdf::<1>(&self.chaining_key, input));
        let [chaining_key] = &*outputs;
        self.chaining_key = *chaining_key;
    }
}

/// `HASH(HASH(HASH(CONSTRUCTION) || IDENTIFIER) || responder)`: where the transcript of a handshake with it begins.
pub(super) fn hash_for(responder: &PublicKey) -> [u8; 32] {
    hash(&[&INITIAL_HASH, responder.as_bytes()])
}

impl core::fmt::Debug for Symmetric {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Symmetric(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> SharedSecret {
        SharedSecret::from_bytes([byte; 32])
    }

    #[test]
    fn a_sealed_field_opens_only_in_the_same_transcript() {
        let mut here = Symmetric::new([1; 32]);
        let mut there = here.clone();
        let mut field = [7; 48];
        let key = here.mix_secret_for_key(&secret(2));
        here.seal(&key, &mut field);

        let key = there.mix_secret_for_key(&secret(2));
        let mut other = there.clone();
        other.mix_hash(b"something else was said");
        assert!(other.open(&key, &field).is_err());
        assert_eq!(there.open(&key, &field).unwrap()[..32], [7; 32]);
        assert_eq!(here.hash, there.hash);
        assert_eq!(here.split().0.as_bytes(), there.split().0.as_bytes());
        assert_ne!(here.split().0.as_bytes(), here.split().1.as_bytes());
    }

    #[test]
    fn a_refused_field_leaves_the_transcript_alone() {
        let mut symmetric = Symmetric::new([1; 32]);
        let key = symmetric.mix_secret_for_key(&secret(2));
        let before = symmetric.hash;
        assert!(symmetric.open(&key, &[0; 28]).is_err());
        assert_eq!(symmetric.hash, before);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(std::format!("{:?}", Symmetric::new([1; 32])), "Symmetric(redacted)");
    }
}
