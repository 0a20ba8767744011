//! `underpass down`: takes away what `up`, or wg-quick(8), brought up.
use super::args::Down;
use super::host::{ThisMachine, exists};
use super::up::{read, require_root, show};
use super::{Outcome, progress};
use crate::control::client::AskError;
use crate::control::status::InterfaceStatus;
use crate::control::{client, socket};
use crate::guard;
use crate::quick::{ConfigFile, Facts, Plan, Step, firewall, save, take_down};
use anyhow::{anyhow, bail};
use std::process::ExitCode;
use underpass_core::config::QuickConfig;
use underpass_core::limits::DEFAULT_MTU;

/// Takes a tunnel down, or says how. What fails is told, and the rest done all the same.
///
/// # Errors
/// There is no such tunnel, or part of it could not be taken down.
pub fn run(down: &Down) -> Outcome {
    let (file, config) = read(&down.config)?;
    let (before, after) = (Plan::pre_down(&file.name, &config), Plan::post_down(&file.name, &config));
    if down.dry_run {
        let steps = plan(&file.name, &config, None, down.keep_lock)?.steps;
        let hooks = |steps: &[Step]| steps.iter().map(|step| step.does(&file.name)).collect::<Vec<_>>();
        return show(
            hooks(&before).into_iter().chain(steps.iter().rev().filter_map(Step::undoes)).chain(hooks(&after)),
        );
    }
    require_root()?;
    let answer = match client::status(&socket::directory(), &file.name) {
        Ok(answer) => answer,
        Err(fault) => return take_down_remains(&file.name, &config, fault, down.keep_lock),
    };
    let status = InterfaceStatus::parse(&file.name, &answer)
        .map_err(|fault| anyhow!("interface `{}` answers what makes no sense: {fault}", file.name))?;
    let mut plan = plan(&file.name, &config, Some(status.fwmark), down.keep_lock)?;
    if status.fwmark == 0 {
        // Without a mark it has no rules: those that look like it belong to another.
        plan.steps.retain(|step| !matches!(step, Step::DivertRule { .. } | Step::MainRule { .. }));
    }
    let mut host = ThisMachine::new(&file.name, None)?;
    let mut all = host.run_hooks(&before);
    if config.save_config {
        save_config(&file, &config, &status)?;
    }
    all &= take_down(&plan.steps, &mut host);
    all &= host.run_hooks(&after);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What `up` did: it is found by the mark it chose, and by what the configuration says.
fn plan(name: &str, config: &QuickConfig, mark: Option<u32>, keep_lock: bool) -> anyhow::Result<Plan> {
    // The MTU plays no part in taking down, and finding it out may take time.
    let config = QuickConfig { mtu: Some(DEFAULT_MTU), ..config.clone() };
    let lock = guard::lock_of(name)?.map(|lock| guard::Lock { stays: keep_lock, ..lock });
    let mut facts = Facts::gather(name, &config, lock)?;
    facts.go_by(mark.filter(|mark| *mark != 0).unwrap_or(facts.table));
    Ok(Plan::up(name, &config, &facts))
}

fn save_config(file: &ConfigFile, config: &QuickConfig, status: &InterfaceStatus) -> anyhow::Result<()> {
    progress(format_args!("[#] # save the running configuration to {}", file.path.display()));
    // The only copy of what would be saved is the running tunnel: it stays.
    save::save(file, config, status)
        .map_err(|fault| anyhow!("the tunnel stays up, because what it runs with cannot be saved: {fault}"))
}

/// The tunnel's program died and took the interface with it, but not the rules around it: the firewall tells which.
fn take_down_remains(name: &str, config: &QuickConfig, fault: AskError, keep_lock: bool) -> Outcome {
    let mark = firewall::mark_left_behind(name).or(guard::lock_of(name)?.map(|lock| lock.mark));
    if exists(name) || mark.is_none() {
        return Err(fault.into());
    }
    let mut steps = plan(name, config, mark, keep_lock)?.steps;
    steps.retain(|step| *step != Step::Start);
    take_down(&steps, &mut ThisMachine::new(name, None)?);
    bail!("{fault}; the rules it left behind are removed")
}
