//! Brings a database to the version that this program knows: forward only, in one transaction. A copy is the administrator's to make
//! (`pg_dump`), for it would be as large as what all gateways share.
use super::{Result, StoreError, WRITERS};
use ::postgres::Client;
use std::path::PathBuf;

/// What leads from each version to the next; the first from nothing to 1. What is here was released: steps are only added.
const STEPS: &[&str] = &[include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// Does what is missing.
pub(super) fn migrate(client: &mut Client) -> Result<()> {
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let mut change = client.transaction()?;
    // Whoever comes second waits here, and finds it done.
    change.execute("SELECT pg_advisory_xact_lock($1)", &[&WRITERS])?;
    change.batch_execute("CREATE TABLE IF NOT EXISTS underpass_version (version BIGINT NOT NULL)")?;
    let found = change.query_opt("SELECT version FROM underpass_version", &[])?;
    let found: i64 = found.map_or(Ok(0), |row| row.try_get(0))?;
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if found > known {
        let name: String = change.query_one("SELECT current_database()::text", &[])?.try_get(0)?;
        return Err(StoreError::Newer { path: PathBuf::from(name), found, known });
    }
    if found < known {
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
            change.batch_execute(step)?;
        }
        change.batch_execute("DELETE FROM underpass_version")?;
        change.execute("INSERT INTO underpass_version VALUES ($1)", &[&i64::from(known)])?;
    }
    Ok(change.commit()?)
}
