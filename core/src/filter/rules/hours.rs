//! Times of the week, and when they begin and end next.
use super::Rule;
use crate::time::{Instant, UnixTime};
use core::time::Duration;

/// Minutes of a week.
pub(in crate::filter) const WEEK: u16 = 7 * 24 * 60;
const MINUTE: u64 = 60;
const WEEK_SECS: u64 = WEEK as u64 * MINUTE;
/// 1970-01-01 was a Thursday: so many seconds after the Monday before.
const EPOCH_IN_WEEK: u64 = 3 * 24 * 60 * MINUTE;

/// A part of the week in minutes since Monday, 0:00, local time: from `from` (included) to `to` (excluded). One that ends
/// before it begins goes on over the end of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The first minute.
    pub from: u16,
    /// The minute that is no part of it any more; 10080 is the end of the week.
    pub to: u16,
}

impl Hours {
    /// Whether both ends lie in a week, and are not the same.
    pub(super) const fn is_sound(&self) -> bool {
        self.from < WEEK && self.to <= WEEK && self.from != self.to
    }

    /// Whether the minute belongs to it.
    #[must_use]
    pub const fn contains(&self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }
}

/// A reading of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter) struct Wall {
    /// The time in the filter's own clock at which it was read.
    pub read_at: Instant,
    /// Wall time.
    pub unix: UnixTime,
    /// Seconds by which local time is ahead of UTC.
    pub ahead: i32,
}

impl Wall {
    /// What the clock shows at `now`.
    pub(in crate::filter) fn at(&self, now: Instant) -> Self {
        Self { read_at: now, unix: self.unix + now.since(self.read_at), ahead: self.ahead }
    }

    /// The minute of the week, local time.
    pub(super) fn minute_of_week(&self) -> u16 {
        u16::try_from(self.second_of_week() / MINUTE).unwrap_or(0)
    }

    fn second_of_week(&self) -> u64 {
        let utc = self.unix.as_duration().as_secs() % WEEK_SECS;
        let ahead = i64::from(self.ahead).rem_euclid(WEEK_SECS as i64).unsigned_abs();
        utc.saturating_add(EPOCH_IN_WEEK).saturating_add(ahead) % WEEK_SECS
    }

    /// When one of `rules` begins or ceases to apply next, in the filter's own clock; `None`: never.
    pub(in crate::filter) fn next_change(&self, rules: &[Rule]) -> Option<Instant> {
        let edges = rules.iter().flat_map(|rule| &rule.hours).flat_map(|hours| [hours.from, hours.to]);
        let edges = edges.map(|minute| self.until_minute(minute));
        let ends = rules.iter().filter_map(|rule| rule.not_after).filter(|end| *end > self.unix);
        let ends = ends.map(|end| end.as_duration().saturating_sub(self.unix.as_duration()));
        edges.chain(ends).min().map(|wait| self.read_at + wait)
    }

    /// The time until a minute of the week begins: more than none, at most a week.
    fn until_minute(&self, minute: u16) -> Duration {
        let second = u64::from(minute).saturating_mul(MINUTE);
        let past = self.second_of_week();
        let wait = second.saturating_add(WEEK_SECS).saturating_sub(past) % WEEK_SECS;
        let wait = if wait == 0 { WEEK_SECS } else { wait };
        Duration::from_secs(wait).saturating_sub(Duration::from_nanos(self.unix.as_duration().subsec_nanos().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// A wall clock that shows so many seconds since 1970.
    fn wall(unix: u64, ahead: i32) -> Wall {
        Wall { read_at: Instant::ZERO, unix: UnixTime::from_secs(unix), ahead }
    }

    #[test]
    fn minutes_of_the_week() {
        for (number, unix, ahead, minute) in [
            // Thursday, 1970-01-01, 0:00.
            (1, 0, 0, 3 * 1440),
            (2, 59, 0, 3 * 1440),
            (3, 60, 0, 3 * 1440 + 1),
            (4, 0, -60, 3 * 1440 - 1),
            // Monday, 2024-01-01, 0:00.
            (5, 1_704_067_200, 0, 0),
            (6, 1_704_067_199, 0, WEEK - 1),
            (7, 1_704_067_200, 3600, 60),
            (8, 1_704_067_200, -3600, WEEK - 60),
            (9, u64::MAX, i32::MIN, 0),
        ] {
            let found = wall(unix, ahead).minute_of_week();
            assert!(found == minute || (number == 9 && found < WEEK), "row {number}: {found}");
        }
    }

    #[test]
    fn hours_may_go_over_the_end_of_the_week() {
        let weekend = Hours { from: 5 * 1440, to: WEEK };
        let night = Hours { from: WEEK - 60, to: 60 };
        for (minute, in_weekend, in_night) in
            [(0, false, true), (59, false, true), (60, false, false), (5 * 1440, true, false), (WEEK - 1, true, true)]
        {
            assert_eq!((weekend.contains(minute), night.contains(minute)), (in_weekend, in_night), "{minute}");
        }
        let unsound = [Hours { from: 5, to: 5 }, Hours { from: WEEK, to: 1 }, Hours { from: 0, to: WEEK + 1 }];
        assert!(weekend.is_sound() && night.is_sound() && unsound.iter().all(|hours| !hours.is_sound()));
    }

    /// The next change is the first second at which any rule changes, found by trying them all.
    #[test]
    fn the_next_change_is_the_first() {
        let mut rule = Rule::allow(1, Vec::new());
        rule.hours = Vec::from([Hours { from: 3 * 1440, to: 3 * 1440 + 2 }, Hours { from: WEEK - 1, to: 1 }]);
        let mut other = Rule::allow(2, Vec::new());
        other.not_after = Some(UnixTime::from_secs(4 * 86400 + 77));
        let rules = [rule, other];
        let state = |unix: u64| rules.each_ref().map(|rule| rule.is_active(&wall(unix, 0), None));
        for start in (0..8 * 86400).step_by(71_789).chain([0, 119, 120, 4 * 86400 + 76, 4 * 86400 + 77]) {
            let change = (start + 1..).find(|unix| state(*unix) != state(*unix - 1)).expect("there is one");
            let found = wall(start, 0).next_change(&rules).expect("there is one");
            assert_eq!(found.as_nanos(), (change - start) * 1_000_000_000, "from {start}");
        }
        assert_eq!(wall(0, 0).next_change(&[]), None);
    }

    #[test]
    fn parts_of_a_second_count() {
        let unix = UnixTime::from_duration(Duration::from_millis(59_900));
        let wall = Wall { read_at: Instant::from_nanos(7), unix, ahead: 0 };
        let mut rule = Rule::allow(1, Vec::new());
        rule.hours = Vec::from([Hours { from: 3 * 1440 + 1, to: 3 * 1440 + 2 }]);
        assert_eq!(wall.next_change(&[rule]), Some(Instant::from_nanos(100_000_007)));
    }
}
