//! Failed attempts in SQLite.
use super::super::columns::{subject as bytes_of, subject_of};
use super::super::{Attempts, Failures, Result, Subject};
use super::Sqlite;
use crate::time::Time;
use rusqlite::{OptionalExtension as _, Row};
use std::time::Duration;

impl Attempts for Sqlite {
    fn record_failure(&mut self, at: Time, subject: &Subject, window: Duration) -> Result<Failures> {
        let mut count = self.connection.prepare_cached(
            "INSERT INTO attempts (subject, count, first, last) VALUES (?1, 1, ?2, ?2)
             ON CONFLICT DO UPDATE SET
                 count = CASE WHEN last < ?3 THEN 1 ELSE count + 1 END,
                 first = CASE WHEN last < ?3 THEN ?2 ELSE first END,
                 last = ?2
             RETURNING count, first, last",
        )?;
        Ok(count.query_row((bytes_of(subject), at, at.before(window)), failures_of)?)
    }

    fn failures(&mut self, subject: &Subject) -> Result<Option<Failures>> {
        let mut select =
            self.connection.prepare_cached("SELECT count, first, last FROM attempts WHERE subject = ?1")?;
        Ok(select.query_row([bytes_of(subject)], failures_of).optional()?)
    }

    fn every_failure(&mut self, after: Option<&Subject>, limit: u32) -> Result<Vec<(Subject, Failures)>> {
        let mut select = self.connection.prepare_cached(
            "SELECT count, first, last, subject FROM attempts WHERE subject > ?1 ORDER BY subject LIMIT ?2",
        )?;
        // No subject is below the empty one.
        let after = after.map(bytes_of).unwrap_or_default();
        let rows = select.query_map((after, limit), |row| Ok((row.get::<_, Vec<u8>>(3)?, failures_of(row)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().map(|(subject, failures)| Ok((subject_of(&subject)?, failures))).collect()
    }

    fn clear_failures(&mut self, subject: &Subject) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM attempts WHERE subject = ?1")?.execute([bytes_of(subject)])?;
        Ok(())
    }

    fn forget_failures(&mut self, before: Time) -> Result<u64> {
        Ok(self.connection.prepare_cached("DELETE FROM attempts WHERE last < ?1")?.execute([before])? as u64)
    }
}

fn failures_of(row: &Row<'_>) -> rusqlite::Result<Failures> {
    Ok(Failures { count: row.get(0)?, first: row.get(1)?, last: row.get(2)? })
}
