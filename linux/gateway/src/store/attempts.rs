//! Failed attempts to log in. How many are too many is decided elsewhere; here they are counted, and survive a restart.
use super::{Result, UserId};
use crate::time::Time;
use std::time::Duration;
use underpass_core::PublicKey;

/// Whose failures are counted. Names that somebody made up are not among them, so that nobody can fill the store with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user, whatever the device.
    User(UserId),
    /// A device, with names that there are not.
    Device(PublicKey),
    /// A user with one device.
    Both(UserId, PublicKey),
}

/// What is known of a subject's failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failures {
    /// How many there were in a row.
    pub count: u64,
    /// When the first of them was.
    pub first: Time,
    /// When the last of them was.
    pub last: Time,
}

/// Failed attempts.
pub trait Attempts {
    /// Counts a failure. When the last one is longer ago than `window`, the count begins again. Each of several callers at
    /// once gets a number of its own.
    ///
    /// # Errors
    /// The store's own.
    fn record_failure(&mut self, at: Time, subject: &Subject, window: Duration) -> Result<Failures>;

    /// What is known of a subject.
    ///
    /// # Errors
    /// The store's own.
    fn failures(&mut self, subject: &Subject) -> Result<Option<Failures>>;

    /// At most `limit` subjects and what is known of their failures, in the order in which the store has them, those behind `after`.
    ///
    /// # Errors
    /// The store's own.
    fn every_failure(&mut self, after: Option<&Subject>, limit: u32) -> Result<Vec<(Subject, Failures)>>;

    /// Forgets a subject's failures, as after a success.
    ///
    /// # Errors
    /// The store's own.
    fn clear_failures(&mut self, subject: &Subject) -> Result<()>;

    /// Forgets all whose last failure was before `before`. Returns how many.
    ///
    /// # Errors
    /// The store's own.
    fn forget_failures(&mut self, before: Time) -> Result<u64>;
}
