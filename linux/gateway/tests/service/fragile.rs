//! A store that can be cut off.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{net::IpAddr, result};
use underpass_core::PublicKey;
use underpass_gateway::store::sqlite::Sqlite;
use underpass_gateway::store::*;
use underpass_gateway::{Name, Time};
use zeroize::Zeroizing;

/// A store that answers nothing while it is away.
pub struct Fragile {
    pub store: Sqlite,
    pub is_away: Arc<AtomicBool>,
}

/// Passes each call on, unless the store is away.
macro_rules! fragile {
    ($($name:ident { $(fn $call:ident($($argument:ident: $type:ty),*) -> $out:ty;)* })*) => {
        $(impl $name for Fragile {
            $(fn $call(&mut self, $($argument: $type),*) -> result::Result<$out, StoreError> {
                if self.is_away.load(Ordering::Relaxed) {
                    return Err(StoreError::Away("cut off by the test".into()));
                }
                self.store.$call($($argument),*)
            })*
        })*
    };
}

fragile! {
    Users {
        fn add_user(at: Time, name: &Name, identity: Option<&Identity>) -> User;
        fn user(name: &Name) -> Option<User>;
        fn user_with(identity: &Identity) -> Option<User>;
        fn users(after: Option<&Name>, limit: u32) -> Vec<User>;
        fn enable_user(at: Time, user: UserId, enabled: bool) -> Vec<Session>;
        fn set_password(at: Time, user: UserId, phc: Option<&str>) -> ();
        fn password(user: UserId) -> Option<Zeroizing<String>>;
        fn remove_user(at: Time, user: UserId) -> RemovedUser;
        fn add_group(at: Time, group: &Name) -> ();
        fn remove_group(at: Time, group: &Name) -> u64;
        fn groups() -> Vec<(Name, u64)>;
        fn members(group: &Name) -> Vec<Name>;
        fn groups_of(user: UserId) -> Vec<Name>;
        fn set_member(at: Time, user: UserId, group: &Name, member: bool) -> bool;
        fn replace_groups(at: Time, user: UserId, issuer: &str, groups: &[Name]) -> bool;
    }
    Factors {
        fn add_code(at: Time, user: UserId, code: &NewCode) -> CodeId;
        fn codes(user: UserId) -> Vec<Code>;
        fn accept_step(code: CodeId, step: u64) -> bool;
        fn remove_codes(at: Time, user: UserId) -> u64;
        fn set_recovery(at: Time, user: UserId, hashes: &[HashOfCode]) -> ();
        fn take_recovery(user: UserId, hash: &HashOfCode) -> bool;
        fn recovery_left(user: UserId) -> u64;
    }
    Enrolments {
        fn add_enrolment(at: Time, user: UserId, key: &PublicKey, until: Time) -> ();
        fn enrolment_of(user: UserId) -> Option<Enrolment>;
        fn every_enrolment(after: Option<&PublicKey>, limit: u32) -> Vec<Enrolment>;
        fn claim(at: Time, key: &PublicKey, device: &NewDevice, secret: Option<&[u8]>) -> Option<Enrolment>;
        fn count_try(at: Time, key: &PublicKey, device: &PublicKey, most: u8, end: Time) -> bool;
        fn enrol(at: Time, key: &PublicKey, device: &NewDevice, step: Option<u64>, end: Time) -> Option<Device>;
        fn forget_enrolments(at: Time) -> u64;
    }
    Devices {
        fn add_device(at: Time, owner: Owner, device: &NewDevice) -> Device;
        fn device(key: &PublicKey) -> Option<Device>;
        fn devices(user: UserId) -> Vec<Device>;
        fn every_device(after: Option<&PublicKey>, limit: u32) -> Vec<Device>;
        fn remove_device(at: Time, key: &PublicKey, revoke: bool) -> RemovedDevice;
        fn is_revoked(key: &PublicKey) -> bool;
    }
    Leases {
        fn lease(at: Time, request: &LeaseRequest<'_>) -> LeaseAnswer;
        fn reserve(at: Time, pool: &Pool, address: IpAddr, device: Option<&PublicKey>) -> bool;
        fn release(at: Time, pool: &Name, device: &PublicKey) -> bool;
        fn leases(pool: &Name) -> Vec<Lease>;
    }
    Sessions {
        fn open_session(at: Time, session: &NewSession<'_>) -> Opened;
        fn extend_session(at: Time, device: &PublicKey, epoch: u64, until: Time) -> bool;
        fn end_session(at: Time, device: &PublicKey, epoch: Option<u64>) -> Option<Session>;
        fn end_sessions(at: Time, user: UserId) -> Vec<Session>;
        fn expire_sessions(at: Time) -> Vec<Session>;
        fn session(device: &PublicKey) -> Option<Session>;
        fn sessions(user: Option<UserId>) -> Vec<Session>;
    }
    Attempts {
        fn record_failure(at: Time, subject: &Subject, window: Duration) -> Failures;
        fn failures(subject: &Subject) -> Option<Failures>;
        fn every_failure(after: Option<&Subject>, limit: u32) -> Vec<(Subject, Failures)>;
        fn clear_failures(subject: &Subject) -> ();
        fn forget_failures(before: Time) -> u64;
    }
    Restored {
        fn after_restore(at: Time) -> Voided;
    }
    Changes {
        fn newest_change() -> u64;
        fn changes(seen: u64, limit: u32) -> Seen;
        fn untold_changes(limit: u32) -> Vec<Change>;
        fn mark_told(seq: u64) -> ();
        fn forget_changes(before: Time) -> u64;
    }
}
