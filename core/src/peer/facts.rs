//! What the host is yet to be told of a peer: facts, not a history, so each waits at most once.

/// Something that the host is told of a peer. What is told first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fact {
    /// A handshake completed.
    Established,
    /// The session ended without a successor.
    Expired,
    /// The handshake was given up.
    Failed,
    /// The endpoint moved.
    Moved,
    /// The name of the endpoint is to be resolved.
    Resolve,
    /// Its clock is far ahead.
    TimestampAhead,
    /// The health may have changed. Last, for it sums up.
    Health,
}

impl Fact {
    const ALL: [Self; 7] = [
        Self::Established,
        Self::Expired,
        Self::Failed,
        Self::Moved,
        Self::Resolve,
        Self::TimestampAhead,
        Self::Health,
    ];
}

/// A set of facts, and whether the peer stands in the queue of those that have some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts(u8);

/// The bit beside those of the facts: the peer stands in the queue.
const LISTED: u8 = 1 << Fact::ALL.len();

impl Facts {
    pub(crate) fn insert(&mut self, fact: Fact) {
        self.0 |= 1 << fact as u8;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 & !LISTED == 0
    }

    pub(crate) fn len(self) -> usize {
        (self.0 & !LISTED).count_ones() as usize
    }

    /// Whether the peer stands in the queue.
    pub(crate) fn is_listed(self) -> bool {
        self.0 & LISTED != 0
    }

    /// Notes whether the peer stands in the queue.
    pub(crate) fn set_listed(&mut self, listed: bool) {
        self.0 = if listed { self.0 | LISTED } else { self.0 & !LISTED };
    }

    /// Takes the fact that the host is told next. Facts in `over` no longer hold and are told first, so that the last one the
    /// host hears describes the present.
    pub(crate) fn take(&mut self, over: Self) -> Option<Fact> {
        let first = if self.0 & over.0 == 0 { self.0 } else { self.0 & over.0 };
        let fact = *Fact::ALL.get(first.trailing_zeros() as usize)?;
        self.0 &= !(1 << fact as u8);
        Some(fact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn set(facts: &[Fact]) -> Facts {
        let mut set = Facts::default();
        facts.iter().for_each(|fact| set.insert(*fact));
        set
    }

    #[test]
    fn facts_are_told_once_and_what_is_so_last() {
        use Fact::{Established, Expired, Failed, Health, Moved, Resolve, TimestampAhead};
        let table: [(&[Fact], &[Fact], &[Fact]); 6] = [
            // what happened, what of it is over, what is told
            (&[], &[Established], &[]),
            (&[Health, Established, Health], &[Failed, Expired], &[Established, Health]),
            (&[Expired, Established], &[Established, Failed], &[Established, Expired]),
            (&[Established, Expired], &[Expired, Failed], &[Expired, Established]),
            (&[Failed, Expired, Established], &[Expired, Failed], &[Expired, Failed, Established]),
            (&Fact::ALL, &[], &[Established, Expired, Failed, Moved, Resolve, TimestampAhead, Health]),
        ];
        for (row, (happened, over, told)) in table.into_iter().enumerate() {
            let mut facts = set(happened);
            assert_eq!(facts.len(), told.len(), "row {row}");
            let taken: Vec<_> = core::iter::from_fn(|| facts.take(set(over))).collect();
            assert_eq!(taken, told, "row {row}");
            assert!(facts.is_empty(), "row {row}");
        }
    }
}
