//! Sessions in PostgreSQL.
use super::super::columns::signed;
use super::super::{ChangeKind, NewSession, Opened, Owner, Result, Session, Sessions, StoreError, UserId};
use super::{Postgres, Value, Writing, devices, values};
use crate::time::Time;
use ::postgres::Row;
use underpass_core::PublicKey;

/// All sessions with the names of their users, as [`session_of`] reads them.
const SELECT: &str = "SELECT device, sessions.person, users.name, gateway, epoch, since, until
    FROM sessions JOIN users ON users.id = sessions.person";

impl Sessions for Postgres {
    fn open_session(&mut self, at: Time, session: &NewSession<'_>) -> Result<Opened> {
        let device = session.device.as_bytes().as_slice();
        self.write(|change| {
            if change.row("SELECT 1 FROM users WHERE id = $1 AND enabled", &[&session.user.0])?.is_none() {
                return Ok(Opened::NotTheUser);
            }
            let owner = devices::find(change, session.device)?.map(|device| device.owner);
            if !matches!(owner, Some(Owner::Shared)) && owner != Some(Owner::User(session.user)) {
                return Ok(Opened::NotTheDevice);
            }
            let replaced = end(change, at, session.device, None)?;
            let counted = change.row(
                "INSERT INTO epochs (device, epoch) VALUES ($1, 1)
                 ON CONFLICT (device) DO UPDATE SET epoch = epochs.epoch + 1 RETURNING epoch",
                &[&device],
            )?;
            let counted = counted.ok_or_else(|| StoreError::Senseless("a row without a number".into()))?;
            let epoch: u64 = values::number(&counted, 0)?;
            let (gateway, since, until) = (session.gateway.as_str(), at.as_millis(), session.until.as_millis());
            change.run(
                "INSERT INTO sessions (device, person, gateway, epoch, since, until) VALUES ($1, $2, $3, $4, $5, $6)",
                &[&device, &session.user.0, &gateway, &signed(epoch)?, &since, &until],
            )?;
            change.note(at, ChangeKind::Session, session.device)?;
            Ok(Opened::Open { epoch, replaced })
        })
    }

    fn extend_session(&mut self, at: Time, device: &PublicKey, epoch: u64, until: Time) -> Result<bool> {
        let epoch = signed(epoch)?;
        self.write(|change| {
            let extended = change.run(
                "UPDATE sessions SET until = $3 WHERE device = $1 AND epoch = $2
                 AND person IN (SELECT id FROM users WHERE enabled)",
                &[&device.as_bytes().as_slice(), &epoch, &until.as_millis()],
            )?;
            if extended == 1 {
                change.note(at, ChangeKind::Session, device)?;
            }
            Ok(extended == 1)
        })
    }

    fn end_session(&mut self, at: Time, device: &PublicKey, epoch: Option<u64>) -> Result<Option<Session>> {
        self.write(|change| end(change, at, device, epoch))
    }

    fn end_sessions(&mut self, at: Time, user: UserId) -> Result<Vec<Session>> {
        self.write(|change| end_of_user(change, at, user))
    }

    fn expire_sessions(&mut self, at: Time) -> Result<Vec<Session>> {
        self.write(|change| {
            let over = select(change, "WHERE until <= $1 ORDER BY until", &[&at.as_millis()])?;
            end_each(change, at, over)
        })
    }

    fn session(&mut self, device: &PublicKey) -> Result<Option<Session>> {
        let found = self.row(&format!("{SELECT} WHERE device = $1"), &[&device.as_bytes().as_slice()])?;
        found.map(|row| session_of(&row)).transpose()
    }

    fn sessions(&mut self, user: Option<UserId>) -> Result<Vec<Session>> {
        let order = "ORDER BY since, device";
        let rows = match user {
            Some(user) => self.rows(&format!("{SELECT} WHERE sessions.person = $1 {order}"), &[&user.0])?,
            None => self.rows(&format!("{SELECT} {order}"), &[])?,
        };
        rows.iter().map(session_of).collect()
    }
}

/// Ends a device's session, or only the one of `epoch`.
pub(super) fn end(
    change: &mut Writing<'_>,
    at: Time,
    device: &PublicKey,
    epoch: Option<u64>,
) -> Result<Option<Session>> {
    let found = select(change, "WHERE device = $1", &[&device.as_bytes().as_slice()])?;
    let wanted = |session: &Session| epoch.is_none_or(|epoch| session.epoch == epoch);
    Ok(end_each(change, at, found.into_iter().filter(wanted).collect())?.pop())
}

/// Ends all sessions of a user.
pub(super) fn end_of_user(change: &mut Writing<'_>, at: Time, user: UserId) -> Result<Vec<Session>> {
    let sessions = select(change, "WHERE sessions.person = $1 ORDER BY since, device", &[&user.0])?;
    end_each(change, at, sessions)
}

/// Ends all sessions. Returns how many.
pub(super) fn end_all(change: &mut Writing<'_>, at: Time) -> Result<u64> {
    let sessions = select(change, "", &[])?;
    Ok(end_each(change, at, sessions)?.len() as u64)
}

fn end_each(change: &mut Writing<'_>, at: Time, sessions: Vec<Session>) -> Result<Vec<Session>> {
    for session in &sessions {
        change.run("DELETE FROM sessions WHERE device = $1", &[&session.device.as_bytes().as_slice()])?;
        change.note(at, ChangeKind::Session, session.device)?;
    }
    Ok(sessions)
}

fn select(change: &mut Writing<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<Session>> {
    change.rows(&format!("{SELECT} {rest}"), values)?.iter().map(session_of).collect()
}

fn session_of(row: &Row) -> Result<Session> {
    Ok(Session {
        device: values::key(row, 0)?,
        user: values::user(row, 1)?,
        name: values::name(row, 2)?,
        gateway: values::name(row, 3)?,
        epoch: values::number(row, 4)?,
        since: values::time(row, 5)?,
        until: values::time(row, 6)?,
    })
}
