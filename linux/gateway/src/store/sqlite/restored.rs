//! Restores a copy of an SQLite database.
use super::super::{Restored, Result, StoreError, Voided};
use super::{Keep, PRIVATE, Sqlite, sessions};
use crate::time::Time;
use rusqlite::{Connection, OpenFlags};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Restored for Sqlite {
    fn after_restore(&mut self, at: Time) -> Result<Voided> {
        self.write(|change| {
            let sessions = sessions::end_all(change, at)?;
            // The step after the present one may have been accepted before.
            change.execute(
                "UPDATE codes SET last = max(coalesce(last, 0), ?1 / 1000 / period + 1) WHERE period IS NOT NULL",
                [at],
            )?;
            Ok(Voided {
                sessions,
                enrolments: change.execute("DELETE FROM enrolments", [])? as u64,
                recovery_codes: change.execute("DELETE FROM recovery", [])? as u64,
                counters: change.execute("DELETE FROM codes WHERE period IS NULL", [])? as u64,
            })
        })
    }
}

impl Sqlite {
    /// Puts the copy at `from` ([`copy_to`](Self::copy_to)) in the place of the database at `to`, in one step; what was there stays
    /// as `TO.replaced`. The copy itself is left as it is.
    ///
    /// # Errors
    /// [`StoreError`]: among others when a program has the database open, the copy is damaged or of something else, or there is a
    /// `TO.replaced` already. Then nothing was changed.
    pub fn restore(from: &Path, to: &Path, at: Time) -> Result<Voided> {
        let (new, replaced) = (beside(to, ".restoring"), beside(to, ".replaced"));
        if replaced.exists() {
            return Err(StoreError::exists("file", replaced.display()));
        }
        let there = to.exists();
        if there {
            close_log(to)?;
        }
        remove(&new)?;
        let voided = take_over(from, &new, at).inspect_err(|_| drop(remove(&new)))?;
        if there {
            fs::hard_link(to, &replaced).map_err(|error| failed(&replaced, &error))?;
            // SQLite would apply the log of the damaged database to the copy.
            ["-wal", "-shm"].iter().try_for_each(|end| remove_file(&beside(to, end)))?;
        }
        fs::rename(&new, to).map_err(|error| failed(to, &error))?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))?;
        Ok(voided)
    }
}

/// Writes the write-ahead log of a database into it and removes the log. A damaged database is left as it is.
fn close_log(path: &Path) -> Result<()> {
    match without_log(path) {
        Err(StoreError::Busy) => Err(StoreError::Busy),
        _ => Ok(()),
    }
}

/// The same. It fails while another program has the database open.
fn without_log(path: &Path) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    // SQLite may report that the log stays without an error.
    if mode == "delete" { Ok(()) } else { Err(StoreError::Busy) }
}

/// Makes a database of the copy, in a file of its own.
fn take_over(from: &Path, new: &Path, at: Time) -> Result<Voided> {
    let mut copy = File::open(from).map_err(|error| failed(from, &error))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(new);
    let written = file
        .as_mut()
        .map_err(|error| failed(new, error))
        .and_then(|file| io::copy(&mut copy, file).and_then(|_| file.sync_all()).map_err(|error| failed(new, &error)));
    written?;
    if file.is_ok_and(|file| file.metadata().is_ok_and(|found| found.len() == 0)) {
        // An empty file would pass for a new database.
        return Err(StoreError::Damaged(format!("{} is empty", from.display())));
    }
    let mut store = Sqlite::open(new, Keep::Traces)?;
    let voided = store.after_restore(at)?;
    drop(store);
    without_log(new)?;
    File::open(new).and_then(|file| file.sync_all()).map_err(|error| failed(new, &error))?;
    Ok(voided)
}

/// Removes a database that was begun, with its log.
fn remove(path: &Path) -> Result<()> {
    ["", "-wal", "-shm"].iter().try_for_each(|end| remove_file(&beside(path, end)))
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

/// The path with `end` behind it.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed(format!("{}: {error}", path.display()))
}
