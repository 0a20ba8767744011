//! Where time comes from.
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use underpass_core::{Instant, UnixTime};

/// The time since the machine started, sleep included (CLOCK_BOOTTIME).
#[must_use]
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has CLOCK_BOOTTIME since 2.6.39");
    Instant::from_nanos(u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX))
}

/// The wall time; 1970 when the clock is set before it.
#[must_use]
pub fn wall() -> UnixTime {
    UnixTime::from_duration(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_advances_with_real_time() {
        let before = now();
        std::thread::sleep(Duration::from_millis(5));
        let passed = now().since(before);
        assert!(passed >= Duration::from_millis(5) && passed < Duration::from_secs(60), "{passed:?}");
    }

    #[test]
    fn wall_time_is_of_this_century() {
        assert!(wall() > UnixTime::from_secs(1_600_000_000));
    }
}
