//! One-time codes and recovery codes in PostgreSQL.
use super::super::columns::signed;
use super::super::{ChangeKind, Code, CodeId, Factors, HashOfCode, NewCode, Result, Rhythm, StoreError, UserId};
use super::{Postgres, users, values};
use crate::time::Time;
use ::postgres::Row;
use zeroize::Zeroizing;

impl Factors for Postgres {
    fn add_code(&mut self, at: Time, user: UserId, code: &NewCode) -> Result<CodeId> {
        let period = match code.rhythm {
            Rhythm::Time { period } => Some(i64::from(period)),
            Rhythm::Counter => None,
        };
        let (algorithm, digits) = (i64::from(code.algorithm), i64::from(code.digits));
        self.write(|change| {
            let name = users::name_of(change, user)?;
            let added = change.row(
                "INSERT INTO codes (person, period, algorithm, digits, secret) VALUES ($1, $2, $3, $4, $5) RETURNING id",
                &[&user.0, &period, &algorithm, &digits, &code.secret.as_slice()],
            )?;
            change.note(at, ChangeKind::Factor, name)?;
            let added = added.ok_or_else(|| StoreError::Senseless("a row without a number".into()))?;
            Ok(CodeId(added.try_get(0)?))
        })
    }

    fn codes(&mut self, user: UserId) -> Result<Vec<Code>> {
        let rows = self.rows(
            "SELECT id, period, algorithm, digits, secret, last FROM codes WHERE person = $1 ORDER BY id",
            &[&user.0],
        )?;
        rows.iter().map(code_of).collect()
    }

    fn accept_step(&mut self, code: CodeId, step: u64) -> Result<bool> {
        // One statement: who comes second waits for the lock of the row, and then looks at it again.
        let statement = "UPDATE codes SET last = $2 WHERE id = $1 AND (last IS NULL OR last < $2)";
        Ok(self.run(statement, &[&code.0, &signed(step)?])? == 1)
    }

    fn remove_codes(&mut self, at: Time, user: UserId) -> Result<u64> {
        self.write(|change| {
            let name = users::name_of(change, user)?;
            let removed = change.run("DELETE FROM codes WHERE person = $1", &[&user.0])?;
            change.run("DELETE FROM recovery WHERE person = $1", &[&user.0])?;
            change.note(at, ChangeKind::Factor, name)?;
            Ok(removed)
        })
    }

    fn set_recovery(&mut self, at: Time, user: UserId, hashes: &[HashOfCode]) -> Result<()> {
        self.write(|change| {
            let name = users::name_of(change, user)?;
            change.run("DELETE FROM recovery WHERE person = $1", &[&user.0])?;
            for hash in hashes {
                let statement = "INSERT INTO recovery (person, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                change.run(statement, &[&user.0, &hash.0.as_slice()])?;
            }
            change.note(at, ChangeKind::Factor, name)
        })
    }

    fn take_recovery(&mut self, user: UserId, hash: &HashOfCode) -> Result<bool> {
        let statement = "DELETE FROM recovery WHERE person = $1 AND hash = $2";
        Ok(self.run(statement, &[&user.0, &hash.0.as_slice()])? == 1)
    }

    fn recovery_left(&mut self, user: UserId) -> Result<u64> {
        let found = self.row("SELECT count(*) FROM recovery WHERE person = $1", &[&user.0])?;
        found.map_or(Ok(0), |row| values::number(&row, 0))
    }
}

fn code_of(row: &Row) -> Result<Code> {
    let period: Option<i64> = row.try_get(1)?;
    let rhythm = match period {
        Some(_) => Rhythm::Time { period: values::number(row, 1)? },
        None => Rhythm::Counter,
    };
    let last: Option<i64> = row.try_get(5)?;
    Ok(Code {
        id: CodeId(row.try_get(0)?),
        code: NewCode {
            rhythm,
            algorithm: values::number(row, 2)?,
            digits: values::number(row, 3)?,
            secret: Zeroizing::new(row.try_get(4)?),
        },
        last: last.map(|_| values::number(row, 5)).transpose()?,
    })
}
