//! Where records are kept: one file for each interface, in a directory that only root can use.
use super::record::Record;
use crate::own_directory::{HALF, OwnDirectory};
use anyhow::{anyhow, bail};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Where records are.
pub const DIRECTORY: &str = "/run/underpass";
/// Environment variable that names another directory.
pub const DIRECTORY_VARIABLE: &str = "UNDERPASS_RUN_DIR";
/// No record is larger: a tunnel with a thousand addresses and hooks takes a tenth of it.
const LARGEST: u64 = 1024 * 1024;

/// How long to wait for a lock: of one who was killed while starting a program, that program has it until it runs.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look whether it is free.
const GLANCE: Duration = Duration::from_millis(10);

/// The directory of records: [`DIRECTORY`], unless the environment names another.
#[must_use]
pub fn directory() -> PathBuf {
    let named = std::env::var_os(DIRECTORY_VARIABLE).filter(|directory| !directory.is_empty());
    named.map_or_else(|| DIRECTORY.into(), PathBuf::from)
}

/// The records of this machine.
#[derive(Clone, Debug)]
pub struct Shelf {
    directory: Arc<OwnDirectory>,
}

impl Shelf {
    /// The directory of this machine, made if missing.
    ///
    /// # Errors
    /// It cannot be made, or others can write to it.
    pub fn open() -> anyhow::Result<Self> {
        Self::open_at(&directory())
    }

    /// The directory of this machine, if it is there and may be looked into.
    ///
    /// # Errors
    /// Others can write to it.
    pub fn find() -> anyhow::Result<Option<Self>> {
        let directory = directory();
        if fs::read_dir(&directory).is_err() { Ok(None) } else { Self::open_at(&directory).map(Some) }
    }

    /// The one at `directory`, made if missing.
    ///
    /// # Errors
    /// It cannot be made, or others can write to it.
    pub fn open_at(directory: &Path) -> anyhow::Result<Self> {
        let made = OwnDirectory::make(directory);
        let directory = made.map_err(|error| anyhow!("cannot use the directory {}: {error}", directory.display()))?;
        Ok(Self { directory: Arc::new(directory) })
    }

    /// Keeps others from working on the interface `name` until the lock is dropped.
    ///
    /// # Errors
    /// Another does, or the lock cannot be had.
    pub fn lock(&self, name: &str) -> anyhow::Result<Lock> {
        self.lock_within(PATIENCE, name)
    }

    /// The same, when others may work on it for as long as this.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_within(&self, patience: Duration, name: &str) -> anyhow::Result<Lock> {
        let file_name = format!("{name}.lock");
        let path = self.directory.path().join(&file_name);
        let failed = |error: io::Error| anyhow!("cannot lock {}: {error}", path.display());
        let until = Instant::now() + patience;
        loop {
            let gone = || failed(io::ErrorKind::NotFound.into());
            let file = self.directory.file(&file_name, true).map_err(failed)?.ok_or_else(gone)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    thread::sleep(GLANCE);
                    continue;
                }
                Err(TryLockError::WouldBlock) => bail!("another underpass is at work on interface `{name}`"),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Whoever had it may have removed the file meanwhile.
            let own = file.metadata().map_err(failed)?;
            if fs::symlink_metadata(&path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())) {
                // Of one who was killed while writing.
                let _ = self.directory.remove(&format!("{}{HALF}", file_of(name)));
                return Ok(Lock { _file: file, path });
            }
        }
    }

    /// The record of interface `name`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(&self, name: &str) -> anyhow::Result<Option<Record>> {
        let failed = |fault: anyhow::Error| anyhow!("the record {} cannot be used: {fault}", self.path(name).display());
        match self.directory.read(&file_of(name), LARGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error.into())),
            Ok(text) => Record::parse(name, &text).map(Some).map_err(failed),
        }
    }

    /// Puts `record` in the place of the one of its interface, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written; then the former is as it was.
    pub fn write(&self, record: &Record) -> anyhow::Result<()> {
        let text = record.to_text()?;
        if text.len() as u64 > LARGEST {
            bail!("the record of interface `{}` is larger than {LARGEST} bytes", record.name);
        }
        let written = self.directory.replace(&file_of(&record.name), text.as_bytes());
        written.map_err(|error| anyhow!("cannot write {}: {error}", self.path(&record.name).display()))
    }

    /// Removes the record of interface `name`, if there is one.
    ///
    /// # Errors
    /// It is there, and stays.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        let removed = self.directory.remove(&file_of(name));
        removed.map_err(|error| anyhow!("cannot remove {}: {error}", self.path(name).display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(file_of(name))
    }
}

