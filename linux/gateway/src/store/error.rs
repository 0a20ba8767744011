//! What can go wrong with a store.
use crate::name::Name;
use std::path::PathBuf;

/// Why a call did nothing. No variant holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is something of this name or key already.
    #[error("{what} is there already")]
    Exists {
        /// What it is, with its name.
        what: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    Missing {
        /// What was looked for, with its name.
        what: String,
    },
    /// The key was revoked, and no device may have it again.
    #[error("the key {0} was revoked")]
    Revoked(underpass_core::PublicKey),
    /// The pool's range is not one: of two families, or the last address below the first.
    #[error("the pool {0} is no range of addresses")]
    Range(Name),
    /// A number does not fit a database: it is above 2^63 - 1.
    #[error("{0} is too large a number")]
    TooLarge(u64),
    /// The database was written by a newer program.
    #[error("{path} has version {found}, and this program knows versions up to {known}: use a newer program")]
    Newer {
        /// Where the database is.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The file is a database of something else.
    #[error("{0} is a database, but none of Underpass")]
    Foreign(PathBuf),
    /// The file can be read or written by others than its owner.
    #[error("{path} has mode {mode:o}: others than its owner have access; `chmod 600` it")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is damaged, or no database at all.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// There is no room on the disk. Nothing was changed.
    #[error("no room on the disk of the database")]
    Full,
    /// Another program held the database for too long. Nothing was changed.
    #[error("the database is in use by another program")]
    Busy,
    /// The server of the database cannot be reached, or does not answer in time. Whether a change was made that was under way
    /// is not known; what is given once was perhaps given.
    #[error("the database cannot be reached: {0}")]
    Away(String),
    /// A row says what none of ours can.
    #[error("the database holds a row that makes no sense: {0}")]
    Senseless(String),
    /// The disk, the file system or the database failed in another way. Nothing was changed.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether it is the store that failed, and not what was asked of it.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Full | Self::Busy | Self::Away(_) | Self::Failed(_))
    }

    /// There is no `kind` called `name`.
    pub(crate) fn missing(kind: &str, name: impl std::fmt::Display) -> Self {
        Self::Missing { what: format!("{kind} {name}") }
    }

    /// There is a `kind` called `name` already.
    pub(crate) fn exists(kind: &str, name: impl std::fmt::Display) -> Self {
        Self::Exists { what: format!("{kind} {name}") }
    }
}
