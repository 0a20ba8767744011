//! What the tests of several rooms need.
use crate::crypto::Rng;
use crate::error::NoRandomness;

/// Randomness that replays.
pub(super) struct Seeded(pub(super) u64);

impl Rng for Seeded {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}
