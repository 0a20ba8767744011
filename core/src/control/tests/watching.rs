//! Watching settings and session, and what ends it.
use super::world::PEER;
use super::{Chance, World, admit, raw, seconds, thing};
use crate::control::coap::{Code, Kind, View, number, uint};
use crate::control::message::{Config, Reply, Request, Session, SessionState, Watch};
use crate::control::{AnswerError, Event, Received, Server, ServerLimits};
use crate::time::Instant;
use core::time::Duration;
use std::vec;
use std::vec::Vec;

fn settings(version: u64, routes: usize) -> Config {
    let routes =
        (0..routes).map(|n| std::format!("10.{}.{}.0/24", n >> 8, n & 255).parse().expect("a network")).collect();
    Config { version, routes, ..Config::default() }
}

/// A client that watches both.
fn watching() -> World {
    let mut world = World::open();
    for watch in [Watch::Config, Watch::Session] {
        world.client.watch(world.now, &mut world.chance, watch).expect("room");
        assert!(matches!(world.next_event(), Event::Answered { .. }));
        assert!(world.client.is_watching(watch) && world.server.is_watching(PEER, watch));
    }
    world
}

#[test]
fn each_change_is_told_once_in_order_and_acknowledged() {
    let mut world = watching();
    world.run(seconds(1000));
    for version in 2..6 {
        let sent = world.sent;
        assert!(world.push(&Reply::Config(settings(version, 3))));
        assert_eq!(world.next_event(), Event::Pushed(Reply::Config(settings(version, 3))));
        let revoked = Reply::Session(Session::of(SessionState::Revoked));
        assert!(world.push(&revoked));
        assert_eq!(world.next_event(), Event::Pushed(revoked));
        world.run(seconds(60));
        assert_eq!(world.sent - sent, 4, "two notifications and two acknowledgements");
    }
    assert!(world.events.is_empty());
    assert_eq!(world.server.held(), 0);
}

#[test]
fn of_changes_that_come_faster_than_they_are_acknowledged_the_latest_arrives() {
    for seed in 0..100 {
        let mut world = watching();
        world.chance = Chance::new(seed);
        world.channel = |_, chance| {
            let delay = |chance: &mut Chance| Duration::from_millis(chance.next() % 3000);
            if chance.one_in(10) { vec![] } else { vec![delay(chance), delay(chance)] }
        };
        for version in 2..30 {
            assert!(world.push(&Reply::Config(settings(version, 1))));
            world.run(Duration::from_millis(300));
        }
        world.run(seconds(60));
        let versions: Vec<_> = world
            .events
            .iter()
            .map(|event| match event {
                Event::Pushed(Reply::Config(config)) => config.version,
                event => panic!("{event:?}"),
            })
            .collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{seed}: {versions:?}");
        assert!(versions.len() < 28 && versions.last() == Some(&29), "{seed}: {versions:?}");
    }
}

#[test]
fn large_settings_are_fetched_in_blocks() {
    let mut world = watching();
    let large = settings(2, 256);
    world.host.config = large.clone();
    assert!(world.push(&Reply::Config(large.clone())));
    assert_eq!(world.next_event(), Event::Pushed(Reply::Config(large)));
    assert!(world.longest <= 512 + 60, "{} bytes", world.longest);
    world.run(seconds(300));
    assert!(world.events.is_empty() && world.client.is_watching(Watch::Config));
    assert_eq!(world.server.held(), 0, "what was sent is forgotten");
}

#[test]
fn settings_that_change_while_they_are_fetched_arrive_in_their_last_state() {
    for (number, millis) in [10, 30, 50, 70, 90, 110, 130, 170, 230].into_iter().enumerate() {
        let mut world = watching();
        for version in 2..5 {
            let large = settings(version, 256);
            world.host.config = large.clone();
            world.push(&Reply::Config(large));
            world.run(Duration::from_millis(millis));
        }
        world.run(seconds(120));
        let last = world.events.pop();
        assert_eq!(last, Some(Event::Pushed(Reply::Config(settings(4, 256)))), "{number}: {:?}", world.events.len());
        assert!(world.client.is_watching(Watch::Config), "{number}");
    }
}

