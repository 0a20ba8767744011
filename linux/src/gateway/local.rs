//! Local time: hours in rules are in the machine's time zone.
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds by which local time is ahead of UTC at present; `None`: the machine does not say which time zone is its own.
#[must_use]
pub fn seconds_ahead() -> Option<i32> {
    Some(TimeZone::try_system().ok()?.to_offset(Timestamp::now()).seconds())
}
