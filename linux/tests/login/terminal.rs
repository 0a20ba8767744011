//! Somebody at a terminal: secrets are not seen, and a new login is asked for in time.
use crate::gateway::PATIENCE;
use crate::{Scene, UNDERPASS, grant, says};
use anyhow::{Context, Result, ensure};
use nix::pty::openpty;
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use underpass_linux::demo::stage::{Running, eventually};

/// A terminal, and what is seen on it of what is typed.
struct Terminal {
    keys: File,
    slave: OwnedFd,
    seen: Arc<Mutex<String>>,
}

impl Terminal {
    fn new() -> Result<Self> {
        let pair = openpty(None, None)?;
        let (keys, seen) = (File::from(pair.master), Arc::new(Mutex::new(String::new())));
        let (mut screen, shown) = (keys.try_clone()?, Arc::clone(&seen));
        // It ends with the terminal, or with the test.
        std::thread::spawn(move || {
            let mut chunk = [0; 256];
            while let Ok(length @ 1..) = screen.read(&mut chunk) {
                shown.lock().expect("no panic").push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
        });
        Ok(Self { keys, slave: pair.slave, seen })
    }

    /// Waits until something was asked so often, and answers.
    fn answer(&mut self, running: &Running, asked: &str, times: usize, answer: &str) -> Result<()> {
        let is_asked = || Ok(running.stderr().matches(asked).count() >= times);
        eventually(asked, PATIENCE, is_asked).with_context(|| running.stderr())?;
        Ok(writeln!(self.keys, "{answer}")?)
    }

    fn log_in(&mut self, running: &Running, times: usize) -> Result<()> {
        self.answer(running, "User: ", times, "ann")?;
        self.answer(running, "Password: ", times, "hunter2")?;
        self.answer(running, "Code: ", times, "123456")
    }

    fn echoes(&self) -> Result<bool> {
        Ok(tcgetattr(&self.slave)?.local_flags.contains(LocalFlags::ECHO))
    }

    fn seen(&self) -> String {
        self.seen.lock().expect("no panic").clone()
    }
}

#[test]
fn a_password_is_not_seen_and_a_new_login_is_asked_for_when_it_is_due() -> Result<()> {
    let scene = Scene::new("10.0.0.0/8", grant())?;
    scene.gateway.wants_another_login_after(2);
    let mut terminal = Terminal::new()?;
    let mut command = scene.laptop.command(UNDERPASS);
    command.args(["login", &scene.config()]).stdin(terminal.slave.try_clone()?);
    let running = scene.laptop.start(command)?;
    terminal.log_in(&running, 1)?;
    eventually("logged in", PATIENCE, || Ok(running.stdout().contains("logged in as ann")))?;
    terminal.log_in(&running, 2)?;
    let renewed = "underpass: logged in again; the session ends in 1 h 59 min";
    eventually(renewed, PATIENCE, || Ok(running.stderr().contains(renewed))).with_context(|| running.stderr())?;
    ensure!(running.stderr().contains("underpass: a new login is due: the session ends in 59 min"));
    let seen = terminal.seen();
    ensure!(seen.matches("ann").count() == 2 && seen.matches("123456").count() == 2, "{seen:?}");
    ensure!(!seen.contains("hunter2") && terminal.echoes()?, "{seen:?}");
    running.signal(Signal::SIGHUP)?;
    says(&running.wait(PATIENCE)?, 0, "logged out")?;
    scene.is_clean()
}

#[test]
fn a_terminal_echoes_again_when_the_login_is_broken_off_at_the_password() -> Result<()> {
    let scene = Scene::new("10.0.0.0/8", grant())?;
    let mut terminal = Terminal::new()?;
    let mut command = scene.laptop.command(UNDERPASS);
    command.args(["login", &scene.config()]).stdin(terminal.slave.try_clone()?);
    let running = scene.laptop.start(command)?;
    terminal.answer(&running, "User: ", 1, "ann")?;
    eventually("a password is asked for", PATIENCE, || Ok(running.stderr().contains("Password: ")))?;
    ensure!(!terminal.echoes()?, "it is a secret");
    running.signal(Signal::SIGINT)?;
    says(&running.wait(PATIENCE)?, 0, "logged out")?;
    ensure!(terminal.echoes()?, "as before");
    scene.is_clean()
}
