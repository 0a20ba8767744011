//! Sessions.
use super::{AdminError, Office};
use crate::audit::Event;
use crate::name::Name;
use crate::store::Session;
use serde::Serialize;

/// What came of revoking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// The sessions that ended.
    pub sessions: Vec<Session>,
}

impl Office<'_> {
    /// All sessions, or those of a user.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn sessions(&mut self, user: Option<&Name>) -> Result<Vec<Session>, AdminError> {
        let user = user.map(|user| self.user(user)).transpose()?;
        Ok(self.store.sessions(user.map(|user| user.id))?)
    }

    /// Ends all sessions of a user. Where there is none, nothing is done.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn revoke(&mut self, name: &Name) -> Result<Revoked, AdminError> {
        let devices = self.sessions(Some(name))?.into_iter().map(|session| session.device);
        let mut sessions = Vec::new();
        for device in devices {
            let ended = self.carry_out(
                |store, at| Ok(store.end_session(at, &device, None)?),
                |ended, actor| {
                    let ended = ended.as_ref()?;
                    let (user, session) = (ended.name.clone(), ended.epoch);
                    Some(Event::SessionRevoked { actor, user, device: device.into(), session })
                },
            )?;
            sessions.extend(ended);
        }
        Ok(Revoked { sessions })
    }
}
