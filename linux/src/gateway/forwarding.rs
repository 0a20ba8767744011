//! Whether the machine forwards packets: turned on for gateways, and as it was before when the last of them has ended.
//!
//! What it was is in one file for all gateways of this machine, so that a gateway that was killed forgets nothing, and one that
//! ends takes nothing from another.
use crate::own_directory::OwnDirectory;
use crate::quick::Family;
use crate::quick::process::Process;
use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file, in the directory for what is of now.
const FILE: &str = "gateway.forwarding";
/// The file is not longer, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Where the kernel's settings are.
const SETTINGS: &str = "/proc/sys";
/// The value of a setting that is on.
const ON: &str = "1";

/// What is known of the machine as it was.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    /// Settings that were turned on, and what they were.
    before: BTreeMap<String, String>,
    /// Gateways by their interfaces.
    gateways: BTreeMap<String, Process>,
}

/// Forwarding is on, until this is told otherwise.
#[derive(Debug)]
pub struct Forwarding {
    directory: OwnDirectory,
    settings: PathBuf,
    interface: String,
}

impl Forwarding {
    /// Has the machine forward packets of `families`, for the gateway with `interface`. `directory` is where it is remembered.
    ///
    /// # Errors
    /// It cannot be turned on, or not be remembered. Then it is as it was.
    pub fn turn_on(directory: OwnDirectory, interface: &str, families: &[Family]) -> anyhow::Result<Self> {
        Self::turn_on_at(directory, SETTINGS.into(), interface, families)
    }

    fn turn_on_at(
        directory: OwnDirectory,
        settings: PathBuf,
        interface: &str,
        families: &[Family],
    ) -> anyhow::Result<Self> {
        let own = Self { directory, settings, interface: interface.to_owned() };
        own.directory.exclusively(|| own.on(families))??;
        Ok(own)
    }

    fn on(&self, families: &[Family]) -> anyhow::Result<()> {
        let process = Process::find(std::process::id()).ok_or_else(|| anyhow!("/proc does not know this process"))?;
        let mut memory = self.recall()?;
        memory.gateways.insert(self.interface.clone(), process);
        for family in families {
            let setting = setting_of(*family);
            let now = read(&self.settings, setting)?;
            if now != ON {
                memory.before.entry(setting.to_owned()).or_insert(now);
                // Before it is changed, so that whatever happens it is known.
                self.remember(&memory)?;
                tracing::info!(setting, "forwarding is turned on");
                let written = write(&self.settings, setting, ON);
                written.inspect_err(|_| drop(self.off()))?;
            }
        }
        self.remember(&memory)
    }

    /// Has the machine do as before, if no other gateway is there.
    ///
    /// # Errors
    /// It cannot be set, or not be read what it was.
    pub fn turn_off(&self) -> anyhow::Result<()> {
        self.directory.exclusively(|| self.off())?
    }

    fn off(&self) -> anyhow::Result<()> {
        let mut memory = self.recall()?;
        memory.gateways.remove(&self.interface);
        if !memory.gateways.is_empty() {
            return self.remember(&memory);
        }
        let mut outcome = Ok(());
        for (setting, before) in &memory.before {
            // Who has turned it off meanwhile wanted it so.
            if read(&self.settings, setting)? == ON
                && let Err(error) = write(&self.settings, setting, before)
            {
                outcome = Err(error);
            }
        }
        self.directory.remove(FILE).map_err(|error| self.failed(&error))?;
        outcome
    }

    /// What is remembered; gateways that do not run any more are forgotten.
    fn recall(&self) -> anyhow::Result<Memory> {
        let text = match self.directory.read(FILE, LONGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Memory::default()),
            Err(error) => return Err(self.failed(&error)),
        };
        let mut memory: Memory = serde_json::from_str(&text).map_err(|error| self.failed(&error))?;
        memory.gateways.retain(|_, process| process.runs());
        Ok(memory)
    }

    fn remember(&self, memory: &Memory) -> anyhow::Result<()> {
        let text = serde_json::to_string(memory)?;
        self.directory.replace(FILE, text.as_bytes()).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> anyhow::Error {
        anyhow!("{}: {error}", self.directory.path().join(FILE).display())
    }
}

const fn setting_of(family: Family) -> &'static str {
    match family {
        Family::V4 => "net/ipv4/ip_forward",
        Family::V6 => "net/ipv6/conf/all/forwarding",
    }
}

fn read(settings: &Path, setting: &str) -> anyhow::Result<String> {
    let path = settings.join(setting);
    let text = fs::read_to_string(&path).map_err(|error| anyhow!("cannot read {}: {error}", path.display()))?;
    Ok(text.trim_end().to_owned())
}

fn write(settings: &Path, setting: &str, value: &str) -> anyhow::Result<()> {
    let path = settings.join(setting);
    fs::write(&path, value).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A machine that does not forward IPv4, and does IPv6.
    fn machine() -> TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (family, value) in [(Family::V4, "0\n"), (Family::V6, "1\n")] {
            let path = root.path().join(setting_of(family));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, value).expect("writes");
        }
        root
    }

    fn on(root: &TempDir, interface: &str) -> Forwarding {
        let directory = OwnDirectory::make(&root.path().join("run")).expect("a folder");
        Forwarding::turn_on_at(directory, root.path().to_owned(), interface, &Family::ALL).expect("turned on")
    }

    fn is(root: &TempDir) -> [String; 2] {
        Family::ALL.map(|family| read(root.path(), setting_of(family)).expect("reads"))
    }

    #[test]
    fn the_last_gateway_that_ends_leaves_the_machine_as_the_first_found_it() {
        let root = machine();
        let (first, second) = (on(&root, "wg0"), on(&root, "wg1"));
        assert_eq!(is(&root), ["1", "1"]);
        first.turn_off().expect("turned off");
        assert_eq!(is(&root), ["1", "1"], "the second needs it");
        second.turn_off().expect("turned off");
        assert_eq!(is(&root), ["0", "1"]);
        assert!(!root.path().join("run").join(FILE).exists());
    }

    #[test]
    fn a_gateway_that_was_killed_forgets_nothing() {
        let root = machine();
        let mut killed = std::process::Command::new("sleep").arg("1000").spawn().expect("a process");
        let process = Process::find(killed.id()).expect("it runs");
        let first = on(&root, "wg0");
        let mut memory = first.recall().expect("reads");
        memory.gateways.insert("wg0".into(), process);
        memory.gateways.insert("wg7".into(), process);
        first.remember(&memory).expect("writes");
        killed.kill().and_then(|()| killed.wait()).expect("ends");
        let again = on(&root, "wg0");
        assert_eq!(is(&root), ["1", "1"]);
        again.turn_off().expect("turned off");
        assert_eq!(is(&root), ["0", "1"]);
    }

    #[test]
    fn what_somebody_turned_off_stays_off() {
        let root = machine();
        let forwarding = on(&root, "wg0");
        write(root.path(), setting_of(Family::V6), "0").expect("writes");
        forwarding.turn_off().expect("turned off");
        assert_eq!(is(&root), ["0", "0"]);
    }
}
