//! How a gateway is: a file that it keeps, for root alone, and that `underpass gateway status` reads.
//!
//! There are numbers in it and no names of people. It is written when something in it changes, and often enough to tell that
//! the gateway is at work: one that was killed, or hangs, is not taken for one that runs.
use super::metrics::Shared;
use crate::own_directory::OwnDirectory;
use crate::quick::process::Process;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use underpass_core::PublicKey;
use underpass_gateway::Time;
use underpass_gateway::service::Service;
use underpass_gateway::settings::Settings;

/// How often it is written though nothing has changed.
const PERIOD: Duration = Duration::from_secs(5);
/// How often it is written at most.
const PAUSE: Duration = Duration::from_secs(1);
/// A gateway that has written nothing for longer hangs.
const SILENCE: Duration = Duration::from_secs(30);
/// The file is not longer, in bytes.
const LONGEST: u64 = 256 * 1024;

/// What a gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    process: Process,
    /// Its name.
    pub gateway: String,
    /// Its interface.
    pub interface: String,
    /// Its UDP port.
    pub listen: u16,
    /// Its public key, in base64.
    pub public_key: String,
    /// Since when it runs, in milliseconds since 1970.
    pub since: i64,
    /// When this was written, in milliseconds since 1970.
    pub written: i64,
    /// What it counts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Devices of users.
    pub devices: usize,
    /// Sites, which need no login.
    pub sites: usize,
    /// Sessions that are open.
    pub sessions: usize,
    /// Whether the store can be reached: without it, nobody logs in.
    pub store: bool,
    /// Lines of audit that could not be written.
    pub lost_lines: u64,
    /// Messages of the control channel for which there was no room.
    pub lost_messages: u64,
    /// Passwords that are being looked at.
    pub passwords: usize,
    /// Addresses that are given, by pool.
    pub leases: Vec<Leases>,
}

/// Addresses of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    /// The network of the pool.
    pub pool: String,
    /// How many are given.
    pub used: usize,
}

/// How it is with a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It runs.
    Running(Status),
    /// Its process is there, and has said nothing for so long.
    Silent(Duration),
    /// There is none.
    None,
}

/// Where a gateway shows how it is.
#[derive(Debug)]
pub struct Board {
    directory: OwnDirectory,
    shown: Status,
    /// When it was last looked at what there is to show, and when that was written.
    looked: Option<Instant>,
    written: Option<Instant>,
    /// The same for others in this process.
    shared: Shared,
}

impl Board {
    /// A board in `directory` for the gateway of `settings`, which is this process.
    ///
    /// # Errors
    /// /proc is not there.
    pub fn new(directory: OwnDirectory, settings: &Settings, key: &PublicKey) -> io::Result<Self> {
        let process = Process::find(std::process::id()).ok_or(io::ErrorKind::NotFound)?;
        let now = Time::now().as_millis();
        let shown = Status {
            process,
            gateway: settings.name.to_string(),
            interface: settings.interface.clone(),
            listen: settings.listen,
            public_key: key.to_base64(),
            since: now,
            written: now,
            counts: Counts::default(),
        };
        Ok(Self { directory, shown, looked: None, written: None, shared: Shared::default() })
    }

    /// What was counted last.
    #[must_use]
    pub fn shared(&self) -> Shared {
        Arc::clone(&self.shared)
    }

    /// Shows how `service` is, if that is due.
    pub fn show(&mut self, service: &Service, lost_messages: u64) {
        if self.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return;
        }
        self.looked = Some(Instant::now());
        let counts = Counts {
            devices: service.devices(),
            sites: service.sites(),
            sessions: service.open_sessions(),
            store: service.is_store_there(),
            lost_lines: service.lost_lines(),
            lost_messages,
            passwords: service.passwords(),
            leases: service.leases_in_use().map(|(pool, used)| Leases { pool: pool.to_string(), used }).collect(),
        };
        if counts == self.shown.counts && self.written.is_some_and(|written| written.elapsed() < PERIOD) {
            return;
        }
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&counts);
        self.shown.counts = counts;
        self.shown.written = Time::now().as_millis();
        self.written = Some(Instant::now());
        let text = serde_json::to_string(&self.shown).unwrap_or_default();
        if let Err(error) = self.directory.replace(&file_of(&self.shown.interface), text.as_bytes()) {
            tracing::warn!("cannot show how the gateway is: {error}");
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // One that stays behind is not taken for a gateway that runs.
        let _ = self.directory.remove(&file_of(&self.shown.interface));
    }
}

/// How it is with the gateway that has `interface`.
///
/// # Errors
/// What is in `directory` cannot be read.
pub fn find(directory: &OwnDirectory, interface: &str) -> io::Result<Found> {
    let text = match directory.read(&file_of(interface), LONGEST) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::None),
        read => read?,
    };
    let status: Status = serde_json::from_str(&text)?;
    let silence = Time::now().as_millis().saturating_sub(status.written);
    let silence = Duration::from_millis(u64::try_from(silence).unwrap_or_default());
    Ok(match status.process.runs() {
        false => Found::None,
        true if silence > SILENCE => Found::Silent(silence),
        true => Found::Running(status),
    })
}

fn file_of(interface: &str) -> String {
    format!("{interface}.gateway-status")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(process: Process, written: i64) -> Status {
        Status {
            process,
            gateway: "hq".into(),
            interface: "wg0".into(),
            listen: 51820,
            public_key: String::new(),
            since: 0,
            written,
            counts: Counts { leases: vec![Leases { pool: "10.8.0.0/24".into(), used: 2 }], ..Counts::default() },
        }
    }

    #[test]
    fn only_a_gateway_that_is_at_work_runs() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = OwnDirectory::make(&folder.path().join("run")).expect("a folder");
        assert_eq!(find(&directory, "wg0").expect("reads"), Found::None);
        let own = Process::find(std::process::id()).expect("this one runs");
        let show = |status: &Status| {
            let text = serde_json::to_string(status).expect("text");
            directory.replace(&file_of("wg0"), text.as_bytes()).expect("writes");
        };
        let running = status(own, Time::now().as_millis());
        show(&running);
        assert_eq!(find(&directory, "wg0").expect("reads"), Found::Running(running));
        show(&status(own, Time::now().as_millis() - 60_000));
        assert!(matches!(find(&directory, "wg0").expect("reads"), Found::Silent(span) if span >= SILENCE));
        let mut ended = std::process::Command::new("sleep").arg("1000").spawn().expect("a process");
        show(&status(Process::find(ended.id()).expect("it runs"), Time::now().as_millis()));
        ended.kill().and_then(|()| ended.wait()).expect("ends");
        assert_eq!(find(&directory, "wg0").expect("reads"), Found::None);
    }
}
