//! The store away, and the gateway started again.
use crate::place::{SITE, key, name};
use crate::world::World;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;
use underpass_core::control::Event;
use underpass_core::control::message::{LeaseRequest, Outcome, Reply, Request, SessionState};
use underpass_core::{Access, DropReason};
use underpass_gateway::store::{
    Attempts as _, Changes as _, Devices as _, NewDevice, Owner, Sessions as _, Subject, Users as _,
};

#[test]
fn without_the_store_nobody_gets_in_and_who_is_in_stays_until_the_offline_limit() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    world.cut_store_off(true);
    let refused = world.log_in(1, "bert", "bert's password", &world.code("bert"));
    let [Outcome::Rejected { retry_after: Some(_) }] = refused[..] else { panic!("{refused:?}") };
    assert!(!world.service.is_store_there());
    assert_eq!(world.goes_in(1, [10, 8, 0, 77]), Err(Some(DropReason::Locked)));
    assert_eq!(world.goes_in(0, address), Ok(60), "what is open goes on");
    let renewed = world.ask(0, &Request::Lease(LeaseRequest::default()));
    assert!(matches!(renewed, Event::Refused { refusal, .. } if refusal.retry_after.is_some()));
    world.run(Duration::from_secs(120));
    assert_eq!(world.goes_in(0, address), Ok(60), "and keeps its address");
    world.run(Duration::from_secs(130));
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)), "the offline limit is over");
    assert_eq!(world.store().sessions(None).expect("a list").len(), 1, "the store does not know yet");
    world.cut_store_off(false);
    world.run(Duration::from_secs(1));
    assert!(world.service.is_store_there() && world.store().sessions(None).expect("a list").is_empty());
    world.enter(1, "bert");
    assert_eq!(world.lease(1), [10, 8, 0, 77]);
    world.enter(0, "alice");
    assert_eq!(world.lease(0), address);
}

#[test]
fn a_store_that_is_back_in_time_changes_nothing() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    world.cut_store_off(true);
    world.run(Duration::from_secs(60));
    assert!(!world.service.is_store_there());
    world.cut_store_off(false);
    world.run(Duration::from_secs(300));
    assert_eq!(world.goes_in(0, address), Ok(60));
    assert!(world.lines_of("session.ended").is_empty());
}

#[test]
fn a_logout_while_the_store_is_away_outlasts_a_restart() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    world.cut_store_off(true);
    assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
    world.cut_store_off(false);
    world.run(Duration::from_secs(1));
    world.restart();
    assert_eq!(world.service.open_sessions(), 0);
    world.run(Duration::from_secs(60));
    let Reply::Session(session) = world.reply_to(0, &Request::Session) else { panic!("no session") };
    assert_eq!(session.state, SessionState::Locked);
}

#[test]
fn after_a_restart_sessions_and_addresses_are_there_and_codes_are_still_used_up() {
    let mut world = World::new();
    let code = world.code("alice");
    world.enter(0, "alice");
    let address = world.lease(0);
    let Reply::Session(before) = world.reply_to(0, &Request::Session) else { panic!("no session") };
    world.run(Duration::from_secs(40));
    world.restart();
    assert_eq!(world.service.open_sessions(), 1);
    // The client makes a new handshake when nobody answers what it sends.
    assert!(world.goes_in(0, address).is_err(), "the gateway has no keypairs yet");
    let Reply::Session(session) = world.reply_to(0, &Request::Session) else { panic!("no session") };
    assert_eq!(session, before, "state, user, since and until");
    assert_eq!(world.goes_in(0, address), Ok(60));
    assert_eq!(world.comes_out(0, address), Ok(60));
    assert_eq!(world.lease(0), address);
    assert_eq!(world.lines_of("session.opened").len(), 1, "told of once");
    assert_eq!(world.lines_of("gateway.started").len(), 2);
    let again = world.log_in(0, "alice", "alice's password", &code);
    assert!(!again.contains(&Outcome::Done), "{again:?}");
}

#[test]
fn a_session_that_ended_while_the_gateway_was_down_is_not_taken_up() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    // As if the gateway had been off, and its clock gone on.
    world.set = 1801;
    world.restart();
    assert_eq!(world.service.open_sessions(), 0);
    assert!(world.store().session(&key(0)).expect("an answer").is_none());
    assert_eq!(world.lines_of("session.ended")[0]["reason"], "expired");
    world.run(Duration::from_secs(60));
    assert!(matches!(world.reply_to(0, &Request::Session), Reply::Session(_)));
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
}

