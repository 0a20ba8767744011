//! `underpass down`: takes away what `up`, or wg-quick(8), brought up.
use super::args::Down;
use super::host::{ThisMachine, exists};
use super::up::{read, require_root, show};
use super::{Outcome, force, progress};
use crate::control::client::AskError;
use crate::control::status::InterfaceStatus;
use crate::control::{client, socket};
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
        let steps = plan(&file.name, &config, None)?.steps;
        let hooks = |steps: &[Step]| steps.iter().map(|step| step.does(&file.name)).collect::<Vec<_>>();
        return show(
            hooks(&before).into_iter().chain(steps.iter().rev().filter_map(Step::undoes)).chain(hooks(&after)),
        );
    }
    require_root()?;
    if down.force && force::end(&file.name)? {
        return take_down_killed(&file.name, &config, &after);
    }
    let answer = match client::status(&socket::directory(), &file.name) {
        Ok(answer) => answer,
        Err(fault) => return take_down_remains(&file.name, &config, fault),
    };
    let status = InterfaceStatus::parse(&file.name, &answer)
        .map_err(|fault| anyhow!("interface `{}` answers what makes no sense: {fault}", file.name))?;
    let mut plan = plan(&file.name, &config, Some(status.fwmark))?;
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
fn plan(name: &str, config: &QuickConfig, mark: Option<u32>) -> anyhow::Result<Plan> {
    // The MTU plays no part in taking down, and finding it out may take time.
    let config = QuickConfig { mtu: Some(DEFAULT_MTU), ..config.clone() };
    let mut facts = Facts::gather(name, &config)?;
    facts.table = mark.filter(|mark| *mark != 0).unwrap_or(facts.table);
    Ok(Plan::up(name, &config, &facts))
}

fn save_config(file: &ConfigFile, config: &QuickConfig, status: &InterfaceStatus) -> anyhow::Result<()> {
    progress(format_args!("[#] # save the running configuration to {}", file.path.display()));
    // The only copy of what would be saved is the running tunnel: it stays.
    save::save(file, config, status)
        .map_err(|fault| anyhow!("the tunnel stays up, because what it runs with cannot be saved: {fault}"))
}

/// The tunnel's program was killed. What it ran with is not known, but the firewall tells its mark.
fn take_down_killed(name: &str, config: &QuickConfig, after: &[Step]) -> Outcome {
    let mark = firewall::mark_left_behind(name);
    let mut steps = plan(name, config, mark)?.steps;
    steps.retain(|step| match step {
        Step::Start => false,
        Step::DivertRule { .. } | Step::MainRule { .. } | Step::Firewall(_) => mark.is_some(),
        _ => true,
    });
    let mut host = ThisMachine::new(name, None)?;
    let all = take_down(&steps, &mut host) & host.run_hooks(after);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The tunnel's program died and took the interface with it, but not the rules around it: the firewall tells which.
fn take_down_remains(name: &str, config: &QuickConfig, fault: AskError) -> Outcome {
    let mark = firewall::mark_left_behind(name);
    if exists(name) {
        bail!("{fault}; `underpass down --force` ends its program");
    }
    if mark.is_none() {
        return Err(fault.into());
    }
    let mut steps = plan(name, config, mark)?.steps;
    steps.retain(|step| *step != Step::Start);
    take_down(&steps, &mut ThisMachine::new(name, None)?);
    bail!("{fault}; the rules it left behind are removed")
}
