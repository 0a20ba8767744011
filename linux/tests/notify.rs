//! What a service manager is told, and when. Root is needed.
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tempfile::TempDir;
use underpass_linux::demo::stage::{Machine, Running, Stage};

const UNDERPASS: &str = env!("CARGO_BIN_EXE_underpass");
/// How long anything may take that happens by itself: no verdict hangs on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service manager that listens, and a machine for its service.
struct Scene {
    machine: Machine,
    folder: TempDir,
    manager: UnixDatagram,
    name: String,
}

impl Scene {
    /// `is_abstract`: its socket is in no folder.
    fn new(is_abstract: bool) -> Result<Self> {
        let machine = Stage::new()?.machine("service")?;
        let folder = tempfile::tempdir()?;
        let (name, address) = if is_abstract {
            ("@underpass-manager".to_owned(), SocketAddr::from_abstract_name("underpass-manager")?)
        } else {
            let path = folder.path().join("notify");
            (path.to_string_lossy().into_owned(), SocketAddr::from_pathname(path)?)
        };
        let manager = machine.inside(|| UnixDatagram::bind_addr(&address))?;
        manager.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { machine, folder, manager, name })
    }

    /// Writes a configuration whose last command is `hook`.
    fn config(&self, hook: &str) -> Result<String> {
        let path = self.folder.path().join("wgs0.conf");
        fs::write(&path, format!("[Interface]\nAddress = 10.9.0.1/24\nMTU = 1400\nPostUp = {hook}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn start(&self, arguments: &[&str]) -> Result<Running> {
        let mut command = self.machine.command(UNDERPASS);
        command.args(arguments).env("NOTIFY_SOCKET", &self.name);
        self.machine.start(command)
    }

    /// The next that the manager is told.
    fn told(&self) -> Result<String> {
        let mut heard = [0; 256];
        let length = self.manager.recv(&mut heard).context("the manager is told nothing")?;
        Ok(String::from_utf8_lossy(&heard[..length]).into_owned())
    }

    /// Whether it was told nothing more.
    fn is_quiet(&self) -> Result<bool> {
        self.manager.set_nonblocking(true)?;
        Ok(self.manager.recv(&mut [0; 256]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    }
}

/// The tunnel becomes the main process before the configuration's commands run, the service is ready after them, and they do not
/// know of the manager.
#[test]
fn up_is_ready_when_all_is_done() -> Result<()> {
    for is_abstract in [false, true] {
        let scene = Scene::new(is_abstract)?;
        let seen = scene.folder.path().join("seen");
        let path = scene.config(&format!("echo \"<$NOTIFY_SOCKET>\" > {}", seen.display()))?;
        scene.start(&["up", &path])?.wait(PATIENCE)?.success()?;
        let processes = scene.machine.processes()?;
        ensure!(processes.len() == 1, "{processes:?}");
        ensure!(scene.told()? == format!("MAINPID={}", processes[0]), "the main process");
        ensure!(scene.told()? == "READY=1", "ready");
        ensure!(fs::read_to_string(&seen)? == "<>\n", "the command knew the manager");
        scene.start(&["down", &path])?.wait(PATIENCE)?.success()?;
        ensure!(scene.told()? == "STOPPING=1", "stopping");
        ensure!(scene.is_quiet()?, "more was told");
    }
    Ok(())
}

#[test]
fn what_fails_is_never_ready() -> Result<()> {
    let scene = Scene::new(false)?;
    let path = scene.config("false")?;
    ensure!(!scene.start(&["up", &path])?.wait(PATIENCE)?.status.success(), "it fails");
    ensure!(scene.told()?.starts_with("MAINPID="), "the tunnel was there");
    ensure!(scene.told()? == "STOPPING=1", "and went");
    ensure!(scene.is_quiet()?, "more was told");
    Ok(())
}

#[test]
fn the_interface_alone_is_ready_too() -> Result<()> {
    let scene = Scene::new(true)?;
    let running = scene.start(&["-f", "wgs0"])?;
    ensure!(scene.told()? == "READY=1", "in the foreground");
    scene.machine.ip("link delete wgs0")?;
    ensure!(scene.told()? == "STOPPING=1", "stopping");
    running.wait(PATIENCE)?.success()?;
    scene.start(&["wgs0"])?.wait(PATIENCE)?.success()?;
    ensure!(scene.told()?.starts_with("MAINPID="), "in the background");
    ensure!(scene.told()? == "READY=1", "ready");
    Ok(())
}
