//! The log of changes in PostgreSQL.
use super::super::columns::signed;
use super::super::{Change, ChangeKind, Changes, Result, Seen, StoreError};
use super::{Postgres, values};
use crate::time::Time;
use ::postgres::Row;

impl Changes for Postgres {
    fn newest_change(&mut self) -> Result<u64> {
        let found = self.row("SELECT coalesce(max(seq), 0) FROM changes", &[])?;
        found.map_or(Ok(0), |row| values::number(&row, 0))
    }

    fn changes(&mut self, seen: u64, limit: u32) -> Result<Seen> {
        // The rows first: what is forgotten after that leaves a gap that the second answer shows.
        let statement = "SELECT seq, at, kind, subject FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2";
        let rows = self.rows(statement, &[&signed(seen)?, &i64::from(limit)])?;
        let found = self.row("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM changes", &[])?;
        let found = found.ok_or_else(|| StoreError::Senseless("no number of changes".into()))?;
        let (oldest, newest): (u64, u64) = (values::number(&found, 0)?, values::number(&found, 1)?);
        // A number that was never given is of a database that an older copy has replaced.
        if seen + 1 < oldest || seen > newest {
            return Ok(Seen::TooFarBehind { newest });
        }
        rows.iter().map(change_of).collect::<Result<_>>().map(Seen::Changes)
    }

    fn untold_changes(&mut self, limit: u32) -> Result<Vec<Change>> {
        let statement = "SELECT seq, at, kind, subject FROM changes WHERE NOT told ORDER BY seq LIMIT $1";
        self.rows(statement, &[&i64::from(limit)])?.iter().map(change_of).collect()
    }

    fn mark_told(&mut self, seq: u64) -> Result<()> {
        self.run("UPDATE changes SET told = true WHERE NOT told AND seq <= $1", &[&signed(seq)?]).map(drop)
    }

    fn forget_changes(&mut self, before: Time) -> Result<u64> {
        let statement = "DELETE FROM changes WHERE told AND at < $1 AND seq < (SELECT max(seq) FROM changes)";
        self.run(statement, &[&before.as_millis()])
    }
}

fn change_of(row: &Row) -> Result<Change> {
    let (seq, kind): (u64, i64) = (values::number(row, 0)?, row.try_get(2)?);
    let kind = ChangeKind::of_number(kind);
    let kind = kind.ok_or_else(|| StoreError::Senseless(format!("change {seq} is of no kind")))?;
    Ok(Change { seq, at: values::time(row, 1)?, kind, subject: row.try_get(3)? })
}
