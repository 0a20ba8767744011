//! TAI64N timestamps (paper § 5.1): 8 bytes of seconds, 4 of nanoseconds, big-endian, whitened.
//!
//! A responder accepts an initiation only when its timestamp is later than the last one, so a timestamp that ran
//! ahead locks its owner out until time catches up, and one that steps back is refused. [`Tai64N::after`] makes
//! what we send rise by at least one step whatever the wall clock does (lesson 9).
use crate::time::UnixTime;
use core::time::Duration;

/// The TAI64 label of 1970-01-01T00:00:00Z: 2^62, and the ten leap seconds TAI was ahead by in 1972. Every
/// WireGuard implementation adds this constant; later leap seconds are ignored.
const UNIX_EPOCH: u64 = 0x4000_0000_0000_000a;

/// Nanoseconds between two timestamps that can be told apart: 2^24, about 17 ms.
pub const STEP_NANOS: u32 = 1 << 24;

const NANOS_PER_SEC: u32 = 1_000_000_000;

/// A timestamp; ordered as time is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Tai64N([u8; 12]);

impl Tai64N {
    /// The earliest timestamp.
    pub const ZERO: Self = Self([0; 12]);

    /// From the 12 bytes of the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The 12 bytes of the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// Of a wall time, its nanoseconds whitened to 2^24 ns so that it tells little of our clock.
    #[must_use]
    pub fn from_wall(wall: UnixTime) -> Self {
        let since_1970 = wall.as_duration();
        Self::new(UNIX_EPOCH.saturating_add(since_1970.as_secs()), whiten(since_1970.subsec_nanos()))
    }

    /// The later of `self` and one step after `floor`: a timestamp that never goes back.
    ///
    /// It is later than `floor` by at least what whitening leaves to tell, except at the end of the 64-bit seconds,
    /// where it is `floor`.
    #[must_use]
    pub fn after(self, floor: Self) -> Self {
        self.max(floor.next_step())
    }

    /// Wall time of the timestamp (zero if before 1970).
    #[must_use]
    pub fn to_wall(self) -> UnixTime {
        let Some(secs) = self.secs().checked_sub(UNIX_EPOCH) else { return UnixTime::default() };
        // A peer may send any four bytes for nanoseconds.
        let nanos = self.nanos().min(NANOS_PER_SEC.saturating_sub(1));
        UnixTime::from_duration(Duration::new(secs, nanos))
    }

    /// The first whitened timestamp after this one, which need not be whitened or even well-formed.
    fn next_step(self) -> Self {
        match whiten(self.nanos()).checked_add(STEP_NANOS) {
            Some(nanos) if nanos < NANOS_PER_SEC => Self::new(self.secs(), nanos),
            _ => self.secs().checked_add(1).map_or(self, |secs| Self::new(secs, 0)),
        }
    }

    fn new(secs: u64, nanos: u32) -> Self {
        let mut bytes = [0; 12];
        let (high, low) = bytes.split_at_mut(8);
        high.copy_from_slice(&secs.to_be_bytes());
        low.copy_from_slice(&nanos.to_be_bytes());
        Self(bytes)
    }

    fn secs(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    fn nanos(self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// `nanos` rounded down to a whole step.
const fn whiten(nanos: u32) -> u32 {
    nanos & !STEP_NANOS.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(secs: u64, nanos: u32) -> UnixTime {
        UnixTime::from_duration(Duration::new(secs, nanos))
    }

    #[test]
    fn wall_times_become_labels() {
        for (number, secs, nanos, label) in [
            (1, 0, 0, "400000000000000a00000000"),
            (2, 0, STEP_NANOS - 1, "400000000000000a00000000"),
            (3, 0, STEP_NANOS, "400000000000000a01000000"),
            (4, 1_700_000_000, 0, "400000006553f10a00000000"),
            (5, 1_700_000_000, 123_456_789, "400000006553f10a07000000"),
            (6, 1_700_000_000, 999_999_999, "400000006553f10a3b000000"),
            (7, u64::MAX, 0, "ffffffffffffffff00000000"),
        ] {
            assert_eq!(hex::encode(Tai64N::from_wall(wall(secs, nanos)).as_bytes()), label, "row {number}");
        }
    }

    #[test]
    fn labels_become_wall_times() {
        for (number, label, secs, nanos) in [
            (1, "400000006553f10a07000000", 1_700_000_000, 7 << 24),
            (2, "400000000000000a00000000", 0, 0),
            (3, "400000000000000900000000", 0, 0),
            (4, "000000000000000000000000", 0, 0),
            (5, "400000006553f10affffffff", 1_700_000_000, 999_999_999),
            (6, "ffffffffffffffff3b9aca00", u64::MAX - UNIX_EPOCH, 999_999_999),
        ] {
            let bytes = hex::decode(label).unwrap().try_into().unwrap();
            assert_eq!(Tai64N::from_bytes(bytes).to_wall(), wall(secs, nanos), "row {number}");
        }
    }

    #[test]
    fn the_next_timestamp_is_a_step_after_the_floor_or_the_present() {
        for (number, secs, nanos, floor_secs, floor_nanos, then_secs, then_nanos) in [
            (1, 100, 0, 90, 0, 100, 0),
            (2, 100, 0, 100, 0, 100, STEP_NANOS),
            (3, 90, 0, 100, 5 * STEP_NANOS, 100, 6 * STEP_NANOS),
            (4, 100, 0, 100, 59 * STEP_NANOS, 101, 0),
            (5, 0, 0, 100, STEP_NANOS + 1, 100, 2 * STEP_NANOS),
            (6, 0, 0, 100, u32::MAX, 101, 0),
            (7, 0, 0, u64::MAX, 0, u64::MAX, STEP_NANOS),
            (8, 0, 0, u64::MAX, 999_999_999, u64::MAX, 999_999_999),
        ] {
            let after = Tai64N::new(secs, nanos).after(Tai64N::new(floor_secs, floor_nanos));
            assert_eq!(after, Tai64N::new(then_secs, then_nanos), "row {number}");
        }
    }

    #[test]
    fn a_clock_that_stands_still_gives_rising_timestamps() {
        let stuck = Tai64N::from_wall(wall(1_700_000_000, 0));
        let mut floor = Tai64N::ZERO;
        for _ in 0..1000 {
            let next = stuck.after(floor);
            assert!(next > floor);
            assert_eq!(next.nanos() % STEP_NANOS, 0);
            assert!(next.nanos() < NANOS_PER_SEC);
            floor = next;
        }
    }

    #[test]
    fn order_is_that_of_time() {
        let rising = [
            Tai64N::ZERO,
            Tai64N::from_wall(wall(0, 0)),
            Tai64N::from_wall(wall(0, 999_999_999)),
            Tai64N::from_wall(wall(1, 0)),
            Tai64N::from_wall(wall(256, 0)),
            Tai64N::from_wall(wall(1 << 32, 0)),
        ];
        assert!(rising.is_sorted());
    }
}
