//! Sessions in SQLite.
use super::super::columns::signed;
use super::super::{ChangeKind, NewSession, Opened, Owner, Result, Session, Sessions, UserId};
use super::values::Key;
use super::{Sqlite, Writing, devices};
use crate::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use underpass_core::PublicKey;

/// All sessions with the names of their users, as [`session_of`] reads them.
const SELECT: &str = "SELECT device, sessions.user, users.name, gateway, epoch, since, until
    FROM sessions JOIN users ON users.id = sessions.user";

impl Sessions for Sqlite {
    fn open_session(&mut self, at: Time, session: &NewSession<'_>) -> Result<Opened> {
        let device = Key(*session.device);
        self.write(|change| {
            let mut enabled = change.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND enabled = 1")?;
            if !enabled.exists([session.user])? {
                return Ok(Opened::NotTheUser);
            }
            let owner = devices::find(change, session.device)?.map(|device| device.owner);
            if !matches!(owner, Some(Owner::Shared)) && owner != Some(Owner::User(session.user)) {
                return Ok(Opened::NotTheDevice);
            }
            let replaced = end(change, at, session.device, None)?;
            let mut count = change.prepare_cached(
                "INSERT INTO epochs (device, epoch) VALUES (?1, 1) ON CONFLICT DO UPDATE SET epoch = epoch + 1
                 RETURNING epoch",
            )?;
            let epoch: u64 = count.query_row([&device], |row| row.get(0))?;
            let mut insert = change.prepare_cached(
                "INSERT INTO sessions (device, user, gateway, epoch, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            insert.execute((&device, session.user, session.gateway, signed(epoch)?, at, session.until))?;
            change.note(at, ChangeKind::Session, session.device)?;
            Ok(Opened::Open { epoch, replaced })
        })
    }

    fn extend_session(&mut self, at: Time, device: &PublicKey, epoch: u64, until: Time) -> Result<bool> {
        let epoch = signed(epoch)?;
        self.write(|change| {
            let mut update = change.prepare_cached(
                "UPDATE sessions SET until = ?3 WHERE device = ?1 AND epoch = ?2
                 AND user IN (SELECT id FROM users WHERE enabled = 1)",
            )?;
            let extended = update.execute((Key(*device), epoch, until))? == 1;
            if extended {
                change.note(at, ChangeKind::Session, device)?;
            }
            Ok(extended)
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
            let over = select(change, "WHERE until <= ?1 ORDER BY until", [at])?;
            end_each(change, at, over)
        })
    }

    fn session(&mut self, device: &PublicKey) -> Result<Option<Session>> {
        find(&self.connection, device)
    }

    fn sessions(&mut self, user: Option<UserId>) -> Result<Vec<Session>> {
        let order = "ORDER BY since, device";
        match user {
            Some(user) => select(&self.connection, &format!("WHERE sessions.user = ?1 {order}"), [user]),
            None => select(&self.connection, order, []),
        }
    }
}

/// Ends a device's session, or only the one of `epoch`.
pub(super) fn end(change: &Writing<'_>, at: Time, device: &PublicKey, epoch: Option<u64>) -> Result<Option<Session>> {
    let wanted = |session: &Session| epoch.is_none_or(|epoch| session.epoch == epoch);
    let found = find(change, device)?.filter(wanted);
    Ok(end_each(change, at, found.into_iter().collect())?.pop())
}

/// Ends all sessions of a user.
pub(super) fn end_of_user(change: &Writing<'_>, at: Time, user: UserId) -> Result<Vec<Session>> {
    let sessions = select(change, "WHERE sessions.user = ?1 ORDER BY since, device", [user])?;
    end_each(change, at, sessions)
}

/// Ends all sessions. Returns how many.
pub(super) fn end_all(change: &Writing<'_>, at: Time) -> Result<u64> {
    let sessions = select(change, "", [])?;
    Ok(end_each(change, at, sessions)?.len() as u64)
}

fn end_each(change: &Writing<'_>, at: Time, sessions: Vec<Session>) -> Result<Vec<Session>> {
    let mut delete = change.prepare_cached("DELETE FROM sessions WHERE device = ?1")?;
    for session in &sessions {
        delete.execute([Key(session.device)])?;
        change.note(at, ChangeKind::Session, session.device)?;
    }
    Ok(sessions)
}

fn find(connection: &Connection, device: &PublicKey) -> Result<Option<Session>> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE device = ?1"))?;
    Ok(select.query_row([Key(*device)], session_of).optional()?)
}

fn select(connection: &Connection, rest: &str, values: impl Params) -> Result<Vec<Session>> {
    let mut select = connection.prepare_cached(&format!("{SELECT} {rest}"))?;
    let rows = select.query_map(values, session_of)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn session_of(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        device: row.get::<_, Key>(0)?.0,
        user: row.get(1)?,
        name: row.get(2)?,
        gateway: row.get(3)?,
        epoch: row.get(4)?,
        since: row.get(5)?,
        until: row.get(6)?,
    })
}
