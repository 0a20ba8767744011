//! Machines to act on: each is a network namespace with a `/run` of its own, on one real Linux.
//!
//! Nothing here has a name outside this process. Namespaces live by the file descriptors of their [`Machine`], programs
//! die with the thread that started them, wires and virtual interfaces die with their namespace: whatever ends this
//! process, even SIGKILL, leaves nothing behind.
mod capture;
mod journal;
mod machine;
mod patience;
mod running;
mod start;

pub use capture::{Capture, Datagram, Frame};
pub use journal::Journal;
pub use machine::Machine;
pub use patience::eventually;
pub use running::{Finished, Running};
pub use start::command;

use anyhow::{Result, ensure};
use std::ffi::OsString;
use std::sync::Arc;

/// Where machines stand, and where the output of every program they ran is kept.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    journal: Arc<Journal>,
}

impl Stage {
    /// An empty stage.
    ///
    /// # Errors
    /// When this process is not root: only root can make namespaces that carry real interfaces.
    pub fn new() -> Result<Self> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "making network namespaces needs root: run this as root or with sudo"
        );
        Ok(Self::default())
    }

    /// A new machine: loopback up, no other interface, an empty `/run`.
    ///
    /// # Errors
    /// When the kernel refuses a namespace.
    pub fn machine(&self, name: &str) -> Result<Machine> {
        Machine::new(name, Arc::clone(&self.journal))
    }

    /// What the programs on all machines have printed so far.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}

/// Where programs are looked for: PATH, and the folders of system programs that some accounts leave out of it.
#[must_use]
pub fn search_path() -> OsString {
    let mut path =
        std::env::var_os("PATH").filter(|path| !path.is_empty()).unwrap_or("/usr/local/bin:/usr/bin:/bin".into());
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    path
}
