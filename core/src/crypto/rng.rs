//! Randomness as an argument.
use crate::error::NoRandomness;

/// A source of cryptographically strong random bytes, supplied by the host.
///
/// Used on the handshake path only. A seeded source makes a run replay byte for byte (tests).
pub trait Rng: Send {
    /// Fills `dest` with random bytes, or nothing of what it did is used.
    ///
    /// # Errors
    /// [`NoRandomness`]: there is none now. What needed it is not done, and what can be tried again is.
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness>;
}

/// Four random bytes as a number.
pub fn random_u32(rng: &mut dyn Rng) -> Result<u32, NoRandomness> {
    let mut bytes = [0; 4];
    rng.fill(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}
