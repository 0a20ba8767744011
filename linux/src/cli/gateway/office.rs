//! `underpass user`, `group`, `session`, `rules` and `audit`.
use super::super::secret::Asked;
use super::super::{Outcome, drawing};
use super::{Place, Task};
use crate::gateway::{config, keys, local, places};
use anyhow::anyhow;
use nix::unistd::{Uid, User};
use std::env;
use std::io;
use std::process::ExitCode;
use underpass_gateway::Time;
use underpass_gateway::admin::Office;
use underpass_gateway::audit::Text;
use underpass_gateway::command::{CommandError, Desk, Entrance};
use underpass_gateway::password::Cost;

/// Set by sudo(8): who became root.
const BEHIND_ROOT: &str = "SUDO_USER";

/// Does `task` at the gateway of `place`.
///
/// # Errors
/// What the user reads.
pub(super) fn run(place: &Place, task: &Task) -> Outcome {
    let settings = config::settings(&place.config)?;
    let at = Time::now();
    let is_about_audit = matches!(task, Task::Audit { .. });
    if is_about_audit && settings.log.file.is_none() {
        return Err(anyhow!("{}: [log] has no file, so there is no audit log", place.config.display()));
    }
    // Who looks at the log does not write to it, nor who asks about rules.
    let only_looks = is_about_audit || matches!(task, Task::Rules { .. });
    let mut recorder = if only_looks { places::no_recorder()? } else { places::recorder(&settings, at)? };
    let mut store = places::store(&settings)?;
    let mut asked = Asked::default();
    let mut stdout = io::stdout().lock();
    let public_key = || {
        let key = keys::private_key(&settings.private_key_file).map_err(io::Error::other)?;
        Ok(key.public_key())
    };
    let mut desk = Desk {
        office: Office {
            store: &mut *store,
            recorder: &mut recorder,
            actor: Text::new(&actor()),
            gateway: settings.name.clone(),
            at,
        },
        audit: settings.log.file.clone().unwrap_or_default(),
        checkpoints: if is_about_audit { places::checkpoints(&settings)? } else { None },
        settings: Some(&settings),
        seconds_ahead: local::seconds_ahead().unwrap_or_default(),
        cost: Cost::default(),
        entrance: Entrance {
            public_key: &public_key,
            endpoint: settings.endpoint.clone(),
            addresses: settings.addresses.clone(),
            draw: &drawing::draw,
        },
        ask: &mut |question| asked.ask(question),
        out: &mut stdout,
        json: place.json,
    };
    match task.run(&mut desk) {
        Ok(()) => {}
        // A reader that has seen enough is no fault.
        Err(CommandError::Talk(error)) => return Err(error.into()),
        Err(error) => return Err(error.into()),
    }
    let noted = recorder.checkpoint(Time::now());
    noted.map_err(|error| anyhow!("done, but the audit log has no checkpoint of it: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Who does it, as the audit log says it.
pub(super) fn actor() -> String {
    let user = Uid::current();
    let behind = env::var(BEHIND_ROOT).ok().filter(|name| user.is_root() && !name.is_empty());
    behind.or_else(|| User::from_uid(user).ok().flatten().map(|user| user.name)).unwrap_or_else(|| user.to_string())
}
