//! A gateway's store and log, and an administrator who types.
use clap::Parser;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use underpass_core::PublicKey;
use underpass_gateway::admin::Office;
use underpass_gateway::audit::checkpoint::SigningKey;
use underpass_gateway::audit::query::{Query, look_up};
use underpass_gateway::audit::{Level, Recorder, Settings, Text};
use underpass_gateway::command::{Command, CommandError, Desk, Entrance};
use underpass_gateway::password::Cost;
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::{Name, Time};
use zeroize::Zeroizing;

/// As little as Argon2 allows: what is tested here does not depend on the cost.
pub const LITTLE: Cost = Cost { memory: 8, passes: 1, lanes: 1 };

/// The command line that a binary mounts the commands in.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

pub struct Place {
    folder: TempDir,
    pub level: Level,
    /// Where clients find the gateway.
    pub endpoint: Option<String>,
    /// The configuration, for commands that look at it.
    pub settings: Option<underpass_gateway::settings::Settings>,
}

impl Place {
    pub fn new(level: Level) -> Self {
        let endpoint = Some("vpn.example.org:51820".into());
        Self { folder: tempfile::tempdir().expect("a folder"), level, endpoint, settings: None }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn store(&self) -> Sqlite {
        Sqlite::open(&self.root().join("gateway.db"), Keep::Traces).expect("the store opens")
    }

    pub fn audit(&self) -> PathBuf {
        self.root().join("audit")
    }

    pub fn recorder(&self) -> Recorder {
        let settings = Settings {
            level: self.level,
            folder: self.audit(),
            gateway: name("gw"),
            rotate_at: u64::MAX,
            checkpoints: Some((self.root().join("key"), self.root().join("checkpoints"))),
            syslog: None,
        };
        Recorder::open(&settings, at(0)).expect("the log opens")
    }

    /// Runs a command of which each word is an argument; `typed` are the answers to what it asks.
    pub fn try_run(&self, line: &str, typed: &[&str]) -> Result<String, CommandError> {
        let (mut store, mut recorder) = (self.store(), self.recorder());
        let arguments = Arguments::try_parse_from(["underpass"].into_iter().chain(line.split(' ')));
        let Arguments { json, command } = arguments.unwrap_or_else(|error| panic!("{error}"));
        let mut typed: VecDeque<_> = typed.iter().map(|text| Zeroizing::new((*text).to_owned())).collect();
        let mut out = Vec::new();
        let key = SigningKey::at(&self.root().join("key")).expect("the key").public();
        let mut desk = Desk {
            office: Office {
                store: &mut store,
                recorder: &mut recorder,
                actor: Text::new("root"),
                gateway: name("gw"),
                at: at(7),
            },
            audit: self.audit(),
            checkpoints: self.root().join("checkpoints").exists().then(|| (self.root().join("checkpoints"), key)),
            settings: self.settings.as_ref(),
            seconds_ahead: 3600,
            cost: LITTLE,
            entrance: Entrance {
                public_key: &|| Ok(gateway_key()),
                endpoint: self.endpoint.clone(),
                addresses: vec![
                    "10.8.0.1/24".parse().expect("an address"),
                    "fd00:8::1/64".parse().expect("an address"),
                ],
                draw: &draw,
            },
            ask: &mut |_| Ok(typed.pop_front().expect("nothing more is asked")),
            out: &mut out,
            json,
        };
        let outcome = command.run(&mut desk);
        outcome.map(|()| String::from_utf8(out).expect("text"))
    }

    pub fn run(&self, line: &str) -> String {
        self.try_run(line, &[]).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Whether the command line takes a line.
    pub fn parses(line: &str) -> bool {
        Arguments::try_parse_from(["underpass"].into_iter().chain(line.split(' '))).is_ok()
    }

    /// The lines of audit from number `from` on, without what every line has.
    pub fn lines(&self, from: u64) -> Vec<String> {
        let mut lines = Vec::new();
        let each = |_: &str, line: &serde_json::Value| {
            let mut line = line.clone();
            let fields = line.as_object_mut().expect("an object");
            ["seq", "time", "gateway", "hash"].iter().for_each(|field| drop(fields.remove(*field)));
            lines.push(line.to_string());
            true
        };
        look_up(&self.audit(), &Query { from: Some(from), ..Query::default() }, each).expect("lines");
        lines
    }

    /// The bytes of all files below the folder.
    pub fn bytes(&self, folder: &Path) -> Vec<u8> {
        let entries = folder.read_dir().expect("the folder").map(|entry| entry.expect("an entry").path());
        entries
            .flat_map(|path| if path.is_dir() { self.bytes(&path) } else { fs::read(path).expect("a file") })
            .collect()
    }
}

pub fn gateway_key() -> PublicKey {
    PublicKey::from_bytes([99; 32])
}

/// Stands for what draws: tells what it was given.
fn draw(content: &str, to: Option<&Path>) -> io::Result<Zeroizing<String>> {
    match to {
        Some(path) => fs::write(path, format!("a picture of\n{content}")).map(|()| Zeroizing::default()),
        None => Ok(Zeroizing::new(format!("a drawing of {} bytes\n", content.len()))),
    }
}

pub fn at(secs: i64) -> Time {
    Time::from_secs(1_700_000_000 + secs)
}

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// Whether `wanted` is in `bytes`.
pub fn has(bytes: &[u8], wanted: &str) -> bool {
    bytes.windows(wanted.len()).any(|at| at == wanted.as_bytes())
}
