//! What is written down of kill switches, one file for each interface, in a folder that only root can use.
//!
//! The folder is opened once; everything else happens below that descriptor.
use super::Lock;
use crate::own_directory::OwnDirectory;
use crate::quick::shelf::directory;
use anyhow::{Context as _, anyhow, bail};
use std::fs::File;
use std::io;
use std::path::Path;

/// How the name of a record ends.
const SUFFIX: &str = ".guard";
/// How the name of the file ends that says who keeps a lock.
const KEEPER_SUFFIX: &str = ".keeper";
/// No record is larger: a million networks take less.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The folder, open.
#[derive(Debug)]
pub struct Records {
    folder: OwnDirectory,
}

impl Records {
    /// The folder, which is made when it is not there.
    ///
    /// # Errors
    /// It cannot be made, or others than its owner could change what is in it.
    pub fn open() -> anyhow::Result<Self> {
        Self::of(OwnDirectory::make(&directory()))
    }

    /// The folder, if it is there.
    ///
    /// # Errors
    /// As those of [`open`](Self::open).
    pub fn find() -> anyhow::Result<Option<Self>> {
        Self::at(&directory())
    }

    fn at(path: &Path) -> anyhow::Result<Option<Self>> {
        OwnDirectory::find(path).transpose().map(Self::of).transpose()
    }

    fn of(opened: io::Result<OwnDirectory>) -> anyhow::Result<Self> {
        let folder = opened.map_err(|error| anyhow!("cannot use the directory of kill switches: {error}"))?;
        // Whoever can open it can lock it.
        if !folder.is_private()? {
            bail!("{} must belong to root, and nobody else may use it (mode 0700)", folder.path().display());
        }
        Ok(Self { folder })
    }

    /// The locks, by the names of their interfaces.
    ///
    /// # Errors
    /// One of them cannot be read, or is no lock: then nobody knows what it is about.
    pub fn locks(&self) -> anyhow::Result<Vec<Lock>> {
        let interfaces = self.interfaces()?;
        interfaces.iter().filter_map(|interface| self.lock(interface).transpose()).collect()
    }

