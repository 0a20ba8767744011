//! Peers that mean harm, and what they cost.
use super::world::PEER;
use super::{Chance, World, admit, raw, seconds, thing};
use crate::control::coap::{Code, Kind, View, number};
use crate::control::message::{Reply, Request, Session, SessionState, Watch};
use crate::control::{Received, Server, ServerLimits};
use crate::time::Instant;
use std::vec;
use std::vec::Vec;

const NOW: Instant = Instant::from_nanos(1_000_000_000);

/// The code of the answer, if there is one; the host hears nothing.
#[track_caller]
fn code(server: &mut Server<u32>, message: &[u8]) -> Option<(Kind, Code)> {
    assert_eq!(server.handle_message(NOW, &mut Chance::new(1), PEER, message), Received::Nothing);
    let answer = server.poll_transmit()?.message;
    let view = View::parse(&answer).expect("a message");
    Some((view.kind, view.code))
}

#[test]
fn what_is_wrong_is_refused_with_its_reason_and_leaves_nothing() {
    let path: [(u16, &[u8]); 2] = [(number::URI_PATH, b"v1"), (number::URI_PATH, b"config")];
    let with = |option: (u16, &'static [u8])| {
        let mut options = path.to_vec();
        options.push(option);
        options.sort_by_key(|(number, _)| *number);
        raw(Kind::Confirmable, Code::GET, 1, b"t", &options, &[])
    };
    let deep = vec![(number::URI_PATH, &b"v1"[..]); 9];
    let put = Code::from_byte(3);
    for (number, (message, expected)) in [
        (with((1, b"tag")), Code::BAD_OPTION),
        (with((5, b"")), Code::BAD_OPTION),
        (with((9, b"oscore")), Code::BAD_OPTION),
        (with((15, b"a=b")), Code::BAD_OPTION),
        (with((19, b"")), Code::BAD_OPTION),
        (with((2049, b"")), Code::BAD_OPTION),
        (with((number::PROXY_URI, b"coap://example")), Code::NO_PROXY),
        (with((number::PROXY_SCHEME, b"coap")), Code::NO_PROXY),
        (with((number::ACCEPT, b"")), Code::NOT_ACCEPTABLE),
        (with((number::CONTENT_FORMAT, b"\x32")), Code::UNSUPPORTED_FORMAT),
        (with((number::BLOCK2, b"\x07")), Code::BAD_REQUEST),
        (with((number::BLOCK1, b"")), Code::BAD_REQUEST),
        (with((number::BLOCK2, b"\x15")), Code::INCOMPLETE),
        (raw(Kind::Confirmable, put, 1, b"", &path, &[]), Code::METHOD_NOT_ALLOWED),
        (raw(Kind::Confirmable, Code::from_byte(5), 1, b"", &path, &[]), Code::METHOD_NOT_ALLOWED),
        (raw(Kind::Confirmable, Code::from_byte(31), 1, b"", &path, &[]), Code::METHOD_NOT_ALLOWED),
        (raw(Kind::Confirmable, Code::GET, 1, b"", &[], &[]), Code::NOT_FOUND),
        (raw(Kind::Confirmable, Code::GET, 1, b"", &deep, &[]), Code::NOT_FOUND),
        (raw(Kind::Confirmable, Code::GET, 1, b"", &path, b"body"), Code::BAD_REQUEST),
        (thing(Code::POST, 1, "auth", &[], b""), Code::BAD_REQUEST),
        (thing(Code::POST, 1, "auth", &[], b"\xa0"), Code::BAD_REQUEST),
        (thing(Code::POST, 1, "auth", &[], b"\xbf\xff"), Code::BAD_REQUEST),
        (thing(Code::POST, 1, "lease", &[], b"\xa0\x00"), Code::BAD_REQUEST),
        (thing(Code::POST, 1, "lease", &[], b"\xa2\x00\x81\x09\x09\x00"), Code::UNPROCESSABLE),
        (thing(Code::POST, 1, "probe", &[], b"\x80"), Code::BAD_REQUEST),
    ]
    .into_iter()
    .enumerate()
    {
        let mut server = Server::new(ServerLimits::default());
        assert_eq!(code(&mut server, &message), Some((Kind::Acknowledgement, expected)), "{number}");
        assert_eq!((server.peers(), server.held(), server.poll_timeout()), (0, 0, None), "{number}");
        assert_eq!(server.counters().refused, 1, "{number}");
        // The same without a wish for an answer is passed over.
        let mut silent = message.clone();
        silent[0] |= 0x10;
        assert_eq!(code(&mut server, &silent), None, "{number}");
    }
}