/// The name of the file of the record of `interface`.
fn file_of(interface: &str) -> String {
    format!("{interface}.json")
}

/// Puts `content` in the place of the file at `path`, whole or not at all, for its owner only.
///
/// # Errors
/// It cannot be written; then the file is as it was.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let _ = fs::remove_file(&temporary);
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The new name itself.
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn temporary(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    temporary.into()
}

/// The right to work on one interface. Its file goes with it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A record and the shelf it stands on.
#[derive(Clone, Debug)]
pub struct Kept {
    shelf: Shelf,
    record: Record,
}

impl Kept {
    /// `record`, which stands on `shelf`.
    #[must_use]
    pub const fn new(shelf: Shelf, record: Record) -> Self {
        Self { shelf, record }
    }

    /// What it says.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Changes it, here and on the shelf.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn change(&mut self, change: impl FnOnce(&mut Record)) -> anyhow::Result<()> {
        change(&mut self.record);
        self.shelf.write(&self.record)
    }

    /// Removes it from the shelf.
    ///
    /// # Errors
    /// It stays.
    pub fn remove(&self) -> anyhow::Result<()> {
        self.shelf.remove(&self.record.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let directory = tempfile::tempdir().expect("temporary directory");
        let shelf = Shelf::open_at(&directory.path().join("run")).expect("a shelf");
        (directory, shelf)
    }

    #[test]
    fn a_record_is_kept_and_removed() {
        let (_directory, shelf) = shelf();
        assert!(shelf.read("wg0").expect("reads").is_none());
        let mut kept = Kept::new(shelf.clone(), record("wg0"));
        kept.change(|record| record.hooks_ended = 3).expect("writes");
        assert_eq!(shelf.read("wg0").expect("reads").as_ref(), Some(kept.record()));
        let mode = |path: &Path| fs::metadata(path).expect("meta").permissions().mode() & 0o777;
        assert_eq!((mode(shelf.directory.path()), mode(&shelf.path("wg0"))), (0o700, 0o600));
        kept.remove().expect("removes");
        kept.remove().expect("removes nothing");
        assert_eq!(fs::read_dir(shelf.directory.path()).expect("directory").count(), 0);
    }

    #[test]
    fn no_link_is_followed_and_no_shelf_of_others_used() {
        let (directory, shelf) = shelf();
        let target = directory.path().join("target");
        fs::write(&target, record("wg0").to_text().expect("text")).expect("writes");
        symlink(&target, shelf.path("wg0")).expect("links");
        let message = shelf.read("wg0").expect_err("a link").to_string();
        assert!(message.contains("cannot be used"), "{message}");
        shelf.write(&record("wg0")).expect("replaces the link");
        assert!(fs::symlink_metadata(shelf.path("wg0")).expect("meta").is_file());
        symlink(&target, shelf.directory.path().join("wg1.lock")).expect("links");
        assert!(shelf.lock("wg1").is_err());

        let link = directory.path().join("link");
        symlink(shelf.directory.path(), &link).expect("links");
        assert!(Shelf::open_at(&link).is_err(), "a link");
        fs::set_permissions(shelf.directory.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        let message = Shelf::open_at(shelf.directory.path()).expect_err("for all").to_string();
        assert!(message.contains("others may write"), "{message}");
    }

    #[test]
    fn one_at_a_time_works_on_an_interface() {
        let (_directory, shelf) = shelf();
        fs::write(shelf.directory.path().join("wg0.json.new"), "half").expect("writes");
        let lock = shelf.lock("wg0").expect("locks");
        let message = shelf.lock("wg0").expect_err("locked").to_string();
        assert_eq!(message, "another underpass is at work on interface `wg0`");
        drop(shelf.lock("wg1").expect("another interface"));
        drop(lock);
        drop(shelf.lock("wg0").expect("locks again"));
        assert_eq!(fs::read_dir(shelf.directory.path()).expect("directory").count(), 0);
    }

    #[test]
    fn the_file_is_replaced_whole_and_private() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("wg0.conf");
        fs::write(&path, "old").expect("writes");
        replace(&path, b"new").expect("replaces");
        assert_eq!(fs::read(&path).expect("reads"), b"new");
        assert_eq!(fs::metadata(&path).expect("meta").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("directory").count(), 1);
        assert!(replace(&directory.path().join("none/wg0.conf"), b"x").is_err());
    }
}
