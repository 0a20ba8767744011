//! A folder with a log, its checkpoints and its key.
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use underpass_gateway::audit::checkpoint::{PublicKey, SigningKey};
use underpass_gateway::audit::query::{Query, look_up};
use underpass_gateway::audit::verify::{Report, Second, verify};
use underpass_gateway::audit::{Event, Level, Recorder, Settings, Text};
use underpass_gateway::{Name, Time};

/// Small enough that a few lines fill a file.
const ROTATE_AT: u64 = 1500;

pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn folder(&self) -> PathBuf {
        self.root().join("audit")
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.root().join("checkpoints")
    }

    pub fn recorder(&self) -> Recorder {
        Recorder::open(&self.settings(), at(0)).expect("the log opens")
    }

    pub fn settings(&self) -> Settings {
        Settings {
            level: Level::Full,
            folder: self.folder(),
            gateway: name("gw"),
            rotate_at: ROTATE_AT,
            checkpoints: Some((self.root().join("key"), self.checkpoints())),
            syslog: None,
        }
    }

    pub fn key(&self) -> PublicKey {
        SigningKey::at(&self.root().join("key")).expect("the key").public()
    }

    /// Verifies with checkpoints.
    pub fn verify(&self) -> Report {
        verify(&self.folder(), Some(Second { path: &self.checkpoints(), key: &self.key() })).expect("a report")
    }

    /// Verifies the log alone.
    pub fn verify_alone(&self) -> Report {
        verify(&self.folder(), None).expect("a report")
    }

    /// The files in order.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = self.folder().read_dir().expect("the folder").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
        files.sort();
        files
    }

    /// All lines that were read as such.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let mut lines = Vec::new();
        let each = |_: &str, line: &serde_json::Value| {
            lines.push(line.clone());
            true
        };
        look_up(&self.folder(), &Query::default(), each).expect("lines");
        lines
    }

    /// Changes the text of a file.
    pub fn edit(path: &Path, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(path).expect("a file");
        let changed = change(text.clone());
        assert_ne!(text, changed, "the edit edits something");
        fs::write(path, changed).expect("the file");
    }
}

pub fn at(secs: i64) -> Time {
    Time::from_secs(1_700_000_000 + secs)
}

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn added(user: &str) -> Event {
    Event::UserAdded { actor: Text::new("root"), user: name(user) }
}