#[test]
fn options_that_may_be_passed_over_are() {
    let elective: [(u16, &[u8]); 8] = [
        (3, b"gateway.example"),
        (4, b"tag"),
        (7, b"\x16\x33"),
        (14, b"\x05"),
        (17, b"\x3c"),
        (252, b"e"),
        (258, b"\x02"),
        (292, b"r"),
    ];
    let mut server = Server::new(ServerLimits::default());
    let message = thing(Code::GET, 1, "config", &elective, &[]);
    assert_eq!(admit(server.handle_message(NOW, &mut Chance::new(1), PEER, &message)).1, Request::Config);
    let twice = thing(Code::GET, 2, "config", &[(14, b"\x05"), (14, b"\x06")], &[]);
    assert_eq!(admit(server.handle_message(NOW, &mut Chance::new(1), PEER, &twice)).1, Request::Config);
    let critical = thing(Code::GET, 3, "config", &[(17, b"\x3c"), (17, b"\x3c")], &[]);
    assert_eq!(code(&mut server, &critical), Some((Kind::Acknowledgement, Code::BAD_OPTION)));
}

#[test]
fn pings_are_answered_and_what_nobody_asked_for_is_reset() {
    let mut server = Server::new(ServerLimits::default());
    let ping = raw(Kind::Confirmable, Code::EMPTY, 1, &[], &[], &[]);
    assert_eq!(code(&mut server, &ping), Some((Kind::Reset, Code::EMPTY)));
    let response = raw(Kind::Confirmable, Code::CONTENT, 1, b"t", &[], b"x");
    assert_eq!(code(&mut server, &response), Some((Kind::Reset, Code::EMPTY)));
    for kind in [Kind::NonConfirmable, Kind::Acknowledgement] {
        assert_eq!(code(&mut server, &raw(kind, Code::CONTENT, 1, b"t", &[], b"x")), None);
    }
    assert_eq!(code(&mut server, &raw(Kind::Reset, Code::EMPTY, 1, &[], &[], &[])), None);
    assert_eq!(code(&mut server, b"\x4f\x01\x00\x01"), Some((Kind::Reset, Code::EMPTY)));
    assert_eq!(server.peers(), 0);
    let mut world = World::open();
    for message in [ping, response, thing(Code::GET, 2, "config", &[], &[])] {
        assert_eq!(world.client.handle_message(world.now, &mut world.chance, &message), None);
        let answer = world.client.poll_transmit().expect("an answer");
        assert!(!answer.may_wake);
        assert_eq!(View::parse(&answer.message).map(|view| view.kind), Ok(Kind::Reset));
    }
}

#[test]
fn a_flood_of_requests_of_one_peer_is_capped_and_passes() {
    let mut server = Server::new(ServerLimits::default());
    let mut chance = Chance::new(1);
    let mut admitted = vec![];
    for id in 0..5000 {
        let message = thing(Code::GET, id, "session", &[(number::OBSERVE, b"")], &[]);
        if let Received::Request { id, .. } = server.handle_message(NOW, &mut chance, PEER, &message) {
            admitted.push(id);
        } else {
            let answer = server.poll_transmit().expect("an answer").message;
            let view = View::parse(&answer).expect("a message");
            assert_eq!((view.code, view.option(number::MAX_AGE)), (Code::TOO_MANY_REQUESTS, Some(&[5][..])));
        }
    }
    assert_eq!(admitted.len(), 4);
    // Answered at once, a flood of other tokens leaves sixteen answers and one watch.
    for id in admitted {
        answer(&mut server, id);
    }
    for id in 5000..10_000 {
        let message = thing(Code::GET, id, "session", &[(number::OBSERVE, b"")], &[]);
        let (id, _) = admit(server.handle_message(NOW, &mut chance, PEER, &message));
        answer(&mut server, id);
    }
    assert!(server.held() < 16 * 256, "{} bytes", server.held());
    assert!(server.is_watching(PEER, Watch::Session));
    server.forget(PEER);
    assert_eq!((server.held(), server.peers(), server.poll_timeout()), (0, 0, None));
}

fn answer(server: &mut Server<u32>, id: crate::control::RequestId) {
    let reply = Reply::Session(Session::of(SessionState::Locked));
    server.answer(NOW, &mut Chance::new(2), id, Ok(&reply)).expect("memory");
    assert!(server.poll_transmit().is_some());
}

#[test]
fn every_limit_is_an_answer() {
    let small = ServerLimits { peers: 8, requests: 5, transfers: 2, bytes: 1024, outbox: 3 };
    let mut server = Server::new(small);
    let mut chance = Chance::new(1);
    let get = |peer: u32| thing(Code::GET, peer as u16, "session", &[], &[]);
    let mut take = |server: &mut Server<u32>, peer| server.handle_message(NOW, &mut chance, peer, &get(peer));
    let unavailable = |server: &mut Server<u32>| {
        let answer = server.poll_transmit().expect("an answer").message;
        View::parse(&answer).expect("a message").code == Code::UNAVAILABLE
    };
    let ids: Vec<_> = (0..5).map(|peer| admit(take(&mut server, peer)).0).collect();
    assert_eq!(take(&mut server, 5), Received::Nothing, "requests");
    assert!(unavailable(&mut server));
    ids.into_iter().for_each(|id| answer(&mut server, id));
    for peer in 5..8 {
        let (id, _) = admit(take(&mut server, peer));
        answer(&mut server, id);
    }
    assert_eq!(take(&mut server, 8), Received::Nothing, "peers");
    assert!(unavailable(&mut server));
    // Messages that nobody polls are lost.
    for id in 100..110 {
        let missing = thing(Code::GET, id, "nothing", &[], &[]);
        assert_eq!(server.handle_message(NOW, &mut Chance::new(1), 1, &missing), Received::Nothing);
    }
    assert_eq!(std::iter::from_fn(|| server.poll_transmit()).count(), 3);
    // Bytes: answers are kept until there are too many.
    let mut held = vec![];
    for id in 200..400_u16 {
        let peer = u32::from(id % 8);
        let message = thing(Code::GET, id, "session", &[], &[]);
        match server.handle_message(NOW, &mut Chance::new(1), peer, &message) {
            Received::Request { id, .. } => answer(&mut server, id),
            Received::Nothing => assert!(unavailable(&mut server)),
        }
        held.push(server.held());
    }
    let most = held.iter().max().expect("some");
    assert!(*most >= 1024 && *most < 1024 + 256, "{most} bytes");
}

