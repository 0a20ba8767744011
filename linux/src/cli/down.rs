//! `underpass down`: takes away what `up`, or wg-quick(8), brought up.
use super::args::Down;
use super::host::{ThisMachine, exists};
use super::up::{read, require_root, show};
use super::{Outcome, force, guard, remains, save};
use crate::control::client::AskError;
use crate::control::status::InterfaceStatus;
use crate::control::{client, socket};
use crate::quick::file::name_of;
use crate::quick::reconcile::{self, Standing};
use crate::quick::{Action, Facts, Kept, Plan, Record, Shelf, Step, take_down};
use anyhow::{anyhow, bail};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use underpass_core::config::QuickConfig;
use underpass_core::limits::DEFAULT_MTU;

/// How long a program that was killed takes to end, at most.
const DEATH: Duration = Duration::from_secs(2);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(20);

/// Takes a tunnel down, or says how. What fails is told, and the rest done all the same.
///
/// # Errors
/// There is no such tunnel, or part of it could not be taken down.
pub fn run(down: &Down) -> Outcome {
    let name = name_of(&down.config)?;
    if down.dry_run {
        return show(planned(&down.config, &name)?.into_iter());
    }
    require_root()?;
    let shelf = Shelf::open()?;
    let _lock = shelf.lock(&name)?;
    let all = match down.force {
        true => end_by_force(&shelf, &down.config, &name)?,
        false => take_down_tunnel(&shelf, &down.config, &name, false)?,
    };
    if !down.keep_lock {
        // At the very end: until here nothing has left.
        guard::open(&name)?;
    }
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The same for a tunnel whose program hangs: that is not asked, but killed.
fn end_by_force(shelf: &Shelf, what: &str, name: &str) -> anyhow::Result<bool> {
    let was_killed = force::end(name)?;
    match remains::look(shelf, name)? {
        Standing::Up(kept) | Standing::Remains(kept) => by_record(kept, true, false),
        Standing::Elsewhere => bail!("interface `{name}` runs in another network namespace"),
        Standing::Replaced(kept) if was_killed => Ok(forget(&kept)? & after_kill(what)?),
        Standing::Unknown if was_killed => after_kill(what),
        Standing::Replaced(_) | Standing::Unknown => take_down_tunnel(shelf, what, name, false),
    }
}

/// Its program was killed, and there is no record: what is left is found by its traces, and by what the configuration says.
fn after_kill(what: &str) -> anyhow::Result<bool> {
    let name = name_of(what)?;
    let mut all = remains::clear_traces(&name)?;
    let (file, config) = read(what)?;
    let mut steps = plan(&name, &config, 0).steps;
    steps.retain(|step| matches!(step, Step::Dns { .. }));
    let mut host = ThisMachine::new(&name, &file.path)?;
    all &= take_down(&steps, &mut host);
    all &= host.run_hooks(&Plan::post_down(&name, &config));
    Ok(all)
}

/// Takes the tunnel `name` down: by its record, or, where there is none, by the file that `what` names. `false` when part of
/// that failed. Where another `up` follows at once, what it will replace stays.
///
/// # Errors
/// There is no such tunnel, or it has to stay.
pub fn take_down_tunnel(shelf: &Shelf, what: &str, name: &str, another_follows: bool) -> anyhow::Result<bool> {
    match remains::look(shelf, name)? {
        Standing::Up(kept) => match client::status(&socket::directory(), name) {
            Err(fault @ AskError::NoAnswer { .. }) if !dies(&kept) => Err(hangs(&fault)),
            _ => by_record(kept, false, another_follows),
        },
        Standing::Remains(kept) => by_record(kept, false, another_follows),
        Standing::Elsewhere => bail!("interface `{name}` runs in another network namespace"),
        Standing::Replaced(kept) => Ok(forget(&kept)? & by_file(what)?),
        Standing::Unknown => by_file(what),
    }
}

/// Takes down what `kept` names; when `is_forced`, the tunnel's program is not asked for anything, but killed. `false` when
/// part of that failed.
///
/// # Errors
/// What runs cannot be saved: then it stays up.
pub fn by_record(mut kept: Kept, is_forced: bool, another_follows: bool) -> anyhow::Result<bool> {
    let record = kept.record();
    let mut host = ThisMachine::new(&record.name, &record.file)?.ending(record.process, is_forced);
    let mut save = |record: &Record| if is_forced { Ok(()) } else { save::before_down(record) };
    reconcile::by_record(&mut kept, &mut host, another_follows, &mut save)
}

/// Whether the tunnel's program was killed just now: it answers no more, and ends in a moment.
fn dies(kept: &Kept) -> bool {
    let Some(process) = kept.record().process else { return false };
    let until = Instant::now() + DEATH;
    while process.runs() {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(GLANCE);
    }
    true
}

/// Another interface has the name now. Of the one before, only its rules may be left.
fn forget(kept: &Kept) -> anyhow::Result<bool> {
    let record = kept.record();
    let mark = ask(&record.name).map_or(0, |status| status.fwmark);
    let mut steps = record.steps.clone();
    steps.retain(|step| match step {
        Step::DivertRule { table, .. } | Step::MainRule { table, .. } => *table != mark,
        _ => false,
    });
    let all = take_down(&steps, &mut ThisMachine::new(&record.name, &record.file)?);
    kept.remove()?;
    Ok(all)
}

/// The state of interface `name`.
///
/// # Errors
/// It is not there, or does not answer.
pub fn ask(name: &str) -> anyhow::Result<InterfaceStatus> {
    let answer = client::status(&socket::directory(), name)?;
    InterfaceStatus::parse(name, &answer)
        .map_err(|fault| anyhow!("interface `{name}` answers what makes no sense: {fault}"))
}

/// Takes down what wg-quick(8) brought up: it is found by the mark it chose, and by what the configuration says.
fn by_file(what: &str) -> anyhow::Result<bool> {
    let (file, config) = read(what)?;
    let answer = match client::status(&socket::directory(), &file.name) {
        Ok(answer) => answer,
        Err(fault) => return by_traces(&file.name, fault),
    };
    let status = InterfaceStatus::parse(&file.name, &answer)
        .map_err(|fault| anyhow!("interface `{}` answers what makes no sense: {fault}", file.name))?;
    let mut plan = plan(&file.name, &config, status.fwmark);
    if status.fwmark == 0 {
        // Without a mark it has no rules: those that look like it belong to another.
        plan.steps.retain(|step| !matches!(step, Step::DivertRule { .. } | Step::MainRule { .. }));
    }
    let mut host = ThisMachine::new(&file.name, &file.path)?;
    let mut all = host.run_hooks(&Plan::pre_down(&file.name, &config));
    if config.save_config {
        save::before(&file.path, &config, &status)?;
    }
    all &= take_down(&plan.steps, &mut host);
    // What another program put into the firewall than the one that would be used today.
    all &= take_down(&reconcile::traces(&file.name), &mut host);
    all &= host.run_hooks(&Plan::post_down(&file.name, &config));
    Ok(all)
}

fn plan(name: &str, config: &QuickConfig, mark: u32) -> Plan {
    // The MTU plays no part in taking down.
    let config = QuickConfig { mtu: Some(DEFAULT_MTU), ..config.clone() };
    Plan::up(name, &config, &Facts::of_running(name, mark))
}

/// The tunnel's program died and took the interface with it, but not the rules around it: the firewall tells which.
fn by_traces(name: &str, fault: AskError) -> anyhow::Result<bool> {
    if exists(name) {
        return Err(hangs(&fault));
    }
    if reconcile::traces(name).is_empty() {
        return Err(fault.into());
    }
    remains::clear_traces(name)
}

fn hangs(fault: &AskError) -> anyhow::Error {
    anyhow!("{fault}; `underpass down --force` ends its program")
}

/// What would be done.
fn planned(what: &str, name: &str) -> anyhow::Result<Vec<Action>> {
    let recorded = Shelf::find()?.map(|shelf| shelf.read(name)).transpose()?.flatten();
    let (config, steps) = match recorded {
        Some(record) => (record.config()?, record.steps),
        None => {
            let (_, config) = read(what)?;
            let mark = ask(name).map_or(0, |status| status.fwmark);
            let mark = config.fwmark.filter(|_| mark == 0).unwrap_or(mark);
            let mark = if mark == 0 { Facts::gather(name, &config, crate::guard::lock_of(name)?)?.table } else { mark };
            let steps = plan(name, &config, mark).steps;
            (config, steps)
        }
    };
    let does = |steps: Vec<Step>| steps.into_iter().map(|step| step.does(name)).collect::<Vec<_>>();
    let undoes = steps.iter().rev().filter_map(Step::undoes);
    Ok(does(Plan::pre_down(name, &config))
        .into_iter()
        .chain(undoes)
        .chain(does(Plan::post_down(name, &config)))
        .collect())
}
