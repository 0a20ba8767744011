//! Time inside the tunnel, made from a clock of the host that may err.
//!
//! All deadlines and ages are kept in internal time, which never goes back and never leaps. As long as the host's clock
//! is sound, internal time is the host's. What a faulty clock does becomes an offset between the two.
use crate::time::{Instant, UnixTime};
use core::time::Duration;

/// The host's clock may be this much behind its latest reading before that counts as a step back: readings of several
/// threads may come out of order.
const DISORDER: u64 = 1_000_000_000;
/// The most that internal time advances in one call: by then every key and every handshake is too old.
const LEAP: u64 = 24 * 3600 * 1_000_000_000;

/// The host's clock and internal time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The latest reading of the host's clock since its last step back, in nanoseconds.
    host: u64,
    /// Internal time then.
    now: Instant,
}

/// What a reading of the host's clock came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    /// Time went on, or stood still.
    Steady,
    /// The clock leapt ahead by more than a day, and internal time by one day.
    Leapt,
}

impl Clock {
    /// Begins with the host's clock at `host`.
    pub(crate) fn new(host: Instant) -> Self {
        // So great a value is a failed reading. Internal time starts low, so that deadlines do not overflow.
        let now = if host.as_nanos() > u64::MAX / 2 { Instant::ZERO } else { host };
        Self { host: host.as_nanos(), now }
    }

    /// Internal time at the last reading.
    #[inline]
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Takes a reading of the host's clock.
    #[inline]
    pub(crate) fn advance(&mut self, host: Instant) -> Tick {
        let host = host.as_nanos();
        let passed = host.wrapping_sub(self.host);
        if host >= self.host && passed <= LEAP {
            self.host = host;
            self.now = self.now + Duration::from_nanos(passed);
            return Tick::Steady;
        }
        self.mend(host)
    }

    /// The clock went back, or leapt. Time goes on from where it was, at the pace of the host's clock.
    #[cold]
    fn mend(&mut self, host: u64) -> Tick {
        if host < self.host {
            if self.host - host > DISORDER {
                self.host = host;
            }
            return Tick::Steady;
        }
        self.host = host;
        self.now = self.now + Duration::from_nanos(LEAP);
        Tick::Leapt
    }

    /// Internal time when the host's clock shows `host`, without taking the reading.
    pub(crate) fn at(mut self, host: Instant) -> Instant {
        self.advance(host);
        self.now
    }

    /// What the host's clock will show at the internal time `at`, which is not before the latest reading; `None` when it
    /// cannot show it.
    pub(crate) fn on_host(&self, at: Instant) -> Option<Instant> {
        let ahead = at.as_nanos().saturating_sub(self.now.as_nanos());
        self.host.checked_add(ahead).map(Instant::from_nanos)
    }

    /// What the host's clock showed, or would have shown, at the internal time `at`, which lies in the past.
    pub(crate) fn was_on_host(&self, at: Instant) -> Instant {
        Instant::from_nanos(self.host.saturating_sub(self.now.as_nanos().saturating_sub(at.as_nanos())))
    }
}

/// Wall time, carried on by internal time between two readings, but not over leaps: no timestamp may exceed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    at: Instant,
    wall: UnixTime,
}

impl WallClock {
    /// The wall clock shows `wall` at the internal time `at`.
    pub(crate) const fn new(at: Instant, wall: UnixTime) -> Self {
        Self { at, wall }
    }

    /// Wall time at the internal time `now`.
    pub(crate) fn read(self, now: Instant) -> UnixTime {
        self.wall + now.since(self.at)
    }

    /// Internal time leapt: wall time stays where it was.
    pub(crate) fn stay(&mut self) {
        self.at = self.at + Duration::from_nanos(LEAP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(secs: u64) -> Instant {
        Instant::from_nanos(secs * SECOND)
    }

    #[test]
    fn internal_time_never_goes_back_and_never_leaps() {
        let table: &[(&str, &[u64], u64, Tick)] = &[
            // readings in seconds, internal time after the last, what that came to
            ("steady", &[100, 101, 200], 200, Tick::Steady),
            ("eight hours of sleep", &[100, 28_900], 28_900, Tick::Steady),
            ("out of order by a second", &[100, 99], 100, Tick::Steady),
            ("and on from there", &[100, 99, 101], 101, Tick::Steady),
            ("an hour back", &[4000, 400], 4000, Tick::Steady),
            ("an hour back, and ten seconds on", &[4000, 400, 410], 4010, Tick::Steady),
            ("and forth again", &[4000, 400, 4000], 7600, Tick::Steady),
            ("two days ahead", &[100, 172_900], 86_500, Tick::Leapt),
            ("two days ahead, and ten seconds on", &[100, 172_900, 172_910], 86_510, Tick::Steady),
        ];
        for (story, readings, want, tick) in table {
            let mut clock = Clock::new(at(100));
            let last = readings.iter().map(|secs| clock.advance(at(*secs))).last();
            assert_eq!((clock.now(), last), (at(*want), Some(*tick)), "{story}");
        }
    }

    #[test]
    fn a_reading_that_failed_does_no_harm() {
        let mut clock = Clock::new(at(100));
        assert_eq!(clock.advance(Instant::MAX), Tick::Leapt);
        assert_eq!(clock.on_host(clock.now() + Duration::from_secs(5)), None);
        assert_eq!(clock.advance(at(101)), Tick::Steady);
        let now = clock.now();
        assert_eq!(clock.advance(at(102)), Tick::Steady);
        assert_eq!(clock.now(), now + Duration::from_secs(1));
        assert_eq!(clock.on_host(now + Duration::from_secs(5)), Some(at(106)));

        let mut clock = Clock::new(Instant::MAX);
        assert_eq!(clock.now(), Instant::ZERO);
        assert_eq!(clock.advance(at(3)), Tick::Steady);
        assert_eq!((clock.now(), clock.on_host(at(2))), (Instant::ZERO, Some(at(5))), "internal time began at zero");
    }
}
