//! A directory of which nobody else decides what is in it.
//!
//! It, and each directory above it, belongs to root or to whoever runs this, and others may not write there (above it they
//! may, where a sticky bit keeps them from what is not theirs). No symbolic link is followed, neither on the way to it nor in
//! it. What is written there is for its owner only.
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, mkdirat};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// How the name ends of a file that is being written.
pub const HALF: &str = ".new";
/// How a directory is opened.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// The directory.
#[derive(Debug)]
pub struct OwnDirectory {
    path: PathBuf,
    opened: File,
}

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

    /// The directory at `path`, or `None` where there is none.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn find(path: &Path) -> io::Result<Option<Self>> {
        or_none(Self::open(path))
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
        let opened = openat(&here, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(Self { path, opened: opened.into() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nobody else can look into it.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn is_private(&self) -> io::Result<bool> {
        Ok(!mode_of(fstat(&self.opened)?.st_mode).intersects(Mode::S_IRWXG | Mode::S_IRWXO))
    }

    /// Keeps all others from looking into it.
    ///
    /// # Errors
    /// It belongs to somebody else.
    pub fn close_to_others(&self) -> io::Result<()> {
        if self.is_private()? { Ok(()) } else { Ok(fchmod(&self.opened, Mode::S_IRWXU)?) }
    }

    /// Does `act` while nobody else does something by this function.
    ///
    /// # Errors
    /// It cannot be locked.
    pub fn exclusively<T>(&self, act: impl FnOnce() -> T) -> io::Result<T> {
        self.opened.lock()?;
        let outcome = act();
        self.opened.unlock()?;
        Ok(outcome)
    }

    /// The names of what is in it, in order. Those that are no text are left out.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// The file `name`, to be locked; it is made if `make`, and else `None` where there is none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn file(&self, name: &str, make: bool) -> io::Result<Option<File>> {
        let create = if make { OFlag::O_CREAT } else { OFlag::empty() };
        let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | create;
        let opened = openat(&self.opened, name, flags, Mode::S_IRUSR | Mode::S_IWUSR);
        or_none(opened.map(File::from).map_err(io::Error::from))
    }

    /// What is in the file `name`.
    ///
    /// # Errors
    /// It is missing, longer than `longest` bytes, a symbolic link or no text.
    pub fn read(&self, name: &str, longest: u64) -> io::Result<String> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = File::from(openat(&self.opened, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut text = String::new();
        file.take(longest + 1).read_to_string(&mut text)?;
        if text.len() as u64 > longest { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
    }

    /// Makes `text` what is in the file `name`, for its owner only: a loss of power leaves the old or the new.
    ///
    /// # Errors
    /// It cannot be written; the old file stays.
    pub fn replace(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let new = format!("{name}{HALF}");
        // One that was left over.
        let _ = self.remove(&new);
        let rename = || Ok(renameat(&self.opened, new.as_str(), &self.opened, name)?);
        let written = self.write(&new, text).and_then(|()| rename());
        written.inspect_err(|_| drop(self.remove(&new)))?;
        // The new name itself.
        self.opened.sync_all()
    }

    fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(&self.opened, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        file.write_all(text)?;
        file.sync_all()
    }

    /// Removes the file `name`, if there is one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.opened, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn or_none<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
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
    let mode = mode_of(found.st_mode);
    let is_ours = found.st_uid == 0 || found.st_uid == geteuid().as_raw() || is_from_outside(found.st_uid);
    let is_open = mode.intersects(Mode::S_IWGRP | Mode::S_IWOTH) && !mode.intersects(excused);
    match (is_ours, is_open) {
        (false, _) => Err(io::Error::other(format!("{} belongs to another user", way.display()))),
        (_, true) => Err(io::Error::other(format!("others may write to {}", way.display()))),
        _ => Ok(()),
    }
}

fn mode_of(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits & !SFlag::S_IFMT.bits())
}

/// Whether `user` stands for everybody outside of our user namespace: what belongs to them is no business of anyone in here.
fn is_from_outside(user: u32) -> bool {
    let overflow = || fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse::<u32>().ok();
    overflow() == Some(user) && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_mapped(user, &map))
}

/// Whether `map` in the form of user_namespaces(7) has `user`.
fn is_mapped(user: u32, map: &str) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        match numbers[..] {
            [first, _, count] => (first..first.saturating_add(count)).contains(&user.into()),
            // What nobody understands excuses nobody.
            _ => true,
        }
    })
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
            directory.replace("file", text.as_bytes()).expect("writes");
            assert_eq!(OwnDirectory::open(&path).and_then(|directory| directory.read("file", 3)).expect("reads"), text);
        }
        assert_eq!(fs::metadata(path.join("file")).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&path).expect("there").count(), 1);
        assert_eq!(directory.names().expect("reads"), ["file"]);
        assert_eq!(directory.read("file", 2).expect_err("too long").kind(), io::ErrorKind::FileTooLarge);
        for _ in 0..2 {
            directory.remove("file").expect("removes");
        }
        assert_eq!(directory.read("file", 3).expect_err("gone").kind(), io::ErrorKind::NotFound);
        assert!(directory.file("file", false).expect("none").is_none());
        assert!(directory.file("file", true).expect("makes").is_some());
        assert!(OwnDirectory::find(&above.path().join("none")).expect("none").is_none());
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
        assert!(directory.read("file", 99).is_err() && directory.file("file", true).is_err());
        directory.replace("file", b"new").expect("the link is replaced");
        assert_eq!(directory.read("file", 99).expect("reads"), "new");
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
        let directory = OwnDirectory::make(&path).expect("others may look");
        assert!(!directory.is_private().expect("told"));
        directory.close_to_others().expect("changes");
        assert!(directory.is_private().expect("told"));
    }

    #[test]
    fn users_from_outside_are_those_that_nobody_has_a_number_for() {
        let rows = [
            ("         0          0 4294967295\n", true),
            ("         0       1000          1\n", false),
            ("         0       1000          1\n         1     100000      65536\n", true),
            ("nonsense\n", true),
            ("", false),
        ];
        for (map, mapped) in rows {
            assert_eq!(is_mapped(65534, map), mapped, "{map}");
        }
    }
}
