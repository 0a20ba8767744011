//! How lines are written: over files, by several programs, on a full disk, and after a line that was not finished.
use crate::place::{Place, added, at};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::thread;
use underpass_gateway::audit::checkpoint::SigningKey;
use underpass_gateway::audit::query::{Query, look_up};
use underpass_gateway::audit::{AuditError, Event, Recorder, Settings, Text};

#[test]
fn a_log_goes_on_over_files_and_programs() {
    let place = Place::new();
    for program in 0..3 {
        let mut recorder = place.recorder();
        for number in 0..10 {
            recorder.emit(at(number), added(&format!("user-{program}-{number}"))).expect("recorded");
        }
        recorder.checkpoint(at(100)).expect("noted");
        recorder.checkpoint(at(160)).expect("nothing to note");
    }
    let files = place.files();
    assert!(files.len() > 3, "{files:?}");
    let report = place.verify();
    let lines = place.lines();
    assert_eq!((report.findings.len(), report.checkpoints, report.covered), (0, 3, report.last), "{report:?}");
    assert_eq!((report.lines, report.last), (30 + files.len() as u64, lines.len() as u64));
    let users = lines.iter().filter_map(|line| line["user"].as_str());
    let want = (0..3).flat_map(|program| (0..10).map(move |number| format!("user-{program}-{number}")));
    assert!(users.eq(want), "all, in order");
    for file in &files {
        assert!(fs::metadata(file).expect("a file").len() < 2200);
        assert_eq!(fs::metadata(file).expect("a file").mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(place.folder()).expect("a folder").mode() & 0o777, 0o700);
}

#[test]
fn programs_that_record_at_once_make_one_chain() {
    let place = Place::new();
    place.recorder();
    thread::scope(|scope| {
        for program in 0..4 {
            let place = &place;
            scope.spawn(move || {
                let mut recorder = place.recorder();
                for number in 0..50 {
                    recorder.emit(at(0), added(&format!("user-{program}-{number}"))).expect("recorded");
                }
            });
        }
    });
    let report = place.verify_alone();
    assert_eq!(report.findings, []);
    assert_eq!(report.lines, 200 + place.files().len() as u64);
}

#[test]
fn a_line_that_was_not_finished_is_cut_away_and_told() {
    for torn in ["{\"seq\":", "{\"seq\":3,\"time\":\"2023-11-14T22:13:20.000Z\"", "\0\0\0\0"] {
        let place = Place::new();
        place.recorder().emit(at(0), added("alice")).expect("recorded");
        let file = place.files().pop().expect("a file");
        let mut end = OpenOptions::new().append(true).open(&file).expect("the file");
        end.write_all(torn.as_bytes()).expect("half a line");
        assert!(place.verify_alone().findings[0].to_string().ends_with("ends in the middle of a line"));
        place.recorder().emit(at(1), added("bert")).expect("recorded");
        let lines = place.lines();
        let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().expect("an event")).collect();
        assert_eq!(events, ["log.opened", "user.added", "log.mended", "user.added"]);
        assert_eq!(lines[2]["bytes"].as_u64(), Some(torn.len() as u64));
        assert_eq!(place.verify_alone().findings, []);
    }
}

#[test]
fn a_file_that_was_begun_and_has_no_line_is_gone_on_with() {
    let place = Place::new();
    let mut recorder = place.recorder();
    recorder.emit(at(0), added("alice")).expect("recorded");
    drop(recorder);
    fs::write(place.folder().join("audit-000000000003.jsonl"), "{\"seq\":3").expect("the first line was not finished");
    place.recorder().emit(at(1), added("bert")).expect("recorded");
    assert_eq!(place.verify_alone().findings, []);
    assert_eq!(place.lines().len(), 5, "opened, alice, opened, mended, bert");
    fs::write(place.folder().join("audit-000000000099.jsonl"), "").expect("a file that nothing leads to");
    assert!(matches!(Recorder::open(&place.settings(), at(2)), Err(AuditError::Broken(_))));
}

