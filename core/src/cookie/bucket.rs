//! A token bucket in one number.
use crate::time::Instant;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// Nanoseconds that one token takes to come back.
    token: u64,
    /// Nanoseconds that a whole bucket takes to fill.
    full: u64,
}

impl Rate {
    /// `per_second` tokens come back each second and at most `burst` are held; none of either counts as one. Rates
    /// above 10^9 per second are no limit at all.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let token = NANOS_PER_SEC.checked_div(u64::from(per_second)).unwrap_or(NANOS_PER_SEC);
        Self { token, full: token.saturating_mul(u64::from(burst.max(1))) }
    }
}

/// A token bucket: the instant at which it will be full again. Full at the host's epoch, and `Default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// Takes a token; `false` when there is none, and then nothing changed.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> bool {
        if self.is_empty(now, rate) {
            return false;
        }
        self.0 = now.as_nanos().saturating_add(self.missing(now, rate)).saturating_add(rate.token);
        true
    }

    /// Whether no token is left at `now`.
    pub(crate) fn is_empty(self, now: Instant, rate: Rate) -> bool {
        self.missing(now, rate) > rate.full.saturating_sub(rate.token)
    }

    /// Whether fewer than half of the tokens are left at `now`.
    pub(crate) fn is_below_half(self, now: Instant, rate: Rate) -> bool {
        self.missing(now, rate) > rate.full / 2
    }

    /// The instant at which it will be full, in nanoseconds: the lower, the less is lost by forgetting it.
    pub(crate) const fn full_at(self) -> u64 {
        self.0
    }

    /// Nanoseconds until it is full. No bucket is ever short of more than it holds: one that seems to be was used
    /// before the clock stepped back, and counts as full rather than as closed until the clock catches up.
    fn missing(self, now: Instant, rate: Rate) -> u64 {
        let missing = self.0.saturating_sub(now.as_nanos());
        if missing > rate.full { 0 } else { missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn drain(bucket: &mut Bucket, now: Instant, rate: Rate) -> u32 {
        (0..).take_while(|_| bucket.take(now, rate)).count() as u32
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        for (number, millis, tokens) in
            [(1, 0, 5), (2, 49, 0), (3, 50, 1), (4, 99, 0), (5, 100, 1), (6, 250, 3), (7, 500, 5), (8, 3_600_000, 5)]
        {
            assert_eq!(drain(&mut bucket, at(millis), Rate::new(20, 5)), tokens, "row {number}, {millis} ms");
        }
    }

    #[test]
    fn half_is_half() {
        let rate = Rate::new(10, 10);
        let mut bucket = Bucket::default();
        for taken in 1..=10 {
            assert!(bucket.take(at(0), rate));
            assert_eq!(bucket.is_below_half(at(0), rate), taken > 5, "{taken} taken");
        }
        assert!(bucket.is_empty(at(0), rate));
        assert!(!bucket.is_below_half(at(500), rate));
    }

    #[test]
    fn a_clock_that_steps_back_closes_no_bucket() {
        let mut bucket = Bucket::default();
        assert_eq!(drain(&mut bucket, at(3_600_000), Rate::new(20, 5)), 5);
        assert_eq!(drain(&mut bucket, at(3_599_990), Rate::new(20, 5)), 5);
        assert_eq!(drain(&mut bucket, at(1000), Rate::new(20, 5)), 5);
        assert_eq!(drain(&mut bucket, at(1049), Rate::new(20, 5)), 0);
    }

    #[test]
    fn the_ends_of_time_and_of_the_limits_do_not_overflow() {
        for (per_second, burst) in [(0, 0), (1, 1), (1, u32::MAX), (u32::MAX, 1), (u32::MAX, u32::MAX)] {
            let rate = Rate::new(per_second, burst);
            for now in [Instant::ZERO, Instant::MAX, Instant::MAX - Duration::from_nanos(1)] {
                let mut bucket = Bucket::default();
                assert!(bucket.take(now, rate), "{per_second}/s, burst {burst}");
                let _ = (bucket.take(now, rate), bucket.is_below_half(now, rate), bucket.full_at());
            }
        }
    }
}
