//! Enrolments in SQLite.
use super::super::columns::signed;
use super::super::enrolments::NEW_CODE;
use super::super::{ChangeKind, Device, Enrolment, Enrolments, NewDevice, Owner, Result, StoreError, UserId};
use super::values::Key;
use super::{Sqlite, devices, users};
use crate::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row};
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// All enrolments with the names of their users, as [`enrolment_of`] reads them.
const SELECT: &str = "SELECT key, user, users.name, until, device, secret, tries, is_over
    FROM enrolments JOIN users ON users.id = enrolments.user";

impl Enrolments for Sqlite {
    fn add_enrolment(&mut self, at: Time, user: UserId, key: &PublicKey, until: Time) -> Result<()> {
        self.write(|change| {
            let name = users::name_of(change, user)?;
            let mut enabled = change.prepare_cached("SELECT enabled FROM users WHERE id = ?1")?;
            if !enabled.query_row([user], |row| row.get::<_, bool>(0))? {
                return Err(StoreError::missing("enabled user", name));
            }
            change.execute("DELETE FROM enrolments WHERE user = ?1 OR until <= ?2", (user, at))?;
            devices::must_be_new(change, key)?;
            change
                .execute("INSERT INTO enrolments (key, user, until) VALUES (?1, ?2, ?3)", (Key(*key), user, until))?;
            change.note(at, ChangeKind::Enrolment, name)
        })
    }

    fn enrolment_of(&mut self, user: UserId) -> Result<Option<Enrolment>> {
        let mut select = self.connection.prepare_cached(&format!("{SELECT} WHERE user = ?1"))?;
        Ok(select.query_row([user], enrolment_of).optional()?)
    }

    fn every_enrolment(&mut self, after: Option<&PublicKey>, limit: u32) -> Result<Vec<Enrolment>> {
        let query = format!("{SELECT} WHERE key > ?1 ORDER BY key LIMIT ?2");
        let mut select = self.connection.prepare_cached(&query)?;
        // No key is below the empty one.
        let after = after.map_or(&[][..], |key| key.as_bytes());
        let rows = select.query_map((after, limit), enrolment_of)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn claim(
        &mut self,
        at: Time,
        key: &PublicKey,
        device: &NewDevice,
        secret: Option<&[u8]>,
    ) -> Result<Option<Enrolment>> {
        self.write(|change| {
            let Some(found) = good(change, at, key, &device.key)? else { return Ok(None) };
            if found.is_over {
                return Ok(Some(found));
            }
            devices::may_be_added(change, Some(found.user), device)?;
            if found.device.is_none() {
                change.execute(
                    "UPDATE enrolments SET device = ?2,
                         secret = CASE WHEN EXISTS (SELECT 1 FROM codes WHERE codes.user = enrolments.user) THEN NULL ELSE ?3 END
                     WHERE key = ?1",
                    (Key(*key), Key(device.key), secret),
                )?;
            }
            good(change, at, key, &device.key)
        })
    }

    fn count_try(&mut self, at: Time, key: &PublicKey, device: &PublicKey, most: u8, end: Time) -> Result<bool> {
        // One statement: it finds and changes the row under the lock of the writer, and is on the disk when it returns.
        let mut update = self.connection.prepare_cached(
            "UPDATE enrolments SET tries = tries + 1,
                 until = CASE WHEN tries + 1 >= ?4 THEN min(until, ?5) ELSE until END
             WHERE key = ?1 AND device = ?2 AND until > ?3 AND is_over = 0 AND secret IS NOT NULL AND tries < ?4",
        )?;
        Ok(update.execute((Key(*key), Key(*device), at, most, end))? == 1)
    }

    fn enrol(
        &mut self,
        at: Time,
        key: &PublicKey,
        device: &NewDevice,
        step: Option<u64>,
        end: Time,
    ) -> Result<Option<Device>> {
        let step = step.map(signed).transpose()?;
        self.write(|change| {
            let found = good(change, at, key, &device.key)?;
            let claimed = found.filter(|found| !found.is_over && found.device == Some(device.key));
            let Some(found) = claimed.filter(|found| found.secret.is_some() == step.is_some()) else { return Ok(None) };
            let added = devices::add(change, at, Owner::User(found.user), device)?;
            if let Some(secret) = &found.secret {
                let (period, algorithm, digits) = NEW_CODE;
                change.execute(
                    "INSERT INTO codes (user, period, algorithm, digits, secret, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    (found.user, period, algorithm, digits, secret.as_slice(), step),
                )?;
                change.note(at, ChangeKind::Factor, &found.name)?;
            }
            change.execute(
                "UPDATE enrolments SET is_over = 1, secret = NULL, until = min(until, ?2) WHERE key = ?1",
                (Key(*key), end),
            )?;
            change.note(at, ChangeKind::Enrolment, &found.name)?;
            Ok(Some(added))
        })
    }

    fn forget_enrolments(&mut self, at: Time) -> Result<u64> {
        Ok(self.connection.prepare_cached("DELETE FROM enrolments WHERE until <= ?1")?.execute([at])? as u64)
    }
}

/// An enrolment that `device` may go on with. A disabled user has none; the condition holds all the same.
fn good(connection: &Connection, at: Time, key: &PublicKey, device: &PublicKey) -> Result<Option<Enrolment>> {
    let query =
        format!("{SELECT} WHERE key = ?1 AND until > ?2 AND (device IS NULL OR device = ?3) AND users.enabled = 1");
    let mut select = connection.prepare_cached(&query)?;
    Ok(select.query_row((Key(*key), at, Key(*device)), enrolment_of).optional()?)
}

fn enrolment_of(row: &Row<'_>) -> rusqlite::Result<Enrolment> {
    Ok(Enrolment {
        key: row.get::<_, Key>(0)?.0,
        user: row.get(1)?,
        name: row.get(2)?,
        until: row.get(3)?,
        device: row.get::<_, Option<Key>>(4)?.map(|key| key.0),
        secret: row.get::<_, Option<Vec<u8>>>(5)?.map(Zeroizing::new),
        tries: row.get(6)?,
        is_over: row.get(7)?,
    })
}
