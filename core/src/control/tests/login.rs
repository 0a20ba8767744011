//! Logging in, over every kind of channel.
use super::world::{Channel, PEER};
use super::{Chance, World, admit, seconds, thing};
use crate::control::coap::{Code, Kind, View};
use crate::control::message::{
    Enrol, LeaseRequest, LoginId, LoginNext, LoginReply, LoginStart, Method, Outcome, Reply, Request, SessionState,
};
use crate::control::{AskError, Event, Failure, Received, Server, ServerLimits, Wiped};
use crate::crypto::PublicKey;
use crate::time::Instant;
use core::time::Duration;
use std::vec;
use std::vec::Vec;

fn start(password: &str) -> Request {
    let data = Wiped::from(password.as_bytes().to_vec());
    Request::Login(LoginStart { nonce: [2; 16], user: "ann".into(), method: Method::Password, data })
}

fn next(code: &str) -> Request {
    Request::LoginNext(LoginNext { login: LoginId([7; 8]), challenge: 1, data: Wiped::from(code.as_bytes().to_vec()) })
}

#[track_caller]
fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Login(LoginReply { outcome, .. }) => outcome,
        reply => panic!("{reply:?}"),
    }
}

/// Hello, password, code, lease, and what the host was asked for it: each once.
#[track_caller]
fn log_in(world: &mut World) {
    let lease = Request::Lease(LeaseRequest::default());
    assert!(matches!(world.answer_to(&Request::Hello), Reply::Hello(_)));
    assert!(matches!(outcome(world.answer_to(&start("hunter2"))), Outcome::Challenge(_)));
    assert_eq!(outcome(world.answer_to(&next("123456"))), Outcome::Done);
    assert!(matches!(world.answer_to(&lease), Reply::Lease(_)));
    assert_eq!(
        world.host.asked,
        [Request::Hello, start("hunter2"), next("123456"), lease],
        "nothing is handed up twice"
    );
}

#[test]
fn a_login_takes_a_datagram_each_way_for_each_request() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    log_in(&mut world);
    assert_eq!(world.sent, 8);
    assert!(world.longest < 200, "{} bytes", world.longest);
}

#[test]
fn a_wrong_password_and_a_code_that_was_used_are_rejected() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    assert_eq!(outcome(world.answer_to(&start("hunter3"))), Outcome::Rejected { retry_after: Some(1) });
    world.ask(&Request::Config);
    assert!(matches!(world.next_event(), Event::Refused { refusal, .. } if refusal.code == Code::FORBIDDEN));
    assert_eq!(outcome(world.answer_to(&next("123456"))), Outcome::Done);
    assert_eq!(outcome(world.answer_to(&next("123456"))), Outcome::Rejected { retry_after: Some(1) });
}

/// An enrolment with settings that take many blocks, over a channel that loses and repeats.
#[test]
fn a_device_enrols_over_a_bad_channel_and_is_handed_up_once_for_each_request() {
    let mut world = World::new(5, |_, chance| match chance.next() % 6 {
        0 => vec![],
        1 => vec![Duration::from_millis(20), Duration::from_millis(90)],
        _ => vec![Duration::from_millis(20)],
    });
    world.host.config.search = vec!["office.example".into(); 60];
    let first = Enrol { device: PublicKey::from_bytes([9; 32]), name: "phone".into(), code: None };
    let second = Enrol { code: Some(Wiped::from(b"123456".to_vec())), ..first.clone() };
    let (first, second) = (Request::Enrol(first), Request::Enrol(second));
    let Reply::Enrolled(asks) = world.answer_to(&first) else { panic!("no answer") };
    assert_eq!((asks.config.search.len(), asks.authenticator.map(|new| new.tries)), (60, Some(4)));
    let Reply::Enrolled(done) = world.answer_to(&second) else { panic!("no answer") };
    assert_eq!((done.user.as_str(), done.authenticator), ("ann", None));
    assert_eq!(world.host.asked, [first, second]);
}

