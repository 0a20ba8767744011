//! What was told to whom, by interface: small files that only root reads, each written whole or not at all.
use super::Dns;
use super::find::Resolver;
use super::places::Places;
use super::server::Server;
use crate::quick::shelf::replace;
use anyhow::anyhow;
use nix::net::if_::if_nametoindex;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The end of a record's name.
const SUFFIX: &str = ".json";

/// The end of the name of a record that is being written, by [`replace`].
const HALF: &str = "tmp";

/// What was told for one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The interface.
    pub interface: String,
    /// A tunnel that came later has the greater number.
    pub order: u64,
    /// Who was told, or was about to be.
    pub resolvers: Vec<Resolver>,
    /// Its name servers.
    pub servers: Vec<Server>,
    /// What /etc/resolv.conf is to hold.
    pub text: String,
}

impl Record {
    pub(super) fn new(dns: &Dns, store: &Store) -> Self {
        Self {
            interface: dns.interface.clone(),
            order: store.all().iter().map(|record| record.order).max().unwrap_or(0) + 1,
            resolvers: dns.resolvers.clone(),
            servers: dns.servers.clone(),
            text: dns.text(),
        }
    }
}

/// The records. Who holds this is the only one that changes them.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens it, once nobody else has it open.
    ///
    /// # Errors
    /// Its folder cannot be made, or somebody else owns it.
    pub fn open(places: &Places) -> anyhow::Result<Self> {
        let lock = || -> io::Result<File> {
            for directory in places.own() {
                make_private(&directory)?;
            }
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
            let lock = options.open(places.own_file("lock"))?;
            lock.lock()?;
            Ok(lock)
        };
        let directory = places.own()[1].clone();
        let lock = lock().map_err(|error| anyhow!("cannot keep records in {}: {error}", directory.display()))?;
        let store = Self { directory, _lock: lock };
        store.clear_away();
        Ok(store)
    }

    /// Removes what one left who was killed while writing.
    fn clear_away(&self) {
        for path in fs::read_dir(&self.directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|end| end == HALF) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// The record of `interface`. One that makes no sense counts as none.
    #[must_use]
    pub fn read(&self, interface: &str) -> Option<Record> {
        read(&self.path(interface))
    }

    /// Records of other interfaces that are there, the latest first. Those of interfaces that are gone say nothing any more.
    pub(super) fn others(&self, interface: &str) -> Vec<Record> {
        let mut others = self.all();
        others.retain(|record| record.interface != interface && if_nametoindex(record.interface.as_str()).is_ok());
        others.sort_by_key(|record| std::cmp::Reverse(record.order));
        others
    }

    fn all(&self) -> Vec<Record> {
        all(&self.directory)
    }

    pub(super) fn write(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.path(&record.interface);
        replace(&path, &serde_json::to_vec(record)?)
            .map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
    }

    pub(super) fn delete(&self, interface: &str) -> anyhow::Result<()> {
        let path = self.path(interface);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(anyhow!("cannot remove {}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn path(&self, interface: &str) -> PathBuf {
        self.directory.join(format!("{interface}{SUFFIX}"))
    }
}

/// All records in our folder, without waiting for anyone.
pub(super) fn all(directory: &Path) -> Vec<Record> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.extension().is_some_and(|end| end == &SUFFIX[1..]))
        .filter_map(|path| read(&path))
        .collect()
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Makes a folder that only we can look into, or takes one that is so already. A link is never followed.
fn make_private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(directory)?;
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() {
        return Err(io::Error::other(format!("{} is no folder of ours", directory.display())));
    }
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> (tempfile::TempDir, Places) {
        let root = tempfile::tempdir().expect("temporary directory");
        let places = Places { etc: root.path().into(), run: root.path().into(), own: root.path().join("underpass") };
        (root, places)
    }

    #[test]
    fn only_we_look_into_our_folder() {
        let (_root, places) = places();
        let [own, _] = places.own();
        DirBuilder::new().mode(0o755).create(&own).expect("folder");
        drop(Store::open(&places).expect("opens"));
        for directory in places.own() {
            assert_eq!(fs::metadata(directory).expect("there").mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn no_link_is_followed() {
        let (root, places) = places();
        let elsewhere = root.path().join("elsewhere");
        fs::create_dir(&elsewhere).expect("folder");
        std::os::unix::fs::symlink(&elsewhere, &places.own()[0]).expect("link");
        let message = Store::open(&places).expect_err("a link").to_string();
        assert!(message.contains("no folder of ours"), "{message}");
        assert_eq!(fs::read_dir(elsewhere).expect("folder").count(), 0);
    }

    #[test]
    fn what_makes_no_sense_is_no_record() {
        let (_root, places) = places();
        let store = Store::open(&places).expect("opens");
        for text in ["", "{}", "[1]", "{\"interface\":7}", "\u{0}"] {
            fs::write(store.path("wg0"), text).expect("writes");
            assert_eq!(store.read("wg0"), None, "{text}");
        }
        store.delete("wg0").expect("deletes");
        store.delete("wg0").expect("is gone already");
    }
}
