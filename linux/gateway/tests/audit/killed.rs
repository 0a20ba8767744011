//! A program that is killed while it records: what was acknowledged is there, and the chain goes on.
use crate::place::{Place, added, at};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use underpass_gateway::audit::{Level, Recorder, Settings};

/// Tells the test below where it records, when another test has started it.
const PLACE: &str = "UNDERPASS_TEST_AUDIT";
const KILLS: u64 = 10;
/// Ends a test that hangs; nothing takes that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Records users and notes each that was acknowledged, until there are `count`.
fn record(settings: &Settings, begin: u64, count: u64) {
    let mut recorder = Recorder::open(settings, at(0)).expect("the log opens");
    let notes = settings.folder.with_extension("notes");
    let mut notes = OpenOptions::new().append(true).create(true).open(notes).expect("the notes");
    for number in begin..begin + count {
        recorder.emit(at(0), added(&format!("user-{number}"))).expect("recorded");
        notes.write_all(format!("user-{number}\n").as_bytes()).expect("a note");
        if number % 7 == 0 {
            recorder.checkpoint(at(0)).expect("noted");
        }
    }
}

fn notes(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(place.folder().with_extension("notes")).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

#[test]
fn a_recorder_notes_what_was_acknowledged() {
    // Started by the test below: it records until it is killed.
    if let Some(root) = env::var_os(PLACE) {
        let root = std::path::PathBuf::from(root);
        let settings = Settings {
            level: Level::Full,
            folder: root.join("audit"),
            gateway: "gw".parse().expect("a name"),
            rotate_at: 1500,
            checkpoints: Some((root.join("key"), root.join("checkpoints"))),
            syslog: None,
        };
        let begin = env::var("UNDERPASS_TEST_BEGIN").expect("where to begin").parse().expect("a number");
        record(&settings, begin, u64::from(u32::MAX));
        return;
    }
    let place = Place::new();
    record(&place.settings(), 1, 20);
    assert_eq!((notes(&place).len(), place.verify().findings), (20, vec![]));
    assert_eq!(place.lines().iter().filter(|line| line["event"] == "user.added").count(), 20);
}

#[test]
fn the_chain_outlives_kill_9() {
    let place = Place::new();
    for kill in 0..KILLS {
        let before = notes(&place).len();
        let mut recorder = start(&place, kill * 1_000_000 + 1);
        let mut byte = [0];
        getrandom::fill(&mut byte).expect("randomness");
        let wanted = before + 3 + usize::from(byte[0]);
        let patience = Instant::now() + PATIENCE;
        while notes(&place).len() < wanted {
            assert!(Instant::now() < patience, "nothing is recorded");
            assert!(recorder.try_wait().expect("it is ours").is_none(), "the recorder ended by itself");
            thread::sleep(Duration::from_millis(1));
        }
        recorder.kill().expect("it is ours");
        recorder.wait().expect("it ends");
        // Opening mends what has to be mended.
        place.recorder().checkpoint(at(0)).expect("noted");
        let report = place.verify();
        assert_eq!((report.findings.as_slice(), report.covered), ([].as_slice(), report.last), "after kill {kill}");
        let lines = place.lines();
        let users: std::collections::BTreeSet<_> = lines.iter().filter_map(|line| line["user"].as_str()).collect();
        let lost: Vec<_> = notes(&place).into_iter().filter(|user| !users.contains(user.as_str())).collect();
        assert!(lost.is_empty(), "after kill {kill}, acknowledged and lost: {lost:?}");
    }
}

fn start(place: &Place, begin: u64) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "killed::a_recorder_notes_what_was_acknowledged"])
        .env(PLACE, place.root())
        .env("UNDERPASS_TEST_BEGIN", begin.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the recorder starts")
}
