//! Every change is recorded, also those of programs that were ended before they could, and nothing secret is.
use crate::place::{Place, at, has, name};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::thread;
use std::time::Duration;
use underpass_core::PrivateKey;
use underpass_gateway::admin::{AdminError, Office};
use underpass_gateway::audit::{AuditError, Level, Text};
use underpass_gateway::command::CommandError;
use underpass_gateway::store::{Changes as _, Users as _};

/// Every command that changes something, and the line of it.
const EVERY_CHANGE: &[(&str, &str)] = &[
    ("group add staff", r#"{"actor":"root","event":"group.added","group":"staff"}"#),
    ("user add alice", r#"{"actor":"root","event":"user.added","user":"alice"}"#),
    ("group join alice staff", r#"{"actor":"root","event":"group.joined","group":"staff","user":"alice"}"#),
    ("group leave alice staff", r#"{"actor":"root","event":"group.left","group":"staff","user":"alice"}"#),
    ("user passwd alice", r#"{"actor":"root","event":"password.set","user":"alice"}"#),
    ("user passwd alice --remove", r#"{"actor":"root","event":"password.removed","user":"alice"}"#),
    ("user totp alice", r#"{"actor":"root","event":"factor.added","factor":"totp","user":"alice"}"#),
    ("user recovery alice", r#"{"actor":"root","count":10,"event":"recovery.made","user":"alice"}"#),
    ("user totp alice --remove", r#"{"actor":"root","count":1,"event":"factor.removed","user":"alice"}"#),
    (
        "user enroll alice",
        r#"{"actor":"root","event":"enrolment.begun","until":"2023-11-15T22:13:27.000Z","user":"alice"}"#,
    ),
    (
        "user device add alice phone AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        r#"{"actor":"root","device":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","event":"device.added","name":"phone","user":"alice"}"#,
    ),
    (
        "user device remove alice phone",
        r#"{"actor":"root","device":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","event":"device.removed","left":0,"revoked":false,"user":"alice"}"#,
    ),
    ("user disable alice", r#"{"actor":"root","event":"user.disabled","sessions":0,"user":"alice"}"#),
    ("user enable alice", r#"{"actor":"root","event":"user.enabled","user":"alice"}"#),
    ("group remove staff", r#"{"actor":"root","event":"group.removed","group":"staff","members":0}"#),
    ("user remove alice", r#"{"actor":"root","devices":0,"event":"user.removed","sessions":0,"user":"alice"}"#),
];
const PASSWORD: &str = "correct horse battery";

#[test]
fn every_change_is_one_line() {
    let place = Place::new(Level::Minimal);
    for (number, (command, line)) in (2..).zip(EVERY_CHANGE) {
        place.try_run(command, &[PASSWORD, PASSWORD]).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert_eq!(place.lines(number), [*line], "{command}");
        assert!(place.store().untold_changes(9).expect("a list").is_empty(), "{command}: told");
    }
}

#[test]
fn at_level_none_there_is_no_line_and_the_changes_are_made() {
    let place = Place::new(Level::None);
    for (command, _) in &EVERY_CHANGE[..EVERY_CHANGE.len() - 1] {
        place.try_run(command, &[PASSWORD, PASSWORD]).unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    assert!(!place.audit().exists());
    assert!(place.run("user show alice").starts_with("alice enabled"));
    assert!(place.store().untold_changes(9).expect("a list").is_empty(), "nor does a later level tell of them");
}

#[test]
fn no_secret_is_in_the_log_and_only_what_must_be_in_the_store() {
    let place = Place::new(Level::Full);
    place.run("user add alice");
    place.try_run("user passwd alice", &[PASSWORD, PASSWORD]).expect("it is set");
    let value = |command: &str| -> Value { serde_json::from_str(&place.run(command)).expect("JSON") };
    let (code, recovery) = (value("--json user totp alice"), value("--json user recovery alice"));
    let enrolment = value("--json user enroll alice");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let config = text(&enrolment["config"]);
    let key = config.lines().find_map(|line| line.strip_prefix("PrivateKey = ")).expect("a key").to_owned();
    let mut secrets = vec![PASSWORD.to_owned(), text(&code["secret"]), key.clone()];
    secrets.extend(recovery["codes"].as_array().expect("codes").iter().flat_map(|code| {
        let code = text(code);
        [code.replace('-', ""), code]
    }));
    let all = place.bytes(place.root());
    for secret in &secrets {
        assert!(!has(&all, secret), "{secret}");
    }
    let raw = data_encoding::BASE32_NOPAD.decode(text(&code["secret"]).as_bytes()).expect("base32");
    assert!(
        all.windows(raw.len()).any(|at| at == raw),
        "codes are reckoned from their secret: the search would find it"
    );
    assert!(!place.bytes(&place.audit()).windows(raw.len()).any(|at| at == raw), "and the log does not have it");
    assert!(!has(&place.bytes(&place.audit()), "$argon2id"));
    // Of the one-time key, the public half is kept, and no byte of the other.
    let key = PrivateKey::from_base64(&key).expect("a key");
    let is_kept = |bytes: &[u8; 32]| all.windows(32).any(|at| at == bytes);
    assert!(is_kept(key.public_key().as_bytes()) && !is_kept(key.as_bytes()));
}

#[test]
fn what_a_killed_program_left_unrecorded_is_told_by_the_next_one_once() {
    let place = Place::new(Level::Minimal);
    place.run("group add staff");
    // As if the program had been killed between the change and its line.
    let alice = place.store().add_user(at(3), &name("alice"), None).expect("a user");
    place.store().set_member(at(4), alice.id, &name("staff"), true).expect("a member");
    place.run("user add bert");
    let recovered = |change, made: i64, what: &str| {
        let made = at(made);
        format!(r#"{{"change":{change},"event":"change.recovered","made":"{made}","subject":"alice","what":"{what}"}}"#)
    };
    let bert = r#"{"actor":"root","event":"user.added","user":"bert"}"#.to_owned();
    assert_eq!(place.lines(3), [recovered(2, 3, "user"), recovered(3, 4, "member"), bert]);
    place.run("user add carl");
    assert_eq!(place.lines(6).len(), 1);
}

#[test]
fn what_cannot_be_recorded_is_not_done() {
    let place = Place::new(Level::Audit);
    place.run("user add alice");
    let (mut store, mut recorder) = (place.store(), place.recorder());
    let file = place.audit().join("audit-000000000001.jsonl");
    OpenOptions::new().append(true).open(file).expect("the log").write_all(b"this is no line\n").expect("damage");
    let mut office =
        Office { store: &mut store, recorder: &mut recorder, actor: Text::new("root"), gateway: name("gw"), at: at(9) };
    let refused = office.add_user(&name("bert"), &[]).expect_err("no line can follow");
    assert!(matches!(refused, AdminError::Audit(AuditError::Broken(_))), "{refused}");
    assert_eq!(store.user(&name("bert")).expect("an answer"), None);
}

#[test]
fn what_was_done_and_could_not_be_recorded_is_said_and_told_later() {
    let place = Place::new(Level::Audit);
    fs::create_dir(place.audit()).expect("a folder");
    let story = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a namespace of its own needs root");
        let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, private, none).expect("what is mounted stays inside");
        mount(none, &place.audit(), Some("tmpfs"), MsFlags::empty(), Some("size=16k")).expect("a small disk");
        place.run("user add alice");
        let filler = place.audit().join("filler");
        let mut room = OpenOptions::new().create(true).append(true).open(&filler).expect("a file");
        while room.write_all(&[0; 512]).is_ok() {}
        drop(room);
        let mut users = (0..100).map(|number| format!("user add user-{number}"));
        let said = users.find_map(|command| place.try_run(&command, &[]).err()).expect("the disk is full at some time");
        let is_said = matches!(said, CommandError::Admin(AdminError::Unrecorded(AuditError::Disk { .. })));
        assert!(is_said, "{said}");
        let untold = place.store().untold_changes(9).expect("a list");
        assert_eq!(untold.len(), 1);
        let not_done = place.try_run("user add bert", &[]).expect_err("first that one has to be told");
        assert!(matches!(not_done, CommandError::Admin(AdminError::Audit(_))), "{not_done}");
        fs::remove_file(&filler).expect("there is room again");
        place.run("user add bert");
        let lines = place.lines(0);
        let [.., recovered, bert] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(recovered.contains("change.recovered") && recovered.contains(&untold[0].subject), "{recovered}");
        assert!(bert.contains("bert"));
        assert!(place.run("audit verify").contains("as it was written"));
    };
    thread::scope(|scope| scope.spawn(story).join().expect("the story holds"));
}

#[test]
fn shown_secrets_are_not_in_debug() {
    let place = Place::new(Level::Audit);
    place.run("user add alice");
    let (mut store, mut recorder) = (place.store(), place.recorder());
    let mut office =
        Office { store: &mut store, recorder: &mut recorder, actor: Text::new("root"), gateway: name("gw"), at: at(9) };
    let code = office.add_code(&name("alice")).expect("a code");
    let recovery = office.make_recovery(&name("alice")).expect("codes");
    let begun = office.begin_enrolment(&name("alice"), Duration::from_secs(60)).expect("an enrolment");
    let shown = format!("{code:?} {recovery:?} {begun:?}");
    for secret in recovery.codes.iter().chain([&code.secret, &begun.key]) {
        assert!(!secret.is_empty() && !shown.contains(secret.as_str()), "{shown}");
    }
}
