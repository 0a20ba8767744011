//! Remembers the latest handshake timestamp over restarts, for machines whose clock starts anew with every boot.
//!
//! A peer accepts an initiation only if its timestamp is later than the last. A clock set back would lock us out until
//! it has caught up; what was sent last is therefore kept in a file, and no initiation goes below it. Nothing is kept
//! unless a directory for it is named, to which nobody else may write.
use crate::engine::{Engine, HostEvent};
use crate::own_directory::OwnDirectory;
use crate::watched::{self, Died};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use underpass_core::Tai64N;
use underpass_core::tunnel::Event;

/// How often the file is written at most while the tunnel runs.
const INTERVAL: Duration = Duration::from_secs(60);
/// Bytes of the file that are read at most.
const LONGEST: u64 = 64 * 1024;
/// The variables that name the directory; the second is systemd's.
const VARIABLES: [&str; 2] = ["UNDERPASS_STATE_DIR", "STATE_DIRECTORY"];

/// Where the timestamps of one interface are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    directory: PathBuf,
    file: String,
}

impl Floor {
    /// The file of interface `name`, if the environment names a directory.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let directory = VARIABLES.iter().filter_map(std::env::var_os).find(|value| !value.is_empty())?;
        Some(Self { directory: directory.into(), file: format!("{name}.timestamp") })
    }

    /// What was sent last before, or the beginning of time. A file that cannot be read is told of.
    #[must_use]
    pub fn load(&self) -> Tai64N {
        match OwnDirectory::open(&self.directory).and_then(|directory| directory.read(&self.file, LONGEST)) {
            Ok(text) => decode(text.trim_end()).unwrap_or_else(|| {
                tracing::warn!("{} holds no timestamp", self.path().display());
                Tai64N::ZERO
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Tai64N::ZERO,
            Err(error) => {
                tracing::warn!("cannot read {}: {error}", self.path().display());
                Tai64N::ZERO
            }
        }
    }

    /// Keeps the timestamps of `engine` while it runs. Only handshakes wake it.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn keep(
        self,
        engine: Arc<Engine>,
        over: impl FnOnce(Result<(), Died>) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let events = engine.events();
        let keep = move || {
            let mut saved: Option<Instant> = None;
            for event in events {
                let handshake = matches!(event, HostEvent::Tunnel(Event::SessionEstablished { .. }));
                if event == HostEvent::Ended {
                    break;
                }
                if handshake && saved.is_none_or(|at| at.elapsed() >= INTERVAL) {
                    self.save(engine.look(underpass_core::Tunnel::timestamp_floor));
                    saved = Some(Instant::now());
                }
            }
            self.save(engine.look(underpass_core::Tunnel::timestamp_floor));
        };
        watched::start("floor", keep, over)
    }

    fn save(&self, floor: Tai64N) {
        let write = |directory: OwnDirectory| directory.replace(&self.file, format!("{}\n", encode(floor)).as_bytes());
        if floor != Tai64N::ZERO
            && let Err(error) = OwnDirectory::make(&self.directory).and_then(write)
        {
            tracing::warn!("cannot write {}: {error}", self.path().display());
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join(&self.file)
    }
}

/// As 24 hexadecimal digits, in which greater is later.
fn encode(floor: Tai64N) -> String {
    floor.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(text: &str) -> Option<Tai64N> {
    let mut bytes = [0; 12];
    if text.len() != 2 * bytes.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(Tai64N::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use underpass_core::UnixTime;

    #[test]
    fn what_was_kept_is_found_again() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let floor = Floor { directory: directory.path().join("state"), file: "wg0.timestamp".into() };
        assert_eq!(floor.load(), Tai64N::ZERO, "nothing yet");
        floor.save(Tai64N::ZERO);
        assert!(!floor.path().exists(), "nothing was sent, nothing is kept");
        for seconds in [1_700_000_000, 1_800_000_000] {
            let sent = Tai64N::from_wall(UnixTime::from_secs(seconds));
            floor.save(sent);
            assert_eq!(floor.load(), sent);
        }
        assert_eq!(fs::read_dir(directory.path().join("state")).expect("directory").count(), 1);
    }

    #[test]
    fn a_broken_file_is_no_floor() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let floor = Floor { directory: directory.path().into(), file: "wg0.timestamp".into() };
        for text in ["", "x", &"g".repeat(24), &"0".repeat(23), &"+1".repeat(12), "ü"] {
            fs::write(floor.path(), text).expect("writes");
            assert_eq!(floor.load(), Tai64N::ZERO, "{text}");
        }
    }
}
