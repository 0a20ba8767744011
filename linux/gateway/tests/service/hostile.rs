//! Peers that want more than they are given.
use crate::place::{key, private, settings};
use crate::world::World;
use std::time::Duration;
use underpass_core::DropReason;
use underpass_core::control::Event;
use underpass_core::control::message::{LeaseRequest, LoginStart, Method, Outcome, Reply, Request};

#[test]
fn what_is_no_request_and_who_is_no_peer_get_nothing_out_of_the_service() {
    let mut world = World::new();
    let now = world.clocks();
    for message in [&b""[..], b"\xff", &[0; 2000], b"\x40\x01\x00\x01\xb2v1"] {
        world.service.handle_message(now, &world.gateway, private(99).public_key(), message);
        assert!(world.service.poll_action().is_none(), "to a stranger");
    }
    for number in 0..2000_u16 {
        let message: Vec<u8> =
            (0..number % 40).map(|at| (number.wrapping_mul(31) ^ at.wrapping_mul(7)) as u8).collect();
        world.service.handle_message(now, &world.gateway, key(0), &message);
    }
    world.settle();
    assert_eq!(world.service.open_sessions(), 0);
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::Locked)));
    world.enter(0, "alice");
}

#[test]
fn whoever_hammers_is_limited_and_fills_no_log() {
    let mut world = World::new();
    for _ in 0..60 {
        let outcomes = world.log_in(0, "alice", "a guess", "000000");
        assert!(!outcomes.contains(&Outcome::Done), "{outcomes:?}");
    }
    let limited = world.lines_of("login.limited").len();
    assert!((1..4).contains(&limited), "{limited} lines");
    assert!(world.lines().len() < 60, "{} lines", world.lines().len());
    world.run(Duration::from_secs(60));
    let count = world.lines_of("login.failures")[0]["count"].as_u64();
    assert!(count.is_some_and(|count| count > 30), "{count:?}");
}

#[test]
fn ways_to_log_in_that_are_not_served_are_refused() {
    let mut world = World::new();
    for method in
        [Method::KeyCertificate, Method::SigningCertificate, Method::Questions, Method::Web, Method::Other(99)]
    {
        let start = LoginStart { nonce: [3; 16], user: "alice".into(), method, data: b"x".to_vec().into() };
        let Reply::Login(reply) = world.reply_to(0, &Request::Login(start)) else { panic!("no answer") };
        assert_eq!(reply.outcome, Outcome::Rejected { retry_after: None }, "{method:?}");
    }
    assert_eq!(world.goes_in(0, [10, 8, 0, 50]), Err(Some(DropReason::Locked)));
}

#[test]
fn an_exhausted_pool_is_told_once_and_has_room_again_after_a_rest() {
    let mut small = settings("");
    // 10.8.0.1 is the gateway's own: one is left.
    small.pools[0].network = "10.8.0.0/30".parse().expect("a network");
    small.pools[0].reserved.clear();
    small.pools.truncate(1);
    let mut world = World::with(small);
    world.enter(0, "alice");
    world.enter(1, "bert");
    let ask = Request::Lease(LeaseRequest::default());
    let Reply::Lease(lease) = world.reply_to(0, &ask) else { panic!("no lease") };
    assert_eq!((lease.v4, lease.v6), (Some([10, 8, 0, 2].into()), None));
    for _ in 0..3 {
        assert!(matches!(world.ask(1, &ask), Event::Refused { refusal, .. } if refusal.retry_after.is_some()));
    }
    assert_eq!(world.lines_of("lease.exhausted").len(), 1);
    assert_eq!(world.goes_in(1, [10, 8, 0, 2]), Err(Some(DropReason::SourceNotAllowed)));
    assert_eq!(world.reply_to(0, &Request::Logout), Reply::LoggedOut);
    assert!(matches!(world.ask(1, &ask), Event::Refused { .. }), "not at once");
    world.run(Duration::from_secs(61));
    let Reply::Lease(lease) = world.reply_to(1, &ask) else { panic!("no lease") };
    assert_eq!(lease.v4, Some([10, 8, 0, 2].into()));
    assert_eq!(world.goes_in(1, [10, 8, 0, 2]), Ok(60));
}
