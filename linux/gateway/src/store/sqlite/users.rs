//! Users and groups in SQLite.
use super::super::{ChangeKind, Identity, RemovedUser, Result, Session, StoreError, User, UserId, Users};
use super::values::Key;
use super::{Sqlite, Writing, devices, sessions};
use crate::name::Name;
use crate::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row};
use zeroize::Zeroizing;

/// The columns of a [`User`], as [`user_of`] reads them.
const COLUMNS: &str = "id, name, issuer, subject, enabled, password IS NOT NULL, created";

impl Users for Sqlite {
    fn add_user(&mut self, at: Time, name: &Name, identity: Option<&Identity>) -> Result<User> {
        self.write(|change| {
            if find(change, name)?.is_some() {
                return Err(StoreError::exists("user", name));
            }
            if let Some(identity) = identity
                && find_with(change, identity)?.is_some()
            {
                return Err(StoreError::exists("user with this identity of", &identity.issuer));
            }
            let (issuer, subject) = identity.map(|identity| (&identity.issuer, &identity.subject)).unzip();
            change.execute(
                "INSERT INTO users (name, issuer, subject, created) VALUES (?1, ?2, ?3, ?4)",
                (name, issuer, subject, at),
            )?;
            change.note(at, ChangeKind::User, name)?;
            find(change, name)?.ok_or_else(|| StoreError::missing("user", name))
        })
    }

    fn user(&mut self, name: &Name) -> Result<Option<User>> {
        find(&self.connection, name)
    }

    fn user_with(&mut self, identity: &Identity) -> Result<Option<User>> {
        find_with(&self.connection, identity)
    }

