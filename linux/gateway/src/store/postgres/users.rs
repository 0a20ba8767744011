//! Users and groups in PostgreSQL.
use super::super::{ChangeKind, Identity, RemovedUser, Result, Session, StoreError, User, UserId, Users};
use super::{Postgres, Value, Writing, devices, sessions, values};
use crate::name::Name;
use crate::time::Time;
use ::postgres::Row;
use zeroize::Zeroizing;

/// All users, as [`user_of`] reads them.
const SELECT: &str = "SELECT id, name, issuer, subject, enabled, password IS NOT NULL, created FROM users";

impl Users for Postgres {
    fn add_user(&mut self, at: Time, name: &Name, identity: Option<&Identity>) -> Result<User> {
        self.write(|change| {
            if find(change, name)?.is_some() {
                return Err(StoreError::exists("user", name));
            }
            let (issuer, subject) = identity.map(|identity| (&identity.issuer, &identity.subject)).unzip();
            if let (Some(issuer), Some(subject)) = (issuer, subject)
                && change.row(&format!("{SELECT} WHERE issuer = $1 AND subject = $2"), &[issuer, subject])?.is_some()
            {
                return Err(StoreError::exists("user with this identity of", issuer));
            }
            change.run(
                "INSERT INTO users (name, issuer, subject, created) VALUES ($1, $2, $3, $4)",
                &[&name.as_str(), &issuer, &subject, &at.as_millis()],
            )?;
            change.note(at, ChangeKind::User, name)?;
            find(change, name)?.ok_or_else(|| StoreError::missing("user", name))
        })
    }

    fn user(&mut self, name: &Name) -> Result<Option<User>> {
        self.row(&format!("{SELECT} WHERE name = $1"), &[&name.as_str()])?.map(|row| user_of(&row)).transpose()
    }

    fn user_with(&mut self, identity: &Identity) -> Result<Option<User>> {
        let statement = format!("{SELECT} WHERE issuer = $1 AND subject = $2");
        let found = self.row(&statement, &[&identity.issuer, &identity.subject])?;
        found.map(|row| user_of(&row)).transpose()
    }

    fn users(&mut self, after: Option<&Name>, limit: u32) -> Result<Vec<User>> {
        let statement = format!("{SELECT} WHERE name > $1 ORDER BY name LIMIT $2");
        let rows = self.rows(&statement, &[&after.map_or("", Name::as_str), &i64::from(limit)])?;
        rows.iter().map(user_of).collect()
    }

    fn enable_user(&mut self, at: Time, user: UserId, enabled: bool) -> Result<Vec<Session>> {
        self.write(|change| {
            let name = name_of(change, user)?;
            change.run("UPDATE users SET enabled = $2 WHERE id = $1", &[&user.0, &enabled])?;
            change.note(at, ChangeKind::User, name)?;
            if enabled {
                return Ok(Vec::new());
            }
            change.run("DELETE FROM enrolments WHERE person = $1", &[&user.0])?;
            sessions::end_of_user(change, at, user)
        })
    }

    fn set_password(&mut self, at: Time, user: UserId, phc: Option<&str>) -> Result<()> {
        self.write(|change| {
            let name = name_of(change, user)?;
            change.run("UPDATE users SET password = $2 WHERE id = $1", &[&user.0, &phc])?;
            change.note(at, ChangeKind::Password, name)
        })
    }

    fn password(&mut self, user: UserId) -> Result<Option<Zeroizing<String>>> {
        let found = self.row("SELECT password FROM users WHERE id = $1", &[&user.0])?;
        let password: Option<String> = found.map_or(Ok(None), |row| row.try_get(0))?;
        Ok(password.map(Zeroizing::new))
    }

    fn remove_user(&mut self, at: Time, user: UserId) -> Result<RemovedUser> {
        self.write(|change| {
            let name = name_of(change, user)?;
            let sessions = sessions::end_of_user(change, at, user)?;
            let rows = change.rows("SELECT key FROM devices WHERE person = $1 ORDER BY name", &[&user.0])?;
            let keys = rows.iter().map(|row| values::key(row, 0)).collect::<Result<Vec<_>>>()?;
            for key in &keys {
                devices::remove(change, at, key)?;
            }
            for table in ["members", "codes", "recovery", "enrolments"] {
                change.run(&format!("DELETE FROM {table} WHERE person = $1"), &[&user.0])?;
            }
            change.run("DELETE FROM users WHERE id = $1", &[&user.0])?;
            change.note(at, ChangeKind::User, name)?;
            Ok(RemovedUser { sessions, devices: keys })
        })
    }

