//! `underpass gateway status`: how a gateway is that runs.
use super::super::Outcome;
use super::Place;
use crate::gateway::config;
use crate::gateway::status::{Found, Status, find};
use crate::own_directory::OwnDirectory;
use crate::quick::shelf;
use anyhow::{anyhow, bail};
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use underpass_gateway::Time;

/// Shows it.
///
/// # Errors
/// There is no gateway, or it hangs.
pub(super) fn run(place: &Place) -> Outcome {
    let settings = config::settings(&place.config)?;
    let path = shelf::directory();
    let failed = |error: io::Error| anyhow!("cannot look into {}: {error}", path.display());
    let found = match OwnDirectory::find(&path).map_err(failed)? {
        Some(directory) => find(&directory, &settings.interface).map_err(failed)?,
        None => Found::None,
    };
    match found {
        Found::Running(status) => {
            let mut stdout = io::stdout().lock();
            if place.json {
                writeln!(stdout, "{}", serde_json::to_string(&status)?)?;
            } else {
                write!(stdout, "{}", Shown(&status))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Found::Silent(span) => bail!("the gateway hangs: it has said nothing for {} s", span.as_secs()),
        Found::None => bail!("no gateway with the interface {} runs", settings.interface),
    }
}

/// For people.
struct Shown<'a>(&'a Status);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { gateway, interface, listen, public_key, since, counts, .. } = self.0;
        writeln!(out, "gateway {gateway}: {interface}, port {listen}/udp, since {}", Time::from_millis(*since))?;
        writeln!(out, "  public key: {public_key}")?;
        writeln!(out, "  devices: {}, sites: {}, open sessions: {}", counts.devices, counts.sites, counts.sessions)?;
        for leases in &counts.leases {
            writeln!(out, "  addresses of {}: {} given", leases.pool, leases.used)?;
        }
        let store = if counts.store { "there" } else { "away: nobody can log in" };
        writeln!(out, "  store: {store}")?;
        for (count, what) in [
            (counts.lost_lines, "lines of the audit log that could not be written"),
            (counts.lost_messages, "messages of peers that found no room"),
        ] {
            if count > 0 {
                writeln!(out, "  {what}: {count}")?;
            }
        }
        Ok(())
    }
}