    fn users(&mut self, after: Option<&Name>, limit: u32) -> Result<Vec<User>> {
        let query = format!("SELECT {COLUMNS} FROM users WHERE name > ?1 ORDER BY name LIMIT ?2");
        let mut select = self.connection.prepare_cached(&query)?;
        let rows = select.query_map((after.map_or("", Name::as_str), limit), user_of)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn enable_user(&mut self, at: Time, user: UserId, enabled: bool) -> Result<Vec<Session>> {
        self.write(|change| {
            let name = name_of(change, user)?;
            change.execute("UPDATE users SET enabled = ?2 WHERE id = ?1", (user, enabled))?;
            change.note(at, ChangeKind::User, name)?;
            if enabled {
                return Ok(Vec::new());
            }
            change.execute("DELETE FROM enrolments WHERE user = ?1", [user])?;
            sessions::end_of_user(change, at, user)
        })
    }

    fn set_password(&mut self, at: Time, user: UserId, phc: Option<&str>) -> Result<()> {
        self.write(|change| {
            let name = name_of(change, user)?;
            change.execute("UPDATE users SET password = ?2 WHERE id = ?1", (user, phc))?;
            change.note(at, ChangeKind::Password, name)
        })
    }

    fn password(&mut self, user: UserId) -> Result<Option<Zeroizing<String>>> {
        let mut select = self.connection.prepare_cached("SELECT password FROM users WHERE id = ?1")?;
        let found: Option<Option<String>> = select.query_row([user], |row| row.get(0)).optional()?;
        Ok(found.flatten().map(Zeroizing::new))
    }

    fn remove_user(&mut self, at: Time, user: UserId) -> Result<RemovedUser> {
        self.write(|change| {
            let name = name_of(change, user)?;
            let sessions = sessions::end_of_user(change, at, user)?;
            let mut select = change.prepare_cached("SELECT key FROM devices WHERE user = ?1 ORDER BY name")?;
            let keys = select.query_map([user], |row| row.get::<_, Key>(0).map(|key| key.0))?;
            let keys = keys.collect::<rusqlite::Result<Vec<_>>>()?;
            for key in &keys {
                devices::remove(change, at, key)?;
            }
            for table in ["members", "codes", "recovery", "enrolments"] {
                change.execute(&format!("DELETE FROM {table} WHERE user = ?1"), [user])?;
            }
            change.execute("DELETE FROM users WHERE id = ?1", [user])?;
            change.note(at, ChangeKind::User, name)?;
            Ok(RemovedUser { sessions, devices: keys })
        })
    }

    fn add_group(&mut self, at: Time, group: &Name) -> Result<()> {
        self.write(|change| {
            if change.execute("INSERT INTO groups (name) VALUES (?1) ON CONFLICT DO NOTHING", [group])? == 0 {
                return Err(StoreError::exists("group", group));
            }
            change.note(at, ChangeKind::Group, group)
        })
    }

    fn remove_group(&mut self, at: Time, group: &Name) -> Result<u64> {
        self.write(|change| {
            let number = group_number(change, group)?;
            let members = change.execute("DELETE FROM members WHERE team = ?1", [number])?;
            change.execute("DELETE FROM groups WHERE id = ?1", [number])?;
            change.note(at, ChangeKind::Group, group)?;
            Ok(members as u64)
        })
    }

    fn groups(&mut self) -> Result<Vec<(Name, u64)>> {
        let mut select = self.connection.prepare_cached(
            "SELECT name, (SELECT count(DISTINCT user) FROM members WHERE team = groups.id) FROM groups ORDER BY name",
        )?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn members(&mut self, group: &Name) -> Result<Vec<Name>> {
        let number = group_number(&self.connection, group)?;
        let mut select = self.connection.prepare_cached(
            "SELECT DISTINCT users.name FROM members JOIN users ON users.id = members.user WHERE team = ?1
             ORDER BY users.name",
        )?;
        let rows = select.query_map([number], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn groups_of(&mut self, user: UserId) -> Result<Vec<Name>> {
        let mut select = self.connection.prepare_cached(
            "SELECT DISTINCT groups.name FROM members JOIN groups ON groups.id = members.team WHERE user = ?1
             ORDER BY groups.name",
        )?;
        let rows = select.query_map([user], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn set_member(&mut self, at: Time, user: UserId, group: &Name, member: bool) -> Result<bool> {
        self.write(|change| {
            let name = name_of(change, user)?;
            let number = group_number(change, group)?;
            let statement = if member {
                "INSERT INTO members (user, team, source) VALUES (?1, ?2, '') ON CONFLICT DO NOTHING"
            } else {
                "DELETE FROM members WHERE user = ?1 AND team = ?2 AND source = ''"
            };
            let changed = change.execute(statement, (user, number))? > 0;
            if changed {
                change.note(at, ChangeKind::Member, name)?;
            }
            Ok(changed)
        })
    }

    fn replace_groups(&mut self, at: Time, user: UserId, issuer: &str, groups: &[Name]) -> Result<bool> {
        self.write(|change| {
            let name = name_of(change, user)?;
            let before = memberships(change, user, issuer)?;
            change.execute("DELETE FROM members WHERE user = ?1 AND source = ?2", (user, issuer))?;
            for group in groups {
                change.execute(
                    "INSERT INTO members (user, team, source) SELECT ?1, id, ?3 FROM groups WHERE name = ?2
                     ON CONFLICT DO NOTHING",
                    (user, group, issuer),
                )?;
            }
            let changed = before != memberships(change, user, issuer)?;
            if changed {
                change.note(at, ChangeKind::Member, name)?;
            }
            Ok(changed)
        })
    }
}

/// The name of a user who must be there.
pub(super) fn name_of(connection: &Connection, user: UserId) -> Result<Name> {
    let mut select = connection.prepare_cached("SELECT name FROM users WHERE id = ?1")?;
    let found = select.query_row([user], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::missing("user number", user.0))
}

/// The numbers of the groups that `source` put a user in, in order.
fn memberships(change: &Writing<'_>, user: UserId, source: &str) -> Result<Vec<i64>> {
    let mut select = change.prepare_cached("SELECT team FROM members WHERE user = ?1 AND source = ?2 ORDER BY team")?;
    let rows = select.query_map((user, source), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn group_number(connection: &Connection, group: &Name) -> Result<i64> {
    let mut select = connection.prepare_cached("SELECT id FROM groups WHERE name = ?1")?;
    let found = select.query_row([group], |row| row.get(0)).optional()?;
    found.ok_or_else(|| StoreError::missing("group", group))
}

fn find(connection: &Connection, name: &Name) -> Result<Option<User>> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE name = ?1"))?;
    Ok(select.query_row([name], user_of).optional()?)
}

fn find_with(connection: &Connection, identity: &Identity) -> Result<Option<User>> {
    let query = format!("SELECT {COLUMNS} FROM users WHERE issuer = ?1 AND subject = ?2");
    let mut select = connection.prepare_cached(&query)?;
    Ok(select.query_row((&identity.issuer, &identity.subject), user_of).optional()?)
}

fn user_of(row: &Row<'_>) -> rusqlite::Result<User> {
    let identity: (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        identity: identity.0.zip(identity.1).map(|(issuer, subject)| Identity { issuer, subject }),
        enabled: row.get(4)?,
        has_password: row.get(5)?,
        created: row.get(6)?,
    })
}
