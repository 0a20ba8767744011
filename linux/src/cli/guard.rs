//! `underpass lock` and `underpass unlock`: the kill switch without a tunnel. And the process that keeps it.
use super::args;
use super::daemon::{BACKGROUND_VARIABLE, let_go, open_null, own_program};
use super::environment::Environment;
use super::up::{read, require_root};
use super::{Outcome, progress};
use crate::confine::close_inherited;
use crate::guard::lock::{Lock, barrier};
use crate::guard::record::Records;
use crate::guard::standby::Role;
use crate::guard::wish::SystemFile;
use crate::guard::{self, keeper, lock_of, steps};
use crate::quick::facts::free_table;
use crate::quick::invocation::Invocation;
use crate::quick::machine::{delete_rules, output, run};
use crate::quick::rules;
use anyhow::{anyhow, bail};
use nix::unistd::{chdir, setsid};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// What the processes that keep a kill switch call themselves.
const KEEPER: &str = "underpass-keeper";
/// What the first of them says when everything is in its place.
const READY: &str = "ready";

/// Locks before a tunnel is up.
///
/// # Errors
/// A configuration is wrong, or the firewall refuses.
pub fn lock(lock: &args::Lock) -> Outcome {
    require_root()?;
    let named = if lock.boot { SystemFile::read()?.lock_at_boot } else { lock.configs.clone() };
    for config in &named {
        let (file, config) = read(config)?;
        let wish = if lock.lan { Some(guard::Wish::Lan) } else { None };
        // Whoever locks wants a lock, whatever is said elsewhere of the time when the tunnel is up.
        let wanted = steps::wanted(wish, &file.name, &config)?;
        let wanted =
            wanted.map_or_else(|| steps::wanted(Some(guard::Wish::On), &file.name, &config), |lock| Ok(Some(lock)))?;
        let Some(mut wanted) = wanted else { bail!("no kill switch for {}", file.name) };
        if wanted.mark == 0 {
            wanted.mark = free_table(&guard::other_marks(&file.name));
        }
        // The rules of a tunnel that is up stay under guard.
        wanted.diverts = lock_of(&file.name)?.is_some_and(|before| before.diverts);
        if let Some(warning) = guard::session::warning(&wanted) {
            let _ = writeln!(io::stderr(), "underpass: warning: {warning}");
        }
        close(&wanted)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Unlocks `interface`, or everything.
///
/// # Errors
/// There is no kill switch, or part of it could not be removed.
pub fn unlock(interface: Option<&str>) -> Outcome {
    require_root()?;
    let Some(records) = Records::find()? else { bail!("there is no kill switch") };
    let interfaces: Vec<String> = match interface {
        Some(interface) => vec![interface.to_owned()],
        None => records.interfaces()?,
    };
    let mut all = true;
    for interface in &interfaces {
        let lock = records.lock(interface);
        if matches!(lock, Ok(None)) {
            bail!("there is no kill switch for {interface}");
        }
        keeper::dismiss(interface)?;
        // What cannot be read is forgotten all the same: this is the way out.
        if let Ok(Some(lock)) = lock
            && let Err(fault) = remove_barriers(&lock)
        {
            let _ = writeln!(io::stderr(), "underpass: {fault}");
            all = false;
        }
        records.forget(interface)?;
    }
    guard::apply(&records)?;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Removes the last routes of a tunnel's table, and the rules that lead to a table in which nothing is left.
fn remove_barriers(lock: &Lock) -> anyhow::Result<()> {
    let table = lock.table();
    for family in guard::families() {
        let routes =
            || output("ip", &[family.option(), "route", "show", "table", &table.to_string()]).unwrap_or_default();
        if routes().contains("unreachable default") {
            run(&Invocation::new("ip", &barrier("delete", family, table)))?;
        }
        if routes().trim().is_empty() {
            delete_rules(family, "table main suppress_prefixlength 0", |listing| rules::main_rules(listing, table))?;
            let selector = format!("not fwmark {table} table {table}");
            delete_rules(family, &selector, |listing| rules::divert_rules(listing, table))?;
        }
    }
    Ok(())
}

/// Sets the kill switch, and has it kept.
///
/// # Errors
/// The firewall refuses; then nothing was changed.
pub fn close(lock: &Lock) -> anyhow::Result<()> {
    keeper::dismiss(&lock.interface)?;
    if let Err(fault) = guard::close(lock) {
        if lock.stays {
            // The one that was there before is still to be kept.
            let _ = start_keeper(&lock.interface);
        }
        return Err(fault);
    }
    start_keeper(&lock.interface).inspect_err(|_| {
        if !lock.stays {
            let _ = guard::open(&lock.interface);
        }
    })
}

/// Removes the kill switch of `interface`.
///
/// # Errors
/// The firewall refuses.
pub fn open(interface: &str) -> anyhow::Result<()> {
    keeper::dismiss(interface)?;
    guard::open(interface)
}

/// Tells what has changed where the kill switch was `before` and is `after`.
pub fn tell(before: Option<&Lock>, after: Option<&Lock>) {
    if let Some(said) = steps::told(before, after) {
        let _ = writeln!(io::stderr(), "underpass: {said}");
    }
}

/// Has somebody keep the kill switch of `interface`, if it has one that nobody keeps: all who did were killed.
///
/// # Errors
/// What is written down of it cannot be read, or nobody can be started.
pub fn have_kept(interface: &str) -> anyhow::Result<()> {
    if lock_of(interface)?.is_some() && !keeper::is_there(interface)? { start_keeper(interface) } else { Ok(()) }
}

/// Has the rules and last routes of `interface` put back when they are deleted, or no longer.
///
/// # Errors
/// That cannot be written down.
pub fn put_back(interface: &str, on: bool) -> anyhow::Result<()> {
    let Some(records) = Records::find()? else { return Ok(()) };
    if on {
        return records.change(interface, |lock| lock.diverts = true).map(drop);
    }
    // It may be about to put something back: it ends first.
    keeper::dismiss(interface)?;
    match records.change(interface, |lock| lock.diverts = false)? {
        Some(_) => start_keeper(interface),
        None => Ok(()),
    }
}

/// Starts the process that keeps the lock of `interface`, and waits until it does.
fn start_keeper(interface: &str) -> anyhow::Result<()> {
    let failed = |error| anyhow!("cannot start the process that keeps the kill switch: {error}");
    let mut command = command(interface, Role::First);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut said = String::new();
    if let Some(stdout) = process.stdout.take() {
        BufReader::new(stdout).read_line(&mut said).map_err(failed)?;
    }
    if said.trim_end() != READY {
        bail!("the process that keeps the kill switch ended ({})", process.wait()?);
    }
    progress(format_args!("[#] # the kill switch is kept by process {}", process.id()));
    Ok(())
}

/// What starts a process that keeps the lock of `interface`, or stands by.
fn command(interface: &str, role: Role) -> Command {
    let mut command = Command::new(own_program());
    command.arg0(KEEPER).args(["-f", "--", interface]).env(BACKGROUND_VARIABLE, role.to_string());
    command
}

/// Keeps the lock of `interface`: what the process does that `start_keeper` starts, and the one that stands by.
///
/// # Errors
/// It cannot be kept.
pub fn keep(interface: &str, role: Role) -> Outcome {
    close_inherited().map_err(|error| anyhow!("cannot close what was left open: {error}"))?;
    // Fails only when we lead a process group already.
    let _ = setsid();
    chdir("/").map_err(|error| anyhow!("cannot leave the current directory: {error}"))?;
    let environment = Environment::read()?;
    let null = open_null()?;
    environment.start_log_in_background()?;
    let another = |role| {
        let mut command = command(interface, role);
        if !environment.keep_stderr {
            // This one may still have the terminal's.
            command.stderr(Stdio::null());
        }
        command
    };
    keeper::keep(interface, role, another, || {
        let _ = writeln!(io::stdout(), "{READY}");
        let _ = io::stdout().flush();
        let _ = let_go(&null, environment.keep_stderr);
    })
    .inspect_err(|fault| tracing::error!("the kill switch of {interface} is kept no longer: {fault}"))?;
    Ok(ExitCode::SUCCESS)
}
