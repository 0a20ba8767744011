//! The program that emulates a machine.
use super::PATIENCE;
use crate::device::root;
use crate::eventually;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use underpass_linux::demo::stage::{Machine, Running};

/// The emulator.
const EMULATOR: &str = "qemu-system-x86_64";
/// A panic ends the guest. Its clock has a frequency that need not be measured, and its timers are not tried out first:
/// on a busy machine either would go wrong.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 mitigations=off clocksource=hpet no_timer_check";
/// How often it is looked after.
const GLANCE: Duration = Duration::from_millis(200);

/// An emulator that runs; it ends when this is dropped.
///
/// A program on a machine dies with the thread that started it, and the story that starts a guest is not the last to need
/// it: so there is a thread for just that.
#[derive(Debug)]
pub struct Emulator {
    /// Its process.
    pub pid: u32,
    /// The emulator ends when this is dropped.
    leash: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts it on `host`. The guest gets a network card, `tap0` and so on here, and a port for each path of `ports`, where
    /// sockets listen.
    ///
    /// # Errors
    /// When a piece of it is missing.
    pub fn start(host: &Machine, ports: &[String]) -> Result<Self> {
        let command = command(host, ports)?;
        let (leash, end) = channel();
        let (tell, told) = channel();
        let host = host.clone();
        let thread = std::thread::spawn(move || keep(host.start(command), &tell, &end));
        let pid = told.recv().map_err(|_| anyhow!("the thread that starts the emulator died"))?;
        let pid = pid.with_context(|| format!("no {EMULATOR}? run `make setup`"))?;
        Ok(Self { pid, leash: Some(leash), thread: Some(thread) })
    }

    /// The connection that it makes to one of its ports when it starts.
    ///
    /// # Errors
    /// When it has ended.
    pub fn accept(&self, listener: &UnixListener) -> Result<UnixStream> {
        listener.set_nonblocking(true)?;
        let mut accepted = None;
        eventually("the emulator opens its ports", PATIENCE, || {
            ensure!(!self.thread.as_ref().is_none_or(JoinHandle::is_finished), "the emulator has ended");
            match listener.accept() {
                Ok((stream, _)) => accepted = Some(stream),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => bail!("accepting the emulator's connection: {error}"),
            }
            Ok(accepted.is_some())
        })?;
        let stream = accepted.context("no connection")?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }
}

/// Tells how the start went, and waits until the emulator is to end or has ended.
fn keep(started: Result<Running>, tell: &Sender<Result<u32>>, end: &Receiver<()>) {
    let mut running = match started {
        Ok(running) => running,
        Err(error) => return drop(tell.send(Err(error))),
    };
    if tell.send(Ok(running.pid())).is_err() {
        return;
    }
    while end.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
        if !matches!(running.ended(), Ok(None)) {
            return;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.leash = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the keeper has been printed; the emulator ended with its thread.
            let _ = thread.join();
        }
    }
}

/// The command that emulates a machine.
fn command(host: &Machine, ports: &[String]) -> Result<Command> {
    let pieces = root().join("target/tools/kernel-guest");
    let (kernel, files) = (pieces.join("vmlinux"), pieces.join("initrd"));
    for piece in [&kernel, &files] {
        ensure!(piece.exists(), "no {}: run `make setup`", piece.display());
    }
    let mut command = host.command(EMULATOR);
    command.stdin(Stdio::null()).args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    command.args(["-accel", "tcg", "-m", "256", "-serial", "stdio"]);
    command.arg("-kernel").arg(kernel).arg("-initrd").arg(files);
    command.args(["-append", &format!("{KERNEL_ARGUMENTS} seats={}", ports.len())]);
    command.args(["-device", "virtio-serial-pci,max_ports=32"]);
    for (seat, port) in ports.iter().enumerate() {
        let tap = format!("tap,id=net{seat},ifname=tap{seat},script=no,downscript=no");
        let card = format!("virtio-net-pci,netdev=net{seat},mac=02:00:00:00:00:{seat:02x},romfile=");
        let socket = format!("socket,id=port{seat},path={port}");
        let device = format!("virtserialport,chardev=port{seat},nr={}", seat + 1);
        command.args(["-netdev", &tap, "-device", &card, "-chardev", &socket, "-device", &device]);
    }
    Ok(command)
}
