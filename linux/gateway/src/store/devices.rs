//! Devices: the WireGuard keys that belong to users, and keys that may not come back.
use super::{Result, Session, UserId};
use crate::name::Name;
use crate::time::Time;
use serde::Serializer;
use underpass_core::PublicKey;

/// Whose a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// One user's; nobody else can log in with it.
    User(UserId),
    /// Any user can log in with it, or nobody has to.
    Shared,
}

/// A device to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// Its key.
    pub key: PublicKey,
    /// What its owner calls it.
    pub name: Name,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// Its key.
    #[serde(serialize_with = "base64")]
    pub key: PublicKey,
    /// What its owner calls it.
    pub name: Name,
    /// Whose it is.
    pub owner: Owner,
    /// Since when it is known.
    pub created: Time,
}

/// What went with a device that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedDevice {
    /// The device.
    pub device: Device,
    /// Its session, which ended.
    pub session: Option<Session>,
    /// How many devices its owner still has.
    pub left: u64,
}

/// Devices, and revoked keys.
pub trait Devices {
    /// Adds a device.
    ///
    /// # Errors
    /// [`Exists`](super::StoreError::Exists): the key is known, or the owner has a device of this name.
    /// [`Revoked`](super::StoreError::Revoked). [`Missing`](super::StoreError::Missing): no such user.
    fn add_device(&mut self, at: Time, owner: Owner, device: &NewDevice) -> Result<Device>;

    /// The device with this key.
    ///
    /// # Errors
    /// The store's own.
    fn device(&mut self, key: &PublicKey) -> Result<Option<Device>>;

    /// The devices of a user, in the order of their names.
    ///
    /// # Errors
    /// The store's own.
    fn devices(&mut self, user: UserId) -> Result<Vec<Device>>;

    /// At most `limit` devices of all owners in the order of their keys, those behind `after`.
    ///
    /// # Errors
    /// The store's own.
    fn every_device(&mut self, after: Option<&PublicKey>, limit: u32) -> Result<Vec<Device>>;

    /// Removes a device, its session and its leases. With `revoke`, its key may never come back.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing).
    fn remove_device(&mut self, at: Time, key: &PublicKey, revoke: bool) -> Result<RemovedDevice>;

    /// Whether a key was revoked.
    ///
    /// # Errors
    /// The store's own.
    fn is_revoked(&mut self, key: &PublicKey) -> Result<bool>;
}

/// Writes a key as `wg` does.
pub(crate) fn base64<S: Serializer>(key: &PublicKey, out: S) -> std::result::Result<S::Ok, S::Error> {
    out.collect_str(key)
}
