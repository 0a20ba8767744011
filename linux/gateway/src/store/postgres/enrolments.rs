//! Enrolments in PostgreSQL.
use super::super::columns::signed;
use super::super::enrolments::NEW_CODE;
use super::super::{ChangeKind, Device, Enrolment, Enrolments, NewDevice, Owner, Result, StoreError, UserId};
use super::{Postgres, Writing, devices, users, values};
use crate::time::Time;
use ::postgres::Row;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// All enrolments with the names of their users, as [`enrolment_of`] reads them.
const SELECT: &str = "SELECT key, person, users.name, until, device, secret, tries, is_over
    FROM enrolments JOIN users ON users.id = enrolments.person";

impl Enrolments for Postgres {
    fn add_enrolment(&mut self, at: Time, user: UserId, key: &PublicKey, until: Time) -> Result<()> {
        self.write(|change| {
            let name = users::name_of(change, user)?;
            if change.row("SELECT 1 FROM users WHERE id = $1 AND enabled", &[&user.0])?.is_none() {
                return Err(StoreError::missing("enabled user", name));
            }
            change.run("DELETE FROM enrolments WHERE person = $1 OR until <= $2", &[&user.0, &at.as_millis()])?;
            devices::must_be_new(change, key)?;
            let statement = "INSERT INTO enrolments (key, person, until) VALUES ($1, $2, $3)";
            change.run(statement, &[&key.as_bytes().as_slice(), &user.0, &until.as_millis()])?;
            change.note(at, ChangeKind::Enrolment, name)
        })
    }

    fn enrolment_of(&mut self, user: UserId) -> Result<Option<Enrolment>> {
        let found = self.row(&format!("{SELECT} WHERE person = $1"), &[&user.0])?;
        found.map(|row| enrolment_of(&row)).transpose()
    }

    fn every_enrolment(&mut self, after: Option<&PublicKey>, limit: u32) -> Result<Vec<Enrolment>> {
        // No key is below the empty one.
        let after = after.map_or(&[][..], |key| key.as_bytes());
        let statement = format!("{SELECT} WHERE key > $1 ORDER BY key LIMIT $2");
        self.rows(&statement, &[&after, &i64::from(limit)])?.iter().map(enrolment_of).collect()
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
                change.run(
                    "UPDATE enrolments SET device = $2, secret = CASE
                         WHEN EXISTS (SELECT 1 FROM codes WHERE codes.person = enrolments.person) THEN NULL ELSE $3::bytea END
                     WHERE key = $1",
                    &[&key.as_bytes().as_slice(), &device.key.as_bytes().as_slice(), &secret],
                )?;
            }
            good(change, at, key, &device.key)
        })
    }

    fn count_try(&mut self, at: Time, key: &PublicKey, device: &PublicKey, most: u8, end: Time) -> Result<bool> {
        // One statement: who comes second waits for the lock of the row, and then looks at it again.
        let statement = "UPDATE enrolments SET tries = tries + 1,
                 until = CASE WHEN tries + 1 >= $4 THEN least(until, $5) ELSE until END
             WHERE key = $1 AND device = $2 AND until > $3 AND NOT is_over AND secret IS NOT NULL AND tries < $4";
        let (key, device) = (key.as_bytes().as_slice(), device.as_bytes().as_slice());
        Ok(self.run(statement, &[&key, &device, &at.as_millis(), &i64::from(most), &end.as_millis()])? == 1)
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
                let (period, algorithm, digits) = (i64::from(period), i64::from(algorithm), i64::from(digits));
                change.run(
                    "INSERT INTO codes (person, period, algorithm, digits, secret, last) VALUES ($1, $2, $3, $4, $5, $6)",
                    &[&found.user.0, &period, &algorithm, &digits, &secret.as_slice(), &step],
                )?;
                change.note(at, ChangeKind::Factor, &found.name)?;
            }
            let statement = "UPDATE enrolments SET is_over = true, secret = NULL, until = least(until, $2) WHERE key = $1";
            change.run(statement, &[&key.as_bytes().as_slice(), &end.as_millis()])?;
            change.note(at, ChangeKind::Enrolment, &found.name)?;
            Ok(Some(added))
        })
    }

    fn forget_enrolments(&mut self, at: Time) -> Result<u64> {
        self.run("DELETE FROM enrolments WHERE until <= $1", &[&at.as_millis()])
    }
}

/// An enrolment that `device` may go on with. A disabled user has none; the condition holds all the same.
fn good(change: &mut Writing<'_>, at: Time, key: &PublicKey, device: &PublicKey) -> Result<Option<Enrolment>> {
    let statement =
        format!("{SELECT} WHERE key = $1 AND until > $2 AND (device IS NULL OR device = $3) AND users.enabled");
    let values: [super::Value<'_>; 3] = [&key.as_bytes().as_slice(), &at.as_millis(), &device.as_bytes().as_slice()];
    change.row(&statement, &values)?.map(|row| enrolment_of(&row)).transpose()
}

fn enrolment_of(row: &Row) -> Result<Enrolment> {
    let (device, secret): (Option<&[u8]>, Option<Vec<u8>>) = (row.try_get(4)?, row.try_get(5)?);
    Ok(Enrolment {
        key: values::key(row, 0)?,
        user: values::user(row, 1)?,
        name: values::name(row, 2)?,
        until: values::time(row, 3)?,
        device: device.map(|_| values::key(row, 4)).transpose()?,
        secret: secret.map(Zeroizing::new),
        tries: values::number(row, 6)?,
        is_over: row.try_get(7)?,
    })
}
