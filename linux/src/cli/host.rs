//! This machine, as the plans of `up` and `down` see it.
use super::daemon::{self, Background};
use super::{guard, progress, signals};
use crate::control::{client, socket};
use crate::quick::invocation::Invocation;
use crate::quick::{Action, Host, Step, machine, mask, rules};
use anyhow::{anyhow, bail};
use nix::net::if_::if_nametoindex;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use underpass_core::config::QuickConfig;

/// How long a tunnel may take to end after its interface was deleted.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(20);

/// Does on this machine what plans say, and tells about it on a terminal.
#[derive(Debug)]
pub struct ThisMachine {
    name: String,
    /// What the tunnel is started with.
    config: Option<QuickConfig>,
    background: Option<Background>,
    interrupted: Arc<AtomicBool>,
}

impl ThisMachine {
    /// This machine, with `config` for the interface `name` when it is to be started. From here on the signals that
    /// would end this process end its plan.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub fn new(name: &str, config: Option<QuickConfig>) -> anyhow::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in signals::heard() {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(|error| anyhow!("cannot watch for signals: {error}"))?;
        }
        Ok(Self { name: name.into(), config, background: None, interrupted })
    }

    /// Runs hooks of `down`, all of them whatever fails; `false` when one did.
    pub fn run_hooks(&mut self, hooks: &[Step]) -> bool {
        let mut all = true;
        for hook in hooks {
            if let Err(fault) = self.perform(&hook.does(&self.name.clone())) {
                self.complain(&fault);
                all = false;
            }
        }
        all
    }

    fn start(&mut self) -> anyhow::Result<()> {
        self.background = Some(daemon::start(&self.name, self.config.as_ref())?);
        Ok(())
    }

    /// Deletes the interface and waits until its program has ended, so that the name is free again.
    fn stop(&mut self) -> anyhow::Result<()> {
        if exists(&self.name) {
            machine::run(&Invocation::new("ip", &format!("link delete dev {}", self.name)))?;
        }
        let directory = socket::directory();
        let deadline = Instant::now() + PATIENCE;
        while client::is_served(&directory, &self.name) || !self.background.as_mut().is_none_or(Background::has_ended) {
            if Instant::now() > deadline {
                bail!("interface `{}` is deleted, but its program does not end", self.name);
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }
}

impl Host for ThisMachine {
    fn perform(&mut self, action: &Action) -> anyhow::Result<()> {
        progress(format_args!("[#] {}", mask::command(&action.to_string())));
        match action {
            Action::Shell(command) => machine::shell(command, &self.interrupted),
            Action::Run(invocation) => machine::run(invocation),
            Action::StartTunnel => self.start(),
            Action::StopTunnel => self.stop(),
            Action::Setting { path, value } => fs::write(Path::new("/proc/sys").join(path), value)
                .map_err(|error| anyhow!("cannot write /proc/sys/{path}: {error}")),
            Action::Lock(lock) => guard::close(lock),
            Action::Unlock { name } => guard::open(name),
            Action::Keep { name, on } => guard::put_back(name, *on),
            Action::DeleteDivertRule { family, table } => {
                machine::delete_rule(*family, |listing| rules::divert_rule(listing, *table))
            }
            Action::DeleteMainRule { family, table } => {
                machine::delete_rule(*family, |listing| rules::main_rule(listing, *table))
            }
        }
    }

    fn complain(&mut self, fault: &anyhow::Error) {
        let _ = writeln!(io::stderr(), "underpass: {fault}");
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// Whether there is an interface `name`, of whatever kind.
#[must_use]
pub fn exists(name: &str) -> bool {
    // Not by /sys, which may have been mounted in another network namespace.
    if_nametoindex(name).is_ok()
}