    /// The interfaces that have a lock, whether or not it can be read.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn interfaces(&self) -> anyhow::Result<Vec<String>> {
        let names = self.folder.names().with_context(|| format!("cannot read {}", self.folder.path().display()))?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(SUFFIX)).map(str::to_owned).collect())
    }

    /// The lock of `interface`, if it has one.
    ///
    /// # Errors
    /// As those of [`locks`](Self::locks).
    pub fn lock(&self, interface: &str) -> anyhow::Result<Option<Lock>> {
        let name = format!("{interface}{SUFFIX}");
        let read = |text: io::Result<String>| -> anyhow::Result<Lock> {
            let lock: Lock = serde_json::from_str(&text?)?;
            if lock.interface != interface || lock.mark == 0 {
                bail!("it is of another interface");
            }
            Ok(lock)
        };
        match self.folder.read(&name, LARGEST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => {
                let shown = self.folder.path().join(&name);
                read(text).map(Some).map_err(|fault| anyhow!("{} holds no kill switch: {fault}", shown.display()))
            }
        }
    }

    /// Writes `lock` down, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, lock: &Lock) -> anyhow::Result<()> {
        let name = format!("{}{SUFFIX}", lock.interface);
        let written = self.folder.replace(&name, &serde_json::to_vec_pretty(lock)?);
        written.with_context(|| format!("cannot write {}", self.folder.path().join(&name).display()))
    }

    /// Changes what is written down of `interface`, if anything is. Two changes at a time come one after the other.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn change(&self, interface: &str, change: impl FnOnce(&mut Lock)) -> anyhow::Result<Option<Lock>> {
        self.folder.exclusively(|| {
            let Some(mut lock) = self.lock(interface)? else { return Ok(None) };
            let before = lock.clone();
            change(&mut lock);
            if lock != before {
                self.keep(&lock)?;
            }
            Ok(Some(lock))
        })?
    }

    /// Forgets the lock of `interface`.
    ///
    /// # Errors
    /// Its file cannot be removed.
    pub fn forget(&self, interface: &str) -> anyhow::Result<()> {
        self.remove_file(&format!("{interface}{SUFFIX}"))
    }

    /// The file that the keeper of `interface` holds locked; it is made when `make`, and else `None` where there is none.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn keeper_file(&self, interface: &str, make: bool) -> anyhow::Result<Option<File>> {
        let name = format!("{interface}{KEEPER_SUFFIX}");
        let opened = self.folder.file(&name, make);
        opened.map_err(|error| anyhow!("cannot open {}: {error}", self.folder.path().join(name).display()))
    }

    /// Removes the file of the keeper of `interface`, which tells it to end.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn dismiss_keeper(&self, interface: &str) -> anyhow::Result<()> {
        self.remove_file(&format!("{interface}{KEEPER_SUFFIX}"))
    }

    fn remove_file(&self, name: &str) -> anyhow::Result<()> {
        let removed = self.folder.remove(name);
        removed.map_err(|error| anyhow!("cannot remove {}: {error}", self.folder.path().join(name).display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, DirBuilder};
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};

    /// A folder as `open` makes it.
    fn folder() -> tempfile::TempDir {
        let private = fs::Permissions::from_mode(0o700);
        tempfile::Builder::new().permissions(private).tempdir().expect("temporary directory")
    }

    fn at(path: &Path) -> anyhow::Result<Records> {
        Records::at(path)?.ok_or_else(|| anyhow!("missing"))
    }

    #[test]
    fn what_is_kept_is_found_until_it_is_forgotten() {
        let directory = folder();
        let records = at(directory.path()).expect("a folder");
        let mut lock = Lock { interface: "wg0".into(), mark: 51820, lan: true, ..Lock::default() };
        lock.addresses.insert("vpn.example.com".into(), [192, 0, 2, 1].into());
        assert_eq!(records.locks().expect("none yet"), []);
        records.keep(&lock).expect("written");
        records.keep(&lock).expect("written again");
        assert_eq!(records.locks().expect("one"), [lock.clone()]);
        assert_eq!(records.lock("wg0").expect("read"), Some(lock));
        records.forget("wg0").expect("removed");
        records.forget("wg0").expect("removed before");
        assert_eq!(records.lock("wg0").expect("none"), None);
        assert_eq!(fs::read_dir(directory.path()).expect("folder").count(), 0);
    }

    #[test]
    fn no_link_is_followed_and_nobody_else_has_a_say() {
        let directory = folder();
        let (inside, link) = (directory.path().join("inside"), directory.path().join("link"));
        DirBuilder::new().mode(0o700).create(&inside).expect("made");
        symlink(&inside, &link).expect("linked");
        assert!(at(&link).expect_err("a link").to_string().contains("is a symbolic link, or no directory"));
        fs::write(directory.path().join("secret"), "x").expect("written");
        symlink(directory.path().join("secret"), inside.join("wg0.guard")).expect("linked");
        symlink(directory.path().join("secret"), inside.join("wg1.guard.new")).expect("linked");
        let records = at(&inside).expect("a folder");
        assert!(records.lock("wg0").is_err() && records.locks().is_err());
        records.keep(&Lock { interface: "wg1".into(), mark: 1, ..Lock::default() }).expect("written");
        assert_eq!(fs::read_to_string(directory.path().join("secret")).expect("read"), "x");
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o750)).expect("chmod");
        assert!(at(&inside).expect_err("open to a group").to_string().contains("mode 0700"));
    }

    #[test]
    fn nonsense_is_no_lock() {
        let directory = folder();
        let records = at(directory.path()).expect("a folder");
        for text in
            ["", "{", "[]", "{}", "{\"interface\": \"wg1\", \"mark\": 7}", "{\"interface\": \"wg0\", \"mark\": 0}"]
        {
            fs::write(directory.path().join("wg0.guard"), text).expect("written");
            let message = records.lock("wg0").expect_err(text).to_string();
            assert!(message.contains("holds no kill switch"), "{message}");
        }
    }
}
