//! An older copy takes the place of a store.
use crate::place::{Place, add_user_with, at, for_each, key, name};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::store::{
    HashOfCode, NewCode, NewSession, Opened, Rhythm, Store, StoreError, User, Users, Voided,
};
use zeroize::Zeroizing;

fn add_code(store: &mut dyn Store, user: &User, rhythm: Rhythm) {
    let code = NewCode { rhythm, algorithm: 1, digits: 6, secret: Zeroizing::new(vec![7; 20]) };
    store.add_code(at(0), user.id, &code).expect("a code");
}

/// A user with everything that a copy could bring back.
fn alice(store: &mut dyn Store) -> User {
    let user = add_user_with(store, "alice", 1);
    add_code(store, &user, Rhythm::Time { period: 30 });
    add_code(store, &user, Rhythm::Counter);
    store.set_recovery(at(0), user.id, &[HashOfCode([1; 32]), HashOfCode([2; 32])]).expect("recovery codes");
    let gateway = name("hq");
    let session = NewSession { device: &key(1), user: user.id, gateway: &gateway, until: at(36_000) };
    let opened = store.open_session(at(0), &session).expect("a session");
    assert!(matches!(opened, Opened::Open { .. }));
    store.add_enrolment(at(0), user.id, &key(3), at(36_000)).expect("an enrolment");
    user
}

const ALL: Voided = Voided { sessions: 1, enrolments: 1, recovery_codes: 2, counters: 1 };

#[test]
fn what_a_copy_cannot_know_is_void() {
    for_each(|store| {
        let user = alice(store);
        assert_eq!(store.after_restore(at(600)).expect("it is made void"), ALL);
        assert_eq!(store.sessions(None).expect("a list"), []);
        assert_eq!(store.recovery_left(user.id).expect("a number"), 0);
        let codes = store.codes(user.id).expect("a list");
        assert_eq!(codes.len(), 1, "the counter is gone");
        // A code of the step after the present one may have been used.
        let step = 1_700_000_600 / 30;
        for (step, accepted) in [(step, false), (step + 1, false), (step + 2, true), (step + 2, false)] {
            assert_eq!(store.accept_step(codes[0].id, step).expect("an answer"), accepted, "step {step}");
        }
        assert_eq!(store.after_restore(at(600)).expect("once more"), Voided::default());
    });
}

#[test]
fn a_copy_takes_the_place_of_a_database_that_nobody_has_open() {
    let (place, copies) = (Place::new(), tempfile::tempdir().expect("a folder"));
    let copy = copies.path().join("copy");
    let mut store = Sqlite::open(&place.path(), Keep::Traces).expect("it opens");
    alice(&mut store);
    store.copy_to(&copy).expect("a copy");
    add_user_with(&mut store, "mallory", 2);
    let restore = || Sqlite::restore(&copy, &place.path(), at(600));
    assert!(matches!(restore(), Err(StoreError::Busy)), "the gateway runs");
    assert!(store.user(&name("mallory")).expect("an answer").is_some(), "and nothing was changed");
    drop(store);
    assert_eq!(restore().expect("nobody has it open"), ALL);
    let mut store = Sqlite::open(&place.path(), Keep::Traces).expect("the copy");
    assert!(store.user(&name("alice")).expect("an answer").is_some());
    assert!(store.user(&name("mallory")).expect("an answer").is_none(), "she came later");
    drop(store);
    let mode = fs::metadata(place.path()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let replaced = place.folder().join("gateway.db.replaced");
    let mut old = Sqlite::open(&replaced, Keep::Traces).expect("what was there");
    assert!(old.user(&name("mallory")).expect("an answer").is_some());
    assert!(restore().is_err_and(|error| error.to_string().contains("gateway.db.replaced")), "it is not overwritten");
}

#[test]
fn a_copy_takes_the_place_of_nothing_and_of_damage() {
    let (place, copies) = (Place::new(), tempfile::tempdir().expect("a folder"));
    let (copy, whole) = (copies.path().join("copy"), copies.path().join("whole"));
    let mut store = Sqlite::open(&whole, Keep::Traces).expect("it opens");
    alice(&mut store);
    store.copy_to(&copy).expect("a copy");
    assert_eq!(Sqlite::restore(&copy, &place.path(), at(600)).expect("nothing was there"), ALL);
    assert!(!place.folder().join("gateway.db.replaced").exists());
    fs::write(place.path(), "no database at all").expect("damaged");
    Sqlite::restore(&copy, &place.path(), at(600)).expect("damage is replaced");
    assert_eq!(Sqlite::open(&place.path(), Keep::Traces).expect("whole").users(None, 9).expect("a list").len(), 1);
}

#[test]
fn what_is_no_copy_changes_nothing() {
    let (place, copies) = (Place::new(), tempfile::tempdir().expect("a folder"));
    let bad = copies.path().join("bad");
    alice(&mut *place.open());
    for (what, text) in [("nothing", ""), ("text", "this is a letter, and no database, however long it may be")] {
        fs::write(&bad, text).expect("written");
        Sqlite::restore(&bad, &place.path(), at(600)).expect_err(what);
    }
    Sqlite::restore(&copies.path().join("missing"), &place.path(), at(600)).expect_err("there is none");
    let store = &mut *place.open();
    assert_eq!(store.sessions(None).expect("a list").len(), 1, "all is as it was");
    let names: Vec<_> =
        fs::read_dir(place.folder()).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(
        names.iter().all(|name| ["gateway.db", "gateway.db-wal", "gateway.db-shm"].contains(&&*name.to_string_lossy())),
        "{names:?}"
    );
}
