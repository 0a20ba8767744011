//! Where the machine keeps what this room reads and writes.
use crate::quick::shelf;
use std::path::{Path, PathBuf};

/// The folders; tests have others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// /etc
    pub etc: PathBuf,
    /// /run
    pub run: PathBuf,
    /// Where `up` keeps its notes.
    pub own: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { etc: "/etc".into(), run: "/run".into(), own: shelf::directory() }
    }
}

impl Places {
    /// What the C library's resolver reads.
    #[must_use]
    pub fn resolv_conf(&self) -> PathBuf {
        self.etc.join("resolv.conf")
    }

    /// Where systemd-resolved keeps its files.
    #[must_use]
    pub fn resolved(&self) -> PathBuf {
        self.run.join("systemd/resolve")
    }

    /// Our own folders: one that only root sees, and the one of this room in it.
    #[must_use]
    pub fn own(&self) -> [PathBuf; 2] {
        [self.own.clone(), self.own.join("dns")]
    }

    /// A file in our own folder.
    #[must_use]
    pub fn own_file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.own()[1].join(name)
    }
}
