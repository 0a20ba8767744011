//! How sessions end, and what is left of them.
use crate::place::{key, name, settings};
use crate::world::World;
use std::time::Duration;
use underpass_core::DropReason;
use underpass_core::control::message::{Outcome, Reason, Reply, Request, SessionState, Watch};
use underpass_gateway::store::{Devices as _, Leases as _, NewDevice, Owner, Sessions as _, Users as _};

/// Alice is in and has an address.
fn open() -> (World, [u8; 4]) {
    let mut world = World::new();
    world.enter(0, "alice");
    let address = world.lease(0);
    assert_eq!(world.goes_in(0, address), Ok(60));
    (world, address)
}

/// Nothing is left of Alice's session, and that is told.
#[track_caller]
fn is_over(world: &mut World, reason: &str) {
    assert_eq!(world.service.open_sessions(), 0);
    assert!(world.store().sessions(None).expect("a list").is_empty());
    let lines = world.lines_of("session.ended");
    assert_eq!((lines.len(), &lines[0]["reason"]), (1, &reason.into()));
    assert!(lines[0]["received"].as_u64().is_some_and(|bytes| bytes > 60), "{}", lines[0]);
    assert_eq!(world.lines_of("lease.released").len(), 2);
    let peer = world.gateway.peer_by_key(&key(0)).expect("the peer");
    assert_eq!(world.gateway.peer(peer).expect("the peer").allowed_ips().count(), 0);
    let time = world.time();
    let leases = world.store().leases(&name("pool-10.8.0.0-24")).expect("a list");
    assert!(leases.iter().all(|lease| lease.until <= time), "{leases:?}");
}

#[test]
fn after_a_logout_nothing_passes_and_the_same_address_comes_back() {
    let (mut world, address) = open();
    assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
    assert!(world.comes_out(0, address).is_err());
    is_over(&mut world, "logout");
    world.run(Duration::from_secs(30));
    world.enter(0, "alice");
    assert_eq!(world.lease(0), address);
    assert_eq!(world.goes_in(0, address), Ok(60));
}

#[test]
fn a_session_expires_after_its_end_was_announced() {
    let (mut world, address) = open();
    world.watch(0, Watch::Session);
    world.watch(0, Watch::Config);
    for _ in 0..5 {
        world.run(Duration::from_secs(290));
        assert_eq!(world.lease(0), address);
    }
    world.pushed(0);
    world.run(Duration::from_secs(60));
    let [Reply::Session(due)] = &world.pushed(0)[..] else { panic!("one change") };
    assert_eq!((due.state, due.reason), (SessionState::Open, Some(Reason::LoginDue)));
    // A client that is silent is not woken for news.
    for _ in 0..4 {
        assert_eq!(world.goes_in(0, address), Ok(60), "traffic goes on");
        world.run(Duration::from_secs(75));
    }
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
    let pushed = world.pushed(0);
    let Some(Reply::Session(ended)) = pushed.last() else { panic!("{pushed:?}") };
    assert_eq!((ended.state, ended.reason), (SessionState::Locked, Some(Reason::Expired)));
    is_over(&mut world, "expired");
}

#[test]
fn a_silent_client_is_idle_and_one_that_sends_is_not() {
    let mut restless = settings("");
    restless.session.idle = Some(Duration::from_secs(240));
    let mut world = World::with(restless);
    world.enter(0, "alice");
    let address = world.lease(0);
    for _ in 0..4 {
        world.run(Duration::from_secs(200));
        assert_eq!(world.goes_in(0, address), Ok(60));
        world.lease(0);
    }
    // A keepalive follows the last answer after 10 s.
    world.run(Duration::from_secs(240));
    assert_eq!(world.service.open_sessions(), 1);
    world.run(Duration::from_secs(15));
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
    is_over(&mut world, "idle");
}

#[test]
fn whoever_logs_in_again_in_time_goes_on_without_interruption() {
    let (mut world, address) = open();
    world.run(Duration::from_secs(599));
    assert_eq!(world.lease(0), address);
    assert_eq!(world.log_in(0, "alice", "alice's password", &world.code("alice")).last(), Some(&Outcome::Done));
    assert_eq!(world.goes_in(0, address), Ok(60), "the address is still the same");
    for _ in 0..3 {
        world.run(Duration::from_secs(500));
        assert_eq!(world.lease(0), address);
    }
    assert_eq!(world.goes_in(0, address), Ok(60), "beyond the end of the first");
    assert_eq!(world.lines_of("session.extended").len(), 1);
    assert!(world.lines_of("session.ended").is_empty());
    assert_eq!(world.store().session(&key(0)).expect("an answer").expect("a session").epoch, 2);
}

