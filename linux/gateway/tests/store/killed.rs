//! A program that is killed in the midst of changes: what was acknowledged is there, and no code is accepted again.
use crate::factors::add_code;
use crate::place::{Place, add_user, at, for_each_store, name, open_at};
use std::collections::BTreeSet;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use underpass_gateway::store::{CodeId, Store};

/// Tells the test below where it writes, when another test has started it.
const PLACE: &str = "UNDERPASS_TEST_STORE";
/// How often a writer is killed.
const KILLS: u32 = 12;
/// Ends a test that hangs; nothing takes that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Adds users, makes them members and has codes accepted, and notes each that was acknowledged, until there are `count`.
fn write(address: &str, notes: &Path, begin: u64, count: u64) {
    let mut store = open_at(address);
    let user = store.user(&name("alice")).expect("an answer").expect("the scene has her");
    let code: CodeId = store.codes(user.id).expect("a list")[0].id;
    let mut notes = OpenOptions::new().append(true).open(notes).expect("the notes");
    for number in begin..begin + count {
        let added = store.add_user(at(0), &name(&format!("user-{number}")), None).expect("a user");
        notes.write_all(format!("user user-{number}\n").as_bytes()).expect("a note");
        store.set_member(at(0), added.id, &name("staff"), true).expect("a member");
        notes.write_all(format!("member user-{number}\n").as_bytes()).expect("a note");
        if store.accept_step(code, number).expect("an answer") {
            notes.write_all(format!("step {number}\n").as_bytes()).expect("a note");
        }
    }
}

/// The place of a story about writers.
fn scene(place: &Place) {
    let mut store = place.open();
    let alice = add_user(&mut *store, "alice");
    add_code(&mut *store, alice.id);
    store.add_group(at(0), &name("staff")).expect("a group");
    fs::write(notes_of(place), "").expect("the notes");
}

fn notes_of(place: &Place) -> PathBuf {
    place.folder().join("notes")
}

/// What was acknowledged, a line each.
fn notes(place: &Place) -> Vec<String> {
    let text = fs::read_to_string(notes_of(place)).expect("the notes");
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

/// Whether the store has what a note says.
fn is_there(store: &mut dyn Store, note: &str, members: &BTreeSet<String>) -> bool {
    match note.split_once(' ') {
        Some(("user", user)) => store.user(&name(user)).expect("an answer").is_some(),
        Some(("member", user)) => members.contains(user),
        Some(("step", _)) => true,
        _ => panic!("no note: {note:?}"),
    }
}

#[test]
fn a_writer_notes_what_was_acknowledged() {
    // Started by the test below: it writes until it is killed.
    if let Ok(address) = env::var(PLACE) {
        let begin = env::var("UNDERPASS_TEST_BEGIN").expect("where to begin").parse().expect("a number");
        let notes = env::var_os("UNDERPASS_TEST_NOTES").expect("where to note");
        write(&address, Path::new(&notes), begin, u64::from(u32::MAX));
        return;
    }
    for_each_store(|place| {
        scene(place);
        write(&place.address, &notes_of(place), 1, 20);
        let (notes, mut store) = (notes(place), place.open());
        assert_eq!(notes.len(), 60);
        let members = members(&mut *store);
        assert!(notes.iter().all(|note| is_there(&mut *store, note, &members)));
        assert!(!is_there(&mut *store, "user user-99", &members) && !is_there(&mut *store, "member user-99", &members));
    });
}

fn members(store: &mut dyn Store) -> BTreeSet<String> {
    store.members(&name("staff")).expect("a list").iter().map(ToString::to_string).collect()
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    for_each_store(|place| {
        scene(place);
        let mut begin = 1;
        for kill in 0..KILLS {
            let before = notes(place).len();
            let mut writer = start(place, begin);
            // Killed after as many notes as nobody could foresee.
            let wanted = before + 3 + usize::from(random() % 60);
            let patience = Instant::now() + PATIENCE;
            while notes(place).len() < wanted {
                assert!(Instant::now() < patience, "the writer writes nothing");
                assert!(writer.try_wait().expect("it is ours").is_none(), "the writer ended by itself");
                thread::sleep(Duration::from_millis(1));
            }
            writer.kill().expect("it is ours");
            writer.wait().expect("it ends");
            begin = check(place, kill) + 1;
        }
    });
}

/// Holds the store against the notes. Returns the highest number that may have been used.
fn check(place: &Place, kill: u32) -> u64 {
    let mut store = place.open();
    let notes = notes(place);
    let members = members(&mut *store);
    let lost: Vec<_> = notes.iter().filter(|note| !is_there(&mut *store, note, &members)).collect();
    assert!(lost.is_empty(), "after kill {kill}, acknowledged and lost: {lost:?}");
    let accepted: Vec<u64> =
        notes.iter().filter_map(|note| note.strip_prefix("step ")).map(|step| step.parse().expect("a step")).collect();
    assert!(accepted.windows(2).all(|pair| pair[0] < pair[1]), "each once, and in order");
    let alice = store.user(&name("alice")).expect("an answer").expect("she is there");
    let code = store.codes(alice.id).expect("a list")[0].id;
    let last = accepted.last().copied().unwrap_or_default();
    for step in last.saturating_sub(5)..=last {
        assert!(!store.accept_step(code, step).expect("an answer"), "after kill {kill}, step {step} again");
    }
    // The last user may be there without having been acknowledged.
    let user = format!("user-{}", last + 1);
    let half_done = store.user(&name(&user)).expect("an answer").is_some();
    last + u64::from(half_done)
}

fn start(place: &Place, begin: u64) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "killed::a_writer_notes_what_was_acknowledged"])
        .env(PLACE, &place.address)
        .env("UNDERPASS_TEST_NOTES", notes_of(place))
        .env("UNDERPASS_TEST_BEGIN", begin.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the writer starts")
}

fn random() -> u8 {
    let mut byte = [0];
    getrandom::fill(&mut byte).expect("randomness");
    byte[0]
}
