//! A host's two clocks, which are neither the world's nor another host's.
use core::time::Duration;
use underpass_core::{Instant, UnixTime};

/// True time: since the world began. Only the world knows it.
pub type Time = Duration;

/// The monotonic clock and the wall clock of one host.
///
/// Both run at the pace of true time and keep counting while the host sleeps, as the core demands; either
/// may be stepped at any moment, forward or backward, as broken machines do.
#[derive(Clone, Debug)]
pub struct Clock {
    /// What the monotonic clock shows at true time 0, in nanoseconds; may be negative after steps.
    monotonic: i128,
    /// What the wall clock shows at true time 0, in nanoseconds since 1970.
    wall: i128,
}

impl Clock {
    /// A clock that shows `uptime` and `wall` when the world begins.
    #[must_use]
    pub fn new(uptime: Duration, wall: UnixTime) -> Self {
        Self { monotonic: nanos(uptime), wall: nanos(wall.as_duration()) }
    }

    /// What the monotonic clock shows at `time`.
    #[must_use]
    pub fn monotonic(&self, time: Time) -> Instant {
        Instant::from_nanos(clamp(self.monotonic + nanos(time)))
    }

    /// What the wall clock shows at `time`.
    #[must_use]
    pub fn wall(&self, time: Time) -> UnixTime {
        UnixTime::from_duration(Duration::from_nanos(clamp(self.wall + nanos(time))))
    }

    /// The true time at which the monotonic clock first shows `deadline`.
    #[must_use]
    pub fn time_of(&self, deadline: Instant) -> Time {
        Duration::from_nanos(clamp(i128::from(deadline.as_nanos()) - self.monotonic))
    }

    /// Steps the monotonic clock by `seconds`, negative for backward.
    pub fn step_monotonic(&mut self, seconds: i64) {
        self.monotonic += i128::from(seconds) * 1_000_000_000;
    }

    /// Steps the wall clock by `seconds`, negative for backward.
    pub fn step_wall(&mut self, seconds: i64) {
        self.wall += i128::from(seconds) * 1_000_000_000;
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / 4)
}

fn clamp(nanos: i128) -> u64 {
    u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_clocks_step_apart() {
        let mut clock = Clock::new(HOUR, UnixTime::from_secs(1_700_000_000));
        clock.step_wall(-60);
        assert_eq!(clock.monotonic(HOUR), Instant::ZERO + 2 * HOUR);
        assert_eq!(clock.wall(HOUR), UnixTime::from_secs(1_700_003_540));
        clock.step_monotonic(-5400);
        assert_eq!(clock.monotonic(HOUR), Instant::ZERO + HOUR / 2);
        assert_eq!(clock.wall(HOUR), UnixTime::from_secs(1_700_003_540));
    }

    #[test]
    fn a_deadline_translates_to_true_time_and_back() {
        let mut clock = Clock::new(HOUR, UnixTime::from_secs(0));
        clock.step_monotonic(30);
        let deadline = Instant::ZERO + 3 * HOUR;
        let time = clock.time_of(deadline);
        assert_eq!(clock.monotonic(time), deadline);
        assert_eq!(clock.time_of(Instant::ZERO), Duration::ZERO, "long past");
    }
}
