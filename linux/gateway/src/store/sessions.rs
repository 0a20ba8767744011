//! Sessions: who is logged in, with which device, at which gateway.
use super::{Result, UserId};
use crate::name::Name;
use crate::time::Time;
use underpass_core::PublicKey;

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// The device. It has one session at most.
    pub device: &'a PublicKey,
    /// Who logged in.
    pub user: UserId,
    /// At which gateway.
    pub gateway: &'a Name,
    /// When it ends unless it is prolonged.
    pub until: Time,
}

/// A session that is open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Session {
    /// The device.
    #[serde(serialize_with = "super::devices::base64")]
    pub device: PublicKey,
    /// Who is logged in, by number.
    pub user: UserId,
    /// Who is logged in, by name.
    pub name: Name,
    /// At which gateway.
    pub gateway: Name,
    /// How often this device has logged in. A gateway that sees a higher number than its own closes its session.
    pub epoch: u64,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
}

/// What came of opening a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open.
    Open {
        /// Its number, see [`Session::epoch`].
        epoch: u64,
        /// The session of the device that it took the place of.
        replaced: Option<Session>,
    },
    /// No such device, or it is somebody else's.
    NotTheDevice,
    /// No such user, or a disabled one.
    NotTheUser,
}

/// Sessions.
pub trait Sessions {
    /// Opens a session, and ends the one that the device had. User and device are looked at in the same transaction: who was
    /// disabled a moment ago does not get in.
    ///
    /// # Errors
    /// The store's own.
    fn open_session(&mut self, at: Time, session: &NewSession<'_>) -> Result<Opened>;

    /// Prolongs a session. `false`: it is not there, or not the one of this epoch, or its user is disabled.
    ///
    /// # Errors
    /// The store's own.
    fn extend_session(&mut self, at: Time, device: &PublicKey, epoch: u64, until: Time) -> Result<bool>;

    /// Ends a device's session; with `epoch`, only that one. `None`: there is none.
    ///
    /// # Errors
    /// The store's own.
    fn end_session(&mut self, at: Time, device: &PublicKey, epoch: Option<u64>) -> Result<Option<Session>>;

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// The store's own.
    fn end_sessions(&mut self, at: Time, user: UserId) -> Result<Vec<Session>>;

    /// Ends the sessions whose time is over.
    ///
    /// # Errors
    /// The store's own.
    fn expire_sessions(&mut self, at: Time) -> Result<Vec<Session>>;

    /// The session of a device.
    ///
    /// # Errors
    /// The store's own.
    fn session(&mut self, device: &PublicKey) -> Result<Option<Session>>;

    /// All sessions, or those of one user, the oldest first.
    ///
    /// # Errors
    /// The store's own.
    fn sessions(&mut self, user: Option<UserId>) -> Result<Vec<Session>>;
}
