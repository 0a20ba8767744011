//! The files of the log. Several programs may append: each line is written under a lock, by whoever has caught up with the
//! lines of the others.
use super::line::{self, Hash, LONGEST, Read};
use super::places::{append_to, files, make, path_of, sync_folder, tail};
use super::{AuditError, Event, Level, Permitted};
use crate::name::Name;
use crate::time::Time;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The log of one gateway, open for appending.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    gateway: Name,
    /// Files get no longer than this by much.
    rotate_at: u64,
    lock: Arc<File>,
    newest: Option<Newest>,
}

/// The file that lines are appended to.
#[derive(Debug)]
struct Newest {
    file: File,
    path: PathBuf,
    length: u64,
    /// Number and hash of the last line.
    seq: u64,
    hash: Hash,
}

/// The right to append. While it is held, no other program appends.
#[derive(Debug)]
pub struct Held(Arc<File>);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file, or the end of the program, unlocks it as well.
        let _ = self.0.unlock();
    }
}

impl Log {
    /// Opens the log in `folder`, or begins one. A line that was begun and not finished is cut away, which the next line tells.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(folder: &Path, gateway: &Name, rotate_at: u64, at: Time) -> Result<Self, AuditError> {
        make(folder)?;
        let lock = Arc::new(append_to(&folder.join("lock"))?);
        let mut log = Self { folder: folder.to_owned(), gateway: gateway.clone(), rotate_at, lock, newest: None };
        let held = log.hold()?;
        log.caught_up(&held, at)?;
        Ok(log)
    }

    /// Waits for the right to append.
    ///
    /// # Errors
    /// [`AuditError::Disk`].
    pub fn hold(&self) -> Result<Held, AuditError> {
        self.lock.lock().map_err(AuditError::disk(&self.folder))?;
        Ok(Held(Arc::clone(&self.lock)))
    }

    /// Appends an event. Returns its line, without the line break. It outlives the program once this has returned, and a loss of
    /// power after [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`AuditError`]. Then the log is as it was.
    pub fn append(&mut self, held: &Held, at: Time, event: &Permitted) -> Result<String, AuditError> {
        let rotate_at = self.rotate_at;
        if self.caught_up(held, at)?.length >= rotate_at {
            self.rotate(at)?;
        }
        let (newest, gateway) = self.parts()?;
        newest.write(at, gateway, event)
    }

    /// Number and hash of the last line, of whichever program.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn head(&mut self, held: &Held, at: Time) -> Result<(u64, Hash), AuditError> {
        self.caught_up(held, at).map(|newest| (newest.seq, newest.hash))
    }

    /// Makes every line outlast a loss of power.
    ///
    /// # Errors
    /// [`AuditError::Disk`].
    pub fn sync(&self) -> Result<(), AuditError> {
        let Some(newest) = &self.newest else { return Ok(()) };
        newest.file.sync_data().map_err(AuditError::disk(&newest.path))
    }

    /// The newest file as it is now, with its first line.
    fn caught_up(&mut self, _: &Held, at: Time) -> Result<&Newest, AuditError> {
        let is_current = match &self.newest {
            Some(newest) => newest.is_current(&self.folder)?,
            None => false,
        };
        if !is_current {
            let (newest, torn) = Newest::find(&self.folder)?;
            self.newest = Some(newest);
            let (newest, gateway) = self.parts()?;
            newest.begin(at, gateway)?;
            if torn > 0 {
                newest.write(at, gateway, &structural(Event::LogMended { bytes: torn })?)?;
            }
        }
        self.parts().map(|(newest, _)| &*newest)
    }

    /// Begins another file.
    fn rotate(&mut self, at: Time) -> Result<(), AuditError> {
        self.sync()?;
        let folder = self.folder.clone();
        let (newest, gateway) = self.parts()?;
        newest.path = path_of(&folder, newest.seq + 1);
        newest.file = append_to(&newest.path)?;
        newest.length = 0;
        sync_folder(&newest.path)?;
        newest.begin(at, gateway)
    }

    fn parts(&mut self) -> Result<(&mut Newest, &Name), AuditError> {
        let newest = self.newest.as_mut().ok_or_else(|| AuditError::Broken(self.folder.clone()))?;
        Ok((newest, &self.gateway))
    }
}

impl Newest {
    /// Finds the newest file and its last line. Cuts away what follows that, and says how much it was.
    fn find(folder: &Path) -> Result<(Self, u64), AuditError> {
        let files = files(folder)?;
        let Some((first, path)) = files.last() else {
            let path = path_of(folder, 1);
            let newest = Self { file: append_to(&path)?, path, length: 0, seq: 0, hash: Hash::ZERO };
            return sync_folder(&newest.path).map(|()| (newest, 0));
        };
        let file = append_to(path)?;
        let found = tail(&file, path, LONGEST)?;
        if found.torn > 0 {
            file.set_len(found.end).map_err(AuditError::disk(path))?;
        }
        let broken = || AuditError::Broken(path.clone());
        let (seq, hash) = match found.last {
            Some(line) => Read::of(&line).map(|read| (read.seq, read.hash)).ok_or_else(broken)?,
            // A file that was begun, and whose first line was not written: the file before it goes on there.
            None => Self::before(&files).filter(|(seq, _)| seq + 1 == *first).ok_or_else(broken)?,
        };
        Ok((Self { file, path: path.clone(), length: found.end, seq, hash }, found.torn))
    }

    /// Number and hash of the last line of the file before the newest.
    fn before(files: &[(u64, PathBuf)]) -> Option<(u64, Hash)> {
        let Some((_, path)) = files.iter().rev().nth(1) else { return Some((0, Hash::ZERO)) };
        let last = tail(&File::open(path).ok()?, path, LONGEST).ok()?.last?;
        Read::of(&last).map(|read| (read.seq, read.hash))
    }

    /// Whether no other program has appended since, and nobody has taken the file away.
    fn is_current(&self, folder: &Path) -> Result<bool, AuditError> {
        let found = self.file.metadata().map_err(AuditError::disk(&self.path))?;
        Ok(found.len() == self.length && found.nlink() > 0 && !path_of(folder, self.seq + 1).exists())
    }

    /// Writes the first line of a file, if it is not there.
    fn begin(&mut self, at: Time, gateway: &Name) -> Result<(), AuditError> {
        if self.length > 0 {
            return Ok(());
        }
        self.write(at, gateway, &structural(Event::LogOpened { previous: self.hash })?).map(drop)
    }

    fn write(&mut self, at: Time, gateway: &Name, event: &Permitted) -> Result<String, AuditError> {
        let (mut line, hash) = line::write(self.seq + 1, at, gateway, event, self.hash)?;
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            // Whatever was written of it is no line. Should this fail too, the next one who appends cuts it away.
            let _ = self.file.set_len(self.length);
            return Err(AuditError::disk(&self.path)(error));
        }
        self.length += line.len() as u64;
        (self.seq, self.hash) = (self.seq + 1, hash);
        line.truncate(line.len() - 1);
        Ok(line)
    }
}

/// Events of the log itself, which every level that has a log permits.
fn structural(event: Event) -> Result<Permitted, AuditError> {
    Level::Minimal.permit(event).ok_or(AuditError::TooLong(0))
}
