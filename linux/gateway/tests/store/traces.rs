//! A store that keeps no traces of use. Of SQLite alone.
use crate::leases::pool;
use crate::place::{Place, add_user_with, at, key, name};
use std::fs;
use std::time::Duration;
use underpass_gateway::store::sqlite::{Keep, Sqlite};
use underpass_gateway::store::{
    Changes as _, LeaseAnswer, LeaseRequest, Leases as _, NewSession, Opened, Sessions as _, Store, Subject, Users as _,
};

const GATEWAY: &str = "gateway-in-the-cellar";
/// The address that is given below, as databases have it.
const ADDRESS: [u8; 4] = [10, 77, 88, 99];

/// One day of a user: a login, an address, a failure.
fn use_it(store: &mut dyn Store) {
    let alice = store.user(&name("alice")).expect("an answer").expect("she is there");
    let session = NewSession { device: &key(1), user: alice.id, gateway: &name(GATEWAY), until: at(100) };
    assert!(matches!(store.open_session(at(1), &session).expect("an answer"), Opened::Open { .. }));
    let office = pool("10.77.88.99", "10.77.88.120");
    let request =
        LeaseRequest { pool: &office, device: &key(1), wanted: None, until: at(100), rest: Duration::from_secs(10) };
    assert!(!matches!(store.lease(at(1), &request).expect("an answer"), LeaseAnswer::Exhausted));
    store.record_failure(at(1), &Subject::Device(key(1)), Duration::from_secs(60)).expect("counted");
}

/// Whether any file of the place has `wanted` in it.
fn is_on_disk(place: &Place, wanted: &[u8]) -> bool {
    let files = place.folder().read_dir().expect("the folder").map(|entry| entry.expect("an entry").path());
    files.map(|path| fs::read(path).expect("a file")).any(|bytes| bytes.windows(wanted.len()).any(|at| at == wanted))
}

#[test]
fn a_store_that_keeps_nothing_has_no_trace_of_use_on_the_disk() {
    let place = Place::new();
    add_user_with(&mut *place.open(), "alice", 1);
    let mut store = Sqlite::open(&place.path(), Keep::Nothing).expect("it opens");
    let before = store.newest_change().expect("a number");
    use_it(&mut store);
    assert_eq!(store.sessions(None).expect("a list").len(), 1, "in memory it is there");
    assert_eq!(store.leases(&name("office")).expect("a list").len(), 1);
    assert_eq!(store.newest_change().expect("a number"), before, "no change tells of it");
    assert!(!is_on_disk(&place, GATEWAY.as_bytes()) && !is_on_disk(&place, &ADDRESS));
    assert!(is_on_disk(&place, b"alice"), "the search finds what has to stay");
    let other = Sqlite::open(&place.path(), Keep::Nothing).expect("it opens").sessions(None).expect("a list");
    assert!(other.is_empty());
    drop(store);
    assert!(place.open().sessions(None).expect("a list").is_empty());
}

#[test]
fn disabling_ends_sessions_in_memory_too() {
    let place = Place::new();
    let alice = add_user_with(&mut *place.open(), "alice", 1);
    let mut store = Sqlite::open(&place.path(), Keep::Nothing).expect("it opens");
    use_it(&mut store);
    assert_eq!(store.enable_user(at(2), alice.id, false).expect("disabled").len(), 1);
    assert!(store.sessions(None).expect("a list").is_empty());
}

#[test]
fn what_was_kept_before_is_overwritten() {
    let place = Place::new();
    let mut store = place.open();
    add_user_with(&mut *store, "alice", 1);
    use_it(&mut *store);
    let told = store.newest_change().expect("a number");
    store.mark_told(told).expect("marked");
    drop(store);
    assert!(is_on_disk(&place, GATEWAY.as_bytes()) && is_on_disk(&place, &ADDRESS), "it was there");
    let store = Sqlite::open(&place.path(), Keep::Nothing).expect("it opens");
    assert!(!is_on_disk(&place, GATEWAY.as_bytes()) && !is_on_disk(&place, &ADDRESS));
    drop(store);
    assert!(!is_on_disk(&place, GATEWAY.as_bytes()) && !is_on_disk(&place, &ADDRESS));
}
