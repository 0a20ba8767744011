//! A seat in a guest: one network namespace of its kernel.
use super::{Answer, Guest, PATIENCE};
use crate::eventually;
use anyhow::{Result, ensure};
use std::sync::Arc;
use underpass_linux::demo::stage::Machine;

/// A network namespace of a guest, with `eth0` and a shell; nobody else sits here. It keeps the guest.
#[derive(Clone, Debug)]
pub struct Seat {
    guest: Arc<Guest>,
    number: usize,
}

impl Seat {
    pub(super) fn new(guest: Arc<Guest>, number: usize) -> Self {
        Self { guest, number }
    }

    /// The guest.
    #[must_use]
    pub fn guest(&self) -> &Arc<Guest> {
        &self.guest
    }

    /// The path of a file in the guest that no other seat has.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        format!("/tmp/{}-{name}", self.number)
    }

    /// Lays a wire from `eth0` here to `device` on `machine`, both up.
    ///
    /// # Errors
    /// When a device of that name exists.
    pub fn wire(&self, machine: &Machine, device: &str) -> Result<()> {
        let (host, number) = (&self.guest.host, self.number);
        host.ip(&format!("link add bridge{number} type bridge mcast_snooping 0"))?;
        host.wire(&format!("wire{number}"), machine, device)?;
        for port in [format!("wire{number}"), format!("tap{number}")] {
            host.ip(&format!("link set {port} master bridge{number} up"))?;
        }
        host.ip(&format!("link set bridge{number} up"))?;
        self.ip("link set eth0 up")
    }

    /// Runs one line of shell to its end and returns what it printed.
    ///
    /// # Errors
    /// When it fails: what it printed and complained.
    pub fn run(&self, command: &str) -> Result<String> {
        let Answer { status, output } = self.try_run(command)?;
        ensure!(status == 0, "`{command}` failed in the guest with status {status}\n{output}");
        Ok(output)
    }

    /// Runs one line of shell to its end, whatever that is.
    ///
    /// # Errors
    /// When the guest has ended or is stuck.
    pub fn try_run(&self, command: &str) -> Result<Answer> {
        self.guest.console(self.number).run(command)
    }

    /// Runs `ip` with `arguments`.
    ///
    /// # Errors
    /// What `ip` complains.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        self.run(&format!("ip {arguments}")).map(drop)
    }

    /// Waits until a line of shell succeeds; returns what it printed then.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`].
    pub fn wait_until(&self, command: &str) -> Result<String> {
        let mut output = String::new();
        eventually(&format!("`{command}` succeeds in the guest"), PATIENCE, || {
            let answer = self.try_run(command)?;
            output = answer.output;
            Ok(answer.status == 0)
        })?;
        Ok(output)
    }
}
