//! One machine.
use super::journal::{Journal, Page};
use super::running::{Finished, Running};
use super::start;
use anyhow::{Context as _, Result, anyhow};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// How long a command may take that is expected to end by itself, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A machine: interfaces, addresses, routes, firewall and `/run` of its own, and what is changed in `/etc` is changed there
/// alone; other files and processes are shared with us. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct Machine {
    name: Arc<str>,
    view: Arc<View>,
    journal: Arc<Journal>,
}

/// The namespaces of a machine; they end when the last descriptor is closed and the last program in them ends.
#[derive(Debug)]
struct View {
    network: File,
    mounts: File,
}

impl View {
    /// Makes both namespaces. They belong to a thread that ends at once; the descriptors keep them.
    fn new() -> Result<Self> {
        let make = || -> Result<Self> {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("making namespaces")?;
            let nothing: Option<&str> = None;
            mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).context("detaching mounts")?;
            for run in ["/run", "/var/run"] {
                if !Path::new(run).is_symlink() {
                    mount(Some("tmpfs"), run, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
                        .with_context(|| format!("mounting an empty {run}"))?;
                }
            }
            lay_over_etc().context("laying memory over /etc")?;
            let network = File::open("/proc/thread-self/ns/net")?;
            let mounts = File::open("/proc/thread-self/ns/mnt")?;
            Ok(Self { network, mounts })
        };
        std::thread::scope(|scope| scope.spawn(make).join())
            .map_err(|_| anyhow!("the thread making namespaces died"))?
    }

    /// The processes that live here.
    fn processes(&self) -> Result<Vec<u32>> {
        let here = self.network.metadata()?.ino();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process that ended since the folder was read has no namespace: it is not here.
            let there = std::fs::metadata(entry.path().join("ns/net")).map(|namespace| namespace.ino());
            if there.is_ok_and(|there| there == here) {
                found.push(pid);
            }
        }
        Ok(found)
    }

    /// Moves the calling thread into the machine. The thread must not share its file system view with others.
    fn enter(&self) -> nix::Result<()> {
        setns(&self.mounts, CloneFlags::CLONE_NEWNS)?;
        setns(&self.network, CloneFlags::CLONE_NEWNET)
    }
}

/// Lets changes of /etc go to memory.
fn lay_over_etc() -> Result<()> {
    let below = File::open("/etc")?;
    mount(Some("tmpfs"), "/etc", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    std::fs::create_dir("/etc/changed")?;
    std::fs::create_dir("/etc/work")?;
    let layers = format!("lowerdir=/proc/self/fd/{},upperdir=/etc/changed,workdir=/etc/work", below.as_raw_fd());
    mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(layers.as_str()))?;
    Ok(())
}

impl Drop for View {
    /// Ends what still runs here: daemons that detached themselves from the thread that started them.
    fn drop(&mut self) {
        for pid in self.processes().unwrap_or_default() {
            if let Ok(pid) = i32::try_from(pid) {
                // It may just have ended by itself.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

impl Machine {
    pub(super) fn new(name: &str, journal: Arc<Journal>) -> Result<Self> {
        let view = Arc::new(View::new().with_context(|| format!("making machine `{name}`"))?);
        let machine = Self { name: name.into(), view, journal };
        machine.ip("link set lo up")?;
        Ok(machine)
    }

    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A path under which `ip` finds the network namespace while the machine lives.
    #[must_use]
    pub fn network_path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.view.network.as_raw_fd())
    }

    /// The programs that run on it.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn processes(&self) -> Result<Vec<u32>> {
        self.view.processes()
    }

    /// Lays a wire: `device` here, `other_device` on `other`, both up.
    ///
    /// # Errors
    /// When a device of that name exists.
    pub fn wire(&self, device: &str, other: &Self, other_device: &str) -> Result<()> {
        let there = other.network_path();
        self.ip(&format!("link add dev {device} type veth peer name {other_device} netns {there}"))?;
        self.ip(&format!("link set {device} up"))?;
        other.ip(&format!("link set {other_device} up"))
    }

    /// Runs `ip` with the words of `arguments`.
    ///
    /// # Errors
    /// What `ip` complains.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        self.run("ip", &words(arguments)).map(drop)
    }