#[test]
fn who_does_not_answer_is_told_nothing_more_and_asks_again_with_a_new_session() {
    let mut world = watching();
    world.channel = |_, _| vec![];
    let sent = world.sent;
    assert!(world.push(&Reply::Session(Session::of(SessionState::Grace))));
    assert!(world.push(&Reply::Config(settings(2, 1))));
    world.run(seconds(40));
    assert_eq!(world.sent - sent, 5, "one of the two, five times");
    for watch in [Watch::Config, Watch::Session] {
        assert!(!world.server.is_watching(PEER, watch));
    }
    assert_eq!(world.server.counters().watches_ended, 2);
    assert!(!world.push(&Reply::Config(settings(3, 1))), "nobody listens");
    world.run(seconds(300));
    assert_eq!((world.server.peers(), world.server.poll_timeout()), (0, None), "a silent peer costs nothing");
    // The phone wakes and has a session again.
    world.channel = |_, _| vec![Duration::from_millis(20)];
    world.host.config = settings(3, 1);
    world.server.session_began(world.now, &mut world.chance, PEER);
    world.client.session_began(world.now, &mut world.chance);
    assert_eq!(world.next_event(), Event::Pushed(Reply::Config(settings(3, 1))));
    assert_eq!(world.next_event(), Event::Pushed(Reply::Session(Session::of(SessionState::Open))));
    for watch in [Watch::Config, Watch::Session] {
        assert!(world.client.is_watching(watch) && world.server.is_watching(PEER, watch));
    }
}

#[test]
fn a_new_session_ends_what_the_old_one_watched() {
    let mut world = watching();
    world.push(&Reply::Config(settings(2, 1)));
    world.server.session_began(world.now, &mut world.chance, PEER);
    assert!(!world.server.is_watching(PEER, Watch::Config) && !world.server.is_watching(PEER, Watch::Session));
    world.server.forget(PEER);
    assert_eq!((world.server.peers(), world.server.held(), world.server.poll_timeout()), (0, 0, None));
}

#[test]
fn a_restarted_gateway_forgets_and_a_client_that_has_forgotten_says_so() {
    let mut world = watching();
    world.restart_server();
    assert!(!world.push(&Reply::Config(settings(2, 1))));
    world.client.session_began(world.now, &mut world.chance);
    assert!(matches!(world.next_event(), Event::Pushed(Reply::Config(_))));
    assert!(matches!(world.next_event(), Event::Pushed(Reply::Session(_))));
    world.client.unwatch(Watch::Config);
    assert!(world.push(&Reply::Config(settings(2, 1))), "the gateway does not know yet");
    world.run(seconds(60));
    assert!(world.events.is_empty(), "{:?}", world.events);
    assert!(!world.server.is_watching(PEER, Watch::Config) && world.server.is_watching(PEER, Watch::Session));
    assert_eq!(world.server.counters().unacknowledged, 0, "it was told by a Reset");
}

