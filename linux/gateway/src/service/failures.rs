//! Failures of logins outlive a restart: they are in the store before the client hears of them.
//!
//! They are counted for each user and for each user at a device, as in the core. Attempts with unknown names are counted for the device.
//! So there are no more counts than pairs of users and devices, and a count is forgotten after a day.
use super::work::row_of;
use super::{Now, Service, StartError};
use crate::name::Name;
use crate::store::{self, Subject};
use std::collections::BTreeMap;
use underpass_core::PublicKey;
use underpass_core::policy::attempts::{FORGET_AFTER, USER_WINDOW};
use underpass_core::policy::session::{FailuresOf, SessionError, UserId};

/// So many are read at a time.
const BATCH: u32 = 500;

impl Service {
    /// Stores a failure. It is counted in memory even if the store fails.
    pub(super) fn keep_failure(&mut self, now: Now, user: Option<UserId>, device: PublicKey) {
        let known = user.map(row_of);
        let of_user = known.map(|user| (Subject::User(user), USER_WINDOW));
        let at_device = known.map_or(Subject::Device(device), |user| Subject::Both(user, device));
        for (subject, window) in of_user.into_iter().chain([(at_device, FORGET_AFTER)]) {
            let kept = self.store.record_failure(now.time(), &subject, window);
            self.stored(now, kept);
        }
    }

    /// A login has ended well: the user's failures at the device are forgotten.
    pub(super) fn clear_failures(&mut self, now: Now, user: Option<UserId>, device: PublicKey) {
        if let Some(user) = user {
            let cleared = self.store.clear_failures(&Subject::Both(row_of(user), device));
            self.stored(now, cleared);
        }
    }

    /// Forgets what counts no more.
    pub(super) fn forget_failures(&mut self, now: Now) {
        let forgotten = self.store.forget_failures(now.time().before(FORGET_AFTER));
        self.stored(now, forgotten);
    }

    /// Takes up the failures that were kept.
    pub(super) fn recall_failures(&mut self, now: Now) -> Result<(), StartError> {
        let (mut kept, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.every_failure(after.as_ref(), BATCH)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            kept.extend(page);
        }
        let is_users = |subject: &Subject| !matches!(subject, Subject::Device(_));
        let names =
            if kept.iter().any(|(subject, _)| is_users(subject)) { self.names_of_all()? } else { BTreeMap::new() };
        for (subject, failures) in kept {
            let name = |user| names.get(&user).map(Name::as_str);
            let of = match &subject {
                Subject::User(user) => name(*user).map(FailuresOf::Name),
                Subject::Both(user, device) => name(*user).map(|name| FailuresOf::NameAt(name, device)),
                Subject::Device(device) => Some(FailuresOf::OthersAt(device)),
            };
            let ago = now.time().since(failures.last);
            match of.map(|of| self.sessions.recall_failures(now.at, of, failures.count, ago)) {
                // The user or the device is gone.
                None | Some(Ok(()) | Err(SessionError::UnknownPeer)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn names_of_all(&mut self) -> store::Result<BTreeMap<store::UserId, Name>> {
        let (mut names, mut after) = (BTreeMap::new(), None);
        loop {
            let page = self.store.users(after.as_ref(), BATCH)?;
            let Some(last) = page.last() else { return Ok(names) };
            after = Some(last.name.clone());
            names.extend(page.into_iter().map(|user| (user.id, user.name)));
        }
    }
}