    /// Loads firewall rules. A table of the same name is replaced when the rules say so, as in a file for `nft -f`.
    ///
    /// # Errors
    /// What `nft` complains.
    pub fn nft(&self, rules: &str) -> Result<()> {
        self.run_with_input("nft", &["-f", "-"], rules).map(drop)
    }

    /// Sets kernel parameters of this machine, such as `net.ipv4.ip_forward=1`.
    ///
    /// # Errors
    /// When one does not exist or refuses the value.
    pub fn sysctl(&self, setting: &str) -> Result<()> {
        let (key, value) = setting.split_once('=').context("a setting is key=value")?;
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        self.inside(|| std::fs::write(&path, value)).with_context(|| format!("{setting} on {}", self.name))
    }

    /// A [`command`](super::command) that will run on this machine, in the directory `/`, and die with the thread that
    /// starts it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = start::command(program);
        let view = Arc::clone(&self.view);
        let prepare = move || {
            view.enter()?;
            set_pdeathsig(Signal::SIGTERM)?;
            Ok(())
        };
        // SAFETY: between fork and exec only setns and prctl are called: system calls, no allocation, no lock.
        unsafe { command.pre_exec(prepare) };
        command
    }

    /// Starts a program.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, program: &str, arguments: &[&str]) -> Result<Running> {
        let mut command = self.command(program);
        command.args(arguments);
        self.start(command)
    }

    /// Starts a command made by [`command`](Self::command); its output goes to the journal.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, command: Command) -> Result<Running> {
        let title = self.title(&command);
        let (stdout, stderr) = (Page::new()?, Page::new()?);
        self.journal.keep(format!("{title}: output"), &stdout)?;
        self.journal.keep(format!("{title}: errors"), &stderr)?;
        launch(title, command, stdout, stderr)
    }

    /// Runs a program to its end and returns what it printed.
    ///
    /// # Errors
    /// When it fails or takes longer than two minutes.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.try_run(program, arguments)?.success()
    }

    /// Runs a program to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started or takes longer than two minutes.
    pub fn try_run(&self, program: &str, arguments: &[&str]) -> Result<Finished> {
        let mut command = self.command(program);
        command.args(arguments);
        self.complete(command)
    }

    /// Runs a program to its end with `input` on its standard input, and returns what it printed.
    ///
    /// # Errors
    /// When it fails or takes longer than two minutes.
    pub fn run_with_input(&self, program: &str, arguments: &[&str], input: &str) -> Result<String> {
        let mut paper = Page::new()?.writer()?;
        paper.write_all(input.as_bytes())?;
        paper.rewind()?;
        let mut command = self.command(program);
        command.args(arguments).stdin(paper);
        self.complete(command)?.success()
    }

    /// Runs a command to its end. Its output is in the outcome, so the journal need not keep it.
    fn complete(&self, command: Command) -> Result<Finished> {
        launch(self.title(&command), command, Page::new()?, Page::new()?)?.wait(PATIENCE)
    }

    /// Calls `act` on this machine. A socket made there belongs to the machine for ever, wherever it is used.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let enter_and_act = || {
            unshare(CloneFlags::CLONE_FS).expect("a thread may always stop sharing its working directory");
            self.view.enter().expect("the namespaces live as long as the machine, and we are root");
            act()
        };
        match std::thread::scope(|scope| scope.spawn(enter_and_act).join()) {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn title(&self, command: &Command) -> String {
        let mut title = format!("{}: {}", self.name, command.get_program().to_string_lossy());
        for argument in command.get_args() {
            title.push(' ');
            title.push_str(&argument.to_string_lossy());
        }
        title
    }
}

fn launch(title: String, mut command: Command, stdout: Page, stderr: Page) -> Result<Running> {
    command.stdout(stdout.writer()?).stderr(stderr.writer()?);
    let child = command.spawn().with_context(|| format!("starting `{title}`"))?;
    Ok(Running::new(title, child, stdout, stderr))
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::stage::Stage;

    #[test]
    fn words_are_split_at_white_space() {
        assert_eq!(words("addr add  10.0.0.1/24 dev eth0"), ["addr", "add", "10.0.0.1/24", "dev", "eth0"]);
    }

    #[test]
    fn without_root_there_is_no_stage() {
        let told = Stage::new().map(drop).map_err(|error| error.to_string());
        if nix::unistd::geteuid().is_root() {
            assert_eq!(told, Ok(()));
        } else {
            assert!(told.is_err_and(|reason| reason.contains("root")));
        }
    }
}
