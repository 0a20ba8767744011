//! A program that is killed in the midst of changes: what was acknowledged is there, and no code is accepted again.
use crate::enrolments::{SECRET, device, ticket};
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

/// Tells the tests below where they write, when another test has started it.
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

/// Starts a writer, and kills it once it has written so many notes more, which nobody could foresee.
fn kill_after(some: usize, place: &Place, test: &str, begin: u64) {
    let wanted = notes(place).len() + some;
    let mut writer = start(place, test, begin);
    let patience = Instant::now() + PATIENCE;
    while notes(place).len() < wanted {
        assert!(Instant::now() < patience, "the writer writes nothing");
        assert!(writer.try_wait().expect("it is ours").is_none(), "the writer ended by itself");
        thread::sleep(Duration::from_millis(1));
    }
    writer.kill().expect("it is ours");
    writer.wait().expect("it ends");
}

#[test]
fn what_was_acknowledged_outlives_kill_9() {
    for_each_store(|place| {
        scene(place);
        let mut begin = 1;
        for kill in 0..KILLS {
            let some = 3 + usize::from(random() % 60);
            kill_after(some, place, "killed::a_writer_notes_what_was_acknowledged", begin);
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

/// Enrols one device after the other, each of a user of its own, and notes each step that was acknowledged.
fn enrol(address: &str, notes: &Path, begin: u64, count: u64) {
    let mut store = open_at(address);
    let mut notes = OpenOptions::new().append(true).open(notes).expect("the notes");
    for number in begin..begin + count {
        let mut note = |what: &str| notes.write_all(format!("{what} {number}\n").as_bytes()).expect("a note");
        let id = u32::try_from(number).expect("few devices");
        let user = add_user(&mut *store, &format!("user-{number}"));
        store.add_enrolment(at(0), user.id, &ticket(id), at(100)).expect("an enrolment");
        store.claim(at(1), &ticket(id), &device(id), Some(SECRET)).expect("an answer").expect("it is good");
        note("claimed");
        assert!(store.count_try(at(1), &ticket(id), &device(id).key, 5, at(61)).expect("an answer"));
        note("tried");
        store.enrol(at(1), &ticket(id), &device(id), Some(number), at(61)).expect("an answer").expect("a device");
        note("enrolled");
    }
}

#[test]
fn a_writer_enrols_devices() {
    // Started by the test below: it writes until it is killed.
    if let Ok(address) = env::var(PLACE) {
        let begin = env::var("UNDERPASS_TEST_BEGIN").expect("where to begin").parse().expect("a number");
        let notes = env::var_os("UNDERPASS_TEST_NOTES").expect("where to note");
        enrol(&address, Path::new(&notes), begin, 100_000);
        return;
    }
    for_each_store(|place| {
        fs::write(notes_of(place), "").expect("the notes");
        enrol(&place.address, &notes_of(place), 1, 5);
        assert_eq!(notes(place).len(), 15);
        assert_eq!(whole_enrolments(&mut *place.open(), 7), 5);
    });
}

#[test]
fn an_enrolment_that_is_killed_is_whole_or_can_be_gone_on_with() {
    for_each_store(|place| {
        fs::write(notes_of(place), "").expect("the notes");
        let mut begin = 1;
        for kill in 0..KILLS {
            let some = 1 + usize::from(random() % 20);
            kill_after(some, place, "killed::a_writer_enrols_devices", begin);
            begin = check_enrolments(place, kill) + 1;
        }
    });
}

/// Holds the store against the notes, and goes on with what was cut short. Returns the highest number that was used.
fn check_enrolments(place: &Place, kill: u32) -> u64 {
    let (mut store, notes) = (place.open(), notes(place));
    let numbers = |what: &str| -> Vec<u64> {
        let of_kind = notes.iter().filter_map(|note| note.strip_prefix(what)?.strip_prefix(' '));
        of_kind.map(|number| number.parse().expect("a number")).collect()
    };
    let enrolled = numbers("enrolled");
    let last = numbers("claimed").last().copied().unwrap_or_default() + 1;
    assert!(whole_enrolments(&mut *store, last) >= enrolled.len(), "after kill {kill}, acknowledged and lost");
    // The one that was cut short is the device's still, with the same secret, until it is over.
    for number in numbers("claimed").into_iter().rev().take(1).filter(|number| !enrolled.contains(number)) {
        let id = u32::try_from(number).expect("few devices");
        let again = store.claim(at(2), &ticket(id), &device(id), Some(b"another secret 12345")).expect("an answer");
        let again = again.expect("it is the device's");
        if !again.is_over {
            assert_eq!(again.secret.as_ref().map(|secret| secret.as_slice()), Some(SECRET), "after kill {kill}");
            assert!(again.tries <= 1, "after kill {kill}");
            store.enrol(at(2), &ticket(id), &device(id), Some(number), at(61)).expect("an answer").expect("a device");
        }
        assert_eq!(store.claim(at(2), &ticket(id), &device(id + 500_000), None).expect("an answer"), None);
    }
    last
}

/// How many of the first `most` enrolments are over. A device is there with its code, and with the end of its enrolment, or not at all.
fn whole_enrolments(store: &mut dyn Store, most: u64) -> usize {
    let is_whole = |number: &u64| {
        let Some(user) = store.user(&name(&format!("user-{number}"))).expect("an answer") else { return false };
        let found = store.enrolment_of(user.id).expect("an answer");
        let is_over = found.is_some_and(|found| found.is_over);
        let devices = store.devices(user.id).expect("a list").len();
        let codes = store.codes(user.id).expect("a list");
        assert_eq!((devices, codes.len()), (usize::from(is_over), usize::from(is_over)), "user {number}");
        assert!(codes.iter().all(|code| code.last == Some(*number)), "the code that was shown is used up");
        is_over
    };
    (1..=most).filter(is_whole).count()
}

fn start(place: &Place, test: &str, begin: u64) -> Child {
    Command::new(env::current_exe().expect("this program"))
        .args(["--exact", test])
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