/// The loss of each datagram in turn, with fast and slow answers: the code is consumed once and the login succeeds.
#[test]
fn a_login_survives_the_loss_of_any_one_datagram() {
    const LOSE: [Channel; 16] = {
        const fn lose<const N: u64>() -> Channel {
            |number, _| if number == N { vec![] } else { vec![Duration::from_millis(20)] }
        }
        [
            lose::<0>(),
            lose::<1>(),
            lose::<2>(),
            lose::<3>(),
            lose::<4>(),
            lose::<5>(),
            lose::<6>(),
            lose::<7>(),
            lose::<8>(),
            lose::<9>(),
            lose::<10>(),
            lose::<11>(),
            lose::<12>(),
            lose::<13>(),
            lose::<14>(),
            lose::<15>(),
        ]
    };
    for (number, channel) in LOSE.into_iter().enumerate() {
        for takes in [Duration::ZERO, Duration::from_millis(999), seconds(5)] {
            let mut world = World::new(1, channel);
            world.host.takes = takes;
            log_in(&mut world);
            world.run(seconds(5));
            let without = if takes > seconds(1) { 16 } else { 8 };
            assert!(world.sent > without || number >= without as usize, "{number}: one was lost");
        }
    }
}

#[test]
fn a_login_survives_a_channel_that_loses_doubles_and_reorders() {
    for seed in 0..200 {
        let mut world = World::new(seed, |_, chance| {
            let delay = |chance: &mut Chance| Duration::from_millis(chance.next() % 1500);
            match chance.next() % 10 {
                0 => vec![],
                1..5 => vec![delay(chance), delay(chance)],
                _ => vec![delay(chance)],
            }
        });
        world.host.takes = Duration::from_millis(seed * 25);
        log_in(&mut world);
        world.run(seconds(300));
        assert!(world.events.is_empty(), "{seed}: {:?}", world.events);
        assert_eq!((world.server.peers(), world.server.held()), (0, 0), "{seed}: nothing is left behind");
        assert_eq!((world.server.poll_timeout(), world.client.poll_timeout()), (None, None), "{seed}");
    }
}

#[test]
fn a_slow_answer_is_announced_after_a_second_and_comes_by_itself() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    world.host.takes = seconds(90);
    let begun = world.now;
    assert!(matches!(outcome(world.answer_to(&start("hunter2"))), Outcome::Challenge(_)));
    assert!(world.now.since(begun) < seconds(91));
    // Request, empty acknowledgement, answer, acknowledgement of the answer.
    world.run(seconds(1));
    assert_eq!(world.sent, 4);
}

#[test]
fn a_gateway_that_is_silent_is_tried_five_times_and_given_up() {
    let mut world = World::new(1, |_, _| vec![]);
    world.ask(&Request::Hello);
    world.ask(&Request::Hello);
    let begun = world.now;
    let Event::Failed { failure, .. } = world.next_event() else { panic!("it fails") };
    assert_eq!(failure, Failure::Unanswered);
    let took = world.now.since(begun);
    // 2 to 3 seconds, times 1 + 1.5 + 1.5^2 + 1.5^3 + 1.5^4.
    assert!(took >= Duration::from_millis(26_300) && took <= Duration::from_millis(39_700), "{took:?}");
    assert_eq!(world.sent, 6, "five of the first, and one of the second");
    assert!(matches!(world.next_event(), Event::Failed { failure: Failure::Unanswered, .. }));
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn waits_differ_from_one_client_to_the_next() {
    let waits: Vec<_> = (0..50)
        .map(|seed| {
            let mut world = World::new(seed, |_, _| vec![]);
            world.ask(&Request::Hello);
            world.client.poll_timeout().expect("a deadline").since(world.now)
        })
        .collect();
    assert!(waits.iter().all(|wait| (seconds(2)..seconds(3)).contains(wait)), "{waits:?}");
    let (least, most) = (waits.iter().min().expect("some"), waits.iter().max().expect("some"));
    assert!(*most - *least > Duration::from_millis(700), "{least:?} to {most:?}");
}

#[test]
fn a_request_that_is_never_answered_is_given_up_after_two_minutes() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    world.host.takes = seconds(200);
    let begun = world.now;
    world.ask(&Request::Hello);
    assert!(matches!(world.next_event(), Event::Failed { failure: Failure::NoAnswer, .. }));
    assert!(world.now.since(begun) > seconds(120) && world.now.since(begun) < seconds(123));
    // The answer that comes after all is of no use, and the gateway is told so.
    world.run(seconds(300));
    assert_eq!((world.server.peers(), world.server.counters().unacknowledged), (0, 0));
}

