//! Enrolments: claimed by one device, and over with it.
use crate::factors::add_code;
use crate::place::{add_device, add_user, add_user_with, at, for_each, key, name};
use underpass_core::PublicKey;
use underpass_gateway::store::{Enrolment, NewDevice, Owner, Store, StoreError, UserId};

pub const SECRET: &[u8] = b"12345678901234567890";

pub fn device(number: u32) -> NewDevice {
    NewDevice { key: key(number), name: name(&format!("d{number}")) }
}

/// The key of an enrolment.
pub fn ticket(number: u32) -> PublicKey {
    key(1_000_000 + number)
}

pub fn begin(store: &mut dyn Store, user: UserId, number: u32) -> PublicKey {
    store.add_enrolment(at(0), user, &ticket(number), at(100)).expect("an enrolment");
    ticket(number)
}

fn claim(store: &mut dyn Store, secs: i64, key: &PublicKey, number: u32) -> Option<Enrolment> {
    store.claim(at(secs), key, &device(number), Some(SECRET)).expect("an answer")
}

#[test]
fn an_enrolment_adds_one_device_and_its_code_in_time() {
    for_each(|store| {
        let alice = add_user(store, "alice");
        let key_of = begin(store, alice.id, 1);
        assert_eq!(claim(store, 100, &key_of, 1), None, "too late");
        assert_eq!(claim(store, 1, &ticket(9), 1), None, "no such enrolment");
        let first = claim(store, 1, &key_of, 1).expect("it is good");
        assert_eq!((first.user, first.name.as_str(), first.until), (alice.id, "alice", at(100)));
        assert_eq!((first.device, first.secret.as_ref().map(|secret| secret.as_slice())), (Some(key(1)), Some(SECRET)));
        assert!(store.codes(alice.id).expect("a list").is_empty(), "nothing is added yet");
        assert_eq!(store.device(&key(1)).expect("an answer"), None);
        let again = store.claim(at(2), &key_of, &device(1), Some(b"another secret 12345")).expect("an answer");
        assert_eq!(
            again.expect("it is hers").secret.as_ref().map(|secret| secret.as_slice()),
            Some(SECRET),
            "as before"
        );
        assert_eq!(claim(store, 2, &key_of, 2), None, "another device");
        let enrol = |store: &mut dyn Store, number, step| {
            store.enrol(at(3), &key_of, &device(number), step, at(63)).expect("an answer")
        };
        assert_eq!(enrol(store, 1, None), None, "a code is wanted");
        assert_eq!(enrol(store, 2, Some(7)), None, "another device");
        let added = enrol(store, 1, Some(7)).expect("a device");
        assert_eq!((added.key, added.owner, added.created), (key(1), Owner::User(alice.id), at(3)));
        let codes = store.codes(alice.id).expect("a list");
        assert_eq!((codes.len(), codes[0].last, codes[0].code.secret.as_slice()), (1, Some(7), SECRET));
        assert!(!store.accept_step(codes[0].id, 7).expect("an answer"), "the code that was shown is used up");
        assert_eq!(enrol(store, 1, Some(8)), None, "once");
        let over = claim(store, 4, &key_of, 1).expect("it is remembered");
        assert_eq!((over.is_over, over.secret, over.until), (true, None, at(63)));
        assert_eq!(claim(store, 4, &key_of, 2), None);
        assert_eq!(claim(store, 63, &key_of, 1), None);
        assert_eq!(store.forget_enrolments(at(62)).expect("a number"), 0);
        assert_eq!(store.forget_enrolments(at(63)).expect("a number"), 1);
        assert_eq!(store.enrolment_of(alice.id).expect("an answer"), None);
    });
}

#[test]
fn whoever_has_codes_or_needs_none_is_asked_for_none() {
    for_each(|store| {
        let (alice, bert) = (add_user(store, "alice"), add_user(store, "bert"));
        add_code(store, alice.id);
        let (hers, his) = (begin(store, alice.id, 1), begin(store, bert.id, 2));
        assert_eq!(claim(store, 1, &hers, 1).expect("it is good").secret, None);
        assert_eq!(store.claim(at(1), &his, &device(2), None).expect("an answer").expect("it is good").secret, None);
        for (key_of, number) in [(hers, 1), (his, 2)] {
            let with = store.enrol(at(1), &key_of, &device(number), Some(1), at(61)).expect("an answer");
            assert_eq!(with, None, "there is no authenticator that a code could be of");
            assert!(store.enrol(at(1), &key_of, &device(number), None, at(61)).expect("an answer").is_some());
        }
        assert_eq!(store.codes(alice.id).expect("a list").len(), 1);
        assert!(store.codes(bert.id).expect("a list").is_empty());
    });
}

