//! Failures of names at one peer.
use super::{FORGET_AFTER, FREE_FAILURES, LONGEST_DELAY, NameTag, STARTS_OF_PEER};
use crate::cookie::bucket::{Bucket, Rate};
use crate::time::Instant;
use core::time::Duration;

/// Names whose failures are counted apart at one peer.
pub const NAMES: usize = 4;

/// How often a name failed, and when last.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u8,
    last: Instant,
}

impl Failures {
    /// How much longer nothing may be tried.
    fn wait(self, now: Instant) -> Option<Duration> {
        let beyond = self.count.checked_sub(FREE_FAILURES).filter(|beyond| *beyond > 0)?;
        let secs = 1_u64.checked_shl(beyond.into()).unwrap_or(u64::MAX);
        let delay = Duration::from_secs(secs).min(LONGEST_DELAY);
        delay.checked_sub(now.since(self.last)).filter(|wait| !wait.is_zero())
    }

    /// The failures that still count.
    fn count_at(self, now: Instant) -> u8 {
        if now.since(self.last) < FORGET_AFTER { self.count } else { 0 }
    }

    /// With another failure.
    fn and_one_more(self, now: Instant) -> Self {
        Self { count: self.count_at(now).saturating_add(1), last: now }
    }

    /// At least as many and as late as either.
    fn or(self, other: Self, now: Instant) -> Self {
        Self { count: self.count_at(now).max(other.count_at(now)), last: self.last.max(other.last) }
    }
}

/// What one peer has tried: a fixed number of bytes.
#[derive(Clone, Debug, Default)]
pub struct PeerAttempts {
    starts: Bucket,
    names: [Option<(NameTag, Failures)>; NAMES],
    /// What a name has that is not among them: at least as much as any had that was forgotten.
    others: Failures,
}

impl PeerAttempts {
    /// Takes one of the logins that the peer may begin.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        self.starts.take(now, Rate::new(1, STARTS_OF_PEER))
    }

    /// How long the name has to wait here; `None`: not at all.
    pub(super) fn wait(&self, now: Instant, name: NameTag) -> Option<Duration> {
        let own = self.names.iter().flatten().find(|(known, _)| *known == name);
        own.map_or(self.others, |(_, failures)| *failures).wait(now)
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, now: Instant, name: NameTag) {
        self.count(now, name, |failures| failures.and_one_more(now));
    }

    /// Takes up failures of before: of a name, or of names that have no place of their own.
    pub(super) fn recall(&mut self, now: Instant, name: Option<NameTag>, count: u8, last: Instant) {
        let past = Failures { count, last };
        match name {
            Some(name) => self.count(now, name, |failures| failures.or(past, now)),
            None => self.others = self.others.or(past, now),
        }
    }

    /// Counts for a name, which has a place afterwards.
    fn count(&mut self, now: Instant, name: NameTag, count: impl Fn(Failures) -> Failures) {
        if let Some((_, failures)) = self.names.iter_mut().flatten().find(|(known, _)| *known == name) {
            *failures = count(*failures);
            return;
        }
        let count_at = |entry: &Option<(NameTag, Failures)>| entry.map_or(0, |(_, failures)| failures.count_at(now));
        let own = count(self.others);
        let Some(least) = self.names.iter_mut().min_by_key(|entry| count_at(entry)) else { return };
        if let Some((_, forgotten)) = least.replace((name, own)) {
            self.others = self.others.or(forgotten, now);
        }
    }

    /// Forgets the failures of a name.
    pub(super) fn forget(&mut self, name: NameTag) {
        for entry in self.names.iter_mut().filter(|entry| entry.is_some_and(|(known, _)| known == name)) {
            *entry = None;
        }
    }
}
