//! The log of changes in SQLite.
use super::super::columns::signed;
use super::super::{Change, ChangeKind, Changes, Result, Seen, StoreError};
use super::Sqlite;
use crate::time::Time;
use rusqlite::{Connection, Params, Row};

impl Changes for Sqlite {
    fn newest_change(&mut self) -> Result<u64> {
        newest(&self.connection)
    }

    fn changes(&mut self, seen: u64, limit: u32) -> Result<Seen> {
        let after = signed(seen)?;
        // One transaction, so that both answers are of the same moment.
        let view = self.connection.transaction()?;
        let oldest: Option<u64> = view.query_row("SELECT min(seq) FROM changes", [], |row| row.get(0))?;
        let newest = newest(&view)?;
        // A number that was never given is of a database that an older copy has replaced.
        let is_gap = oldest.is_some_and(|oldest| seen + 1 < oldest) || seen > newest;
        if is_gap {
            return Ok(Seen::TooFarBehind { newest });
        }
        let changes = select(
            &view,
            "SELECT seq, at, kind, subject FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            (after, limit),
        )?;
        Ok(Seen::Changes(changes))
    }

    fn untold_changes(&mut self, limit: u32) -> Result<Vec<Change>> {
        let query = "SELECT seq, at, kind, subject FROM changes WHERE told = 0 ORDER BY seq LIMIT ?1";
        select(&self.connection, query, [limit])
    }

    fn mark_told(&mut self, seq: u64) -> Result<()> {
        let mut update = self.connection.prepare_cached("UPDATE changes SET told = 1 WHERE told = 0 AND seq <= ?1")?;
        update.execute([signed(seq)?])?;
        Ok(())
    }

    fn forget_changes(&mut self, before: Time) -> Result<u64> {
        let mut delete = self.connection.prepare_cached(
            "DELETE FROM changes WHERE told = 1 AND at < ?1 AND seq < (SELECT max(seq) FROM changes)",
        )?;
        Ok(delete.execute([before])? as u64)
    }
}

fn newest(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("SELECT coalesce(max(seq), 0) FROM changes", [], |row| row.get(0))?)
}

fn select(connection: &Connection, query: &str, values: impl Params) -> Result<Vec<Change>> {
    let mut select = connection.prepare_cached(query)?;
    let rows = select.query_map(values, row_of)?.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.into_iter().map(|(seq, at, kind, subject)| change_of(seq, at, kind, subject)).collect()
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<(u64, Time, i64, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn change_of(seq: u64, at: Time, kind: i64, subject: String) -> Result<Change> {
    let kind =
        ChangeKind::of_number(kind).ok_or_else(|| StoreError::Senseless(format!("change {seq} is of kind {kind}")))?;
    Ok(Change { seq, at, kind, subject })
}
