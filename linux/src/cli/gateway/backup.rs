//! `underpass gateway backup` and `restore`: copies of the store, and their way back.
use super::super::Outcome;
use super::Place;
use crate::gateway::config;
use anyhow::{anyhow, bail};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use underpass_gateway::Time;
use underpass_gateway::settings::StorePlace;
use underpass_gateway::store::sqlite::{Keep, Sqlite};

/// Writes a copy of the store to the file `to`.
///
/// # Errors
/// There is such a file, or it cannot be written.
pub(super) fn copy(place: &Place, to: &Path) -> Outcome {
    let path = database(place)?;
    // What sessions have left is in the file, whatever this program keeps.
    let store = Sqlite::open(&path, Keep::Traces);
    let copied = store.and_then(|store| store.copy_to(to));
    copied.map_err(|error| anyhow!("cannot copy the store to {}: {error}", to.display()))?;
    let mut stdout = io::stdout().lock();
    if place.json {
        writeln!(stdout, "{}", serde_json::json!({ "copy": to }))?;
    } else {
        writeln!(stdout, "wrote {}; it has password hashes and the secrets of one-time codes in it", to.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Puts the copy `from` in the place of the store.
///
/// # Errors
/// A program has the store open, or the copy is none.
pub(super) fn restore(place: &Place, from: &Path) -> Outcome {
    let path = database(place)?;
    let voided = Sqlite::restore(from, &path, Time::now());
    let voided = voided.map_err(|error| anyhow!("cannot put {} back: {error}", from.display()))?;
    let mut stdout = io::stdout().lock();
    if place.json {
        writeln!(stdout, "{}", serde_json::to_string(&voided)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(stdout, "{} is in the place of {}", from.display(), path.display())?;
    for (count, what) in [
        (voided.sessions, "sessions"),
        (voided.enrolments, "enrolments"),
        (voided.recovery_codes, "recovery codes"),
        (voided.counters, "tokens that count, instead of looking at a clock"),
    ] {
        writeln!(stdout, "  void: {count} {what}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of the store.
fn database(place: &Place) -> anyhow::Result<PathBuf> {
    match config::settings(&place.config)?.store {
        StorePlace::Sqlite(path) => Ok(path),
        StorePlace::Postgres { .. } => bail!("the store is in PostgreSQL: its own programs copy it"),
    }
}
