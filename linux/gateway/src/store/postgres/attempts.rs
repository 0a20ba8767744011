//! Failed attempts in PostgreSQL.
use super::super::columns::{subject as bytes_of, subject_of};
use super::super::{Attempts, Failures, Result, StoreError, Subject};
use super::{Postgres, values};
use crate::time::Time;
use ::postgres::Row;
use std::time::Duration;

impl Attempts for Postgres {
    fn record_failure(&mut self, at: Time, subject: &Subject, window: Duration) -> Result<Failures> {
        let counted = self.row(
            "INSERT INTO attempts (subject, count, first, last) VALUES ($1, 1, $2, $2)
             ON CONFLICT (subject) DO UPDATE SET
                 count = CASE WHEN attempts.last < $3 THEN 1 ELSE attempts.count + 1 END,
                 first = CASE WHEN attempts.last < $3 THEN $2 ELSE attempts.first END,
                 last = $2
             RETURNING count, first, last",
            &[&bytes_of(subject), &at.as_millis(), &at.before(window).as_millis()],
        )?;
        failures_of(&counted.ok_or_else(|| StoreError::Senseless("a count that is none".into()))?)
    }

    fn failures(&mut self, subject: &Subject) -> Result<Option<Failures>> {
        let found = self.row("SELECT count, first, last FROM attempts WHERE subject = $1", &[&bytes_of(subject)])?;
        found.map(|row| failures_of(&row)).transpose()
    }

    fn every_failure(&mut self, after: Option<&Subject>, limit: u32) -> Result<Vec<(Subject, Failures)>> {
        let statement = "SELECT count, first, last, subject FROM attempts WHERE subject > $1 ORDER BY subject LIMIT $2";
        // No subject is below the empty one.
        let after = after.map(bytes_of).unwrap_or_default();
        let rows = self.rows(statement, &[&after, &i64::from(limit)])?;
        rows.iter().map(|row| Ok((subject_of(row.try_get(3)?)?, failures_of(row)?))).collect()
    }

    fn clear_failures(&mut self, subject: &Subject) -> Result<()> {
        self.run("DELETE FROM attempts WHERE subject = $1", &[&bytes_of(subject)]).map(drop)
    }

    fn forget_failures(&mut self, before: Time) -> Result<u64> {
        self.run("DELETE FROM attempts WHERE last < $1", &[&before.as_millis()])
    }
}

fn failures_of(row: &Row) -> Result<Failures> {
    Ok(Failures { count: values::number(row, 0)?, first: values::time(row, 1)?, last: values::time(row, 2)? })
}
