//! A WireGuard interface on a machine, run by one implementation or another.
use crate::keys::KeyPair;
use crate::status::Status;
use crate::{PATIENCE, eventually};
use anyhow::{Context as _, Result, bail, ensure};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use underpass_linux::demo::stage::{Machine, Running};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// Ours, optimised as it is shipped.
    Underpass,
    /// wireguard-go as Debian 12 packages it (2022).
    GoDebian,
    /// The newest wireguard-go, built by `tests/setup.sh`.
    GoNewest,
}

impl Implementation {
    /// The program.
    ///
    /// # Errors
    /// When it is missing, or older than the sources it is made from.
    pub fn program(self) -> Result<PathBuf> {
        let target = root().join("target");
        let (path, remedy) = match self {
            Self::Underpass => (target.join("release/underpass"), "make build"),
            Self::GoDebian => (PathBuf::from("/usr/bin/wireguard-go"), "make setup"),
            Self::GoNewest => (target.join("tools/wireguard-go-newest"), "make setup"),
        };
        let built =
            std::fs::metadata(&path).with_context(|| format!("no {}: run `{remedy}`", path.display()))?.modified()?;
        if self == Self::Underpass {
            for sources in ["core/src", "linux/src", "linux/carry/src", "linux/gateway/src"] {
                ensure!(
                    newest(&root().join(sources))? <= built,
                    "{} is older than {sources}: run `{remedy}`",
                    path.display()
                );
            }
        }
        Ok(path)
    }
}

/// The folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// When the youngest file below `folder` was changed, but for tests, of which nothing is built.
///
/// # Errors
/// When it cannot be read.
pub fn newest(folder: &Path) -> Result<SystemTime> {
    let mut youngest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name() == "tests.rs" || entry.file_name() == "tests" {
            continue;
        }
        let changed =
            if entry.file_type()?.is_dir() { newest(&entry.path())? } else { entry.metadata()?.modified()? };
        youngest = youngest.max(changed);
    }
    Ok(youngest)
}

/// A running interface with a fresh key; gone when dropped.
#[derive(Debug)]
pub struct Device {
    /// Where it stands.
    pub machine: Machine,
    /// The interface.
    pub name: String,
    /// Its keys.
    pub keys: KeyPair,
    /// The daemon.
    pub daemon: Running,
}

impl Device {
    /// Starts `wg0` on `machine` and waits until its control socket answers. It has no key, no address and is down.
    ///
    /// # Errors
    /// When the daemon ends or its socket does not appear.
    pub fn start(machine: &Machine, implementation: Implementation) -> Result<Self> {
        Self::start_named(machine, implementation, "wg0")
    }

    /// Starts `wg0` so that it keeps to one processor: a crowd is too much for it on machines of any size.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_on_one_processor(machine: &Machine, implementation: Implementation) -> Result<Self> {
        Self::start_as(machine, implementation, "wg0", &[("GOMAXPROCS", "1")])
    }

    /// Starts an interface of any name.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_named(machine: &Machine, implementation: Implementation, name: &str) -> Result<Self> {
        Self::start_as(machine, implementation, name, &[])
    }

    fn start_as(
        machine: &Machine,
        implementation: Implementation,
        name: &str,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = machine.command(&implementation.program()?.to_string_lossy());
        command.args(["-f", name]).env("LOG_LEVEL", "verbose").env("WG_PROCESS_FOREGROUND", "1");
        command.envs(variables.iter().copied());
        let mut device = Self {
            machine: machine.clone(),
            name: name.to_owned(),
            keys: KeyPair::generate(machine)?,
            daemon: machine.start(command)?,
        };
        eventually(&format!("a control socket for {name}"), PATIENCE, || {
            if let Some(status) = device.daemon.ended()? {
                bail!("the daemon ended with {status}\n{}", device.daemon.stderr());
            }
            // A socket that a killed daemon left exists too, but nobody answers there.
            Ok(UnixStream::connect(device.socket()).is_ok())
        })?;
        Ok(device)
    }

    /// Its control socket, as seen from here while the daemon lives. (`/var/run` is a link on most machines, and would
    /// be followed into our own `/run`.)
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let run = std::fs::canonicalize("/var/run").unwrap_or_else(|_| PathBuf::from("/run"));
        PathBuf::from(format!("/proc/{}/root{}/wireguard/{}.sock", self.daemon.pid(), run.display(), self.name))
    }

    /// Gives it its private key, then `configuration` (as for `wg addconf`), the addresses, and sets it up.
    ///
    /// # Errors
    /// What `wg` and `ip` complain.
    pub fn bring_up(&self, addresses: &[&str], interface: &str, peers: &str) -> Result<()> {
        self.set_configuration(interface, peers)?;
        for address in addresses {
            let flags = if address.contains(':') { "nodad" } else { "" };
            self.machine.ip(&format!("addr add {address} dev {} {flags}", self.name))?;
        }
        self.machine.ip(&format!("link set {} up", self.name))
    }

    /// The `[Peer]` section by which another machine knows this one, but for endpoint and preshared key.
    #[must_use]
    pub fn as_peer(&self, allowed_ips: &str) -> String {
        format!("[Peer]\nPublicKey = {}\nAllowedIPs = {allowed_ips}\n", self.keys.public)
    }

    /// Replaces the whole configuration (`wg setconf`): lines of `[Interface]` beside the key, then the peers.
    ///
    /// # Errors
    /// What `wg` complains.
    pub fn set_configuration(&self, interface: &str, peers: &str) -> Result<()> {
        let text = format!("[Interface]\nPrivateKey = {}\n{interface}\n{peers}", self.keys.private);
        self.machine.run_with_input("wg", &["setconf", &self.name, "/dev/stdin"], &text).map(drop)
    }

    /// `wg set` on this interface with the words of `arguments`.
    ///
    /// # Errors
    /// What `wg` complains.
    pub fn set(&self, arguments: &str) -> Result<()> {
        let words: Vec<&str> = ["set", &self.name].into_iter().chain(arguments.split_whitespace()).collect();
        self.machine.run("wg", &words).map(drop)
    }

    /// What `wg show dump` says.
    ///
    /// # Errors
    /// When `wg` fails or says something else.
    pub fn status(&self) -> Result<Status> {
        Status::parse(&self.machine.run("wg", &["show", &self.name, "dump"])?)
    }
}