#[test]
fn a_log_that_ends_in_something_else_is_not_gone_on_with() {
    let place = Place::new();
    place.recorder().emit(at(0), added("alice")).expect("recorded");
    let file = place.files().pop().expect("a file");
    Place::edit(&file, |text| text + "this is no line\n");
    let refusal = Recorder::open(&place.settings(), at(1)).expect_err("nothing can follow that");
    assert!(matches!(refusal, AuditError::Broken(_)), "{refusal}");
}

#[test]
fn a_full_disk_is_told_and_leaves_no_half_line() {
    let place = Place::new();
    let story = || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a namespace of its own needs root");
        let (none, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(none, "/", none, private, none).expect("what is mounted stays inside");
        mount(none, place.root(), Some("tmpfs"), MsFlags::empty(), Some("size=64k")).expect("a small disk");
        let settings = Settings { checkpoints: None, rotate_at: u64::MAX, ..place.settings() };
        let mut recorder = Recorder::open(&settings, at(0)).expect("it opens");
        let mut recorded = 0;
        let refusal = loop {
            match recorder.emit(at(0), added("alice")) {
                Ok(()) => recorded += 1,
                Err(refusal) => break refusal,
            }
            assert!(recorded < 10_000, "the disk is never full");
        };
        assert!(matches!(refusal, AuditError::Disk { .. }), "{refusal}");
        let report = place.verify_alone();
        assert_eq!((report.findings, report.lines), (Vec::new(), recorded + 1));
        recorder.emit(at(0), added("alice")).expect_err("it stays full");
        assert_eq!(place.verify_alone().lines, recorded + 1);
    };
    thread::scope(|scope| scope.spawn(story).join().expect("the story holds"));
}

#[test]
fn no_name_forges_a_line() {
    let place = Place::new();
    let forged =
        "alice\",\"hash\":\"0\"}\n{\"seq\":3,\"event\":\"user.added\",\"user\":\"mallory\"}\r\n\u{2028}\u{1b}[2K";
    let event = Event::GatewayStopped { reason: Text::new(forged) };
    place.recorder().emit(at(0), event).expect("recorded");
    let lines = place.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].get("user").is_none());
    let text = fs::read_to_string(&place.files()[0]).expect("the file");
    assert_eq!(text.matches('\n').count(), 2);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{2028}'), "{text}");
    assert_eq!(place.verify_alone().findings, []);
}

#[test]
fn lines_are_looked_up_by_kind_user_and_time() {
    let place = Place::new();
    let mut recorder = place.recorder();
    for (number, user) in (0..).zip(["alice", "bert", "alice", "carl"]) {
        recorder.emit(at(number * 100), added(user)).expect("recorded");
    }
    let count = |query: Query| {
        let mut count = 0;
        let each = |_: &str, _: &serde_json::Value| {
            count += 1;
            true
        };
        look_up(&place.folder(), &query, each).expect("lines");
        count
    };
    let all = Query::default;
    assert_eq!(count(Query { user: Some("alice".into()), ..all() }), 2);
    assert_eq!(count(Query { user: Some("root".into()), ..all() }), 4, "who did it counts, too");
    assert_eq!(count(Query { event: Some("user".into()), ..all() }), 4);
    assert_eq!(count(Query { event: Some("user.added".into()), ..all() }), 4);
    assert_eq!(count(Query { event: Some("use".into()), ..all() }), 0);
    assert_eq!(count(Query { since: Some(at(100).to_string()), until: Some(at(200).to_string()), ..all() }), 2);
    assert_eq!(count(Query { from: Some(4), ..all() }), 2);
}

#[test]
fn a_signing_key_is_kept_and_others_may_not_read_it() {
    let place = Place::new();
    let path = place.root().join("key");
    assert_eq!(SigningKey::at(&path).expect("made").public(), SigningKey::at(&path).expect("read").public());
    assert_eq!(fs::metadata(&path).expect("a file").mode() & 0o777, 0o600);
    let digits = fs::read_to_string(&path).expect("the key");
    assert!(!format!("{:?}", SigningKey::at(&path)).contains(digits.trim_end()));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("its mode");
    let refusal = SigningKey::at(&path).expect_err("others can read it").to_string();
    assert!(refusal.contains("others") && !refusal.contains(digits.trim_end()), "{refusal}");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
    fs::write(&path, "abc").expect("the file");
    assert!(matches!(SigningKey::at(&path), Err(AuditError::Key { .. })));
}