#[test]
fn a_gateway_that_was_restarted_in_the_middle_is_asked_again_by_the_client() {
    let mut world = World::new(1, |_, _| vec![Duration::from_millis(20)]);
    world.host.takes = Duration::from_millis(500);
    world.ask(&next("123456"));
    world.run(Duration::from_millis(100));
    world.restart_server();
    world.host.code_used = false;
    let Event::Answered { reply, .. } = world.next_event() else { panic!("an answer") };
    assert_eq!(outcome(reply), Outcome::Done);
    assert_eq!(world.host.asked.len(), 2, "the new one knows nothing of the first");
}

#[test]
fn the_same_message_is_answered_from_memory_for_247_seconds() {
    let (mut chance, now) = (Chance::new(1), Instant::ZERO + seconds(1));
    let mut server = Server::new(ServerLimits::default());
    let message = thing(Code::GET, 9, "session", &[], &[]);
    let (id, _) = admit(server.handle_message(now, &mut chance, PEER, &message));
    server
        .answer(now, &mut chance, id, Ok(&Reply::Session(crate::control::message::Session::of(SessionState::Open))))
        .expect("memory");
    let first = server.poll_transmit().expect("the answer").message;
    let mut at = now;
    while at < now + seconds(246) {
        at = at + seconds(41);
        server.handle_timeout(at, &mut chance);
        assert_eq!(server.handle_message(at, &mut chance, PEER, &message), Received::Nothing);
        assert_eq!(server.poll_transmit().expect("the answer").message, first);
    }
    assert_eq!(server.counters().repeated, 6);
    assert_eq!(server.poll_timeout(), Some(now + seconds(247)));
    server.handle_timeout(now + seconds(247), &mut chance);
    assert_eq!(server.peers(), 0);
    admit(server.handle_message(now + seconds(247), &mut chance, PEER, &message));
    assert_eq!(
        server.answer(now, &mut chance, id, Ok(&Reply::LoggedOut)),
        Err(crate::control::AnswerError::Unknown),
        "it was answered"
    );
}

#[test]
fn a_client_that_was_restarted_with_the_same_message_ids_is_heard() {
    let (mut chance, now) = (Chance::new(1), Instant::ZERO + seconds(1));
    let mut server = Server::new(ServerLimits::default());
    admit(server.handle_message(now, &mut chance, PEER, &thing(Code::GET, 9, "session", &[], &[])));
    let path: [(u16, &[u8]); 2] = [(11, b"v1"), (11, b"config")];
    let other = super::raw(Kind::Confirmable, Code::GET, 9, b"other", &path, &[]);
    assert_eq!(admit(server.handle_message(now, &mut chance, PEER, &other)).1, Request::Config);
}

#[test]
fn goodbye_is_said_once_and_wakes_nobody() {
    let mut world = World::open();
    world.client.say_goodbye(&mut world.chance).expect("memory");
    let transmit = world.client.poll_transmit().expect("a message");
    assert!(!transmit.may_wake);
    let view = View::parse(&transmit.message).expect("a message");
    assert_eq!((view.kind, view.code), (Kind::NonConfirmable, Code::DELETE));
    let (id, request) = admit(world.server.handle_message(world.now, &mut world.chance, PEER, &transmit.message));
    assert_eq!(request, Request::Logout);
    world.server.answer(world.now, &mut world.chance, id, Ok(&Reply::LoggedOut)).expect("memory");
    let answer = world.server.poll_transmit().expect("an answer").message;
    assert_eq!(View::parse(&answer).map(|view| (view.kind, view.code)), Ok((Kind::NonConfirmable, Code::DELETED)));
    assert_eq!(world.client.handle_message(world.now, &mut world.chance, &answer), None);
    assert_eq!(world.client.poll_timeout(), None);
}

