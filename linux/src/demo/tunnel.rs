//! The two ends of the tunnel: this very program, run as `underpass -f`, told what to do through its control socket.
use super::stage::{Machine, Running};
use crate::control::client;
use crate::control::socket::{DIRECTORY, path};
use crate::control::status::{InterfaceStatus, PeerStatus};
use crate::engine::SystemRng;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use underpass_core::PrivateKey;

/// The interface, on either machine.
pub(super) const NAME: &str = "office0";
/// How long a daemon may take to begin, to answer or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// One end.
pub(super) struct End {
    machine: Machine,
    daemon: Running,
    pub(super) key: PrivateKey,
}

impl End {
    /// Starts the daemon and waits until its control socket answers.
    pub(super) fn start(machine: &Machine) -> Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = machine.command(&program.to_string_lossy());
        command.args(["-f", NAME]);
        let mut daemon = machine.start(command)?;
        let started = Instant::now();
        while !machine.inside(|| client::is_served(Path::new(DIRECTORY), NAME)) {
            if let Some(status) = daemon.ended()? {
                bail!("`underpass -f {NAME}` on the {} ended with {status}: {}", machine.name(), daemon.stderr());
            }
            ensure!(started.elapsed() < PATIENCE, "the control socket on the {} does not answer", machine.name());
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { machine: machine.clone(), daemon, key: PrivateKey::generate(&mut SystemRng)? })
    }

    /// Sets the key and `lines` of the control protocol, gives the interface `address` and sets it up.
    pub(super) fn set_up(&self, lines: &str, address: &str) -> Result<()> {
        let request = format!("set=1\nprivate_key={}\n{lines}\n", hex(self.key.as_bytes()));
        let answer = self.ask(&request)?;
        ensure!(answer == "errno=0\n\n", "the {} refused its configuration: {answer:?}", self.machine.name());
        self.machine.ip(&format!("addr add {address} dev {NAME}"))?;
        self.machine.ip(&format!("link set {NAME} up"))
    }

    /// How this end is named in the other's configuration.
    pub(super) fn public_key_hex(&self) -> String {
        self.key.public_key().to_hex()
    }

    fn ask(&self, request: &str) -> Result<String> {
        let mut stream = self.machine.inside(|| UnixStream::connect(path(Path::new(DIRECTORY), NAME)))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// What this end says about the other.
    pub(super) fn peer(&self) -> Result<PeerStatus> {
        let answer = self.machine.inside(|| client::status(Path::new(DIRECTORY), NAME))?;
        let status = InterfaceStatus::parse(NAME, &answer).map_err(|fault| anyhow::anyhow!("{fault}"))?;
        status.peers.into_iter().next().with_context(|| format!("the {} knows no peer", self.machine.name()))
    }

    /// What it knows of its one peer once nothing has come from it for a while: the last words of a TCP connection may
    /// still be under way when the page is there.
    pub(super) fn peer_at_rest(&self) -> Result<PeerStatus> {
        let mut before = self.peer()?;
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(250));
            let after = self.peer()?;
            if before.rx_bytes == after.rx_bytes {
                return Ok(after);
            }
            before = after;
        }
        anyhow::bail!("the {} hears from its peer without end", self.machine.name())
    }

    /// Ends the daemon; it must end well and leave neither interface nor process.
    pub(super) fn end(self) -> Result<()> {
        self.daemon.signal(Signal::SIGTERM)?;
        let finished = self.daemon.wait(PATIENCE)?;
        ensure!(finished.status.success(), "the {}: {}\n{}", self.machine.name(), finished.status, finished.stderr);
        let link = self.machine.try_run("ip", &["link", "show", "dev", NAME])?;
        ensure!(!link.status.success(), "{NAME} is left on the {}", self.machine.name());
        let left = self.machine.processes()?;
        ensure!(left.is_empty(), "processes {left:?} are left on the {}", self.machine.name());
        Ok(())
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
