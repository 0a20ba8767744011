//! `underpass restart`: takes a tunnel down and brings it up from its file.
use super::args::Tunnel;
use super::host::exists;
use super::up::{bring_up, read, require_root};
use super::{Outcome, down, remains};
use crate::guard::{self, Lock};
use crate::quick::{Facts, Record, Shelf};
use anyhow::bail;
use std::process::ExitCode;

/// Restarts a tunnel; one that does not run is brought up.
///
/// # Errors
/// The configuration is wrong or a program is missing: then what runs goes on. Or a step failed.
pub fn run(tunnel: &Tunnel) -> Outcome {
    let (file, config) = read(&tunnel.config)?;
    require_root()?;
    let shelf = Shelf::open()?;
    let _lock = shelf.lock(&file.name)?;
    let mut before = guard::lock_of(&file.name)?;
    // One that cannot be used is told of below.
    let record = shelf.read(&file.name).unwrap_or_default();
    record.as_ref().map_or(Ok(()), Record::refuse_login)?;
    let mut switch = match record.as_ref().filter(|_| exists(&file.name)) {
        Some(record) => guard::steps::changed(&file.name, &record.config()?, &config)?,
        None => guard::steps::wanted(None, &file.name, &config)?,
    };
    if exists(&file.name) {
        let facts = Facts::gather(&file.name, &config, switch.clone())?;
        guard::steps::split_warnings(&file.name, &config, &facts)?;
        if let Some(lock) = switch.as_mut().filter(|_| before.is_none()) {
            // Before anything is taken down, so that nothing leaves meanwhile. It goes by the mark that the tunnel has.
            let mark = record.map_or(0, |record| record.mark);
            lock.mark = [lock.mark, mark, facts.table].into_iter().find(|mark| *mark != 0).unwrap_or_default();
            super::guard::close(lock)?;
            lock.stays = true;
            super::guard::tell(before.as_ref(), Some(lock));
            before = Some(lock.clone());
        }
        if !down::take_down_tunnel(&shelf, &tunnel.config, &file.name, true)? {
            bail!("interface `{}` could not be taken down as a whole", file.name);
        }
    }
    let left = remains::clear(&shelf, &file.name)?;
    // What ran may have been saved to it.
    let (file, config) = if config.save_config { read(&tunnel.config)? } else { (file, config) };
    // The kill switch stays all the while, and goes at the end where it is not wanted any more.
    let is_wanted = switch.is_some();
    let renewed = |lock: Lock| guard::steps::renewed(Some(lock.clone()), &file.name, &config, lock.lan);
    let switch = switch.map(|lock| Lock { stays: lock.stays, ..renewed(lock) });
    bring_up(&shelf, &file, config, switch, left, None)?;
    if !is_wanted {
        super::guard::open(&file.name)?;
    }
    super::guard::tell(before.as_ref(), guard::lock_of(&file.name)?.as_ref());
    Ok(ExitCode::SUCCESS)
}
