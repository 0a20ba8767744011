//! Users and groups.
use crate::enrolments::{begin, device};
use crate::place::{add_device, add_user, add_user_with, at, for_each, for_each_store, key, name};
use underpass_gateway::store::{HashOfCode, Identity, NewSession, Opened, Owner, Store, StoreError, UserId};

fn open(store: &mut dyn Store, user: UserId, device: u32) -> Opened {
    let session = NewSession { device: &key(device), user, gateway: &name("gw"), until: at(1000) };
    store.open_session(at(1), &session).expect("an answer")
}

#[test]
fn users_are_there_until_they_are_removed() {
    for_each_store(|place| {
        let alice = {
            let mut store = place.open();
            let alice = add_user(&mut *store, "Alice");
            store.set_password(at(1), alice.id, Some("$argon2id$x")).expect("a password");
            alice
        };
        let mut store = place.open();
        let again = store.user(&name("alice")).expect("an answer").expect("she is there");
        assert_eq!((again.id, again.enabled, again.has_password, again.created), (alice.id, true, true, at(0)));
        let phc = store.password(alice.id).expect("an answer").expect("a hash");
        assert_eq!(phc.as_str(), "$argon2id$x");
        store.set_password(at(2), alice.id, None).expect("none any more");
        assert_eq!(store.password(alice.id).expect("an answer"), None);
        let twice = store.add_user(at(3), &name("alice"), None).expect_err("the name is taken");
        assert_eq!(twice.to_string(), "user alice is there already");
        store.remove_user(at(4), alice.id).expect("she goes");
        assert_eq!(store.user(&name("alice")).expect("an answer"), None);
        let gone = store.remove_user(at(5), alice.id).expect_err("she is gone");
        assert!(matches!(gone, StoreError::Missing { .. }), "{gone}");
        let successor = add_user(&mut *store, "alice");
        assert_ne!(successor.id, alice.id, "numbers are never given again");
    });
}

#[test]
fn users_are_listed_page_by_page() {
    for_each(|store| {
        for user in ["dora", "bert", "anna", "carl", "emil"] {
            add_user(store, user);
        }
        let mut pages: Vec<Vec<String>> = Vec::new();
        let mut after = None;
        loop {
            let page = store.users(after.as_ref(), 2).expect("a page");
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            pages.push(page.iter().map(|user| user.name.to_string()).collect());
        }
        assert_eq!(pages, [vec!["anna", "bert"], vec!["carl", "dora"], vec!["emil"]]);
    });
}

#[test]
fn users_from_elsewhere_are_known_by_issuer_and_subject() {
    for_each(|store| {
        let at_idp = |subject: &str| Identity { issuer: "https://idp.example".into(), subject: subject.into() };
        let alice = store.add_user(at(0), &name("alice"), Some(&at_idp("17"))).expect("a user");
        add_user(store, "bert");
        assert_eq!(store.user_with(&at_idp("17")).expect("an answer"), Some(alice.clone()));
        assert_eq!(store.user_with(&at_idp("alice")).expect("an answer"), None);
        let other = Identity { issuer: "https://other.example".into(), subject: "17".into() };
        assert_eq!(store.user_with(&other).expect("an answer"), None);
        let twice = store.add_user(at(1), &name("alice2"), Some(&at_idp("17"))).expect_err("that is alice");
        assert!(matches!(twice, StoreError::Exists { .. }), "{twice}");
        assert_eq!(store.user(&name("alice2")).expect("an answer"), None, "and nothing was done");
    });
}

