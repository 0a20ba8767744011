//! Devices and revoked keys in PostgreSQL.
use super::super::{ChangeKind, Device, Devices, NewDevice, Owner, RemovedDevice, Result, StoreError, UserId};
use super::{Postgres, Writing, sessions, users, values};
use crate::time::Time;
use ::postgres::Row;
use underpass_core::PublicKey;

/// All devices, as [`device_of`] reads them.
const SELECT: &str = "SELECT key, name, person, created FROM devices";

impl Devices for Postgres {
    fn add_device(&mut self, at: Time, owner: Owner, device: &NewDevice) -> Result<Device> {
        self.write(|change| add(change, at, owner, device))
    }

    fn device(&mut self, key: &PublicKey) -> Result<Option<Device>> {
        let found = self.row(&format!("{SELECT} WHERE key = $1"), &[&key.as_bytes().as_slice()])?;
        found.map(|row| device_of(&row)).transpose()
    }

    fn devices(&mut self, user: UserId) -> Result<Vec<Device>> {
        let rows = self.rows(&format!("{SELECT} WHERE person = $1 ORDER BY name"), &[&user.0])?;
        rows.iter().map(device_of).collect()
    }

    fn every_device(&mut self, after: Option<&PublicKey>, limit: u32) -> Result<Vec<Device>> {
        // No key is below the empty one.
        let after = after.map_or(&[][..], |key| key.as_bytes());
        let rows =
            self.rows(&format!("{SELECT} WHERE key > $1 ORDER BY key LIMIT $2"), &[&after, &i64::from(limit)])?;
        rows.iter().map(device_of).collect()
    }

    fn remove_device(&mut self, at: Time, key: &PublicKey, revoke: bool) -> Result<RemovedDevice> {
        self.write(|change| {
            let device = find(change, key)?.ok_or_else(|| StoreError::missing("device", key))?;
            let session = sessions::end(change, at, key, None)?;
            remove(change, at, key)?;
            if revoke {
                let statement = "INSERT INTO revoked (key, at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                change.run(statement, &[&key.as_bytes().as_slice(), &at.as_millis()])?;
            }
            let left = match device.owner {
                Owner::User(user) => change.row("SELECT count(*) FROM devices WHERE person = $1", &[&user.0])?,
                Owner::Shared => None,
            };
            Ok(RemovedDevice { device, session, left: left.map_or(Ok(0), |row| values::number(&row, 0))? })
        })
    }

    fn is_revoked(&mut self, key: &PublicKey) -> Result<bool> {
        Ok(self.row("SELECT 1 FROM revoked WHERE key = $1", &[&key.as_bytes().as_slice()])?.is_some())
    }
}

/// Adds a device whose key is neither known nor revoked.
pub(super) fn add(change: &mut Writing<'_>, at: Time, owner: Owner, device: &NewDevice) -> Result<Device> {
    let (key, name) = (&device.key, &device.name);
    let bytes = key.as_bytes().as_slice();
    let user = match owner {
        Owner::User(user) => Some(user),
        Owner::Shared => None,
    };
    may_be_added(change, user, device)?;
    let user = user.map(|user| user.0);
    let statement = "INSERT INTO devices (key, person, name, created) VALUES ($1, $2, $3, $4)";
    change.run(statement, &[&bytes, &user, &name.as_str(), &at.as_millis()])?;
    change.note(at, ChangeKind::Device, key)?;
    Ok(Device { key: *key, name: name.clone(), owner, created: at })
}

/// Finds out whether a device can be added to those of a user, or to the shared ones.
pub(super) fn may_be_added(change: &mut Writing<'_>, user: Option<UserId>, device: &NewDevice) -> Result<()> {
    must_be_new(change, &device.key)?;
    if let Some(user) = user {
        users::name_of(change, user)?;
    }
    let (user, name) = (user.map(|user| user.0), &device.name);
    let named = "SELECT 1 FROM devices WHERE person IS NOT DISTINCT FROM $1 AND name = $2";
    match change.row(named, &[&user, &name.as_str()])? {
        Some(_) => Err(StoreError::exists("device", name)),
        None => Ok(()),
    }
}

/// Finds out whether a key is neither a device's, nor an enrolment's, nor revoked.
pub(super) fn must_be_new(change: &mut Writing<'_>, key: &PublicKey) -> Result<()> {
    let bytes = key.as_bytes().as_slice();
    if change.row("SELECT 1 FROM revoked WHERE key = $1", &[&bytes])?.is_some() {
        return Err(StoreError::Revoked(*key));
    }
    let is_enrolments = change.row("SELECT 1 FROM enrolments WHERE key = $1", &[&bytes])?.is_some();
    if is_enrolments || find(change, key)?.is_some() {
        return Err(StoreError::exists("device", key));
    }
    Ok(())
}

/// Removes a device whose session has ended. Its addresses are free once others have rested as long.
pub(super) fn remove(change: &mut Writing<'_>, at: Time, key: &PublicKey) -> Result<()> {
    let bytes = key.as_bytes().as_slice();
    change.run("UPDATE leases SET until = $2 WHERE device = $1 AND NOT reserved", &[&bytes, &at.as_millis()])?;
    change.run("UPDATE leases SET device = NULL WHERE device = $1", &[&bytes])?;
    change.run("DELETE FROM epochs WHERE device = $1", &[&bytes])?;
    change.run("DELETE FROM devices WHERE key = $1", &[&bytes])?;
    change.note(at, ChangeKind::Device, key)
}

/// The device with this key.
pub(super) fn find(change: &mut Writing<'_>, key: &PublicKey) -> Result<Option<Device>> {
    let found = change.row(&format!("{SELECT} WHERE key = $1"), &[&key.as_bytes().as_slice()])?;
    found.map(|row| device_of(&row)).transpose()
}

fn device_of(row: &Row) -> Result<Device> {
    let user: Option<i64> = row.try_get(2)?;
    let owner = user.map_or(Owner::Shared, |user| Owner::User(UserId(user)));
    Ok(Device { key: values::key(row, 0)?, name: values::name(row, 1)?, owner, created: values::time(row, 3)? })
}
