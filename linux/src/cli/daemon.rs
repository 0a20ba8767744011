//! `underpass IFNAME`: the tunnel as a process of its own.
//!
//! To go into the background the command starts itself anew, as a process without any thread, and waits until that says
//! on its standard output that the interface and its control socket are ready, or why they are not. A configuration
//! goes to it through its standard input: neither arguments nor environment ever hold a key.
use super::environment::Environment;
use super::log;
use super::{Outcome, remains, serve, signals};
use crate::confine::{close_inherited, confine};
use crate::control::socket;
use crate::engine::EngineConfig;
use crate::guard;
use crate::guard::heal::Belongings;
use crate::guard::standby::Role;
use crate::notify;
use crate::quick::file::read_all;
use anyhow::{anyhow, bail};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use underpass_core::config::{QuickConfig, parse, write};

/// What is read and written where the standard streams were.
const NULL: &str = "/dev/null";

/// Tells a process that it is the one in the background: [`PLAIN`], [`CONFIGURED`] or [`LOGIN`].
pub(super) const BACKGROUND_VARIABLE: &str = "UNDERPASS_BACKGROUND";
/// The tunnel is configured through its control socket.
const PLAIN: &str = "plain";
/// A configuration comes through standard input.
const CONFIGURED: &str = "configured";
/// The same, and the control channel is offered to whoever logs in.
const LOGIN: &str = "login";

/// What the process in the background says when it is ready, followed by the name of its interface.
const READY: &str = "ready ";
/// What it says when it has failed, followed by the reason.
const FAILED: &str = "failed ";

/// Serves the interface `name`, in the foreground or in the background.
///
/// # Errors
/// The tunnel cannot start, or broke down.
pub fn run(name: &str, foreground: bool) -> Outcome {
    let environment = Environment::read()?;
    if env::var_os(BACKGROUND_VARIABLE).is_none() {
        remains::clear_before_start(name)?;
    }
    let role = env::var(BACKGROUND_VARIABLE);
    if let Some(role) = role.as_deref().ok().and_then(Role::told) {
        return super::guard::keep(name, role);
    }
    match role.as_deref() {
        Ok(role) => run_in_background(name, role, &environment),
        Err(_) if foreground || environment.foreground => run_in_foreground(name, &environment),
        Err(_) => {
            start(name, None, false)?;
            notify::ready();
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A tunnel that runs in a process of its own.
#[derive(Debug)]
pub struct Background {
    /// The name of its interface.
    pub name: String,
    process: Child,
}

impl Background {
    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether its process has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }
}

/// Starts a tunnel in the background, and waits until it is ready. One that `logs_in` offers its control channel.
///
/// # Errors
/// It cannot start; then nothing is left of it.
pub fn start(name: &str, config: Option<&QuickConfig>, logs_in: bool) -> anyhow::Result<Background> {
    let (role, stdin) = match config {
        Some(_) => (if logs_in { LOGIN } else { CONFIGURED }, Stdio::piped()),
        None => (PLAIN, Stdio::null()),
    };
    let mut process = Command::new(own_program())
        .arg0("underpass")
        .args(["-f", "--", name])
        .env(BACKGROUND_VARIABLE, role)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| anyhow!("cannot start a process for the tunnel: {error}"))?;
    if let (Some(mut stdin), Some(config)) = (process.stdin.take(), config) {
        // Should it end early, it says why below.
        let _ = stdin.write_all(write(config).as_bytes());
    }
    let mut said = String::new();
    if let Some(stdout) = process.stdout.take() {
        let _ = BufReader::new(stdout.take(64 * 1024)).read_line(&mut said);
    }
    if let Some(name) = said.trim_end().strip_prefix(READY) {
        return Ok(Background { name: name.into(), process });
    }
    let status = process.wait().map_err(|error| anyhow!("the tunnel's process got lost: {error}"))?;
    match said.trim_end().strip_prefix(FAILED) {
        Some(reason) => bail!("{reason}"),
        None => {
            // It could not clear away what it had made.
            socket::remove_dead(&socket::path(&socket::directory(), name));
            let hint = if status.signal().is_some() { ": is there enough memory?" } else { "" };
            bail!("the tunnel's process ended before it was ready ({status}){hint}")
        }
    }
}

/// This program. When it was replaced since it started, the kernel still knows it by another path.
pub(super) fn own_program() -> PathBuf {
    env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into())
}

