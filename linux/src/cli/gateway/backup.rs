//! `underpass gateway backup` and `restore`: copies of the store, and their way back.
use super::super::Outcome;
use super::{Place, office};
use crate::gateway::{config, places};
use anyhow::{anyhow, bail};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use underpass_gateway::Time;
use underpass_gateway::audit::{Event, Text};
use underpass_gateway::settings::{Settings, StorePlace};
use underpass_gateway::store::Voided;
use underpass_gateway::store::sqlite::{Keep, Sqlite};

/// Writes a copy of the store to the file `to`.
///
/// # Errors
/// There is such a file, or it cannot be written.
pub(super) fn copy(place: &Place, to: &Path) -> Outcome {
    let path = database(&config::settings(&place.config)?)?;
    // The copy has what is in the file, at whatever level the gateway runs.
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

/// Puts the copy `from` in the place of the store, and records that.
///
/// # Errors
/// A program has the store open, the copy is none, or nothing can be recorded.
pub(super) fn restore(place: &Place, from: &Path) -> Outcome {
    let settings = config::settings(&place.config)?;
    let (path, at) = (database(&settings)?, Time::now());
    // First, so that nothing is restored that could not be recorded.
    let mut recorder = places::recorder(&settings, at)?;
    let hold = recorder.hold()?;
    recorder.is_ready(&hold, at)?;
    let voided = Sqlite::restore(from, &path, at);
    let voided = voided.map_err(|error| anyhow!("cannot put {} back: {error}", from.display()))?;
    let Voided { sessions, enrolments, recovery_codes, counters } = voided;
    let actor = Text::new(&office::actor());
    let event = Event::StoreRestored { actor, sessions, enrolments, recovery_codes, counters };
    let recorded = recorder.emit_in(&hold, at, event).and_then(|()| recorder.sync());
    drop(hold);
    let recorded = recorded.and_then(|()| recorder.checkpoint(at));
    recorded.map_err(|error| anyhow!("done, but not recorded: {error}"))?;
    let mut stdout = io::stdout().lock();
    if place.json {
        writeln!(stdout, "{}", serde_json::to_string(&voided)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(stdout, "{} is in the place of {}", from.display(), path.display())?;
    for (count, what) in [
        (sessions, "sessions"),
        (enrolments, "enrolments"),
        (recovery_codes, "recovery codes"),
        (counters, "counter-based one-time codes (HOTP)"),
    ] {
        writeln!(stdout, "  void: {count} {what}")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The file of the store.
fn database(settings: &Settings) -> anyhow::Result<PathBuf> {
    match &settings.store {
        StorePlace::Sqlite(path) => Ok(path.clone()),
        StorePlace::Postgres { .. } => bail!("the store is in PostgreSQL: its own programs copy it"),
    }
}