#[test]
fn codes_are_counted_and_the_last_one_ends_the_enrolment() {
    for_each(|store| {
        let alice = add_user(store, "alice");
        let key_of = begin(store, alice.id, 1);
        let count = |store: &mut dyn Store, secs, number| {
            store.count_try(at(secs), &key_of, &key(number), 3, at(secs + 60)).expect("an answer")
        };
        assert!(!count(store, 1, 1), "nobody has claimed it");
        claim(store, 1, &key_of, 1).expect("it is good");
        assert!(count(store, 1, 1) && !count(store, 1, 2) && count(store, 2, 1));
        let found = store.enrolment_of(alice.id).expect("an answer").expect("it is there");
        assert_eq!((found.tries, found.until), (2, at(100)));
        assert!(count(store, 3, 1) && !count(store, 3, 1), "three at most");
        let found = store.enrolment_of(alice.id).expect("an answer").expect("it is there");
        assert_eq!((found.tries, found.until), (3, at(63)));
        assert!(
            store.enrol(at(3), &key_of, &device(1), Some(1), at(63)).expect("an answer").is_some(),
            "the last was right"
        );
    });
}

#[test]
fn keys_and_names_that_are_known_and_users_that_are_disabled_are_refused() {
    for_each(|store| {
        let alice = add_user_with(store, "alice", 1);
        add_device(store, Owner::User(alice.id), 3);
        store.remove_device(at(0), &key(3), true).expect("revoked");
        let old = begin(store, alice.id, 1);
        let key_of = begin(store, alice.id, 2);
        assert_eq!(claim(store, 1, &old, 2), None, "a newer one took its place");
        let refused = |store: &mut dyn Store, number, text: &str| {
            let device = NewDevice { key: number, name: name(text) };
            store.claim(at(1), &key_of, &device, None).expect_err("refused")
        };
        assert!(matches!(refused(store, key(1), "x"), StoreError::Exists { .. }), "a device's key");
        assert!(matches!(refused(store, key_of, "x"), StoreError::Exists { .. }), "its own");
        assert!(matches!(refused(store, key(2), "device-1"), StoreError::Exists { .. }), "a name of hers");
        assert!(matches!(refused(store, key(3), "x"), StoreError::Revoked(_)));
        let known = store.add_enrolment(at(1), alice.id, &key(1), at(9)).expect_err("a device's key");
        assert!(matches!(known, StoreError::Exists { .. }), "{known}");
        let known = store.add_device(at(1), Owner::Shared, &NewDevice { key: key_of, name: name("x") });
        assert!(matches!(known, Err(StoreError::Exists { .. })), "an enrolment's key is no device's");
        assert!(claim(store, 1, &key_of, 2).is_some(), "nothing of this has claimed it");
        let every = store.every_enrolment(None, 9).expect("a list");
        assert_eq!(every.iter().map(|found| found.key).collect::<Vec<_>>(), [key_of]);
        assert!(store.every_enrolment(Some(&key_of), 9).expect("a list").is_empty());
        store.enable_user(at(2), alice.id, false).expect("disabled");
        assert_eq!(claim(store, 2, &key_of, 2), None);
        let disabled = store.add_enrolment(at(3), alice.id, &ticket(3), at(9)).expect_err("disabled");
        assert!(matches!(disabled, StoreError::Missing { .. }), "{disabled}");
        store.enable_user(at(4), alice.id, true).expect("enabled");
        assert_eq!(claim(store, 4, &key_of, 2), None, "what was taken back stays so");
        begin(store, alice.id, 4);
        store.remove_user(at(5), alice.id).expect("removed");
        assert!(store.every_enrolment(None, 9).expect("a list").is_empty());
    });
}

#[test]
fn secrets_of_enrolments_do_not_show() {
    for_each(|store| {
        let alice = add_user(store, "alice");
        let key_of = begin(store, alice.id, 1);
        let shown = format!("{:?}", claim(store, 1, &key_of, 1));
        assert!(shown.contains("alice") && !shown.contains("49, 50"), "{shown}");
    });
}
