//! The one source of chance: every run is a function of its seed.
use underpass_core::NoRandomness;

/// A seeded generator (SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014). Not for secrets outside a simulation.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A generator that always tells the same sequence for the same `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for a part of the world, so that one part's draws do not shift another's.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::new(self.draw())
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`, 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// `true` in `per_million` of a million cases. Draws nothing when the answer is certain.
    pub fn chance(&mut self, per_million: u32) -> bool {
        match per_million {
            0 => false,
            1_000_000.. => true,
            _ => self.below(1_000_000) < u64::from(per_million),
        }
    }

    /// A duration in `0..=most`.
    pub fn up_to(&mut self, most: core::time::Duration) -> core::time::Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX - 1);
        core::time::Duration::from_nanos(self.below(nanos.saturating_add(1)))
    }
}

impl underpass_core::Rng for Rng {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for chunk in dest.chunks_mut(8) {
            let bytes = self.draw().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

/// `n` percent in parts per million.
#[must_use]
pub const fn percent(n: u32) -> u32 {
    n * 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_sequence() {
        // First outputs of SplitMix64 for seed 1234567 (Vigna's reference implementation).
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.draw(), 6_457_827_717_110_365_317);
        assert_eq!(rng.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn chance_keeps_its_rate() {
        let mut rng = Rng::new(1);
        let hits = (0..100_000).filter(|_| rng.chance(percent(10))).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
        assert!(!rng.chance(0));
        assert!(rng.chance(1_000_000));
    }
}
