//! `underpass up`: a tunnel with all that belongs to it, from one configuration file.
use super::args::Up;
use super::host::{ThisMachine, exists};
use super::{Outcome, check};
use crate::guard;
use crate::quick::{Action, ConfigFile, Facts, Plan, carry_out, mask};
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
    let (file, mut config) = read(&up.config)?;
    if !up.dry_run {
        require_root()?;
        if exists(&file.name) {
            bail!("interface `{}` exists already", file.name);
        }
    }
    let lock = guard::steps::wanted(up.kill_switch, &file.name, &config)?;
    let mut warnings = guard::steps::warnings(lock.as_ref(), &config);
    let facts = Facts::gather(&file.name, &config, lock)?;
    warnings.extend(guard::steps::split_warnings(&file.name, &config, &facts)?);
    for warning in warnings {
        let _ = writeln!(io::stderr(), "underpass: warning: {warning}");
    }
    let plan = Plan::up(&file.name, &config, &facts);
    if up.dry_run {
        return show(plan.steps.iter().map(|step| step.does(&plan.name)));
    }
    config.mtu = Some(plan.mtu);
    config.fwmark = Some(plan.mark).filter(|mark| *mark != 0);
    let mut host = ThisMachine::new(&file.name, Some(config))?;
    carry_out(&plan, &mut host)?;
    Ok(ExitCode::SUCCESS)
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

/// Refuses to go on for anyone but root.
///
/// # Errors
/// This is not root.
pub fn require_root() -> anyhow::Result<()> {
    if geteuid().is_root() { Ok(()) } else { bail!("only root may do this") }
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