#[test]
fn what_an_administrator_revokes_is_closed_within_a_second() {
    let (mut world, address) = open();
    let time = world.time();
    world.store().end_session(time, &key(0), None).expect("an answer").expect("a session");
    assert_eq!(world.goes_in(0, address), Ok(60), "not looked at yet");
    world.run(Duration::from_millis(500));
    let stopped = world.goes_in(0, address);
    assert_eq!(stopped, Err(Some(DropReason::UnknownIndex)), "the keypairs are gone");
    assert!(world.comes_out(0, address).is_err());
    is_over(&mut world, "revoked");
    // The client finds out that its keypairs are of no use, and is told why.
    world.run(Duration::from_secs(60));
    let Reply::Session(session) = world.reply_to(0, &Request::Session) else { panic!("no session") };
    assert_eq!((session.state, session.reason), (SessionState::Revoked, Some(Reason::Revoked)));
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::Locked)));
}

#[test]
fn who_is_disabled_is_out_and_stays_out() {
    let (mut world, address) = open();
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    store.enable_user(time, alice, false).expect("disabled");
    world.run(Duration::from_millis(500));
    assert!(world.goes_in(0, address).is_err());
    is_over(&mut world, "disabled");
    world.run(Duration::from_secs(60));
    let outcomes = world.log_in(0, "alice", "alice's password", &world.code("alice"));
    let sounds_like_nobody = matches!(outcomes[..], [Outcome::Challenge(_), Outcome::Challenge(_)]);
    assert!(sounds_like_nobody, "{outcomes:?}");
}

#[test]
fn who_is_disabled_during_a_login_is_not_asked_any_further() {
    let mut world = World::new();
    let Outcome::Challenge(challenge) = world.begin(0, "alice", "alice's password") else { panic!("no challenge") };
    let (mut store, time) = (world.store(), world.time());
    let alice = store.user(&name("alice")).expect("an answer").expect("alice").id;
    store.enable_user(time, alice, false).expect("disabled");
    world.run(Duration::from_millis(500));
    let outcome = world.answer(0, challenge.id, &world.code("alice"));
    assert_eq!(outcome, Outcome::Rejected { retry_after: None });
    assert_eq!(world.lines_of("login.factor_passed").len(), 1, "the password: nobody looked at the code");
}

#[test]
fn devices_come_and_go_while_the_service_runs() {
    let (mut world, address) = open();
    let (mut store, time) = (world.store(), world.time());
    store.remove_device(time, &key(0), false).expect("removed");
    world.run(Duration::from_millis(500));
    assert_eq!(world.gateway.peer_by_key(&key(0)), None);
    assert!(world.goes_in(0, address).is_err());
    assert_eq!(world.lines_of("session.ended")[0]["reason"], "removed");
    let bert = store.user(&name("bert")).expect("an answer").expect("bert").id;
    let device = NewDevice { key: key(0), name: name("inherited") };
    store.add_device(time, Owner::User(bert), &device).expect("added");
    world.run(Duration::from_secs(60));
    assert_eq!(world.log_in(0, "bert", "bert's password", &world.code("bert")).last(), Some(&Outcome::Done));
    assert_eq!(world.lease(0), [10, 8, 0, 77]);
    assert_eq!(world.goes_in(0, [10, 8, 0, 77]), Ok(60));
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::SourceNotAllowed)), "what Alice had");
}

#[test]
fn at_a_shared_device_the_next_user_takes_over_and_inherits_nothing() {
    let mut world = World::new();
    let (mut store, time) = (world.store(), world.time());
    store.remove_device(time, &key(0), false).expect("removed");
    let device = NewDevice { key: key(0), name: name("kiosk") };
    store.add_device(time, Owner::Shared, &device).expect("added");
    world.run(Duration::from_secs(60));
    world.enter(0, "alice");
    let address = world.lease(0);
    world.enter(0, "bert");
    assert_eq!(world.goes_in(0, address), Err(Some(DropReason::SourceNotAllowed)), "what Alice had");
    assert_eq!(world.lease(0), [10, 8, 0, 77]);
    assert_eq!(world.goes_in(0, [10, 8, 0, 77]), Ok(60));
    let open = store.sessions(None).expect("a list");
    assert_eq!((open.len(), open[0].name.as_str()), (1, "bert"));
    let ended = world.lines_of("session.ended");
    assert_eq!((ended.len(), &ended[0]["user"], &ended[0]["reason"]), (1, &"alice".into(), &"replaced".into()));
    // The address stays his after a restart, and hers is free.
    world.restart();
    world.run(Duration::from_secs(60));
    assert_eq!(world.goes_in(0, [10, 8, 0, 77]), Ok(60));
    world.run(Duration::from_secs(1));
    assert_eq!(world.lease(0), [10, 8, 0, 77]);
}