fn run_in_foreground(name: &str, environment: &Environment) -> Outcome {
    let signals = signals::heard();
    let log = give_up_and_log(environment, Environment::start_log)?;
    let outcome = serve::serve(environment.apply(EngineConfig::new(name)), None, false, &signals, |_| {
        notify::ready();
        Ok(())
    });
    if let Err(fault) = &outcome {
        log.add(format!("underpass: {fault}\n"));
    }
    log.finish(log::PATIENCE);
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_in_background(name: &str, role: &str, environment: &Environment) -> Outcome {
    let mut is_ready = false;
    let mut log = None;
    let outcome = detach().and_then(|null| {
        let (config, belongings) = match role {
            CONFIGURED | LOGIN => read_config(name)?,
            _ => (EngineConfig::new(name), None),
        };
        log = give_up_and_log(environment, Environment::start_log_in_background)?;
        // It has left the terminal, and with it what was ignored there.
        serve::serve(environment.apply(config), belongings, role == LOGIN, &signals::ALL, |name| {
            is_ready = true;
            notify::main_process();
            report_ready(name, &null, environment.keep_stderr)
        })
    });
    match &outcome {
        Ok(()) => {}
        Err(fault) if is_ready => tracing::error!("{fault}"),
        Err(fault) => {
            let _ = writeln!(io::stdout(), "{FAILED}{}", fault.to_string().replace('\n', " "));
        }
    }
    if let Some(log) = log {
        log.finish(log::PATIENCE);
    }
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives up what a tunnel does not need, before there are threads, and starts the log.
pub(super) fn give_up_and_log<L>(
    environment: &Environment,
    start: impl FnOnce(&Environment) -> anyhow::Result<L>,
) -> anyhow::Result<L> {
    let kept = confine(environment.confinement);
    let log = start(environment)?;
    kept.iter().for_each(|what| tracing::warn!("{what}"));
    Ok(log)
}

/// Leaves the terminal, the directory and the open files of whoever started us. Returns `/dev/null`, for later.
fn detach() -> anyhow::Result<File> {
    close_inherited().map_err(|error| anyhow!("cannot close what was left open: {error}"))?;
    // Fails only when we lead a process group already, as under a debugger: then there is nothing to leave.
    let _ = setsid();
    chdir("/").map_err(|error| anyhow!("cannot leave the current directory: {error}"))?;
    open_null()
}

/// What takes the place of the standard streams.
///
/// # Errors
/// There is none.
pub(super) fn open_null() -> anyhow::Result<File> {
    OpenOptions::new().read(true).write(true).open(NULL).map_err(|error| anyhow!("cannot open {NULL}: {error}"))
}

fn read_config(name: &str) -> anyhow::Result<(EngineConfig, Option<Belongings>)> {
    let text = read_all(io::stdin().lock(), 64 * 1024)?;
    let config = parse(&text).config.ok_or_else(|| anyhow!("the configuration that was handed on is not valid"))?;
    let belongings = Belongings::new(name, &config);
    let defaults = EngineConfig::new(name);
    let config = EngineConfig {
        mtu: config.mtu.unwrap_or(defaults.mtu),
        listen_port: config.listen_port.unwrap_or(0),
        fwmark: config.fwmark.unwrap_or(0),
        tunnel: config.tunnel,
        names: guard::names::of(name),
        ..defaults
    };
    Ok((config, Some(belongings)))
}

/// Says that all is ready, and lets go of the standard streams.
fn report_ready(name: &str, null: &File, keep_stderr: bool) -> anyhow::Result<()> {
    // When nobody listens any more, nobody wants the tunnel either.
    writeln!(io::stdout(), "{READY}{name}")?;
    io::stdout().flush()?;
    let_go(null, keep_stderr)
}

/// Lets go of the standard streams: `null` takes their places.
pub(super) fn let_go(null: &File, keep_stderr: bool) -> anyhow::Result<()> {
    dup2_stdin(null)?;
    dup2_stdout(null)?;
    if !keep_stderr {
        dup2_stderr(null)?;
    }
    Ok(())
}
