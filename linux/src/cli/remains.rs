//! What a run that was cut short left behind is taken away before the next.
use super::down;
use super::host::{ThisMachine, exists};
use crate::quick::reconcile::{self, Standing};
use crate::quick::{Host, Shelf, Step, file, shelf, take_down};
use anyhow::bail;
use nix::unistd::geteuid;
use std::io::{self, Write};
use std::path::Path;

/// How the tunnel `name` stands. A record that cannot be used is told of and removed: what it named is looked for.
///
/// # Errors
/// The machine does not tell, or the record stays.
pub fn look(shelf: &Shelf, name: &str) -> anyhow::Result<Standing> {
    reconcile::look(shelf, name).or_else(|fault| {
        let _ = writeln!(io::stderr(), "underpass: {fault}");
        shelf.remove(name)?;
        Ok(Standing::Unknown)
    })
}

/// Makes way for a new tunnel `name`: takes away what an earlier one left behind, but for the steps that it returns. Those the
/// new one shall replace, or undo.
///
/// # Errors
/// There is an interface of that name, or something of an earlier one stays.
pub fn clear(shelf: &Shelf, name: &str) -> anyhow::Result<Vec<Step>> {
    let is_clear = match look(shelf, name)? {
        Standing::Elsewhere => bail!("interface `{name}` runs in another network namespace"),
        Standing::Remains(kept) => down::by_record(kept, false, true)?,
        _ if exists(name) => bail!("interface `{name}` exists already"),
        _ => clear_traces(name)?,
    };
    stays(name, is_clear)?;
    Ok(shelf.read(name)?.map(|record| record.steps).unwrap_or_default())
}

/// The same before a tunnel that is not configured by us: only where there is a record.
///
/// # Errors
/// Something of an earlier one stays.
pub fn clear_before_start(name: &str) -> anyhow::Result<()> {
    if !geteuid().is_root() || file::name_of(name).is_err() || !Path::new(&shelf::directory()).exists() {
        return Ok(());
    }
    let shelf = Shelf::open()?;
    // Where `up` is at work, it sees to that.
    let Ok(_lock) = shelf.lock(name) else { return Ok(()) };
    match look(&shelf, name)? {
        Standing::Remains(kept) => stays(name, down::by_record(kept, false, false)?),
        _ => Ok(()),
    }
}

fn stays(name: &str, is_clear: bool) -> anyhow::Result<()> {
    match is_clear {
        true => Ok(()),
        false => bail!("what an earlier `{name}` left behind cannot be taken away"),
    }
}

/// Takes away what can be told without a record; `false` when something stays.
///
/// # Errors
/// Signals cannot be watched.
pub fn clear_traces(name: &str) -> anyhow::Result<bool> {
    let traces = reconcile::traces(name);
    let mut host = ThisMachine::new(name, Path::new(""))?;
    Ok(traces.is_empty() || {
        let all = take_down(&traces, &mut host as &mut dyn Host);
        all && reconcile::traces(name).is_empty()
    })
}
