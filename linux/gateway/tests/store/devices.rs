//! Devices and revoked keys.
use crate::place::{add_device, add_user, add_user_with, at, for_each, key, name};
use underpass_gateway::store::{NewDevice, NewSession, Opened, Owner, StoreError, UserId};

#[test]
fn a_key_belongs_to_one_device() {
    for_each(|store| {
        let (alice, bert) = (add_user_with(store, "alice", 1), add_user(store, "bert"));
        let device = |number, text: &str| NewDevice { key: key(number), name: name(text) };
        for (owner, new) in [
            (Owner::User(bert.id), device(1, "mine")),
            (Owner::Shared, device(1, "kiosk")),
            (Owner::User(alice.id), device(2, "device-1")),
        ] {
            let refused = store.add_device(at(1), owner, &new).expect_err("key or name is taken");
            assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
        }
        store.add_device(at(1), Owner::User(bert.id), &device(2, "device-1")).expect("names are each owner's own");
        store.add_device(at(1), Owner::User(UserId(99)), &device(3, "x")).expect_err("no such user");
        assert_eq!(store.devices(alice.id).expect("a list").len(), 1);
    });
}

#[test]
fn a_removed_device_takes_its_session_along_and_a_revoked_key_stays_away() {
    for_each(|store| {
        let alice = add_user_with(store, "alice", 1);
        add_device(store, Owner::User(alice.id), 2);
        let session = NewSession { device: &key(1), user: alice.id, gateway: &name("gw"), until: at(100) };
        store.open_session(at(1), &session).expect("a session");
        let removed = store.remove_device(at(2), &key(1), false).expect("removed");
        assert_eq!((removed.device.key, removed.session.is_some(), removed.left), (key(1), true, 1));
        assert!(store.sessions(None).expect("a list").is_empty());
        add_device(store, Owner::User(alice.id), 1);
        let removed = store.remove_device(at(3), &key(1), true).expect("removed");
        assert_eq!((removed.session, removed.left), (None, 1));
        let device = NewDevice { key: key(1), name: name("again") };
        let refused = store.add_device(at(4), Owner::User(alice.id), &device).expect_err("revoked");
        assert!(matches!(refused, StoreError::Revoked(_)), "{refused}");
        assert!(store.is_revoked(&key(1)).expect("an answer") && !store.is_revoked(&key(2)).expect("an answer"));
        assert_eq!(store.remove_device(at(5), &key(2), false).expect("removed").left, 0, "the last one");
        store.remove_device(at(6), &key(2), false).expect_err("gone");
    });
}

#[test]
fn all_devices_come_in_pages_in_the_order_of_their_keys() {
    for_each(|store| {
        assert!(store.every_device(None, 5).expect("a list").is_empty());
        let alice = add_user_with(store, "alice", 1);
        for number in 2..6 {
            add_device(store, if number % 2 == 0 { Owner::Shared } else { Owner::User(alice.id) }, number);
        }
        let mut keys: Vec<_> = (1..6).map(key).collect();
        keys.sort();
        let mut found = Vec::new();
        loop {
            let page = store.every_device(found.last(), 2).expect("a list");
            assert!(page.len() <= 2);
            if page.is_empty() {
                break;
            }
            found.extend(page.iter().map(|device| device.key));
        }
        assert_eq!(found, keys);
        let shared = store.every_device(None, 9).expect("a list").into_iter().filter(|one| one.owner == Owner::Shared);
        assert_eq!(shared.count(), 2);
    });
}

#[test]
fn a_shared_device_is_everybodys_and_others_are_not() {
    for_each(|store| {
        let (alice, bert) = (add_user_with(store, "alice", 1), add_user(store, "bert"));
        add_device(store, Owner::Shared, 7);
        let mut open = |device: u32, user| {
            let session = NewSession { device: &key(device), user, gateway: &name("gw"), until: at(100) };
            store.open_session(at(1), &session).expect("an answer")
        };
        assert!(matches!(open(7, alice.id), Opened::Open { replaced: None, .. }));
        let Opened::Open { replaced: Some(replaced), .. } = open(7, bert.id) else { panic!("bert takes over") };
        assert_eq!(replaced.user, alice.id);
        assert_eq!(open(1, bert.id), Opened::NotTheDevice);
        assert_eq!(open(99, bert.id), Opened::NotTheDevice);
    });
}
