//! Failures of names at all peers together, in any hour.
use super::{NameTag, USER_FAILURES, USER_WINDOW};
use crate::memory::{NoMemory, push};
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// Names whose failures are counted apart: 512 KB at most.
pub const USERS: usize = 2048;
/// What is told to wait when there is no memory to count.
const WITHOUT_MEMORY: Duration = Duration::from_secs(1);

/// When a name failed, the oldest first.
#[derive(Clone, Copy)]
struct Failures {
    at: [Instant; USER_FAILURES],
    len: usize,
}

impl Failures {
    const NONE: Self = Self { at: [Instant::ZERO; USER_FAILURES], len: 0 };

    /// How many are younger than an hour.
    fn live(&self, now: Instant) -> usize {
        self.at.iter().take(self.len).filter(|at| now.since(**at) < USER_WINDOW).count()
    }

    /// Drops what is an hour old.
    fn prune(&mut self, now: Instant) {
        let live = self.live(now);
        self.at.rotate_left(self.len.saturating_sub(live).min(USER_FAILURES));
        self.len = live;
    }

    /// When the failure happened that was the n-th counted from the latest, which is the first.
    fn latest(&self, n: usize) -> Option<Instant> {
        self.at.get(self.len.checked_sub(n)?).copied()
    }

    /// Takes up the failures of `other`, so that in any hour there are at least as many as either had.
    fn absorb(&mut self, other: &Self) {
        let mut both = Self::NONE;
        both.len = self.len.max(other.len);
        for (n, place) in (1..=both.len).rev().zip(&mut both.at) {
            *place = self.latest(n).max(other.latest(n)).unwrap_or_default();
        }
        *self = both;
    }

    fn charge(&mut self, now: Instant) -> Result<(), Duration> {
        self.prune(now);
        let Some(place) = self.at.get_mut(self.len) else {
            let oldest = self.at.first().copied().unwrap_or_default();
            return Err(USER_WINDOW.saturating_sub(now.since(oldest)));
        };
        *place = now;
        self.len = self.len.saturating_add(1);
        Ok(())
    }
}

/// The table: names and their failures, in the same order. It is searched from end to end: 32 KB of names at most.
pub(super) struct UserFailures {
    /// Names that there is place for.
    pub(super) places: usize,
    names: Vec<NameTag>,
    failures: Vec<Failures>,
    /// What every newcomer begins with: at least as much as any name had that was forgotten.
    floor: Failures,
}

impl UserFailures {
    pub(super) const fn new() -> Self {
        Self { places: USERS, names: Vec::new(), failures: Vec::new(), floor: Failures::NONE }
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Counts a failure, unless that would be one too many within an hour: how long to wait then.
    pub(super) fn charge(&mut self, now: Instant, name: NameTag) -> Result<(), Duration> {
        let at = match self.place_of(name) {
            Some(at) => at,
            None => self.admit(now, name).map_err(|NoMemory| WITHOUT_MEMORY)?,
        };
        self.failures.get_mut(at).map_or(Err(WITHOUT_MEMORY), |failures| failures.charge(now))
    }

    /// Takes up failures of before: so many, and none of them earlier than the last.
    pub(super) fn recall(&mut self, now: Instant, name: NameTag, count: u8, last: Instant) -> Result<(), NoMemory> {
        let at = match self.place_of(name) {
            Some(at) => at,
            None => self.admit(now, name)?,
        };
        let failures = self.failures.get_mut(at).ok_or(NoMemory)?;
        failures.absorb(&Failures { at: [last; USER_FAILURES], len: usize::from(count).min(USER_FAILURES) });
        Ok(())
    }

    /// Takes the latest failure of a name back.
    pub(super) fn refund(&mut self, name: NameTag) {
        if let Some(failures) = self.place_of(name).and_then(|at| self.failures.get_mut(at)) {
            failures.len = failures.len.saturating_sub(1);
        }
    }

    #[cfg(test)]
    pub(super) fn knows(&self, name: NameTag) -> bool {
        self.place_of(name).is_some()
    }

    fn place_of(&self, name: NameTag) -> Option<usize> {
        self.names.iter().position(|known| *known == name)
    }

    /// Finds a place for a name: a new one, or that of the name with the fewest failures.
    fn admit(&mut self, now: Instant, name: NameTag) -> Result<usize, NoMemory> {
        self.floor.prune(now);
        if self.names.len() < self.places && self.grow(name).is_ok() {
            return Ok(self.names.len().saturating_sub(1));
        }
        let least = self.failures.iter().enumerate().min_by_key(|(_, failures)| failures.live(now));
        let (at, _) = least.ok_or(NoMemory)?;
        let (known, failures) = self.names.get_mut(at).zip(self.failures.get_mut(at)).ok_or(NoMemory)?;
        failures.prune(now);
        self.floor.absorb(failures);
        (*known, *failures) = (name, self.floor);
        Ok(at)
    }

    fn grow(&mut self, name: NameTag) -> Result<(), NoMemory> {
        self.failures.try_reserve(1)?;
        push(&mut self.names, name)?;
        self.failures.push(self.floor);
        Ok(())
    }
}
