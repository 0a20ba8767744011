//! What must not hold any more once an older copy of the store took its place.
//!
//! A copy does not know what happened after it was made. Codes that were used since would be taken a second time, and sessions
//! that were ended since would be open again. So all of that is made void.
use super::Result;
use crate::time::Time;

/// What was made void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Voided {
    /// Sessions, which were ended.
    pub sessions: u64,
    /// Enrolments that were not completed: they may have been since.
    pub enrolments: u64,
    /// Recovery codes: each of them may have been used since.
    pub recovery_codes: u64,
    /// Counters of one-time codes (HOTP): codes up to an unknown number may have been used since.
    pub counters: u64,
}

/// Putting back a copy.
pub trait Restored {
    /// Makes void what a copy may not decide, in one transaction. One-time codes by the clock (TOTP) stay; the next that is accepted
    /// is of a step that nobody could have used before `at`.
    ///
    /// # Errors
    /// The store's own; then nothing was changed.
    fn after_restore(&mut self, at: Time) -> Result<Voided>;
}
