//! Devices.
use super::{AdminError, Office};
use crate::audit::Event;
use crate::name::Name;
use crate::store::{Device, NewDevice, Owner, StoreError};
use crate::time::Time;
use serde::Serialize;
use underpass_core::PublicKey;

/// A device as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceShown {
    /// Its key, in base64.
    pub key: String,
    /// Its name.
    pub name: Name,
    /// Whose it is; nothing for a shared one.
    pub user: Option<Name>,
    /// Since when it is known.
    pub created: Time,
}

/// What went with a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemovedShown {
    /// The device.
    pub device: DeviceShown,
    /// Whether a session ended by it.
    pub session: bool,
    /// Whether its key may never come back.
    pub revoked: bool,
    /// How many devices the user still has.
    pub left: u64,
    /// Whether it was the last one: the user cannot log in before another is enrolled.
    pub was_last: bool,
}

impl Office<'_> {
    /// Adds a device by its public key, of a user or shared.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn add_device(&mut self, user: Option<&Name>, key: PublicKey, name: &Name) -> Result<DeviceShown, AdminError> {
        let owner = match user {
            Some(user) => Owner::User(self.user(user)?.id),
            None => Owner::Shared,
        };
        let device = NewDevice { key, name: name.clone() };
        self.carry_out(
            |store, at| Ok(shown(&store.add_device(at, owner, &device)?, user.cloned())),
            |done, actor| {
                let (user, name) = (done.user.clone(), done.name.clone());
                Some(Event::DeviceAdded { actor, user, device: key.into(), name })
            },
        )
    }

    /// The devices of a user.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn devices(&mut self, name: &Name) -> Result<Vec<DeviceShown>, AdminError> {
        let user = self.user(name)?;
        let devices = self.store.devices(user.id)?;
        Ok(devices.iter().map(|device| shown(device, Some(user.name.clone()))).collect())
    }

    /// Removes a device of a user, by its name, and ends its session. With `revoke`, its key may never come back.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn remove_device(&mut self, user: &Name, device: &Name, revoke: bool) -> Result<RemovedShown, AdminError> {
        let owner = self.user(user)?.id;
        let devices = self.store.devices(owner)?;
        let found = devices.into_iter().find(|known| known.name == *device);
        let key = found.ok_or_else(|| StoreError::missing("device", device))?.key;
        self.carry_out(
            |store, at| {
                let removed = store.remove_device(at, &key, revoke)?;
                Ok(RemovedShown {
                    device: shown(&removed.device, Some(user.clone())),
                    session: removed.session.is_some(),
                    revoked: revoke,
                    left: removed.left,
                    was_last: removed.left == 0,
                })
            },
            |done, actor| {
                let (user, left) = (Some(user.clone()), done.left);
                Some(Event::DeviceRemoved { actor, user, device: key.into(), revoked: revoke, left })
            },
        )
    }
}

fn shown(device: &Device, user: Option<Name>) -> DeviceShown {
    DeviceShown { key: device.key.to_base64(), name: device.name.clone(), user, created: device.created }
}
