//! The log of changes: what other programs with the same store need to hear of.
//!
//! It is a table of hints with numbers that only rise, in the order in which the changes were committed. Rows are the truth:
//! who reads a change looks the record up. The log has no secret and no history; who did what is in the audit log.
//!
//! A change is *told* when the audit log has it. Between the commit and the line of audit a program can be killed; what it left
//! untold is found by the next one. So whoever changes something else than sessions holds the audit log
//! ([`Recorder::hold`](crate::audit::Recorder::hold)) from before the change until its line is written. Changes of sessions count as
//! told: they are many, and what is lost of them with a program is lost with its sessions' counters anyway.
use super::Result;
use crate::time::Time;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A user was added, enabled, disabled or removed; the subject is the name.
    User,
    /// A password was set or removed; the subject is the name.
    Password,
    /// One-time codes or recovery codes were added or removed; the subject is the name.
    Factor,
    /// An enrolment began, was over or went; the subject is the user's name.
    Enrolment,
    /// A group was added or removed; the subject is its name.
    Group,
    /// Memberships of a user changed; the subject is the user's name.
    Member,
    /// A device was added or removed; the subject is its key.
    Device,
    /// A session was opened, prolonged or ended; the subject is the device's key.
    Session,
}

impl ChangeKind {
    /// All kinds. The number of a kind is its place here, and is in databases: the list only grows at its end.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Password,
        Self::Factor,
        Self::Enrolment,
        Self::Group,
        Self::Member,
        Self::Device,
        Self::Session,
    ];

    /// Its number in databases: its place in [`Self::ALL`].
    pub(super) fn number(self) -> i64 {
        let place = Self::ALL.iter().position(|known| *known == self);
        place.and_then(|place| i64::try_from(place).ok()).unwrap_or_default()
    }

    /// The kind with this number.
    pub(super) fn of_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number).copied())
    }

    /// The word for it, as in audit lines.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Password => "password",
            Self::Factor => "factor",
            Self::Enrolment => "enrolment",
            Self::Group => "group",
            Self::Member => "member",
            Self::Device => "device",
            Self::Session => "session",
        }
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub seq: u64,
    /// When it was made.
    pub at: Time,
    /// What changed.
    pub kind: ChangeKind,
    /// Which record.
    pub subject: String,
}

/// What a reader of the log sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// What came after the number that was asked for.
    Changes(Vec<Change>),
    /// Some of what came after it is no longer there: read all records again, then go on from here.
    TooFarBehind {
        /// The number of the last change.
        newest: u64,
    },
}

/// The log of changes.
pub trait Changes {
    /// The number of the last change; 0 before the first.
    ///
    /// # Errors
    /// The store's own.
    fn newest_change(&mut self) -> Result<u64>;

    /// At most `limit` changes after the one numbered `seen`, in order.
    ///
    /// # Errors
    /// The store's own.
    fn changes(&mut self, seen: u64, limit: u32) -> Result<Seen>;

    /// At most `limit` changes that the audit log does not have, in order.
    ///
    /// # Errors
    /// The store's own.
    fn untold_changes(&mut self, limit: u32) -> Result<Vec<Change>>;

    /// Notes that the audit log has the untold changes up to and with `seq`.
    ///
    /// # Errors
    /// The store's own.
    fn mark_told(&mut self, seq: u64) -> Result<()>;

    /// Forgets told changes before `before`, but never the last one. Returns how many.
    ///
    /// # Errors
    /// The store's own.
    fn forget_changes(&mut self, before: Time) -> Result<u64>;
}