    fn add_group(&mut self, at: Time, group: &Name) -> Result<()> {
        self.write(|change| {
            if change.run("INSERT INTO groups (name) VALUES ($1) ON CONFLICT DO NOTHING", &[&group.as_str()])? == 0 {
                return Err(StoreError::exists("group", group));
            }
            change.note(at, ChangeKind::Group, group)
        })
    }

    fn remove_group(&mut self, at: Time, group: &Name) -> Result<u64> {
        self.write(|change| {
            let number = group_number(change, group)?;
            let members = change.run("DELETE FROM members WHERE team = $1", &[&number])?;
            change.run("DELETE FROM groups WHERE id = $1", &[&number])?;
            change.note(at, ChangeKind::Group, group)?;
            Ok(members)
        })
    }

    fn groups(&mut self) -> Result<Vec<(Name, u64)>> {
        let rows = self.rows(
            "SELECT name, (SELECT count(DISTINCT person) FROM members WHERE team = groups.id) FROM groups ORDER BY name",
            &[],
        )?;
        rows.iter().map(|row| Ok((values::name(row, 0)?, values::number(row, 1)?))).collect()
    }

    fn members(&mut self, group: &Name) -> Result<Vec<Name>> {
        let found = self.row("SELECT id FROM groups WHERE name = $1", &[&group.as_str()])?;
        let number: i64 = found.ok_or_else(|| StoreError::missing("group", group))?.try_get(0)?;
        let rows = self.rows(
            "SELECT DISTINCT users.name FROM members JOIN users ON users.id = members.person WHERE team = $1
             ORDER BY users.name",
            &[&number],
        )?;
        rows.iter().map(|row| values::name(row, 0)).collect()
    }

    fn groups_of(&mut self, user: UserId) -> Result<Vec<Name>> {
        let rows = self.rows(
            "SELECT DISTINCT groups.name FROM members JOIN groups ON groups.id = members.team WHERE person = $1
             ORDER BY groups.name",
            &[&user.0],
        )?;
        rows.iter().map(|row| values::name(row, 0)).collect()
    }

    fn set_member(&mut self, at: Time, user: UserId, group: &Name, member: bool) -> Result<bool> {
        self.write(|change| {
            let name = name_of(change, user)?;
            let number = group_number(change, group)?;
            let statement = if member {
                "INSERT INTO members (person, team, source) VALUES ($1, $2, '') ON CONFLICT DO NOTHING"
            } else {
                "DELETE FROM members WHERE person = $1 AND team = $2 AND source = ''"
            };
            let changed = change.run(statement, &[&user.0, &number])? > 0;
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
            change.run("DELETE FROM members WHERE person = $1 AND source = $2", &[&user.0, &issuer])?;
            for group in groups {
                let values: [Value<'_>; 3] = [&user.0, &group.as_str(), &issuer];
                change.run(
                    "INSERT INTO members (person, team, source) SELECT $1, id, $3 FROM groups WHERE name = $2
                     ON CONFLICT DO NOTHING",
                    &values,
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
pub(super) fn name_of(change: &mut Writing<'_>, user: UserId) -> Result<Name> {
    let found = change.row("SELECT name FROM users WHERE id = $1", &[&user.0])?;
    values::name(&found.ok_or_else(|| StoreError::missing("user number", user.0))?, 0)
}

/// The numbers of the groups that `source` put a user in, in order.
fn memberships(change: &mut Writing<'_>, user: UserId, source: &str) -> Result<Vec<i64>> {
    let statement = "SELECT team FROM members WHERE person = $1 AND source = $2 ORDER BY team";
    let rows = change.rows(statement, &[&user.0, &source])?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

fn group_number(change: &mut Writing<'_>, group: &Name) -> Result<i64> {
    let found = change.row("SELECT id FROM groups WHERE name = $1", &[&group.as_str()])?;
    Ok(found.ok_or_else(|| StoreError::missing("group", group))?.try_get(0)?)
}

fn find(change: &mut Writing<'_>, name: &Name) -> Result<Option<User>> {
    change.row(&format!("{SELECT} WHERE name = $1"), &[&name.as_str()])?.map(|row| user_of(&row)).transpose()
}

fn user_of(row: &Row) -> Result<User> {
    let identity: (Option<String>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
    Ok(User {
        id: values::user(row, 0)?,
        name: values::name(row, 1)?,
        identity: identity.0.zip(identity.1).map(|(issuer, subject)| Identity { issuer, subject }),
        enabled: row.try_get(4)?,
        has_password: row.try_get(5)?,
        created: values::time(row, 6)?,
    })
}
