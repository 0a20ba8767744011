//! Who asks for the kill switch: the command line, the configuration, or a file for the whole system.
use crate::quick::plan::has_default_route;
use anyhow::{anyhow, bail};
use std::fs;
use std::io;
use std::path::PathBuf;
use underpass_core::config::{KillSwitch, QuickConfig};

/// The file for the whole system.
pub const SYSTEM_FILE: &str = "/etc/underpass.conf";
/// Names another file, for tests.
const VARIABLE: &str = "UNDERPASS_SYSTEM_FILE";

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Wish {
    /// Only what goes through the tunnel leaves
    On,
    /// The private local network stays in reach
    Lan,
    /// Anything may leave, whatever the configuration says
    Off,
}

impl From<Wish> for KillSwitch {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::On => Self::On,
            Wish::Lan => Self::Lan,
            Wish::Off => Self::Off,
        }
    }
}

/// What the file for the whole system says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemFile {
    /// The kill switch of tunnels that carry everything, unless their own file says something else.
    pub kill_switch: Option<KillSwitch>,
    /// The tunnels to lock at boot.
    pub lock_at_boot: Vec<String>,
}

impl SystemFile {
    /// Reads it; where there is none, it says nothing.
    ///
    /// # Errors
    /// It cannot be read, or says something that nobody knows.
    pub fn read() -> anyhow::Result<Self> {
        let named = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
        let path = named.map_or_else(|| SYSTEM_FILE.into(), PathBuf::from);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|fault| anyhow!("{}:{fault}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(anyhow!("cannot read {}: {error}", path.display())),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut file = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { bail!("{number}: expected `key = value`") };
            match (key.trim().to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase().as_str()) {
                ("killswitch", "on") => file.kill_switch = Some(KillSwitch::On),
                ("killswitch", "lan") => file.kill_switch = Some(KillSwitch::Lan),
                ("killswitch", "off") => file.kill_switch = Some(KillSwitch::Off),
                ("killswitch", _) => bail!("{number}: KillSwitch: expected `on`, `off` or `lan`"),
                ("lockatboot", _) => {
                    let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                    file.lock_at_boot.extend(names.map(str::to_owned));
                }
                _ => bail!("{number}: unknown key: KillSwitch and LockAtBoot are known"),
            }
        }
        Ok(file)
    }
}

/// What is asked for: by the command line, else by the configuration, else, for a tunnel that carries everything, by the system.
///
/// # Errors
/// The system's file is wrong.
pub fn kill_switch(wish: Option<Wish>, config: &QuickConfig) -> anyhow::Result<KillSwitch> {
    if let Some(known) = wish.map(KillSwitch::from).or(config.linux.kill_switch) {
        return Ok(known);
    }
    let of_system = SystemFile::read()?.kill_switch.filter(|_| has_default_route(config));
    Ok(of_system.unwrap_or(KillSwitch::Off))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_holds_for_all() {
        let text = "# for all\nKillSwitch = LAN # and the printer\n\nLockAtBoot = wg0, wg1\nlock_at = 1\n";
        assert_eq!(
            SystemFile::parse(text).expect_err("a key").to_string(),
            "5: unknown key: KillSwitch and LockAtBoot are known"
        );
        let file = SystemFile::parse(&text.replace("lock_at = 1", "")).expect("valid");
        assert_eq!((file.kill_switch, file.lock_at_boot), (Some(KillSwitch::Lan), vec!["wg0".into(), "wg1".into()]));
        for text in ["KillSwitch", "KillSwitch = yes", "[Interface]"] {
            assert!(SystemFile::parse(text).is_err(), "{text}");
        }
    }
}
