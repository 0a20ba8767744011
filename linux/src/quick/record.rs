//! What is known of a tunnel beside its file: what `up` was about to do, has done, and how it is undone.
//!
//! It is written before each step that leaves something behind, so that whatever ends `up`, `down` or the tunnel's own
//! program, there is a record that names everything that may be there. The file of the configuration may change or go
//! meanwhile: what runs is told by the record and by the kernel. There is no key in it; the commands of the
//! configuration are, as they were at `up`.
use super::file::ConfigFile;
use super::plan::Plan;
use super::process::Process;
use super::step::Step;
use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use underpass_core::TunnelConfig;
use underpass_core::config::{QuickConfig, parse, write};

/// The form of a record. One of another version is no record of ours.
const VERSION: u32 = 1;

/// How far a tunnel has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// `up` is at work, or was ended at it.
    Starting,
    /// `up` has ended well.
    Up,
}

/// The record of one tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// The interface.
    pub name: String,
    /// The file it was brought up from.
    pub file: PathBuf,
    /// Where it was brought up.
    place: Place,
    /// How far `up` came.
    pub stage: Stage,
    /// Whether a command of the configuration was started by `up`.
    pub has_run_hooks: bool,
    /// Whether it is being taken down.
    pub is_ending: bool,
    /// How many of the commands PreDown and PostDown have ended.
    pub hooks_ended: usize,
    /// The program that serves it, from when it is ready.
    pub process: Option<Process>,
    /// The number of the interface, from when it is ready.
    pub index: Option<u32>,
    /// The program that logged in for it at its gateway, and keeps it logged in: `underpass login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Process>,
    /// The mark of the tunnel's datagrams, 0 for none.
    pub mark: u32,
    /// The steps that leave something behind, in order.
    pub steps: Vec<Step>,
    /// The `[Interface]` section without keys.
    interface: String,
}

impl Record {
    /// The record of `plan`, before its first step.
    ///
    /// # Errors
    /// The machine does not tell where this is.
    pub fn new(plan: &Plan, file: &ConfigFile, config: &QuickConfig) -> anyhow::Result<Self> {
        let mut record = Self {
            version: VERSION,
            name: plan.name.clone(),
            file: file.path.clone(),
            place: Place::here()?,
            stage: Stage::Starting,
            has_run_hooks: false,
            is_ending: false,
            hooks_ended: 0,
            process: None,
            index: None,
            login: None,
            mark: plan.mark,
            steps: Vec::new(),
            interface: String::new(),
        };
        record.describe(plan, config);
        Ok(record)
    }

    /// Takes over what `plan` leaves behind, and what `config` says of the interface.
    pub fn describe(&mut self, plan: &Plan, config: &QuickConfig) {
        self.mark = plan.mark;
        self.steps = plan.steps.iter().filter(|step| step.leaves_something()).cloned().collect();
        let bare = QuickConfig { tunnel: TunnelConfig::default(), amnezia: Vec::new(), ..config.clone() };
        self.interface = write(&bare).to_string();
    }

    /// From here on, all that is there of the tunnel is what `left` did.
    pub fn leave(&mut self, left: Vec<Step>) {
        (self.stage, self.has_run_hooks, self.is_ending, self.hooks_ended) = (Stage::Starting, false, false, 0);
        (self.process, self.index, self.login) = (None, None, None);
        self.steps = left;
    }

    /// What the file said when the tunnel was brought up, without keys and peers.
    ///
    /// # Errors
    /// The record does not hold what was written into it.
    pub fn config(&self) -> anyhow::Result<QuickConfig> {
        parse(&self.interface).config.ok_or_else(|| anyhow!("its configuration is not valid"))
    }

    /// Refuses what would make it another tunnel than the one that the gateway granted.
    ///
    /// # Errors
    /// It was brought up by `underpass login`.
    pub fn refuse_login(&self) -> anyhow::Result<()> {
        match self.login {
            Some(_) => bail!(
                "interface `{0}` is logged in at its gateway, which says what it has: `underpass logout {0}` ends that",
                self.name
            ),
            None => Ok(()),
        }
    }

    /// Whether it is of this network namespace.
    ///
    /// # Errors
    /// The machine does not tell where this is.
    pub fn is_of_here(&self) -> anyhow::Result<bool> {
        Ok(self.place == Place::here()?)
    }