/// Noise, and messages with a few bytes changed, from many peers: nothing panics, every cap holds, and in the end nothing is
/// left.
#[test]
fn noise_costs_nothing_in_the_end() {
    let mut chance = Chance::new(3);
    let mut server = Server::new(ServerLimits { peers: 50, ..ServerLimits::default() });
    let mut now = NOW;
    let seeds: Vec<Vec<u8>> = vec![
        thing(Code::GET, 1, "config", &[(number::OBSERVE, b"")], &[]),
        thing(Code::POST, 2, "auth", &[(number::BLOCK1, b"\x0d")], &[0; 512]),
        thing(Code::POST, 3, "lease", &[], b"\xa0"),
        thing(Code::DELETE, 4, "session", &[], &[]),
        thing(Code::POST, 5, "probe", &[], b"\xa1\x01\x44\x00\x00\x00\x00"),
        raw(Kind::Acknowledgement, Code::EMPTY, 6, &[], &[], &[]),
    ];
    for round in 0..20_000_u64 {
        let mut message = seeds[chance.next() as usize % seeds.len()].clone();
        for _ in 0..chance.next() % 4 {
            let place = chance.next() as usize % message.len();
            message[place] = chance.next() as u8;
        }
        let peer = (chance.next() % 60) as u32;
        let mut rng = Chance::new(round);
        if let Received::Request { id, request, .. } = server.handle_message(now, &mut rng, peer, &message) {
            let reply = match request {
                Request::Logout => Ok(Reply::LoggedOut),
                Request::Session => Ok(Reply::Session(Session::of(SessionState::Open))),
                _ => Err(crate::control::message::Refusal::of(Code::FORBIDDEN)),
            };
            if !chance.one_in(3) {
                server.answer(now, &mut rng, id, reply.as_ref().map_err(|refusal| *refusal)).expect("memory");
            }
        }
        while server.poll_transmit().is_some() {}
        assert!(server.peers() <= 50 && server.held() <= ServerLimits::default().bytes);
        now = now + core::time::Duration::from_millis(chance.next() % 500);
        server.handle_timeout(now, &mut rng);
        assert!(server.poll_timeout().is_none_or(|due| due > now), "{round}");
    }
    server.handle_timeout(now + seconds(600), &mut chance);
    while let Some(due) = server.poll_timeout() {
        server.handle_timeout(due, &mut chance);
        while server.poll_transmit().is_some() {}
    }
    let watching = (0..60).filter(|peer| server.is_watching(*peer, Watch::Session)).count();
    assert_eq!((server.held(), server.peers()), (0, watching), "{:?}", server.counters());
}

#[test]
fn a_hostile_gateway_makes_no_client_panic_or_hoard() {
    let mut chance = Chance::new(5);
    for seed in 0..300 {
        let mut world = World::open();
        world.client.watch(world.now, &mut world.chance, Watch::Config).expect("room");
        for round in 0..200_u16 {
            let sent: Vec<_> =
                std::iter::from_fn(|| world.client.poll_transmit()).map(|transmit| transmit.message).collect();
            let (id, token) = sent
                .last()
                .and_then(|message| View::parse(message).ok())
                .map_or((round, vec![]), |view| (view.id, view.token.as_bytes().to_vec()));
            let kind = if chance.one_in(2) { Kind::Acknowledgement } else { Kind::Confirmable };
            let block = [(chance.next() % 3) as u8, (chance.next() % 256) as u8];
            let more = [(number::ETAG, &b"e"[..]), (number::OBSERVE, &[round as u8]), (number::BLOCK2, &block)];
            let code = if chance.one_in(9) { Code::CONTINUE } else { Code::CONTENT };
            let mut message = raw(kind, code, id, &token, &more, &vec![0; (chance.next() % 1100) as usize]);
            if chance.one_in(4) {
                let place = chance.next() as usize % message.len().min(30);
                message[place] = chance.next() as u8;
            }
            let _ = world.client.handle_message(world.now, &mut world.chance, &message);
        }
        for _ in 0..50 {
            let Some(due) = world.client.poll_timeout() else { break };
            world.now = due;
            let _ = world.client.handle_timeout(due, &mut world.chance);
        }
        assert_eq!(world.client.poll_timeout(), None, "{seed}: it gives up");
    }
}
