//! Failures of names at one peer.
use super::{FORGET_AFTER, FREE_FAILURES, LONGEST_DELAY, NameTag, STARTS_OF_PEER};
use crate::cookie::bucket::{Bucket, Rate};
use crate::time::Instant;
use core::time::Duration;

/// Names whose failures are counted apart at one peer.
pub const NAMES: usize = 4;

/// One name's failures here.
#[derive(Clone, Copy, Debug)]
struct Failures {
    name: NameTag,
    count: u8,
    last: Instant,
}

impl Failures {
    /// How long nothing may be tried after the last failure.
    fn delay(self) -> Duration {
        let Some(beyond) = self.count.checked_sub(FREE_FAILURES).filter(|beyond| *beyond > 0) else {
            return Duration::ZERO;
        };
        let secs = 1_u64.checked_shl(beyond.into()).unwrap_or(u64::MAX);
        Duration::from_secs(secs).min(LONGEST_DELAY)
    }

    /// With another failure.
    fn and_one_more(self, now: Instant) -> Self {
        Self { count: self.count_at(now).saturating_add(1), last: now, ..self }
    }

    /// The failures that still count.
    fn count_at(self, now: Instant) -> u8 {
        if now.since(self.last) < FORGET_AFTER { self.count } else { 0 }
    }
}

/// What one peer has tried: a fixed number of bytes.
#[derive(Clone, Debug, Default)]
pub struct PeerAttempts {
    starts: Bucket,
    names: [Option<Failures>; NAMES],
    /// What a newcomer begins with, and until when: at least as much as any name had that was forgotten.
    floor: (u8, Instant),
}

impl PeerAttempts {
    /// Takes one of the logins that the peer may begin.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        self.starts.take(now, Rate::new(1, STARTS_OF_PEER))
    }

    /// How long the name has to wait here; `None`: not at all.
    pub(super) fn wait(&self, now: Instant, name: NameTag) -> Option<Duration> {
        let failures = self.names.iter().flatten().find(|failures| failures.name == name)?;
        let passed = now.since(failures.last);
        failures.delay().checked_sub(passed).filter(|wait| !wait.is_zero())
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, now: Instant, name: NameTag) {
        let own = |entry: &&mut Option<Failures>| entry.is_some_and(|failures| failures.name == name);
        let count = match self.names.iter_mut().find(own) {
            Some(Some(failures)) => {
                *failures = failures.and_one_more(now);
                return;
            }
            _ => {
                if now < self.floor.1 {
                    self.floor.0
                } else {
                    0
                }
            }
        };
        let count_at = |entry: &Option<Failures>| entry.map_or(0, |failures| failures.count_at(now));
        let Some(least) = self.names.iter_mut().min_by_key(|entry| count_at(entry)) else { return };
        let floor = count.max(count_at(least));
        if floor > 0 {
            self.floor = (floor, now + FORGET_AFTER);
        }
        *least = Some(Failures { name, count: floor, last: now }.and_one_more(now));
    }

    /// Forgets the failures of a name.
    pub(super) fn forget(&mut self, name: NameTag) {
        for entry in self.names.iter_mut().filter(|entry| entry.is_some_and(|failures| failures.name == name)) {
            *entry = None;
        }
    }
}
