//! `underpass up`: a tunnel with all that belongs to it, from one configuration file.
use super::args::Up;
use super::host::ThisMachine;
use super::wait::Wait;
use super::{Outcome, check, remains};
use crate::confine::capabilities;
use crate::guard::{self, Lock};
use crate::notify;
use crate::quick::process::Process;
use crate::quick::reconcile;
use crate::quick::record::Stage;
use crate::quick::{Action, ConfigFile, Facts, Kept, Plan, Record, Shelf, Step, carry_out, mask, take_down};
use anyhow::bail;
use nix::unistd::geteuid;
use std::io::{self, Write};
use std::process::ExitCode;
use underpass_core::config::QuickConfig;

/// Brings a tunnel up, or says how.
///
/// # Errors
/// The configuration is wrong, or a step failed; then everything is as it was before.
pub fn run(up: &Up) -> Outcome {
    let (file, config) = read(&up.config)?;
    if !up.dry_run {
        require_root()?;
    }
    let switch = guard::steps::wanted(up.kill_switch, &file.name, &config)?;
    if up.dry_run {
        let plan = Plan::up(&file.name, &config, &Facts::gather(&file.name, &config, switch)?);
        return show(plan.steps.iter().map(|step| step.does(&plan.name)));
    }
    let shelf = Shelf::open()?;
    let lock = shelf.lock(&file.name)?;
    let left = remains::clear(&shelf, &file.name)?;
    let wait = Wait::new(up, &config);
    bring_up(&shelf, &file, config, switch, left, None)?;
    notify::ready();
    drop(lock);
    wait.until_connected(&file.name);
    Ok(ExitCode::SUCCESS)
}

/// Brings up the tunnel of `file`, of which nothing is there but what the steps `left` did, with the kill switch
/// `lock`, and keeps a record of it on `shelf`. `login` is the process that logs in for it, if one does.
///
/// # Errors
/// A step failed; then everything is as it was before.
pub fn bring_up(
    shelf: &Shelf,
    file: &ConfigFile,
    config: QuickConfig,
    lock: Option<Lock>,
    left: Vec<Step>,
    login: Option<Process>,
) -> anyhow::Result<()> {
    let facts = Facts::gather(&file.name, &config, lock)?;
    let mut warnings = guard::steps::warnings(&config, &facts);
    warnings.extend(guard::steps::split_warnings(&file.name, &config, &facts)?);
    for warning in warnings {
        let _ = writeln!(io::stderr(), "underpass: warning: {warning}");
    }
    let plan = Plan::up(&file.name, &config, &facts);
    let mut record = Record::new(&plan, file, &config)?;
    record.login = login;
    let planned = record.steps.clone();
    let mut kept = Kept::new(shelf.clone(), record);
    kept.change(|record| record.steps = [&left[..], &planned[..]].concat())?;
    let mark = Some(plan.mark).filter(|mark| *mark != 0);
    let config = QuickConfig { mtu: Some(plan.mtu), fwmark: mark, ..config };
    let mut host = ThisMachine::new(&file.name, &file.path)?.starting(config, kept);
    let mut outcome = carry_out(&plan, &mut host);
    if outcome.is_ok() {
        let is_replaced = |step: &Step| planned.iter().any(|newer| newer.replaces(step));
        let idle: Vec<Step> = left.iter().filter(|step| !is_replaced(step)).cloned().collect();
        let is_clear = reconcile::take_away(&file.name, &idle, &mut host);
        outcome = host.note(|record| {
            record.stage = Stage::Up;
            record.steps = if is_clear { planned } else { [&idle[..], &planned[..]].concat() };
        });
        if outcome.is_err() {
            take_down(&plan.steps, &mut host);
        }
    }
    // What could not be undone is still named, for `down` to try again.
    if outcome.is_err() && !host.has_complained() {
        match left.is_empty() {
            true => shelf.remove(&file.name)?,
            false => host.note(|record| record.leave(left))?,
        }
    }
    outcome
}

/// Reads and checks the configuration that `what` names, and says what is wrong with it.
///
/// # Errors
/// It cannot be read or is wrong.
pub fn read(what: &str) -> anyhow::Result<(ConfigFile, QuickConfig)> {
    let file = ConfigFile::read(what)?;
    if file.is_exposed {
        let _ = writeln!(io::stderr(), "underpass: warning: other users can use {}", file.path.display());
    }
    let parsed = check::parse_here(&file.text);
    let shown = file.path.display().to_string();
    check::report(&shown, &file.text, &parsed);
    let summary = check::summary(&parsed);
    match parsed.config {
        Some(config) => Ok((file, config)),
        None => bail!("{shown}: {summary}"),
    }
}

/// Refuses to go on for anyone but root, and for one who may not do here what root may do.
///
/// # Errors
/// This is not root, or the container keeps it from interfaces and routes.
pub fn require_root() -> anyhow::Result<()> {
    if !geteuid().is_root() {
        bail!("only root may do this");
    }
    // Who cannot be asked is not refused.
    if !capabilities::has(capabilities::NET_ADMIN).unwrap_or(true) {
        bail!("root lacks CAP_NET_ADMIN here: have the container started with `--cap-add NET_ADMIN`");
    }
    Ok(())
}

/// Writes what would be done.
///
/// # Errors
/// Nowhere to write to.
pub fn show(actions: impl Iterator<Item = Action>) -> Outcome {
    let mut stdout = io::stdout().lock();
    for action in actions {
        writeln!(stdout, "{}", mask::command(&action.to_string()))?;
    }
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