#[test]
fn a_disabled_user_has_no_session_and_gets_none() {
    for_each(|store| {
        let (alice, bert) = (add_user_with(store, "alice", 1), add_user_with(store, "bert", 3));
        add_device(store, Owner::User(alice.id), 2);
        for (user, device) in [(&alice, 1), (&alice, 2), (&bert, 3)] {
            assert!(matches!(open(store, user.id, device), Opened::Open { .. }));
        }
        let enrolment = begin(store, alice.id, 1);
        let ended = store.enable_user(at(2), alice.id, false).expect("disabled");
        assert_eq!(ended.iter().map(|session| session.device).collect::<Vec<_>>(), [key(1), key(2)]);
        assert_eq!(store.sessions(None).expect("a list").len(), 1, "bert's goes on");
        assert_eq!(open(store, alice.id, 1), Opened::NotTheUser);
        let claimed = store.claim(at(3), &enrolment, &device(9), None).expect("an answer");
        assert_eq!(claimed, None, "nor a new device");
        assert!(store.enable_user(at(4), alice.id, false).expect("that is so already").is_empty());
        store.enable_user(at(5), alice.id, true).expect("enabled");
        assert!(matches!(open(store, alice.id, 1), Opened::Open { .. }));
    });
}

#[test]
fn with_a_user_goes_all_that_was_the_users() {
    for_each(|store| {
        let alice = add_user_with(store, "alice", 1);
        store.add_group(at(0), &name("staff")).expect("a group");
        assert!(store.set_member(at(0), alice.id, &name("staff"), true).expect("a member"));
        store.set_recovery(at(0), alice.id, &[HashOfCode([1; 32])]).expect("a code");
        begin(store, alice.id, 1);
        open(store, alice.id, 1);
        let removed = store.remove_user(at(1), alice.id).expect("she goes");
        assert_eq!((removed.sessions.len(), removed.devices), (1, vec![key(1)]));
        assert_eq!(store.device(&key(1)).expect("an answer"), None);
        assert_eq!(store.groups().expect("a list"), [(name("staff"), 0)]);
        assert!(store.sessions(None).expect("a list").is_empty());
        assert!(!store.take_recovery(alice.id, &HashOfCode([1; 32])).expect("an answer"));
        let successor = add_user(store, "alice");
        assert!(store.groups_of(successor.id).expect("a list").is_empty());
    });
}

#[test]
fn groups_have_members_from_here_and_from_elsewhere() {
    for_each(|store| {
        let alice = add_user(store, "alice");
        for group in ["staff", "admins", "guests"] {
            store.add_group(at(0), &name(group)).expect("a group");
        }
        store.add_group(at(0), &name("staff")).expect_err("that is there");
        assert!(store.set_member(at(1), alice.id, &name("staff"), true).expect("a member"));
        assert!(!store.set_member(at(1), alice.id, &name("staff"), true).expect("she was"));
        let names = |texts: &[&str]| texts.iter().map(|text| name(text)).collect::<Vec<_>>();
        assert!(store.replace_groups(at(2), alice.id, "ldap", &names(&["staff", "guests", "unknown"])).expect("done"));
        assert!(!store.replace_groups(at(2), alice.id, "ldap", &names(&["guests", "staff"])).expect("as it was"));
        assert_eq!(store.groups_of(alice.id).expect("a list"), names(&["guests", "staff"]));
        assert!(store.replace_groups(at(3), alice.id, "ldap", &[]).expect("the directory takes its own back"));
        assert_eq!(store.groups_of(alice.id).expect("a list"), names(&["staff"]), "and leaves what was done here");
        assert_eq!(store.members(&name("staff")).expect("a list"), names(&["alice"]));
        assert!(store.set_member(at(4), alice.id, &name("staff"), false).expect("no member"));
        assert!(!store.set_member(at(4), alice.id, &name("staff"), false).expect("she was none"));
        store.set_member(at(5), alice.id, &name("nobodies"), true).expect_err("no such group");
        store.set_member(at(5), UserId(99), &name("staff"), true).expect_err("no such user");
        store.set_member(at(6), alice.id, &name("admins"), true).expect("a member");
        assert_eq!(store.remove_group(at(7), &name("admins")).expect("gone"), 1);
        assert!(store.groups_of(alice.id).expect("a list").is_empty());
        store.members(&name("admins")).expect_err("gone");
    });
}
