//! Time as the core sees it: an argument of every call, never read from a clock.
use core::ops::{Add, Sub};
use core::time::Duration;

/// Nanoseconds since an epoch of the host's choosing.
///
/// The clock behind it must keep counting while the machine sleeps (CLOCK_BOOTTIME on Linux,
/// `elapsedRealtimeNanos` on Android, `mach_continuous_time` on Apple systems). It may jump forward
/// by hours; what the tunnel makes of a clock that errs is said in [`tunnel`](crate::tunnel). All arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The host's epoch.
    pub const ZERO: Self = Self(0);
    /// The farthest instant there is; used as "never" inside the core.
    pub const MAX: Self = Self(u64::MAX);

    /// An instant `nanos` nanoseconds after the host's epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the host's epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    #[inline]
    fn add(self, after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, before: Duration) -> Self {
        let nanos = u64::try_from(before.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

/// Wall time: seconds and nanoseconds since 1970-01-01T00:00:00Z.
///
/// Only the TAI64N timestamp of a handshake initiation and the "latest handshake" figure look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// Wall time as a duration since 1970.
    #[must_use]
    pub const fn from_duration(since_1970: Duration) -> Self {
        Self(since_1970)
    }

    /// Wall time in whole seconds since 1970.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The duration since 1970.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for UnixTime {
    type Output = Self;
    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }
}