    /// Whether the machine has been started anew since.
    ///
    /// # Errors
    /// The machine does not tell where this is.
    pub fn is_of_earlier_boot(&self) -> anyhow::Result<bool> {
        Ok(self.place.boot != Place::here()?.boot)
    }

    /// Reads a record of the interface `name`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let record: Self = serde_json::from_str(text)?;
        if record.version != VERSION {
            bail!("it is of version {}, not {VERSION}", record.version);
        }
        if record.name != name {
            bail!("it is of another interface");
        }
        record.config()?;
        Ok(record)
    }

    /// As text.
    ///
    /// # Errors
    /// A step is in it that leaves nothing behind.
    pub fn to_text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

/// A network namespace on a machine that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Another one with every start of the machine.
    boot: String,
    /// Device and number of the network namespace.
    namespace: (u64, u64),
}

impl Place {
    fn here() -> anyhow::Result<Self> {
        const BOOT: &str = "/proc/sys/kernel/random/boot_id";
        const NAMESPACE: &str = "/proc/thread-self/ns/net";
        let boot = fs::read_to_string(BOOT).map_err(|error| anyhow!("cannot read {BOOT}: {error}"))?;
        let namespace = fs::metadata(NAMESPACE).map_err(|error| anyhow!("cannot read {NAMESPACE}: {error}"))?;
        Ok(Self { boot: boot.trim_end().into(), namespace: (namespace.dev(), namespace.ino()) })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::quick::Plan;
    use crate::quick::tests::facts;
    use zeroize::Zeroizing;

    /// A record of a tunnel with all that leaves something behind.
    pub fn record(name: &str) -> Record {
        let text = "[Interface]\nPrivateKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\nAddress = 10.0.0.2/24\n\
                    DNS = 10.0.0.1, corp.example\nTable = auto\nPostUp = up \"%i\" \\\\ é\nPostDown = down %i\n\
                    SaveConfig = true\n[Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n\
                    PresharedKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\nAllowedIPs = 0.0.0.0/0, ::/0\n";
        let config = parse(text).config.expect("valid");
        let facts = facts();
        let file = ConfigFile {
            name: name.into(),
            path: format!("/etc/wireguard/{name}.conf").into(),
            text: Zeroizing::new(text.into()),
            is_exposed: false,
        };
        Record::new(&Plan::up(name, &config, &facts), &file, &config).expect("a record")
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = record("wg0");
        let text = record.to_text().expect("text");
        assert_eq!(Record::parse("wg0", &text).expect("valid"), record);
        assert_eq!(
            record.steps.len(),
            8,
            "the start, name servers, two pairs of rules, two guards: {:?}",
            record.steps
        );
        let config = record.config().expect("valid");
        assert_eq!((config.post_up[0].as_str(), config.save_config), ("up \"%i\" \\\\ é", true));
        assert!(record.is_of_here().expect("here") && !record.is_of_earlier_boot().expect("here"));
    }

    #[test]
    fn a_login_is_noted_and_refuses_to_become_another_tunnel() {
        let mut record = record("wg0");
        let text = record.to_text().expect("text");
        assert!(!text.contains("login"), "a record as it always was: {text}");
        record.refuse_login().expect("a tunnel of `up`");
        record.login = Process::find(std::process::id());
        assert_eq!(Record::parse("wg0", &record.to_text().expect("text")).expect("valid"), record);
        let message = record.refuse_login().expect_err("it is logged in").to_string();
        assert!(message.ends_with("`underpass logout wg0` ends that"), "{message}");
        record.leave(Vec::new());
        record.refuse_login().expect("nobody is logged in any more");
    }

    #[test]
    fn no_key_is_in_it() {
        let text = record("wg0").to_text().expect("text");
        assert!(!["dwdtCn", "FpCyhw", "hSDwCY"].iter().any(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let good = record("wg0").to_text().expect("text");
        for (number, bad) in [
            (1, String::new()),
            (2, good[..good.len() / 2].to_owned()),
            (3, good.replace("\"version\": 1", "\"version\": 2")),
            (4, good.replace("\"mark\"", "\"mask\"")),
            (5, good.replace("\"name\": \"wg0\"", "\"name\": \"wg1\"")),
            (6, good.replace("[Interface]", "[Interfaces]")),
            (7, good.replacen("{", "{\"more\": 1,", 1)),
        ] {
            assert!(Record::parse("wg0", &bad).is_err(), "case {number}: {bad}");
        }
    }
}
