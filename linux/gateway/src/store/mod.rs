//! What a gateway must not forget: users, factors, enrolments, devices, leases, sessions.
//!
//! [`Store`] is the sum of small traits, one for each kind of record, which a file beside this one tells of. [`sqlite`] is the
//! implementation for one gateway, `postgres` (a feature) the one for several. What holds for every implementation, and is tested for every one in `tests/store`:
//!
//! - **Acknowledged means kept.** When a call has returned `Ok`, the change is on the disk. Killed at any moment, the store has
//!   all changes that were acknowledged, and each change whole or not at all.
//! - **Once means once.** A code, a recovery code, an enrolment and an address are given to one caller, however many ask
//!   at the same time, from threads or processes: each is decided by one statement, or in one transaction that has the lock of
//!   the writer from its first statement on.
//! - **Time is an argument**, as in the core. The store has no clock.
//! - **What others need to hear of is a [`Change`]**, numbered and written in the same transaction ([`Changes`]).
//! - **Secrets** (code secrets, password hashes) come in types that are wiped and do not show themselves.
//!
//! Calls wait for the disk: a thread of its own owns the store, never the one that moves packets.
mod attempts;
mod changes;
mod columns;
mod devices;
mod enrolments;
mod error;
mod factors;
mod leases;
#[cfg(feature = "postgres")]
pub mod postgres;
mod restored;
mod sessions;
pub mod sqlite;
mod users;

pub use attempts::{Attempts, Failures, Subject};
pub use changes::{Change, ChangeKind, Changes, Seen};
pub use devices::{Device, Devices, NewDevice, Owner, RemovedDevice};
pub use enrolments::{Enrolment, Enrolments};
pub use error::StoreError;
pub use factors::{Code, CodeId, Factors, HashOfCode, NewCode, Rhythm};
pub use leases::{Lease, LeaseAnswer, LeaseRequest, Leases, Pool};
pub use restored::{Restored, Voided};
pub use sessions::{NewSession, Opened, Session, Sessions};
pub use users::{Identity, RemovedUser, User, UserId, Users};

/// A store of every kind of record.
pub trait Store:
    Users + Factors + Enrolments + Devices + Leases + Sessions + Attempts + Changes + Restored + Send
{
}

impl<T: Users + Factors + Enrolments + Devices + Leases + Sessions + Attempts + Changes + Restored + Send> Store for T {}

/// What calls of a store give.
pub type Result<T> = std::result::Result<T, StoreError>;
