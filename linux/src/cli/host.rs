//! This machine, as the plans of `up` and `down` see it.
use super::daemon::{self, Background};
use super::{guard, progress, signals};
use crate::control::{client, socket};
use crate::login::relay;
use crate::quick::invocation::Invocation;
use crate::quick::process::Process;
use crate::quick::seen::index_of;
use crate::quick::{Action, Host, Kept, Record, Step, machine, mask, rules};
use anyhow::{anyhow, bail};
use nix::sys::signal::Signal;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
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
    /// The configuration's file, for its commands.
    file: PathBuf,
    /// What the tunnel is started with.
    config: Option<QuickConfig>,
    /// Where is noted how far it came.
    kept: Option<Kept>,
    /// The tunnel's program, when it was started before.
    process: Option<Process>,
    /// Whether that is ended without asking.
    is_forced: bool,
    background: Option<Background>,
    has_complained: bool,
    interrupted: Arc<AtomicBool>,
}

impl ThisMachine {
    /// This machine, for the interface `name` whose configuration is in `file`. From here on the signals that would end
    /// this process end its plan.
    ///
    /// # Errors
    /// Signals cannot be watched.
    pub fn new(name: &str, file: &Path) -> anyhow::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in signals::heard() {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(|error| anyhow!("cannot watch for signals: {error}"))?;
        }
        Ok(Self {
            name: name.into(),
            file: file.into(),
            config: None,
            kept: None,
            process: None,
            is_forced: false,
            background: None,
            has_complained: false,
            interrupted,
        })
    }

    /// The same, to start a tunnel with `config` and note in `kept` how far that came.
    #[must_use]
    pub fn starting(self, config: QuickConfig, kept: Kept) -> Self {
        Self { config: Some(config), kept: Some(kept), ..self }
    }

    /// The same, to end the tunnel that `process` serves; when `is_forced`, without asking it.
    #[must_use]
    pub fn ending(self, process: Option<Process>, is_forced: bool) -> Self {
        Self { process, is_forced, ..self }
    }

    /// Whether there was a fault that stopped nothing.
    #[must_use]
    pub const fn has_complained(&self) -> bool {
        self.has_complained
    }

    /// Notes how far it came, where that is kept.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&mut self, change: impl FnOnce(&mut Record)) -> anyhow::Result<()> {
        self.kept.as_mut().map_or(Ok(()), |kept| kept.change(change))
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
        let logs_in = self.kept.as_ref().is_some_and(|kept| kept.record().login.is_some());
        self.background = Some(daemon::start(&self.name, self.config.as_ref(), logs_in)?);
        Ok(())
    }

    /// Deletes the interface and waits until its program has ended, so that the name is free again. What a program that was
    /// killed left of its socket is removed.
    fn stop(&mut self) -> anyhow::Result<()> {
        if exists(&self.name) {
            let deleted = machine::run(&Invocation::new("ip", &format!("link delete dev {}", self.name)));
            // With a program that dies just now it goes by itself.
            deleted.or_else(|fault| if exists(&self.name) { Err(fault) } else { Ok(()) })?;
        } else if let Some(process) = &self.process {
            // The interface was moved to another namespace, or is not there yet.
            process.signal(Signal::SIGTERM);
        }
        if let Some(process) = self.process.as_ref().filter(|_| self.is_forced) {
            process.signal(Signal::SIGKILL);
        }
        let directory = socket::directory();
        let deadline = Instant::now() + PATIENCE;
        while self.is_served(&directory) {
            if Instant::now() > deadline {
                bail!("interface `{}` is deleted, but its program does not end", self.name);
            }
            thread::sleep(GLANCE);
        }
        let path = socket::path(&directory, &self.name);
        if fs::symlink_metadata(&path).is_ok_and(|file| file.file_type().is_socket()) {
            // It may just have gone by itself.
            let _ = fs::remove_file(&path);
        }
        // There is one where somebody had logged in.
        let _ = fs::remove_file(relay::path(&directory, &self.name));
        Ok(())
    }

    fn is_served(&mut self, directory: &Path) -> bool {
        client::is_served(directory, &self.name)
            || self.process.is_some_and(|process| process.runs())
            || !self.background.as_mut().is_none_or(Background::has_ended)
    }

    fn shell(&self, command: &str) -> anyhow::Result<()> {
        let variables = [("INTERFACE", OsStr::new(&self.name)), ("CONFIG_FILE", self.file.as_os_str())];
        machine::shell(command, &variables, &self.interrupted)
    }
}

impl Host for ThisMachine {
    fn perform(&mut self, action: &Action) -> anyhow::Result<()> {
        progress(format_args!("[#] {}", mask::command(&action.to_string())));
        match action {
            Action::Shell(command) => self.shell(command),
            Action::Run(invocation) => machine::run(invocation),
            Action::RunIfThere(invocation) if machine::find_program(invocation.program).is_none() => Ok(()),
            Action::RunIfThere(invocation) => machine::run(invocation),
            Action::AddFirewall(firewall) => firewall.add_to_machine(),
            Action::RemoveFirewall(firewall) => firewall.remove_from_machine(),
            Action::SetDns(dns) => dns.set(),
            Action::UnsetDns(dns) => dns.unset(),
            Action::StartTunnel => self.start(),
            Action::StopTunnel => self.stop(),
            Action::Setting { path, value } => machine::set(path, value),
            Action::DeleteListed(listed) if !listed.is_there() => Ok(()),
            Action::DeleteListed(listed) => machine::run(&listed.delete),
            Action::Lock(lock) => guard::close(lock),
            Action::Unlock { name } => guard::open(name),
            Action::Keep { name, on } => guard::put_back(name, *on),
            Action::DeleteDivertRule { family, table } => {
                let selector = format!("not fwmark {table} table {table}");
                machine::delete_rules(*family, &selector, |listing| rules::divert_rules(listing, *table))
            }
            Action::DeleteMainRule { family, table } => {
                let selector = "table main suppress_prefixlength 0";
                machine::delete_rules(*family, selector, |listing| rules::main_rules(listing, *table))
            }
        }
    }

    fn begins(&mut self, step: &Step) -> anyhow::Result<()> {
        let has_run_hooks = self.kept.as_ref().is_some_and(|kept| kept.record().has_run_hooks);
        match step {
            Step::Hook { .. } if !has_run_hooks => self.note(|record| record.has_run_hooks = true),
            _ => Ok(()),
        }
    }

    fn has_done(&mut self, step: &Step) -> anyhow::Result<()> {
        if *step != Step::Start {
            return Ok(());
        }
        let process = self.background.as_ref().and_then(|background| Process::find(background.id()));
        let index = index_of(&self.name);
        self.note(|record| (record.process, record.index) = (process, index))
    }

    fn complain(&mut self, fault: &anyhow::Error) {
        self.has_complained = true;
        let _ = writeln!(io::stderr(), "underpass: {fault}");
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// Whether there is an interface `name`, of whatever kind.
#[must_use]
pub fn exists(name: &str) -> bool {
    index_of(name).is_some()
}
