//! Time of day as stores and audit lines write it.
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use underpass_core::UnixTime;

/// Milliseconds since 1970, UTC. Fits a signed 64-bit integer of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The beginning of 1970.
    pub const ZERO: Self = Self(0);
    /// Later than everything: the end of the year 9999, the last that RFC 3339 can write.
    pub const NEVER: Self = Self(253_402_300_799_999);

    /// What the clock of this machine says.
    #[must_use]
    pub fn now() -> Self {
        UnixTime::from_duration(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).into()
    }

    /// From milliseconds since 1970; what lies outside of 1970 to 9999 becomes the nearest that does not.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(Self::ZERO.0, Self::NEVER.0))
    }

    /// From seconds since 1970.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Later by `duration`, [`Time::NEVER`] at most.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `duration`, [`Time::ZERO`] at least.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this; none where that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }
}

impl From<UnixTime> for Time {
    fn from(time: UnixTime) -> Self {
        Self::from_millis(i64::try_from(time.as_duration().as_millis()).unwrap_or(i64::MAX))
    }
}

impl From<Time> for UnixTime {
    fn from(time: Time) -> Self {
        Self::from_duration(Duration::from_millis(u64::try_from(time.0).unwrap_or_default()))
    }
}

/// RFC 3339 with milliseconds, in UTC: `2026-11-30T08:00:00.000Z`.
impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since_1970 = Duration::from_millis(u64::try_from(self.0).unwrap_or_default());
        humantime::format_rfc3339_millis(UNIX_EPOCH + since_1970).fmt(out)
    }
}

/// As text, see `Display`.
impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        for (millis, want) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_234_567_890_123, "2009-02-13T23:31:30.123Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (-5, "1970-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Time::from_millis(millis).to_string(), want);
        }
    }

    #[test]
    fn sums_stop_at_both_ends() {
        assert_eq!(Time::NEVER.after(Duration::MAX), Time::NEVER);
        assert_eq!(Time::from_secs(5).before(Duration::MAX), Time::ZERO);
        assert_eq!(Time::from_secs(5).after(Duration::from_secs(2)), Time::from_secs(7));
        assert_eq!(Time::from_secs(7).since(Time::from_secs(5)), Duration::from_secs(2));
        assert_eq!(Time::from_secs(5).since(Time::from_secs(7)), Duration::ZERO);
    }
}