#[test]
fn a_wall_clock_that_is_set_neither_ends_nor_prolongs_a_session_and_codes_go_by_it() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    world.set = 7200;
    world.run(Duration::from_secs(500));
    assert_eq!(world.goes_in(0, address), Ok(60));
    world.enter(1, "bert");
    world.run(Duration::from_secs(1301));
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
    assert_eq!(world.service.open_sessions(), 1, "of Bert");
}

#[test]
fn who_could_not_be_recorded_does_not_get_in_and_who_is_in_goes_on() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    let file = world.audit().join("audit-000000000001.jsonl");
    OpenOptions::new().append(true).open(file).expect("the log").write_all(b"this is no line\n").expect("damage");
    let outcomes = world.log_in(1, "bert", "bert's password", &world.code("bert"));
    assert!(
        matches!(outcomes[..], [Outcome::Challenge(_), Outcome::Rejected { retry_after: Some(_) }]),
        "{outcomes:?}"
    );
    assert_eq!(world.goes_in(1, [10, 8, 0, 77]), Err(Some(DropReason::Locked)));
    assert_eq!(world.store().sessions(None).expect("a list").len(), 1);
    assert_eq!(world.goes_in(0, address), Ok(60));
    assert!(world.service.lost_lines() > 0);
}

#[test]
fn whoever_missed_changes_reads_all_records_again() {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    world.enter(1, "bert");
    let (mut store, time) = (world.store(), world.time());
    store.end_session(time, &key(0), None).expect("an answer").expect("a session");
    store.remove_device(time, &key(1), false).expect("removed");
    let device = NewDevice { key: key(7), name: name("kiosk") };
    store.add_device(time, Owner::Shared, &device).expect("added");
    let newest = store.newest_change().expect("a number");
    store.mark_told(newest).expect("told");
    assert!(store.forget_changes(time.after(Duration::from_secs(1))).expect("a number") > 3);
    world.run(Duration::from_millis(500));
    assert!(world.goes_in(0, address).is_err());
    assert_eq!(world.service.open_sessions(), 0);
    assert_eq!(world.gateway.peer_by_key(&key(1)), None);
    let added = world.gateway.peer_by_key(&key(7)).and_then(|peer| world.gateway.peer(peer)).expect("the kiosk");
    assert_eq!(added.access(), Access::Locked);
    assert_eq!(world.goes_in(SITE, [10, 20, 0, 5]), Ok(60), "sites are not the store's");
}

/// Is wrong; for how many seconds the gateway says to wait then.
fn is_wrong(world: &mut World, user: &str) -> u64 {
    match world.log_in(0, user, "a guess", "000000")[..] {
        [.., Outcome::Rejected { retry_after: Some(seconds) }] => seconds.into(),
        _ => 0,
    }
}

/// Is wrong until the wait is longer than a minute.
fn is_wrong_often(world: &mut World, user: &str) {
    loop {
        match is_wrong(world, user) {
            wait @ 0..60 => world.run(Duration::from_secs(wait.max(1))),
            _ => return,
        }
    }
}

#[test]
fn a_restart_gives_nobody_more_tries() {
    let mut world = World::new();
    is_wrong_often(&mut world, "alice");
    world.restart();
    assert!(is_wrong(&mut world, "alice") > 30, "what it takes to connect again is over");
    // Also where nobody has the name.
    world.run(Duration::from_secs(900));
    is_wrong_often(&mut world, "nobody");
    world.restart();
    for name in ["nobody", "nobody-else"] {
        assert!(is_wrong(&mut world, name) > 30, "{name}");
    }
    // At his own device Bert is let in.
    world.enter(1, "bert");
}

#[test]
fn after_a_login_that_ended_well_failures_are_forgotten_in_the_store_too() {
    let mut world = World::new();
    let alice = world.store().user(&name("alice")).expect("an answer").expect("alice").id;
    let known = |world: &World, subject| world.store().failures(&subject).expect("an answer").map(|known| known.count);
    let (at_device, of_user) = (Subject::Both(alice, key(0)), Subject::User(alice));
    world.log_in(0, "alice", "a guess", "000000");
    assert_eq!((known(&world, at_device), known(&world, of_user)), (Some(1), Some(1)));
    assert_eq!(known(&world, Subject::Device(key(0))), None, "she is known");
    world.enter(0, "alice");
    assert_eq!((known(&world, at_device), known(&world, of_user)), (None, Some(1)), "those of her at all devices stay");
    world.run(Duration::from_secs(86_400 + 120));
    assert_eq!(known(&world, of_user), None, "a day later nothing is left");
}
