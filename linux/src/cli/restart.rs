//! `underpass restart`: takes a tunnel down and brings it up from its file.
use super::args::Tunnel;
use super::host::exists;
use super::up::{bring_up, read, require_root};
use super::{Outcome, down, remains};
use crate::guard;
use crate::quick::{Facts, Shelf};
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
    if exists(&file.name) {
        Facts::gather(&file.name, &config, guard::lock_of(&file.name)?)?;
        if !down::take_down_tunnel(&shelf, &tunnel.config, &file.name, true)? {
            bail!("interface `{}` could not be taken down as a whole", file.name);
        }
    }
    let left = remains::clear(&shelf, &file.name)?;
    // What ran may have been saved to it.
    let (file, config) = if config.save_config { read(&tunnel.config)? } else { (file, config) };
    // The kill switch stays all the while.
    let lock = guard::steps::wanted(None, &file.name, &config)?;
    bring_up(&shelf, &file, config, lock, left)?;
    Ok(ExitCode::SUCCESS)
}
