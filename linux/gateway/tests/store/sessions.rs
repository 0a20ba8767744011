//! Sessions and failed attempts.
use crate::place::{add_device, add_user_with, at, for_each, key, name};
use std::time::Duration;
use underpass_gateway::store::{Failures, NewSession, Opened, Owner, Store, Subject, UserId};

fn open(store: &mut dyn Store, user: UserId, device: u32, gateway: &str, secs: i64) -> (u64, Option<u64>) {
    let session = NewSession { device: &key(device), user, gateway: &name(gateway), until: at(secs + 100) };
    match store.open_session(at(secs), &session).expect("an answer") {
        Opened::Open { epoch, replaced } => (epoch, replaced.map(|session| session.epoch)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_has_one_session_and_each_has_a_higher_number() {
    for_each(|store| {
        let alice = add_user_with(store, "alice", 1);
        assert_eq!(open(store, alice.id, 1, "gw-a", 0), (1, None));
        assert_eq!(open(store, alice.id, 1, "gw-b", 5), (2, Some(1)));
        let session = store.session(&key(1)).expect("an answer").expect("it is open");
        assert_eq!((session.gateway.as_str(), session.epoch, session.since), ("gw-b", 2, at(5)));
        assert_eq!((session.name.as_str(), session.until), ("alice", at(105)));
        assert!(!store.extend_session(at(6), &key(1), 1, at(500)).expect("an answer"), "that is the old one");
        assert!(store.extend_session(at(6), &key(1), 2, at(500)).expect("an answer"));
        assert_eq!(store.end_session(at(7), &key(1), Some(1)).expect("an answer"), None);
        let ended = store.end_session(at(7), &key(1), Some(2)).expect("an answer").expect("it was open");
        assert_eq!(ended.until, at(500));
        assert_eq!(store.end_session(at(8), &key(1), None).expect("an answer"), None);
        assert_eq!(open(store, alice.id, 1, "gw-a", 9), (3, None), "the number goes on");
    });
}

#[test]
fn sessions_end_in_time_and_by_user() {
    for_each(|store| {
        let (alice, bert) = (add_user_with(store, "alice", 1), add_user_with(store, "bert", 2));
        add_device(store, Owner::User(alice.id), 3);
        open(store, alice.id, 1, "gw", 0);
        open(store, bert.id, 2, "gw", 10);
        open(store, alice.id, 3, "gw", 20);
        let devices = |sessions: Vec<underpass_gateway::store::Session>| {
            sessions.into_iter().map(|session| session.device).collect::<Vec<_>>()
        };
        assert!(store.expire_sessions(at(99)).expect("an answer").is_empty());
        assert_eq!(devices(store.expire_sessions(at(100)).expect("an answer")), [key(1)]);
        assert_eq!(devices(store.sessions(None).expect("a list")), [key(2), key(3)]);
        assert_eq!(devices(store.sessions(Some(bert.id)).expect("a list")), [key(2)]);
        assert_eq!(devices(store.end_sessions(at(101), alice.id).expect("an answer")), [key(3)]);
        assert!(store.end_sessions(at(101), alice.id).expect("an answer").is_empty());
        assert!(!store.extend_session(at(102), &key(3), 1, at(900)).expect("an answer"), "what has ended stays so");
    });
}

#[test]
fn failures_are_counted_until_a_window_without_one() {
    for_each(|store| {
        let window = Duration::from_secs(60);
        let subjects = [Subject::User(UserId(1)), Subject::Device(key(1)), Subject::Both(UserId(1), key(1))];
        for subject in &subjects {
            for (secs, count, first) in [(0, 1, 0), (30, 2, 0), (90, 3, 0), (151, 1, 151), (152, 2, 151)] {
                let failures = store.record_failure(at(secs), subject, window).expect("counted");
                assert_eq!(failures, Failures { count, first: at(first), last: at(secs) });
            }
            assert_eq!(store.failures(subject).expect("an answer").map(|failures| failures.count), Some(2));
        }
        let mut every = store.every_failure(None, 2).expect("a list");
        every.extend(store.every_failure(every.last().map(|(subject, _)| subject), 9).expect("a list"));
        assert_eq!(every.len(), 3, "page by page");
        for subject in &subjects {
            let known = every.iter().find(|(known, _)| known == subject).map(|(_, failures)| *failures);
            assert_eq!(known, store.failures(subject).expect("an answer"), "{subject:?}");
        }
        store.clear_failures(&subjects[0]).expect("cleared");
        assert_eq!(store.failures(&subjects[0]).expect("an answer"), None);
        assert!(store.failures(&subjects[1]).expect("an answer").is_some(), "each for itself");
        store.record_failure(at(500), &subjects[0], window).expect("counted");
        assert_eq!(store.forget_failures(at(500)).expect("an answer"), 2);
        assert!(store.failures(&subjects[0]).expect("an answer").is_some());
    });
}