#[test]
fn observe_is_that_of_rfc_7641() {
    let (mut chance, now) = (Chance::new(1), Instant::ZERO + seconds(1));
    let mut server = Server::new(ServerLimits::default());
    let config = Reply::Config(settings(1, 1));
    let mut get = |server: &mut Server<u32>, id, observe: &[u8]| {
        let message = thing(Code::GET, id, "config", &[(number::OBSERVE, observe)], &[]);
        let (request, _) = admit(server.handle_message(now, &mut chance, PEER, &message));
        server.answer(now, &mut chance, request, Ok(&config)).expect("memory");
        let answer = server.poll_transmit().expect("an answer").message;
        View::parse(&answer).expect("a message").option(number::OBSERVE).and_then(uint)
    };
    let first = get(&mut server, 1, &[]).expect("0 registers");
    assert!(server.is_watching(PEER, Watch::Config));
    let second = get(&mut server, 2, &[]).expect("again");
    assert!(second > first, "the order goes on");
    assert_eq!(get(&mut server, 3, &[1]), None, "1 ends it");
    assert!(!server.is_watching(PEER, Watch::Config));
    get(&mut server, 4, &[]).expect("0 registers");
    assert_eq!(server.push(now, &mut Chance::new(2), PEER, &config), Ok(true));
    let notification = server.poll_transmit().expect("a notification").message;
    let view = View::parse(&notification).expect("a message");
    assert_eq!((view.kind, view.code, view.token.as_bytes()), (Kind::Confirmable, Code::CONTENT, &[0, 4][..]));
    let reset = raw(Kind::Reset, Code::EMPTY, view.id, &[], &[], &[]);
    assert_eq!(server.handle_message(now, &mut Chance::new(2), PEER, &reset), Received::Nothing);
    assert!(!server.is_watching(PEER, Watch::Config), "a Reset ends it");
    let mismatch = server.push(now, &mut Chance::new(2), PEER, &Reply::LoggedOut);
    assert_eq!(mismatch, Err(AnswerError::Mismatch));
    // What cannot be watched is answered without.
    let message = thing(Code::POST, 5, "lease", &[(number::OBSERVE, &[])], &[0xa0]);
    assert!(matches!(
        server.handle_message(now, &mut Chance::new(2), PEER, &message),
        Received::Request { watch: false, .. }
    ));
}

#[test]
fn a_refused_registration_watches_nothing() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    world.client.watch(world.now, &mut world.chance, Watch::Config).expect("room");
    assert!(matches!(world.next_event(), Event::Refused { refusal, .. } if refusal.code == Code::FORBIDDEN));
    assert!(!world.client.is_watching(Watch::Config) && !world.server.is_watching(PEER, Watch::Config));
    assert_eq!(world.host.asked, [Request::Config]);
}

/// An answer in blocks that changes while they are fetched is fetched from the first again, not put together of both.
#[test]
fn an_answer_that_changes_between_its_blocks_is_fetched_again() {
    let mut world = watching();
    let (old, new) = (settings(2, 256), settings(3, 250));
    world.host.config = old;
    world.ask(&Request::Config);
    world.run(Duration::from_millis(150));
    world.host.config = new.clone();
    assert!(world.push(&Reply::Config(new.clone())));
    match world.next_event() {
        Event::Answered { reply, .. } => assert_eq!(reply, Reply::Config(new.clone())),
        event => panic!("{event:?}"),
    }
    assert_eq!(world.next_event(), Event::Pushed(Reply::Config(new)));
}

#[test]
fn an_answer_that_comes_again_is_acknowledged_again_and_not_handed_up_again() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    world.client.ask(world.now, &mut world.chance, &Request::Session).expect("room");
    let request = world.client.poll_transmit().expect("a request").message;
    let view = View::parse(&request).expect("a message");
    let body = Reply::Session(Session::of(SessionState::Open)).encode().expect("a body");
    let answer = raw(Kind::Confirmable, Code::CONTENT, 77, view.token.as_bytes(), &[(12, &[60])], &body);
    let take = |world: &mut World, message: &[u8]| {
        let event = world.client.handle_message(world.now, &mut world.chance, message);
        let reply = world.client.poll_transmit().expect("an acknowledgement").message;
        (event.is_some(), View::parse(&reply).expect("a message").kind)
    };
    assert_eq!(take(&mut world, &answer), (true, Kind::Acknowledgement), "before the request is acknowledged");
    assert_eq!(take(&mut world, &answer), (false, Kind::Acknowledgement));
    let other = raw(Kind::Confirmable, Code::CONTENT, 78, view.token.as_bytes(), &[(12, &[60])], &body);
    assert_eq!(take(&mut world, &other), (false, Kind::Reset), "nobody waits for it");
}
