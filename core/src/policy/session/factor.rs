//! Factors, and which of them a user has to show.

/// A kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// A password.
    Password,
    /// A client certificate.
    Certificate,
    /// A conversation in text with a back end of the gateway: a directory, RADIUS.
    Text,
    /// A login in a browser (RFC 8628).
    Web,
    /// A one-time code, or a recovery code in its place.
    Code,
}

impl Factor {
    /// All of them, in the order in which they are asked for.
    pub const ALL: [Self; 5] = [Self::Password, Self::Certificate, Self::Text, Self::Web, Self::Code];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactorSet(u8);

impl FactorSet {
    /// The set of these.
    #[must_use]
    pub fn of(factors: &[Factor]) -> Self {
        Self(factors.iter().fold(0, |set, factor| set | factor.bit()))
    }

    /// Whether `factor` is in it.
    #[must_use]
    pub const fn has(self, factor: Factor) -> bool {
        self.0 & factor.bit() != 0
    }

    /// Whether every factor of `other` is in it.
    #[must_use]
    pub const fn has_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The factors in it.
    pub fn iter(self) -> impl Iterator<Item = Factor> {
        Factor::ALL.into_iter().filter(move |factor| self.has(*factor))
    }

    pub(super) fn insert(&mut self, factor: Factor) {
        self.0 |= factor.bit();
    }
}

/// Sets of factors, any of which is enough: `[[password, code], [certificate, code], [web]]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alternatives {
    sets: [FactorSet; Self::MOST],
    len: usize,
}

impl Alternatives {
    /// How many there may be.
    pub const MOST: usize = 8;
    /// None at all: nobody gets in.
    pub const NONE: Self = Self { sets: [FactorSet(0); Self::MOST], len: 0 };

    /// These alternatives. `None` when there are more than [`MOST`](Self::MOST), or an empty one among them, which would let
    /// anybody in.
    #[must_use]
    pub fn new(sets: &[&[Factor]]) -> Option<Self> {
        let mut all = Self::NONE;
        for set in sets {
            *all.sets.get_mut(all.len).filter(|_| !set.is_empty())? = FactorSet::of(set);
            all.len = all.len.saturating_add(1);
        }
        Some(all)
    }

    /// The alternatives.
    pub fn iter(&self) -> impl Iterator<Item = FactorSet> {
        self.sets.into_iter().take(self.len)
    }

    /// Whether what was shown is enough.
    #[must_use]
    pub fn are_met_by(&self, shown: FactorSet) -> bool {
        self.iter().any(|set| shown.has_all(set))
    }

    /// What is asked for next, when `shown` was shown: the first missing factor of the first alternative that has all of
    /// that. `None`: nothing leads on from there.
    #[must_use]
    pub fn next(&self, shown: FactorSet) -> Option<Factor> {
        let set = self.iter().find(|set| set.has_all(shown))?;
        set.iter().find(|factor| !shown.has(*factor))
    }
}
