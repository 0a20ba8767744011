//! What was told to whom, by interface: small files that only root reads, each written whole or not at all.
use super::Dns;
use super::find::Resolver;
use super::places::Places;
use super::server::Server;
use crate::own_directory::{HALF, OwnDirectory};
use anyhow::anyhow;
use nix::net::if_::if_nametoindex;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The end of a record's name.
const SUFFIX: &str = ".json";

/// No record is larger.
const LARGEST: u64 = 1024 * 1024;

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
    directory: OwnDirectory,
    _lock: File,
}

impl Store {
    /// Opens it, once nobody else has it open.
    ///
    /// # Errors
    /// Its folder cannot be made, or somebody else owns it.
    pub fn open(places: &Places) -> anyhow::Result<Self> {
        let [above, path] = places.own();
        let open = || -> io::Result<Self> {
            OwnDirectory::make(&above)?.close_to_others()?;
            let directory = OwnDirectory::make(&path)?;
            directory.close_to_others()?;
            let lock = directory.file("lock", true)?.ok_or(io::ErrorKind::NotFound)?;
            lock.lock()?;
            Ok(Self { directory, _lock: lock })
        };
        let store = open().map_err(|error| anyhow!("cannot keep records in {}: {error}", path.display()))?;
        store.clear_away();
        Ok(store)
    }

    /// Removes what one left who was killed while writing.
    fn clear_away(&self) {
        for name in self.directory.names().unwrap_or_default().iter().filter(|name| name.ends_with(HALF)) {
            let _ = self.directory.remove(name);
        }
    }

    /// The record of `interface`. One that makes no sense counts as none.
    #[must_use]
    pub fn read(&self, interface: &str) -> Option<Record> {
        read(&self.directory, &file_of(interface))
    }

    /// Records of other interfaces that are there, the latest first. Those of interfaces that are gone say nothing any more.
    pub(super) fn others(&self, interface: &str) -> Vec<Record> {
        let mut others = self.all();
        others.retain(|record| record.interface != interface && if_nametoindex(record.interface.as_str()).is_ok());
        others.sort_by_key(|record| std::cmp::Reverse(record.order));
        others
    }

    fn all(&self) -> Vec<Record> {
        all_in(&self.directory)
    }

    pub(super) fn write(&self, record: &Record) -> anyhow::Result<()> {
        let written = self.directory.replace(&file_of(&record.interface), &serde_json::to_vec(record)?);
        written.map_err(|error| anyhow!("cannot write {}: {error}", self.path(&record.interface).display()))
    }

    pub(super) fn delete(&self, interface: &str) -> anyhow::Result<()> {
        let removed = self.directory.remove(&file_of(interface));
        removed.map_err(|error| anyhow!("cannot remove {}: {error}", self.path(interface).display()))
    }

    fn path(&self, interface: &str) -> PathBuf {
        self.directory.path().join(file_of(interface))
    }
}

/// The name of the file of the record of `interface`.
fn file_of(interface: &str) -> String {
    format!("{interface}{SUFFIX}")
}

/// All records in our folder, without waiting for anyone.
pub(super) fn all(directory: &Path) -> Vec<Record> {
    OwnDirectory::open(directory).map(|directory| all_in(&directory)).unwrap_or_default()
}

fn all_in(directory: &OwnDirectory) -> Vec<Record> {
    let names = directory.names().unwrap_or_default();
    names.iter().filter(|name| name.ends_with(SUFFIX)).filter_map(|name| read(directory, name)).collect()
}

fn read(directory: &OwnDirectory, name: &str) -> Option<Record> {
    serde_json::from_str(&directory.read(name, LARGEST).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, DirBuilder};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

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
        assert!(message.contains("is a symbolic link"), "{message}");
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
