//! What becomes invalid when an older copy of the store is restored.
//!
//! A copy does not have what happened after it was made. Codes that were used since would be accepted a second time, and sessions
//! that ended since would be open again. So these are voided.
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
    /// Counter-based one-time codes (HOTP): nobody knows up to which counter they were used since.
    pub counters: u64,
}

/// Putting back a copy.
pub trait Restored {
    /// Voids it all in one transaction. Time-based one-time codes (TOTP) stay, but no step is accepted that could have been used
    /// before `at`.
    ///
    /// # Errors
    /// The store's own; then nothing was changed.
    fn after_restore(&mut self, at: Time) -> Result<Voided>;
}
