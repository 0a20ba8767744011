//! Someone on the path: sees every datagram, and may drop, delay, alter, replay and invent.
use crate::clock::Time;
use crate::network::{Datagram, Kind};
use core::time::Duration;
use std::fmt;

/// What the attacker does with a datagram that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Lets it pass, or leaves the choice to the next rule.
    Pass,
    /// Makes it vanish.
    Drop,
    /// Holds it back for so long.
    Delay(Duration),
    /// Sends these in its place.
    Replace(Vec<Datagram>),
}

type Rule = Box<dyn FnMut(Time, &Datagram) -> Fate + Send>;

/// The attacker. Without rules it only watches.
#[derive(Default)]
pub struct Attacker {
    rules: Vec<Rule>,
    recording: bool,
    captured: Vec<(Time, Datagram)>,
}

impl Attacker {
    /// Adds a rule; the first rule that does not pass a datagram decides.
    pub fn rule(&mut self, rule: impl FnMut(Time, &Datagram) -> Fate + Send + 'static) {
        self.rules.push(Box::new(rule));
    }

    /// Drops the next `count` datagrams of this kind.
    pub fn drop_next(&mut self, kind: Kind, mut count: usize) {
        self.rule(move |_, datagram| {
            if count == 0 || datagram.kind() != kind {
                return Fate::Pass;
            }
            count -= 1;
            Fate::Drop
        });
    }

    /// Drops every datagram of this kind.
    pub fn drop_all(&mut self, kind: Kind) {
        self.drop_next(kind, usize::MAX);
    }

    /// Cuts the internet in two: nothing passes.
    pub fn blackhole(&mut self) {
        self.rule(|_, _| Fate::Drop);
    }

    /// Forgets all rules.
    pub fn relent(&mut self) {
        self.rules.clear();
    }

    /// Keeps a copy of each datagram from here on, as it was sent.
    pub fn record(&mut self) {
        self.recording = true;
    }

    /// The copies of one kind, in the order of their passing.
    pub fn captured(&self, kind: Kind) -> impl Iterator<Item = &Datagram> + '_ {
        self.captured.iter().map(|(_, d)| d).filter(move |d| d.kind() == kind)
    }

    /// When the copies of one kind passed.
    #[must_use]
    pub fn times(&self, kind: Kind) -> Vec<Time> {
        self.captured.iter().filter(|(_, d)| d.kind() == kind).map(|(t, _)| *t).collect()
    }

    /// Every copy with the time of its passing.
    #[must_use]
    pub fn everything(&self) -> &[(Time, Datagram)] {
        &self.captured
    }

    /// Throws the copies away.
    pub fn forget(&mut self) {
        self.captured.clear();
    }

    /// Sees a datagram and decides.
    pub(crate) fn judge(&mut self, now: Time, datagram: &Datagram) -> Fate {
        if self.recording {
            self.captured.push((now, datagram.clone()));
        }
        let decided = self.rules.iter_mut().map(|rule| rule(now, datagram)).find(|fate| *fate != Fate::Pass);
        decided.unwrap_or(Fate::Pass)
    }
}

impl fmt::Debug for Attacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attacker")
            .field("rules", &self.rules.len())
            .field("captured", &self.captured.len())
            .finish_non_exhaustive()
    }
}
