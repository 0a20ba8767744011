//! Token buckets in bytes, and quotas.
use crate::time::Instant;

const NANOS_PER_SEC: u64 = 1_000_000_000;
/// The largest burst and the largest rate: 4 GiB. Larger ones count as that.
const MOST: u64 = 1 << 32;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bytes that come back in a second, 1 at least and 2^32 at most.
    pub bytes_per_second: u64,
    /// Bytes that may be sent at once after a pause, 1 at least and 2^32 at most. Packets longer than that never pass.
    pub burst: u64,
}

/// A bucket that holds tokens of one byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: u64,
    /// Tokens times 10^9, when it is full and as it was at `since`. A token is 10^9, so that a nanosecond brings whole ones.
    full: u64,
    level: u64,
    since: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let full = rate.burst.clamp(1, MOST).saturating_mul(NANOS_PER_SEC);
        Self { rate: rate.bytes_per_second.clamp(1, MOST), full, level: full, since: now }
    }

    /// Whether it holds `tokens` at `now`.
    pub(super) fn holds(&mut self, tokens: usize, now: Instant) -> bool {
        let nanos = u64::try_from(now.since(self.since).as_nanos()).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(nanos.saturating_mul(self.rate)).min(self.full);
        self.since = self.since.max(now);
        self.level >= cost(tokens)
    }

    /// Takes `tokens` that it [holds](Self::holds).
    pub(super) fn take(&mut self, tokens: usize) {
        self.level = self.level.saturating_sub(cost(tokens));
    }
}

fn cost(tokens: usize) -> u64 {
    (tokens as u64).saturating_mul(NANOS_PER_SEC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn take(bucket: &mut Bucket, tokens: usize, now: Instant) -> bool {
        let holds = bucket.holds(tokens, now);
        if holds {
            bucket.take(tokens);
        }
        holds
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut now = Instant::ZERO;
        let mut bucket = Bucket::new(Rate { bytes_per_second: 1000, burst: 1500 }, now);
        assert!(take(&mut bucket, 1500, now) && !take(&mut bucket, 1, now));
        now = now + Duration::from_nanos(999_999);
        assert!(!take(&mut bucket, 1, now));
        now = now + Duration::from_nanos(1);
        assert!(take(&mut bucket, 1, now) && !take(&mut bucket, 1, now));
        now = now + Duration::from_secs(3600);
        assert!(!take(&mut bucket, 1501, now), "it holds no more than its burst");
        assert!(take(&mut bucket, 1500, now) && !take(&mut bucket, 1, now));
        assert!(!take(&mut bucket, 1, now - Duration::from_secs(9)), "a clock behind brings nothing");
    }

    /// Over many odd intervals as much passes as the rate says: nothing is lost in rounding.
    #[test]
    fn no_fraction_is_lost() {
        let mut now = Instant::ZERO;
        let mut bucket = Bucket::new(Rate { bytes_per_second: 333_333, burst: 10 }, now);
        assert!(take(&mut bucket, 10, now));
        let mut passed = 0;
        while now.as_nanos() < 1_000_000_000 {
            now = now + Duration::from_nanos(1009);
            passed += u32::from(take(&mut bucket, 1, now));
        }
        assert_eq!(passed, 333_333);
    }

    #[test]
    fn the_ends_of_the_limits_do_not_overflow() {
        for bytes in [0, 1, MOST, u64::MAX] {
            let mut bucket = Bucket::new(Rate { bytes_per_second: bytes, burst: bytes }, Instant::ZERO);
            for now in [Instant::ZERO, Instant::MAX] {
                assert!(take(&mut bucket, 1, now));
                assert!(!take(&mut bucket, usize::MAX, now));
            }
        }
    }
}
