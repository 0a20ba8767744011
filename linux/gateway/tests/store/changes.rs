//! The log of changes.
use crate::place::{add_user_with, at, for_each, key, name};
use underpass_gateway::store::{Change, ChangeKind, NewSession, Seen, Store, UserId};

fn seen(store: &mut dyn Store, after: u64, limit: u32) -> Vec<Change> {
    match store.changes(after, limit).expect("an answer") {
        Seen::Changes(changes) => changes,
        Seen::TooFarBehind { newest } => panic!("too far behind {newest}"),
    }
}

#[test]
fn every_change_has_a_number_and_what_changed_nothing_has_none() {
    for_each(|store| {
        assert_eq!((store.newest_change().expect("a number"), seen(store, 0, 9)), (0, Vec::new()));
        let alice = add_user_with(store, "alice", 1);
        store.add_group(at(1), &name("staff")).expect("a group");
        store.set_member(at(2), alice.id, &name("staff"), true).expect("a member");
        store.set_member(at(2), alice.id, &name("staff"), true).expect("she was");
        store.add_user(at(3), &name("alice"), None).expect_err("the name is taken");
        store.set_password(at(3), UserId(99), None).expect_err("nobody");
        let session = NewSession { device: &key(1), user: alice.id, gateway: &name("gw"), until: at(9) };
        store.open_session(at(4), &session).expect("a session");
        let changes = seen(store, 0, 99);
        let told: Vec<_> = changes.iter().map(|change| (change.seq, change.kind, change.subject.as_str())).collect();
        let device = key(1).to_string();
        assert_eq!(
            told,
            [
                (1, ChangeKind::User, "alice"),
                (2, ChangeKind::Device, device.as_str()),
                (3, ChangeKind::Group, "staff"),
                (4, ChangeKind::Member, "alice"),
                (5, ChangeKind::Session, device.as_str()),
            ]
        );
        assert_eq!(changes[4].at, at(4));
        assert_eq!(seen(store, 1, 2).iter().map(|change| change.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(store.newest_change().expect("a number"), 5);
    });
}

#[test]
fn changes_are_told_once_and_forgotten_when_told() {
    for_each(|store| {
        for secs in 1..=5 {
            store.add_group(at(secs), &name(&format!("g{secs}"))).expect("a group");
        }
        let untold = |store: &mut dyn Store| {
            store.untold_changes(9).expect("a list").iter().map(|change| change.seq).collect::<Vec<_>>()
        };
        assert_eq!(untold(store), [1, 2, 3, 4, 5]);
        store.mark_told(3).expect("marked");
        assert_eq!(untold(store), [4, 5]);
        assert_eq!(store.forget_changes(at(99)).expect("an answer"), 3, "the untold stay");
        store.mark_told(5).expect("marked");
        assert_eq!(store.forget_changes(at(99)).expect("an answer"), 1, "and the last one");
        assert_eq!(store.changes(0, 9).expect("an answer"), Seen::TooFarBehind { newest: 5 });
        assert_eq!(store.changes(3, 9).expect("an answer"), Seen::TooFarBehind { newest: 5 });
        assert_eq!(seen(store, 4, 9).len(), 1);
        assert_eq!(store.changes(6, 9).expect("an answer"), Seen::TooFarBehind { newest: 5 }, "of a newer copy");
    });
}
