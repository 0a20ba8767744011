//! Randomness as an argument.

/// A source of cryptographically strong random bytes, supplied by the host.
///
/// Used on the handshake path only. A seeded source makes a run replay byte for byte (tests).
pub trait Rng: Send {
    /// Fills `dest` with random bytes.
    fn fill(&mut self, dest: &mut [u8]);
}

/// Four random bytes as a number.
pub fn random_u32(rng: &mut dyn Rng) -> u32 {
    let mut bytes = [0; 4];
    rng.fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
