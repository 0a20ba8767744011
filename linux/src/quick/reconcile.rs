//! From what is on the machine to what should be there: the one way that `up`, `down`, `reload` and the start of a tunnel's
//! own program share. Doing it twice is as good as once.
use super::carry_out::Host;
use super::firewall;
use super::plan::Plan;
use super::record::{Record, Stage};
use super::seen::{Seen, index_of};
use super::shelf::{Kept, Shelf};
use super::step::{Family, Step};
use std::ops::Range;

/// How a tunnel stands.
#[derive(Debug)]
pub enum Standing {
    /// There is no record of it.
    Unknown,
    /// `up` brought it up, and its interface is there.
    Up(Kept),
    /// `up` or `down` was ended half-way, or the tunnel's own program was.
    Remains(Kept),
    /// Its interface went without `down`, and another of that name is there.
    Replaced(Kept),
    /// It runs in another network namespace.
    Elsewhere,
}

/// How the tunnel `name` stands.
///
/// # Errors
/// The record cannot be read, or the machine does not tell where this is.
pub fn look(shelf: &Shelf, name: &str) -> anyhow::Result<Standing> {
    let Some(record) = shelf.read(name)? else { return Ok(Standing::Unknown) };
    if !record.is_of_here()? {
        if !record.is_of_earlier_boot()? && record.process.is_some_and(|process| process.runs()) {
            return Ok(Standing::Elsewhere);
        }
        // Whatever it names went with that namespace, or with the last boot.
        shelf.remove(name)?;
        return Ok(Standing::Unknown);
    }
    // The interface of a program that was killed stays for a moment.
    let is_served = record.process.is_none_or(|process| process.runs());
    let is_up = record.stage == Stage::Up && !record.is_ending && is_served;
    let (now, then) = (index_of(name), record.index);
    let kept = Kept::new(shelf.clone(), record);
    Ok(match (now, then) {
        (Some(now), Some(then)) if now != then => Standing::Replaced(kept),
        (Some(_), _) if is_up => Standing::Up(kept),
        _ => Standing::Remains(kept),
    })
}

/// Takes down what the record says, as far as it is there, with the commands of the configuration as they were at `up`;
/// `save` writes back what runs, where that is wanted. What fails is told, and the rest done all the same; `false` when
/// something did. The record goes when nothing is left that it names. Where another `up` follows at once, the steps stay that
/// its own will replace (see [`Step::replaces`]), and the record names those: nothing is open or undone in between.
///
/// # Errors
/// What runs cannot be saved: then it stays up.
pub fn by_record(
    kept: &mut Kept,
    host: &mut dyn Host,
    another_follows: bool,
    save: &mut dyn FnMut(&Record) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let record = kept.record().clone();
    let config = record.config()?;
    let seen = Seen::of(&record.name);
    let is_up = record.stage == Stage::Up && !record.is_ending && seen.has_interface();
    let mut hooks = Plan::pre_down(&record.name, &config);
    let before = hooks.len();
    hooks.extend(Plan::post_down(&record.name, &config));
    if !runs_hooks(&record, &seen) {
        hooks.clear();
    }
    note(kept, host, |record| record.is_ending = true);
    let mut all = run_hooks(kept, host, &hooks, 0..before.min(hooks.len()));
    if config.save_config
        && is_up
        && let Err(fault) = save(&record)
    {
        note(kept, host, |record| (record.is_ending, record.hooks_ended) = (false, 0));
        return Err(fault);
    }
    let (left, gone): (Vec<Step>, Vec<Step>) =
        record.steps.iter().cloned().partition(|step| another_follows && step.replaces(step));
    let is_clear = take_away(&record.name, &gone, host);
    all &= run_hooks(kept, host, &hooks, before.min(hooks.len())..hooks.len());
    let noted = match (is_clear, left.is_empty()) {
        (true, true) => kept.remove(),
        (true, false) => kept.change(|record| record.leave(left)),
        (false, _) => Ok(()),
    };
    if let Err(fault) = noted {
        host.complain(&fault);
        all = false;
    }
    // Commands that undo what was not done yet, or is undone already, may fail.
    Ok(is_clear && (all || !is_up))
}

/// Undoes what is there of `steps` for the interface `name`, the last one first, whatever fails; `false` when something stays.
pub fn take_away(name: &str, steps: &[Step], host: &mut dyn Host) -> bool {
    let mut all = true;
    for step in steps.iter().rev() {
        let Some(action) = step.undoes() else { continue };
        if let Err(fault) = host.perform(&action)
            && (*step == Step::Start || step.is_there(&Seen::of(name)))
        {
            host.complain(&fault);
            all = false;
        }
    }
    all
}

/// Whether the commands PreDown and PostDown are to be run: not when `up` came to none of its own, nor when someone else has
/// taken the tunnel down already, and has run them.
fn runs_hooks(record: &Record, seen: &Seen) -> bool {
    let is_rule = |step: &&Step| matches!(step, Step::DivertRule { .. } | Step::MainRule { .. } | Step::Firewall(_));
    let mut rules = record.steps.iter().filter(is_rule).peekable();
    match record.stage {
        Stage::Starting => record.has_run_hooks,
        Stage::Up if record.is_ending || seen.has_interface() || rules.peek().is_none() => true,
        Stage::Up => rules.any(|step| step.is_there(seen)),
    }
}

/// Runs those of `hooks` in `range` that have not ended yet, and notes each that has.
fn run_hooks(kept: &mut Kept, host: &mut dyn Host, hooks: &[Step], range: Range<usize>) -> bool {
    let mut all = true;
    for index in range {
        if index < kept.record().hooks_ended {
            continue;
        }
        if let Err(fault) = host.perform(&hooks[index].does(&kept.record().name.clone())) {
            host.complain(&fault);
            all = false;
        }
        note(kept, host, |record| record.hooks_ended = index + 1);
    }
    all
}

fn note(kept: &mut Kept, host: &mut dyn Host, change: impl FnOnce(&mut Record)) {
    if let Err(fault) = kept.change(change) {
        host.complain(&fault);
    }
}

/// The steps whose traces of the interface `name` can be told without record and file: its rules in the firewall, and the
/// routing rules that go with the mark in them.
#[must_use]
pub fn traces(name: &str) -> Vec<Step> {
    let rules = firewall::left_behind(name);
    let mut marks: Vec<u32> = rules.iter().map(|rules| rules.mark).filter(|mark| *mark != 0).collect();
    marks.sort_unstable();
    marks.dedup();
    let pair = |table: u32| {
        Family::ALL
            .into_iter()
            .flat_map(move |family| [Step::DivertRule { family, table }, Step::MainRule { family, table }])
    };
    marks.into_iter().flat_map(pair).chain(rules.into_iter().map(Step::Firewall)).collect()
}

/// Does those of `steps` whose traces are missing from the machine, though the interface `name` is up: addresses, routes,
/// rules. What fails is told; `false` when something did.
pub fn ensure(name: &str, steps: &[Step], host: &mut dyn Host) -> bool {
    let seen = Seen::of(name);
    let mut all = true;
    for step in steps {
        let can_go_missing = matches!(step, Step::Address(_) | Step::Route { .. }) || step.leaves_something();
        if can_go_missing
            && *step != Step::Start
            && !step.is_there(&seen)
            && let Err(fault) = host.perform(&step.does(name))
        {
            host.complain(&fault);
            all = false;
        }
    }
    all
}
