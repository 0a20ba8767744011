//! How much is recorded, decided where events are emitted.
use super::Event;
use std::str::FromStr;

/// How much is recorded. Each level has what the ones before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing: no file is made, no datagram sent.
    None,
    /// What administrators do, and counts. Nothing ties a person to an address or to a time of use.
    Minimal,
    /// And logins, sessions, leases, and what was denied.
    Audit,
    /// And each flow.
    Full,
}

/// An event that the level permits. The log and its sinks take nothing else, and only [`Level::permit`] makes one.
#[derive(Debug)]
pub struct Permitted(Event);

impl Level {
    /// All levels, from nothing to everything.
    pub const ALL: [Self; 4] = [Self::None, Self::Minimal, Self::Audit, Self::Full];

    /// The word for it in configurations.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Audit => "audit",
            Self::Full => "full",
        }
    }

    /// Lets an event through, or drops it.
    #[must_use]
    pub fn permit(self, event: Event) -> Option<Permitted> {
        (self != Self::None && event.kind().level <= self).then_some(Permitted(event))
    }
}

impl Permitted {
    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.0
    }
}

/// No level is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a level is one of none, minimal, audit, full")]
pub struct BadLevel;

impl FromStr for Level {
    type Err = BadLevel;

    fn from_str(text: &str) -> Result<Self, BadLevel> {
        Self::ALL.into_iter().find(|level| level.word() == text).ok_or(BadLevel)
    }
}
