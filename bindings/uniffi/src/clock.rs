//! The clocks of a tunnel: the system's, or one that a test moves.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use underpass_core::{Instant, UnixTime};

/// The clock that goes on while the machine sleeps: the kernel's time since its start, and on Apple systems what
/// `mach_continuous_time` counts.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SLEEPLESS: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(target_vendor = "apple")]
const SLEEPLESS: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
const SLEEPLESS: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Where a tunnel reads the time: nanoseconds of a clock that goes on while the machine sleeps, and the wall clock.
#[derive(Debug, uniffi::Object)]
pub struct Clock(Source);

#[derive(Debug)]
enum Source {
    System {
        /// The latest reading, which stands in for one that fails.
        latest: AtomicU64,
    },
    Manual(Mutex<Manual>),
}

#[derive(Clone, Copy, Debug)]
struct Manual {
    now: u64,
    wall: u64,
}

#[uniffi::export]
impl Clock {
    /// The clock of the system: `SystemClock.elapsedRealtimeNanos` on Android, `mach_continuous_time` on Apple systems.
    #[uniffi::constructor]
    #[must_use]
    pub fn system() -> Arc<Self> {
        Arc::new(Self(Source::System { latest: AtomicU64::new(0) }))
    }

    /// A clock that stands still until it is moved, for tests.
    ///
    /// `now_nanos` is the time that it shows, `wall_nanos` the wall clock's in nanoseconds since 1970 UTC.
    #[uniffi::constructor]
    #[must_use]
    pub fn manual(now_nanos: u64, wall_nanos: u64) -> Arc<Self> {
        Arc::new(Self(Source::Manual(Mutex::new(Manual { now: now_nanos, wall: wall_nanos }))))
    }

    /// Moves a manual clock and its wall clock ahead. The system's clock stays as it is.
    pub fn advance(&self, nanos: u64) {
        self.change(|manual| {
            manual.now = manual.now.saturating_add(nanos);
            manual.wall = manual.wall.saturating_add(nanos);
        });
    }

    /// Sets the wall clock of a manual clock. The system's stays as it is.
    pub fn set_wall(&self, wall_nanos: u64) {
        self.change(|manual| manual.wall = wall_nanos);
    }

    /// The time in nanoseconds. It says nothing about the date.
    #[must_use]
    pub fn now_nanos(&self) -> u64 {
        match &self.0 {
            Source::System { latest } => match boot_nanos() {
                Some(now) => latest.fetch_max(now, Ordering::Relaxed).max(now),
                None => latest.load(Ordering::Relaxed),
            },
            Source::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).now,
        }
    }

    /// The wall clock in nanoseconds since 1970 UTC.
    #[must_use]
    pub fn wall_nanos(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
            }
            Source::Manual(manual) => manual.lock().unwrap_or_else(PoisonError::into_inner).wall,
        }
    }
}

impl Clock {
    /// The time as the core wants it.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.now_nanos())
    }

    /// The wall clock as the core wants it.
    #[must_use]
    pub fn wall(&self) -> UnixTime {
        UnixTime::from_duration(Duration::from_nanos(self.wall_nanos()))
    }

    /// Whether it is the system's: then its times are those of the system's timers.
    #[must_use]
    pub fn is_system(&self) -> bool {
        matches!(self.0, Source::System { .. })
    }

    fn change(&self, change: impl FnOnce(&mut Manual)) {
        if let Source::Manual(manual) = &self.0 {
            change(&mut manual.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// A reading of the system's clock; `None`: the system gives none.
fn boot_nanos() -> Option<u64> {
    let mut at = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock writes one `timespec`, which is ours.
    let done = unsafe { libc::clock_gettime(SLEEPLESS, &raw mut at) } == 0;
    let seconds = u64::try_from(at.tv_sec).ok().filter(|_| done)?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(at.tv_nsec).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_clock_goes_on_and_counts_from_the_start_of_the_machine() {
        let clock = Clock::system();
        let first = clock.now_nanos();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        if let Some(Ok(seconds)) = uptime.split('.').next().map(str::parse::<u64>) {
            let off = (first / 1_000_000_000).abs_diff(seconds);
            assert!(off < 60, "{first} ns and {seconds} s");
        }
        assert!(first > 0 && clock.now_nanos() >= first);
        clock.advance(u64::MAX);
        assert!(clock.now_nanos() < u64::MAX / 2, "only a manual clock is moved");
        // 2020.
        assert!(clock.wall_nanos() > 1_577_836_800_000_000_000);
    }

    #[test]
    fn a_manual_clock_goes_where_it_is_moved() {
        let clock = Clock::manual(5, 100);
        assert_eq!((clock.now_nanos(), clock.wall_nanos()), (5, 100));
        clock.advance(7);
        assert_eq!((clock.now_nanos(), clock.wall_nanos()), (12, 107));
        clock.set_wall(1);
        assert_eq!((clock.now_nanos(), clock.wall_nanos()), (12, 1));
    }
}
