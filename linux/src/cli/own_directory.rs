//! A directory of which nobody else decides what is in it.
//!
//! It, and each directory above it, belongs to root or to whoever runs this, and others may not write there (above it they
//! may, where a sticky bit keeps them from what is not theirs). No symbolic link is followed, neither on the way to it nor in
//! it.
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

/// Bytes read of a file at most.
const LONGEST: u64 = 64 * 1024;
/// How a directory is opened.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// The directory.
#[derive(Debug)]
pub struct OwnDirectory(OwnedFd);

impl OwnDirectory {
    /// The directory at `path`.
    ///
    /// # Errors
    /// It is missing, others may write to it, or a symbolic link is on the way.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::walk(path, false)
    }

    /// The directory at `path`, which is made if missing, for its owner only.
    ///
    /// # Errors
    /// As [`open`](Self::open), or it cannot be made.
    pub fn make(path: &Path) -> io::Result<Self> {
        Self::walk(path, true)
    }

    fn walk(path: &Path, make: bool) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let mut here = openat(nix::fcntl::AT_FDCWD, "/", DIRECTORY, Mode::empty())?;
        let mut way = Path::new("/").to_path_buf();
        for component in path.components() {
            let Component::Normal(name) = component else {
                if component == Component::ParentDir {
                    return Err(io::Error::other("`..` in the path of a directory for state"));
                }
                continue;
            };
            check(&here, &way, Mode::S_ISVTX)?;
            way.push(name);
            here = step(&here, &way, name, make)?;
        }
        check(&here, &way, Mode::empty())?;
        Ok(Self(here))
    }

    /// What is in the file `name`.
    ///
    /// # Errors
    /// It is missing, too long, a symbolic link or no text.
    pub fn read(&self, name: &str) -> io::Result<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = File::from(openat(&self.0, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut text = String::new();
        file.take(LONGEST + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LONGEST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    }

    /// Makes `text` what is in the file `name`, for its owner only: a loss of power leaves the old or the new.
    ///
    /// # Errors
    /// It cannot be written; the old file stays.
    pub fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let new = format!("{name}.new");
        // One that was left over.
        let _ = self.remove(&new);
        let written = self.write(&new, text).and_then(|()| Ok(renameat(&self.0, new.as_str(), &self.0, name)?));
        written.inspect_err(|_| drop(self.remove(&new)))
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&self.0, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// Removes the file `name`.
    ///
    /// # Errors
    /// It is missing, or cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir)?)
    }
}

/// The directory `name` in `here`, which is `way`.
fn step(here: &OwnedFd, way: &Path, name: &OsStr, make: bool) -> io::Result<OwnedFd> {
    let open = || openat(here, name, DIRECTORY, Mode::empty());
    let opened = match open() {
        Err(Errno::ENOENT) if make => match mkdirat(here, name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => open(),
            Err(errno) => Err(errno),
        },
        opened => opened,
    };
    opened.map_err(|errno| match errno {
        Errno::ENOTDIR | Errno::ELOOP => {
            io::Error::other(format!("{} is a symbolic link, or no directory", way.display()))
        }
        errno => errno.into(),
    })
}

/// Refuses a directory that somebody else owns or may write to, unless it has one of the bits of `excused`.
fn check(directory: &OwnedFd, way: &Path, excused: Mode) -> io::Result<()> {
    let found = fstat(directory)?;
    let mode = Mode::from_bits_truncate(found.st_mode & !SFlag::S_IFMT.bits());
    let is_ours = found.st_uid == 0 || found.st_uid == geteuid().as_raw();
    let is_open = mode.intersects(Mode::S_IWGRP | Mode::S_IWOTH) && !mode.intersects(excused);
    match (is_ours, is_open) {
        (false, _) => Err(io::Error::other(format!("{} belongs to another user", way.display()))),
        (_, true) => Err(io::Error::other(format!("others may write to {}", way.display()))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn fault(path: &Path) -> String {
        OwnDirectory::make(path).expect_err("refused").to_string()
    }

    #[test]
    fn files_are_kept_and_replaced() {
        let above = tempfile::tempdir().expect("temporary directory");
        let path = above.path().join("a/b");
        assert_eq!(OwnDirectory::open(&path).expect_err("missing").kind(), io::ErrorKind::NotFound);
        let directory = OwnDirectory::make(&path).expect("makes");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o700);
        for text in ["one", "two"] {
            directory.replace("file", text).expect("writes");
            assert_eq!(OwnDirectory::open(&path).and_then(|directory| directory.read("file")).expect("reads"), text);
        }
        assert_eq!(fs::metadata(path.join("file")).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&path).expect("there").count(), 1);
        directory.remove("file").expect("removes");
        assert_eq!(directory.read("file").expect_err("gone").kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn links_lead_nowhere() {
        let above = tempfile::tempdir().expect("temporary directory");
        let (precious, path) = (above.path().join("precious"), above.path().join("state"));
        fs::write(&precious, "as it was").expect("writes");
        let directory = OwnDirectory::make(&path).expect("makes");
        for name in ["file", "file.new"] {
            symlink(&precious, path.join(name)).expect("links");
        }
        assert!(directory.read("file").is_err());
        directory.replace("file", "new").expect("the link is replaced");
        assert_eq!(directory.read("file").expect("reads"), "new");
        assert_eq!(fs::read_to_string(&precious).expect("reads"), "as it was");

        let linked = above.path().join("linked");
        symlink(&path, &linked).expect("links");
        assert!(fault(&linked).contains("linked is a symbolic link"), "{}", fault(&linked));
        assert!(fault(&linked.join("below")).contains("linked is a symbolic link"));
        assert!(fault(&path.join("../state")).contains("`..`"));
    }

    #[test]
    fn what_others_may_write_to_is_refused() {
        let above = tempfile::tempdir().expect("temporary directory");
        let path = above.path().join("state");
        OwnDirectory::make(&path).expect("makes");
        let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changes");
        for (mode, below) in [(0o777, false), (0o720, false), (0o1777, true)] {
            set(mode);
            assert!(fault(&path).contains("others may write to"), "{mode:o}");
            assert_eq!(OwnDirectory::make(&path.join("below")).is_ok(), below, "{mode:o}");
        }
        set(0o755);
        assert!(OwnDirectory::make(&path).is_ok());
    }
}
