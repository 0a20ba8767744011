//! One-time codes and recovery codes in SQLite.
use super::super::columns::signed;
use super::super::{ChangeKind, Code, CodeId, Factors, HashOfCode, NewCode, Result, Rhythm, UserId};
use super::{Sqlite, users};
use crate::time::Time;
use rusqlite::Row;
use zeroize::Zeroizing;

impl Factors for Sqlite {
    fn add_code(&mut self, at: Time, user: UserId, code: &NewCode) -> Result<CodeId> {
        let period = match code.rhythm {
            Rhythm::Time { period } => Some(period),
            Rhythm::Counter => None,
        };
        self.write(|change| {
            let name = users::name_of(change, user)?;
            change.execute(
                "INSERT INTO codes (user, period, algorithm, digits, secret) VALUES (?1, ?2, ?3, ?4, ?5)",
                (user, period, code.algorithm, code.digits, code.secret.as_slice()),
            )?;
            let id = CodeId(change.last_insert_rowid());
            change.note(at, ChangeKind::Factor, name)?;
            Ok(id)
        })
    }

    fn codes(&mut self, user: UserId) -> Result<Vec<Code>> {
        let mut select = self.connection.prepare_cached(
            "SELECT id, period, algorithm, digits, secret, last FROM codes WHERE user = ?1 ORDER BY id",
        )?;
        let rows = select.query_map([user], code_of)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn accept_step(&mut self, code: CodeId, step: u64) -> Result<bool> {
        let step = signed(step)?;
        // One statement: it finds and changes the row under the lock of the writer, and is on the disk when it returns.
        let mut update = self
            .connection
            .prepare_cached("UPDATE codes SET last = ?2 WHERE id = ?1 AND (last IS NULL OR last < ?2)")?;
        Ok(update.execute((code, step))? == 1)
    }

    fn remove_codes(&mut self, at: Time, user: UserId) -> Result<u64> {
        self.write(|change| {
            let name = users::name_of(change, user)?;
            let removed = change.execute("DELETE FROM codes WHERE user = ?1", [user])?;
            change.execute("DELETE FROM recovery WHERE user = ?1", [user])?;
            change.note(at, ChangeKind::Factor, name)?;
            Ok(removed as u64)
        })
    }

    fn set_recovery(&mut self, at: Time, user: UserId, hashes: &[HashOfCode]) -> Result<()> {
        self.write(|change| {
            let name = users::name_of(change, user)?;
            change.execute("DELETE FROM recovery WHERE user = ?1", [user])?;
            for hash in hashes {
                change.execute(
                    "INSERT INTO recovery (user, hash) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    (user, hash),
                )?;
            }
            change.note(at, ChangeKind::Factor, name)
        })
    }

    fn take_recovery(&mut self, user: UserId, hash: &HashOfCode) -> Result<bool> {
        let mut delete = self.connection.prepare_cached("DELETE FROM recovery WHERE user = ?1 AND hash = ?2")?;
        Ok(delete.execute((user, hash))? == 1)
    }

    fn recovery_left(&mut self, user: UserId) -> Result<u64> {
        let mut select = self.connection.prepare_cached("SELECT count(*) FROM recovery WHERE user = ?1")?;
        Ok(select.query_row([user], |row| row.get(0))?)
    }
}

fn code_of(row: &Row<'_>) -> rusqlite::Result<Code> {
    let period: Option<u32> = row.get(1)?;
    let code = NewCode {
        rhythm: period.map_or(Rhythm::Counter, |period| Rhythm::Time { period }),
        algorithm: row.get(2)?,
        digits: row.get(3)?,
        secret: Zeroizing::new(row.get(4)?),
    };
    Ok(Code { id: CodeId(row.get(0)?), code, last: row.get(5)? })
}
