//! The store of one gateway: an SQLite database in one file.
//!
//! The file has a write-ahead log that is synchronised at each commit, so that an acknowledged change survives the end of the
//! program and of the power. Several programs may have it open: the running gateway and commands. A writer waits for
//! another at most [`PATIENCE`].
//!
//! `migrate` makes the tables; `restored` restores a copy; `values` writes our types as columns; the other files implement one
//! trait each.
mod attempts;
mod changes;
mod devices;
mod enrolments;
mod factors;
mod leases;
mod migrate;
mod restored;
mod sessions;
mod users;
mod values;

use super::{ChangeKind, Result, StoreError};
use crate::time::Time;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{self, OpenOptions};
use std::ops::Deref;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For how long a writer waits for another program.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Read and written by the owner alone.
const PRIVATE: u32 = 0o600;
/// What sessions leave behind, in tables.
const TRACES: [&str; 5] = ["sessions", "epochs", "pools", "leases", "attempts"];

/// What the database keeps about the use of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Sessions, leases and failures: they outlive the program.
    Traces,
    /// Nothing of these. They live in the memory of this program, other programs do not see them, and what the file had of them
    /// is overwritten.
    Nothing,
}

/// The store of one gateway.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    keep: Keep,
}

impl Sqlite {
    /// Opens the database at `path`, or makes it, readable by its owner alone. An older one is brought to this version, and
    /// what it was is copied first, to `PATH.before-VERSION`.
    ///
    /// # Errors
    /// [`StoreError`]: among others when the file is damaged, newer, of something else, or open to others.
    pub fn open(path: &Path, keep: Keep) -> Result<Self> {
        make_private(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        prepare(&connection)?;
        migrate::migrate(&mut connection, path, migrate::STEPS)?;
        let mut store = Self { connection, path: path.to_owned(), keep };
        store.check()?;
        if keep == Keep::Nothing {
            store.forget_traces()?;
        }
        Ok(store)
    }

    /// Writes a whole and consistent copy to `path`, where nothing may be yet, while others read and write.
    ///
    /// # Errors
    /// [`StoreError`]: among others when there is something at `path`.
    pub fn copy_to(&self, path: &Path) -> Result<()> {
        copy(&self.connection, path)
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks the whole file over for damage.
    fn check(&self) -> Result<()> {
        let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Damaged(found)) }
    }

    /// Makes the tables of traces in memory and empties those of the file.
    fn forget_traces(&mut self) -> Result<()> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in TRACES {
            change.execute_batch(&format!("DELETE FROM main.{table}"))?;
        }
        change.execute("DELETE FROM changes WHERE kind = ?1", [ChangeKind::Session.number()])?;
        change.commit()?;
        // What was deleted is gone from the file, too, when the log of changes was written into it and emptied.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        let in_memory = migrate::TRACES.replace("CREATE TABLE", "CREATE TEMP TABLE");
        let in_memory = in_memory.replace("CREATE INDEX ", "CREATE INDEX temp.");
        Ok(self.connection.execute_batch(&in_memory)?)
    }

    /// Does `work` in one transaction that has the lock of the writer from its beginning. An error undoes all of it.
    fn write<T>(&mut self, work: impl FnOnce(&Writing<'_>) -> Result<T>) -> Result<T> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let writing = Writing { change, keep: self.keep };
        let done = work(&writing)?;
        writing.change.commit()?;
        Ok(done)
    }
}

/// A transaction that writes.
struct Writing<'c> {
    change: Transaction<'c>,
    keep: Keep,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.change
    }
}

impl Writing<'_> {
    /// Notes a change for others.
    fn note(&self, at: Time, kind: ChangeKind, subject: impl ToString) -> Result<()> {
        if self.keep == Keep::Nothing && kind == ChangeKind::Session {
            return Ok(());
        }
        let mut insert =
            self.prepare_cached("INSERT INTO changes (at, kind, subject, told) VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute((at, kind.number(), subject.to_string(), kind == ChangeKind::Session))?;
        Ok(())
    }
}

/// Makes an empty file where there is none. A file that others have access to is refused.
fn make_private(path: &Path) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path);
    match made {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::Failed(format!("{}: {error}", path.display()))),
    }
    let found = fs::metadata(path).map_err(|error| StoreError::Failed(format!("{}: {error}", path.display())))?;
    let mode = found.mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(StoreError::Exposed { path: path.to_owned(), mode }) }
}

/// Settings that a connection has for itself.
fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216;",
    )?;
    Ok(())
}

/// Writes a copy to a file that only its owner can read.
fn copy(connection: &Connection, path: &Path) -> Result<()> {
    let taken = |error| StoreError::Failed(format!("{}: {error}", path.display()));
    OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path).map_err(taken)?;
    let name = path.to_str().ok_or_else(|| StoreError::Failed(format!("{}: no UTF-8", path.display())))?;
    connection.execute("VACUUM INTO ?1", [name]).inspect_err(|_| drop(fs::remove_file(path)))?;
    let written = fs::File::open(path).and_then(|file| file.sync_all());
    written.map_err(|error| StoreError::Failed(format!("{}: {error}", path.display())))
}
