//! Users and their groups.
use super::{Result, Session};
use crate::name::Name;
use crate::time::Time;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// The number of a user. It is never given again, so that old records mean who they meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct UserId(pub i64);

/// Who a user is at an identity provider or directory: the pair, never an e-mail address, which can change hands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Identity {
    /// The issuer, as OpenID Connect writes it, or the name of a directory.
    pub issuer: String,
    /// The subject there.
    pub subject: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct User {
    /// The number.
    pub id: UserId,
    /// The name.
    pub name: Name,
    /// Where the user comes from, when that is not here.
    pub identity: Option<Identity>,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Whether a password is set.
    pub has_password: bool,
    /// Since when the user is known.
    pub created: Time,
}

/// What went with a user that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedUser {
    /// Sessions that ended.
    pub sessions: Vec<Session>,
    /// Keys of the devices.
    pub devices: Vec<PublicKey>,
}

/// Users and their groups.
///
/// Groups have a source: `""` for what an administrator did here, else the issuer that said so. A directory replaces what it
/// said before, and nothing else.
pub trait Users {
    /// Adds a user, enabled and without a password.
    ///
    /// # Errors
    /// [`Exists`](super::StoreError::Exists): the name or the identity is taken.
    fn add_user(&mut self, at: Time, name: &Name, identity: Option<&Identity>) -> Result<User>;

    /// The user of this name.
    ///
    /// # Errors
    /// The store's own.
    fn user(&mut self, name: &Name) -> Result<Option<User>>;

    /// The user with this identity.
    ///
    /// # Errors
    /// The store's own.
    fn user_with(&mut self, identity: &Identity) -> Result<Option<User>>;

    /// At most `limit` users in the order of their names, those behind `after`.
    ///
    /// # Errors
    /// The store's own.
    fn users(&mut self, after: Option<&Name>, limit: u32) -> Result<Vec<User>>;

    /// Enables or disables a user. Disabling ends the user's sessions, which are returned, and takes back the enrolment.
    /// No session of a disabled user can be opened.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user.
    fn enable_user(&mut self, at: Time, user: UserId, enabled: bool) -> Result<Vec<Session>>;

    /// Sets the password's hash, in the PHC string format, or removes it.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user.
    fn set_password(&mut self, at: Time, user: UserId, phc: Option<&str>) -> Result<()>;

    /// The hash of a user's password; `None` also where there is no such user.
    ///
    /// # Errors
    /// The store's own.
    fn password(&mut self, user: UserId) -> Result<Option<Zeroizing<String>>>;

    /// Removes a user with all factors, devices, sessions, leases and memberships.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user.
    fn remove_user(&mut self, at: Time, user: UserId) -> Result<RemovedUser>;

    /// Adds a group.
    ///
    /// # Errors
    /// [`Exists`](super::StoreError::Exists).
    fn add_group(&mut self, at: Time, group: &Name) -> Result<()>;

    /// Removes a group. Returns how many memberships went with it.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing).
    fn remove_group(&mut self, at: Time, group: &Name) -> Result<u64>;

    /// All groups and how many members they have, in the order of their names.
    ///
    /// # Errors
    /// The store's own.
    fn groups(&mut self) -> Result<Vec<(Name, u64)>>;

    /// The names of a group's members, in order.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing).
    fn members(&mut self, group: &Name) -> Result<Vec<Name>>;

    /// The groups of a user, from all sources, each once, in order.
    ///
    /// # Errors
    /// The store's own.
    fn groups_of(&mut self, user: UserId) -> Result<Vec<Name>>;

    /// Makes a user a member, or no member, of a group, as an administrator does. `false`: that was so before.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user or group.
    fn set_member(&mut self, at: Time, user: UserId, group: &Name, member: bool) -> Result<bool>;

    /// Replaces the memberships that `issuer` gave a user. Groups that do not exist are passed over. `false`: nothing changed.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user.
    fn replace_groups(&mut self, at: Time, user: UserId, issuer: &str, groups: &[Name]) -> Result<bool>;
}
