//! The example of the C interface, `bindings/c/examples/router.c`, as one side of a story.
use crate::device::{newest, root};
use crate::keys::KeyPair;
use crate::{Folder, Machine, PATIENCE, Running, eventually};
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use std::path::PathBuf;

/// The router on a machine, with `wg0`; gone when dropped.
#[derive(Debug)]
pub struct Router {
    /// Where it stands.
    pub machine: Machine,
    /// The program.
    pub daemon: Running,
    state: String,
    _folder: Folder,
}

/// What it says of itself when it is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Handshakes with all peers.
    pub handshakes: u64,
    /// Bytes received from all peers.
    pub received: u64,
    /// Bytes sent to all peers.
    pub sent: u64,
}

impl Router {
    /// Starts it with a configuration for `wg-quick`, but for its key. Waits until the interface is up.
    ///
    /// # Errors
    /// When the program is missing or ends.
    pub fn start(machine: &Machine, keys: &KeyPair, interface: &str, peers: &str) -> Result<Self> {
        let folder = Folder::new(&format!("router-{}", keys.public.replace('/', "-")))?;
        let (configuration, state) = (folder.path("wg0.conf"), folder.path("state"));
        std::fs::write(&configuration, format!("[Interface]\nPrivateKey = {}\n{interface}\n{peers}", keys.private))?;
        let mut command = machine.command(&program()?.to_string_lossy());
        command.args(["-s", &state, "wg0", &configuration]);
        let mut router = Self { machine: machine.clone(), daemon: machine.start(command)?, state, _folder: folder };
        eventually("the router's interface is up", PATIENCE, || {
            if let Some(status) = router.daemon.ended()? {
                bail!("the router ended with {status}\n{}", router.daemon.stderr());
            }
            let link = router.machine.try_run("ip", &["-o", "link", "show", "dev", "wg0", "up"])?;
            let addresses = router.machine.try_run("ip", &["-o", "route", "show", "dev", "wg0"])?;
            Ok(link.status.success() && !link.stdout.is_empty() && !addresses.stdout.is_empty())
        })?;
        Ok(router)
    }

    /// Asks for statistics, by signal.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn statistics(&self) -> Result<Statistics> {
        let before = self.daemon.stderr().len();
        self.daemon.signal(Signal::SIGUSR1)?;
        let answer = || self.daemon.stderr().get(before..).unwrap_or_default().to_owned();
        eventually("the router answers SIGUSR1", PATIENCE, || Ok(answer().contains(" sent\n")))?;
        let mut all = Statistics::default();
        for line in answer().lines().filter(|line| line.starts_with("router: peer ")) {
            // router: peer KEY: 1 handshakes, 2 bytes received, 3 sent
            let numbers: Vec<u64> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
            let [handshakes, received, sent] = numbers[..] else { bail!("not three numbers: {line}") };
            all.handshakes += handshakes;
            all.received += received;
            all.sent += sent;
        }
        Ok(all)
    }

    /// How often it woke up so far: each time, it gave the processor away of its own will afterwards.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn wakings(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Ok(line.context("no count of context switches")?.trim().parse()?)
    }

    /// Ends it by SIGTERM. It succeeds, its interface goes, and it has saved its timestamp.
    ///
    /// # Errors
    /// When one of these is not so.
    pub fn stop(self) -> Result<()> {
        self.daemon.signal(Signal::SIGTERM)?;
        self.daemon.wait(PATIENCE)?.success()?;
        let link = self.machine.try_run("ip", &["link", "show", "dev", "wg0"])?;
        ensure!(!link.status.success(), "the interface is still there: {}", link.stdout);
        let saved = std::fs::metadata(&self.state).context("the saved timestamp")?.len();
        ensure!(saved == 12, "{saved} bytes of timestamp");
        Ok(())
    }
}

/// The program.
fn program() -> Result<PathBuf> {
    let path = root().join("target/c-tests/router");
    let built = std::fs::metadata(&path)
        .with_context(|| format!("no {}: run `tests/c/router.sh`", path.display()))?
        .modified()?;
    for sources in ["core/src", "bindings/c/src", "bindings/c/examples", "include"] {
        ensure!(
            newest(&root().join(sources))? <= built,
            "{} is older than {sources}: run `tests/c/router.sh`",
            path.display()
        );
    }
    Ok(path)
}
