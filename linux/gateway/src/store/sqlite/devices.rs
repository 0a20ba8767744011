//! Devices and revoked keys in SQLite.
use super::super::{ChangeKind, Device, Devices, NewDevice, Owner, RemovedDevice, Result, StoreError, UserId};
use super::values::Key;
use super::{Sqlite, Writing, sessions, users};
use crate::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row};
use underpass_core::PublicKey;

impl Devices for Sqlite {
    fn add_device(&mut self, at: Time, owner: Owner, device: &NewDevice) -> Result<Device> {
        self.write(|change| add(change, at, owner, device))
    }

    fn device(&mut self, key: &PublicKey) -> Result<Option<Device>> {
        find(&self.connection, key)
    }

    fn devices(&mut self, user: UserId) -> Result<Vec<Device>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT key, name, user, created FROM devices WHERE user = ?1 ORDER BY name")?;
        let rows = select.query_map([user], device_of)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn every_device(&mut self, after: Option<&PublicKey>, limit: u32) -> Result<Vec<Device>> {
        let mut select = self
            .connection
            .prepare_cached("SELECT key, name, user, created FROM devices WHERE key > ?1 ORDER BY key LIMIT ?2")?;
        // No key is below the empty one.
        let after = after.map_or(&[][..], |key| key.as_bytes());
        let rows = select.query_map((after, limit), device_of)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn remove_device(&mut self, at: Time, key: &PublicKey, revoke: bool) -> Result<RemovedDevice> {
        self.write(|change| {
            let device = find(change, key)?.ok_or_else(|| StoreError::missing("device", key))?;
            let session = sessions::end(change, at, key, None)?;
            remove(change, at, key)?;
            if revoke {
                change
                    .execute("INSERT INTO revoked (key, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (Key(*key), at))?;
            }
            let left = match device.owner {
                Owner::User(user) => count(change, user)?,
                Owner::Shared => 0,
            };
            Ok(RemovedDevice { device, session, left })
        })
    }

    fn is_revoked(&mut self, key: &PublicKey) -> Result<bool> {
        revoked(&self.connection, key)
    }
}

/// Adds a device whose key is neither known nor revoked.
pub(super) fn add(change: &Writing<'_>, at: Time, owner: Owner, device: &NewDevice) -> Result<Device> {
    let (key, name) = (&device.key, &device.name);
    let user = match owner {
        Owner::User(user) => Some(user),
        Owner::Shared => None,
    };
    may_be_added(change, user, device)?;
    let mut insert = change.prepare_cached("INSERT INTO devices (key, user, name, created) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute((Key(*key), user, name, at))?;
    change.note(at, ChangeKind::Device, key)?;
    Ok(Device { key: *key, name: name.clone(), owner, created: at })
}

/// Finds out whether a device can be added to those of a user, or to the shared ones.
pub(super) fn may_be_added(change: &Writing<'_>, user: Option<UserId>, device: &NewDevice) -> Result<()> {
    must_be_new(change, &device.key)?;
    if let Some(user) = user {
        users::name_of(change, user)?;
    }
    let mut named = change.prepare_cached("SELECT 1 FROM devices WHERE user IS ?1 AND name = ?2")?;
    if named.exists((user, &device.name))? { Err(StoreError::exists("device", &device.name)) } else { Ok(()) }
}

/// Finds out whether a key is neither a device's, nor an enrolment's, nor revoked.
pub(super) fn must_be_new(change: &Writing<'_>, key: &PublicKey) -> Result<()> {
    if revoked(change, key)? {
        return Err(StoreError::Revoked(*key));
    }
    let mut enrolment = change.prepare_cached("SELECT 1 FROM enrolments WHERE key = ?1")?;
    if find(change, key)?.is_some() || enrolment.exists([Key(*key)])? {
        return Err(StoreError::exists("device", key));
    }
    Ok(())
}

/// Removes a device whose session has ended. Its addresses are free once others have rested as long.
pub(super) fn remove(change: &Writing<'_>, at: Time, key: &PublicKey) -> Result<()> {
    change.execute("UPDATE leases SET until = ?2 WHERE device = ?1 AND reserved = 0", (Key(*key), at))?;
    change.execute("UPDATE leases SET device = NULL WHERE device = ?1", [Key(*key)])?;
    change.execute("DELETE FROM epochs WHERE device = ?1", [Key(*key)])?;
    change.execute("DELETE FROM devices WHERE key = ?1", [Key(*key)])?;
    change.note(at, ChangeKind::Device, key)
}

/// The device with this key.
pub(super) fn find(connection: &Connection, key: &PublicKey) -> Result<Option<Device>> {
    let mut select = connection.prepare_cached("SELECT key, name, user, created FROM devices WHERE key = ?1")?;
    Ok(select.query_row([Key(*key)], device_of).optional()?)
}

fn count(connection: &Connection, user: UserId) -> Result<u64> {
    let mut select = connection.prepare_cached("SELECT count(*) FROM devices WHERE user = ?1")?;
    Ok(select.query_row([user], |row| row.get(0))?)
}

fn revoked(connection: &Connection, key: &PublicKey) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM revoked WHERE key = ?1")?.exists([Key(*key)])?)
}

fn device_of(row: &Row<'_>) -> rusqlite::Result<Device> {
    let user: Option<UserId> = row.get(2)?;
    let owner = user.map_or(Owner::Shared, Owner::User);
    Ok(Device { key: row.get::<_, Key>(0)?.0, name: row.get(1)?, owner, created: row.get(3)? })
}
