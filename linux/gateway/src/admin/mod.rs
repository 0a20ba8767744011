//! What administrators do: the operations behind `underpass user`, `group`, `session` and `audit`, as functions with typed results.
//!
//! Each change goes through one function, `Office::carry_out`: under the lock of the audit log, the store is changed, the line is written, and
//! the change is marked as told. A program that is killed in between leaves a change that the next one tells of. `command`
//! puts a command line before it.
mod devices;
mod enrolments;
mod factors;
mod groups;
mod secrets;
mod sessions;
mod users;

pub use devices::{DeviceShown, RemovedShown};
pub use enrolments::{Enrolling, EnrolmentShown};
pub use factors::{CodeShown, RecoveryShown};
pub use groups::{GroupShown, Membership};
pub use secrets::{RECOVERY_KEY, hash_of_recovery};
pub(crate) use secrets::{base32, otpauth, secret};
pub use sessions::Revoked;
pub use users::{Removal, Switched, UserShown};

use crate::audit::{AuditError, Event, Hold, Level, Recorder, Text};
use crate::name::Name;
use crate::password::{BadPassword, HashError};
use crate::store::{Change, ChangeKind, Store, StoreError, User};
use crate::time::Time;
use underpass_core::policy::session::CODES;

/// So many changes are told at a time.
const BATCH: u32 = 100;

/// An administrator at work.
pub struct Office<'a> {
    /// Where users are.
    pub store: &'a mut dyn Store,
    /// Where lines go.
    pub recorder: &'a mut Recorder,
    /// Who it is, as lines say it: a user of the machine, or of the gateway.
    pub actor: Text,
    /// The name of the gateway.
    pub gateway: Name,
    /// The time.
    pub at: Time,
}

/// Why an operation was not done, or not recorded.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It was not done.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was not done: the log could not be opened or held, so that nothing could be recorded.
    #[error("not done, for it could not be recorded: {0}")]
    Audit(#[from] AuditError),
    /// It was done, and could not be recorded. The next operation tries to.
    #[error("done, but not recorded: {0}")]
    Unrecorded(AuditError),
    /// It was not done: the password is none.
    #[error(transparent)]
    Password(#[from] BadPassword),
    /// It was not done: the password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// It was not done: more codes than a login looks at would be there.
    #[error("a user has {CODES} one-time codes at most; `user totp --remove` removes them")]
    Codes,
    /// It was not done: the system has no randomness.
    #[error("no randomness for a secret")]
    Randomness,
}

impl Office<'_> {
    /// Changes the store and records it. `event` makes the line of what `change` gave; `None`: nothing changed.
    fn carry_out<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Store, Time) -> Result<T, AdminError>,
        event: impl FnOnce(&T, Text) -> Option<Event>,
    ) -> Result<T, AdminError> {
        let hold = self.recorder.hold()?;
        self.recorder.is_ready(&hold, self.at)?;
        self.tell_of_others(&hold)?;
        let done = change(self.store, self.at)?;
        if let Some(event) = event(&done, self.actor.clone()) {
            let recorded = self.recorder.emit_in(&hold, self.at, event).and_then(|()| self.recorder.sync());
            recorded.map_err(AdminError::Unrecorded)?;
        }
        while let Some(last) = self.store.untold_changes(BATCH)?.last() {
            self.store.mark_told(last.seq)?;
        }
        Ok(done)
    }

    /// Records the changes of programs that were ended before they could.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn recover(&mut self) -> Result<(), AdminError> {
        let hold = self.recorder.hold()?;
        self.tell_of_others(&hold)
    }

    fn tell_of_others(&mut self, hold: &Hold) -> Result<(), AdminError> {
        loop {
            let changes = self.store.untold_changes(BATCH)?;
            for change in &changes {
                self.recorder.emit_in(hold, self.at, recovered(change))?;
            }
            let Some(last) = changes.last() else { return Ok(()) };
            self.recorder.sync()?;
            self.store.mark_told(last.seq)?;
        }
    }

    /// A user who must be there.
    fn user(&mut self, name: &Name) -> Result<User, AdminError> {
        self.store.user(name)?.ok_or_else(|| StoreError::missing("user", name).into())
    }

    /// The level in force, for those who show it.
    #[must_use]
    pub fn level(&self) -> Level {
        self.recorder.level()
    }
}

fn recovered(change: &Change) -> Event {
    let kind: ChangeKind = change.kind;
    Event::ChangeRecovered {
        change: change.seq,
        made: change.at,
        what: Text::new(kind.word()),
        subject: Text::new(&change.subject),
    }
}
