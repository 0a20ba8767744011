//! `underpass reload`: leads a running tunnel to what its file says now, without ending its sessions.
use super::args::Tunnel;
use super::host::ThisMachine;
use super::up::{read, require_root};
use super::{Outcome, down, progress, remains};
use crate::control::status::InterfaceStatus;
use crate::control::{client, socket};
use crate::guard::{self, Lock};
use crate::quick::change::{self, Change};
use crate::quick::reconcile::{self, Standing};
use crate::quick::{Action, Facts, Host, Kept, Plan, Record, Shelf, Step};
use anyhow::bail;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::process::ExitCode;
use underpass_core::config::{NewPeer, QuickConfig};

/// Applies what has changed in a tunnel's file. Commands of the configuration are not run.
///
/// # Errors
/// The configuration is wrong, the tunnel does not run, or refuses: then nothing has changed. Part of the change that could
/// not be made is told by the exit status.
pub fn run(tunnel: &Tunnel) -> Outcome {
    let (file, config) = read(&tunnel.config)?;
    require_root()?;
    let shelf = Shelf::open()?;
    let _lock = shelf.lock(&file.name)?;
    let mut kept = match remains::look(&shelf, &file.name)? {
        Standing::Up(kept) => kept,
        _ => bail!("interface `{}` is not up, or was not brought up by `underpass up`", file.name),
    };
    kept.record().refuse_login()?;
    let all = lead(&mut kept, &file.path, &config)?;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Leads the running tunnel of `kept` to `config`, whose commands are those of the file at `path`. `false`: part of that could not
/// be done.
///
/// # Errors
/// The tunnel refuses: then nothing has changed.
pub fn lead(kept: &mut Kept, path: &Path, config: &QuickConfig) -> anyhow::Result<bool> {
    let name = kept.record().name.clone();
    let status = down::ask(&name)?;
    let switch = Switch::find(kept.record(), config)?;
    let (old, new) = plans(kept.record(), config, &status, &switch)?;
    let change = Change::between(&old, &new);
    // Whatever ends this half-way: all that may be there is named.
    let old_and_new = union(&kept.record().steps, &new);
    kept.change(|record| record.steps = old_and_new)?;
    let request = change::request(&status, config, new.mark, |host, port| places(&name, &switch, host, port));
    if !request.is_empty() {
        progress(format_args!("[#] # change the running tunnel"));
        if let Err(fault) = client::change(&socket::directory(), &name, &request) {
            let steps = old.into_iter().filter(Step::leaves_something).collect();
            kept.change(|record| record.steps = steps)?;
            return Err(fault.into());
        }
    }
    let mut host = ThisMachine::new(&name, path)?;
    let all = carry_out(&change, &new, &mut host);
    super::guard::have_kept(&name)?;
    super::guard::tell(switch.before.as_ref(), guard::lock_of(&name)?.as_ref());
    finish(kept, config, &new, all)?;
    Ok(all)
}

/// The kill switch as it is, and as it is to be.
struct Switch {
    before: Option<Lock>,
    after: Option<Lock>,
}

impl Switch {
    fn find(record: &Record, config: &QuickConfig) -> anyhow::Result<Self> {
        let after = guard::steps::changed(&record.name, &record.config()?, config)?;
        // One that is replaced by another is not removed.
        let before = guard::lock_of(&record.name)?.map(|lock| Lock { stays: after.is_some(), ..lock });
        Ok(Self { before, after })
    }
}

/// The steps that made what runs, and the plan for what the file says now, with the mark that was chosen before. Warns of what is
/// to come.
fn plans(
    record: &Record,
    config: &QuickConfig,
    status: &InterfaceStatus,
    switch: &Switch,
) -> anyhow::Result<(Vec<Step>, Plan)> {
    let mut facts = Facts::gather(&record.name, config, switch.after.clone())?;
    let mut warnings = guard::steps::split_warnings(&record.name, config, &facts)?;
    if guard::steps::told(switch.before.as_ref(), switch.after.as_ref()).is_some() {
        warnings.extend(guard::steps::warnings(config, &facts));
    }
    for warning in warnings {
        let _ = writeln!(io::stderr(), "underpass: warning: {warning}");
    }
    if record.mark != 0 && config.fwmark.is_none() {
        facts.go_by(record.mark);
    }
    let program = record.steps.iter().find_map(|step| match step {
        Step::Firewall(firewall) => Some(firewall.program),
        _ => None,
    });
    facts.firewall = program.unwrap_or(facts.firewall);
    let mut running = record.config()?;
    running.tunnel.peers = status
        .peers
        .iter()
        .map(|peer| NewPeer { allowed_ips: peer.allowed_ips.clone(), ..NewPeer::new(peer.public_key) })
        .collect();
    let table = if record.mark == 0 { facts.table } else { record.mark };
    let guard = switch.before.clone();
    let before = Plan::up(&record.name, &running, &Facts { table, guard, ..facts.clone() });
    let mut old: Vec<Step> = before.steps.into_iter().filter(|step| !step.leaves_something()).collect();
    old.extend(record.steps.iter().cloned());
    Ok((old, Plan::up(&record.name, config, &facts)))
}

fn union(old: &[Step], new: &Plan) -> Vec<Step> {
    let newer = new.steps.iter().filter(|step| step.leaves_something() && !old.contains(step));
    old.iter().chain(newer).cloned().collect()
}

/// Goes through `change`, and then sees that all of `new` is there: some of what was removed took more along.
fn carry_out(change: &Change, new: &Plan, host: &mut ThisMachine) -> bool {
    let mut all = true;
    let added = change.added.iter().map(|step| step.does(&new.name));
    let removed = change.removed.iter().rev().filter_map(|step| step.withdraws(&new.name));
    for action in added.chain(removed).collect::<Vec<Action>>() {
        if let Err(fault) = host.perform(&action) {
            host.complain(&fault);
            all = false;
        }
    }
    let expected: Vec<Step> = new.steps.iter().filter(|step| !matches!(step, Step::Dns { .. })).cloned().collect();
    all & reconcile::ensure(&new.name, &expected, host)
}

/// Notes what is there now. The commands stay those of `up`: what it ran is undone by them.
fn finish(kept: &mut Kept, config: &QuickConfig, new: &Plan, all: bool) -> anyhow::Result<()> {
    let before = kept.record().config()?;
    let mut config = QuickConfig {
        pre_up: before.pre_up,
        post_up: before.post_up,
        pre_down: before.pre_down,
        post_down: before.post_down,
        ..config.clone()
    };
    if !all {
        // What the file says of it is tried anew the next time.
        config.linux.kill_switch = before.linux.kill_switch;
    }
    let everything = kept.record().steps.clone();
    kept.change(|record| {
        record.describe(new, &config);
        if !all {
            record.steps = everything;
        }
    })
}

/// Where a name is, for a peer of the interface `name` that is not known yet or has another one now.
fn places(name: &str, switch: &Switch, host: &str, port: u16) -> Vec<SocketAddr> {
    if switch.before.is_some() {
        return guard::names::of(name).look_up(host, port, (true, true)).into_iter().collect();
    }
    match (host, port).to_socket_addrs() {
        Ok(places) => places.collect(),
        Err(_) => {
            let _ = writeln!(io::stderr(), "underpass: warning: the name of an endpoint could not be resolved");
            Vec::new()
        }
    }
}