#[test]
fn what_waits_can_be_cancelled_and_eight_may_wait() {
    let mut world = World::open();
    let ids: Vec<_> =
        (0..9).map(|_| world.client.ask(world.now, &mut world.chance, &Request::Session).expect("room")).collect();
    assert_eq!(world.client.ask(world.now, &mut world.chance, &Request::Session), Err(AskError::Busy));
    for id in &ids[..8] {
        world.client.cancel(world.now, &mut world.chance, *id);
    }
    assert!(matches!(world.next_event(), Event::Answered { id, .. } if id == ids[8]), "the last is answered");
    world.run(seconds(300));
    assert!(world.events.is_empty(), "{:?}", world.events);
}

/// No randomness for a token: the request fails, at once but not inside the call, and the next one succeeds.
#[test]
fn without_randomness_a_request_fails_and_the_gateway_goes_on() {
    struct Dry;
    impl crate::crypto::Rng for Dry {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), crate::error::NoRandomness> {
            Err(crate::error::NoRandomness)
        }
    }
    let mut world = World::open();
    world.client.ask(world.now, &mut Dry, &Request::Session).expect("room");
    assert!(world.client.poll_timeout().is_some_and(|due| due > world.now));
    assert!(matches!(world.next_event(), Event::Failed { failure: Failure::NoRandomness, .. }));
    assert!(matches!(world.answer_to(&Request::Session), Reply::Session(_)));
    // The gateway needs chance for nothing that it could not do without.
    let (now, mut server) = (world.now, Server::new(ServerLimits::default()));
    let message = thing(Code::GET, 9, "session", &[(6, b"")], &[]);
    let (id, _) = admit(server.handle_message(now, &mut Dry, PEER, &message));
    server.handle_timeout(now + seconds(1), &mut Dry);
    let reply = Reply::Session(crate::control::message::Session::of(SessionState::Open));
    server.answer(now + seconds(2), &mut Dry, id, Ok(&reply)).expect("memory");
    let sent: Vec<_> = std::iter::from_fn(|| server.poll_transmit()).collect();
    assert_eq!(sent.len(), 2, "an empty acknowledgement, and the answer");
    assert_eq!(server.poll_timeout(), Some(now + seconds(5) - Duration::from_nanos(1)), "the longest first wait");
}

/// A machine that slept for hours with everything under way: nothing is sent in bursts, and nothing stays due.
#[test]
fn after_hours_of_sleep_everything_is_given_up_in_its_time() {
    let mut world = World::new(1, |_, _| vec![]);
    world.host.state = SessionState::Open;
    world.client.watch(world.now, &mut world.chance, crate::control::message::Watch::Config).expect("room");
    world.ask(&start("hunter2"));
    let message = thing(Code::GET, 9, "config", &[(6, b"")], &[]);
    let (id, _) = admit(world.server.handle_message(world.now, &mut world.chance, PEER, &message));
    world.server.handle_timeout(world.now + seconds(1), &mut world.chance);
    let reply = Reply::Config(crate::control::message::Config::default());
    world.server.answer(world.now + seconds(1), &mut world.chance, id, Ok(&reply)).expect("memory");
    world.run(seconds(2));
    let sent = world.sent;
    world.sleep(seconds(36_000));
    world.run(Duration::ZERO);
    assert!(world.sent - sent <= 2, "each sends once: {}", world.sent - sent);
    world.run(seconds(300));
    assert_eq!(world.events.len(), 2, "{:?}", world.events);
    assert_eq!((world.client.poll_timeout(), world.server.held()), (None, 0));
}
