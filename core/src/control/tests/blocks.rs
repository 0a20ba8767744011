//! Bodies in blocks (RFC 7959).
use super::world::PEER;
use super::{Chance, World, admit, seconds, thing};
use crate::control::coap::{Block, Code, View, number};
use crate::control::message::{Config, LoginReply, LoginStart, Method, Outcome, Probe, Probed, Reply, Request};
use crate::control::{Event, MAX_BODY, Received, Server, ServerLimits, Wiped};
use crate::time::Instant;
use core::time::Duration;
use std::vec::Vec;
use std::{format, vec};

/// A login with a proof of so many bytes.
fn proof(len: usize) -> Request {
    let data = Wiped::from(vec![5; len]);
    Request::Login(LoginStart { nonce: [2; 16], user: "ann".into(), method: Method::SigningCertificate, data })
}

/// Settings that take nearly all that a body may have.
fn vast() -> Config {
    let name = |n: usize| format!("{n}.{0}.{0}.{0}.example", "a".repeat(34));
    let routes: Vec<_> = (0..256).map(|n| format!("fd00:{n:x}::/64").parse().expect("a network")).collect();
    let names: Vec<_> = (0..64).map(name).collect();
    Config { version: 1, routes, search: names[..32].to_vec(), split: names[..32].to_vec(), ..Config::default() }
}

#[test]
fn bodies_of_many_blocks_go_both_ways_over_a_bad_channel() {
    let config = vast();
    let len = Reply::Config(config.clone()).encode().expect("it fits").len();
    assert!(len > MAX_BODY * 3 / 4, "{len} bytes");
    for seed in 0..30 {
        let mut world = World::open();
        world.chance = Chance::new(seed);
        world.host.config = config.clone();
        world.host.takes = Duration::from_millis(seed * 100);
        world.channel = |_, chance| {
            let delay = |chance: &mut Chance| Duration::from_millis(chance.next() % 700);
            match chance.next() % 10 {
                0 => vec![],
                1..4 => vec![delay(chance), delay(chance)],
                _ => vec![delay(chance)],
            }
        };
        let Reply::Login(LoginReply { outcome, .. }) = world.answer_to(&proof(12 * 1024)) else { panic!("a login") };
        assert_eq!(outcome, Outcome::Done, "{seed}");
        assert_eq!(world.answer_to(&Request::Config), Reply::Config(config.clone()), "{seed}");
        assert_eq!(world.host.asked, [proof(12 * 1024), Request::Config], "{seed}: each once");
        assert!(world.longest <= 512 + 60, "{seed}: {} bytes", world.longest);
        world.run(seconds(300));
        assert_eq!((world.server.held(), world.server.peers()), (0, 0), "{seed}: nothing is left behind");
    }
}

#[test]
fn a_probe_that_arrives_makes_blocks_larger() {
    let mut world = World::open();
    let count = |world: &mut World| {
        let before = world.sent;
        world.answer_to(&proof(8 * 1024));
        world.sent - before
    };
    let small = count(&mut world);
    let short = world.answer_to(&Request::Probe(Probe { pad: 1000 }));
    assert!(matches!(short, Reply::Probed(Probed { len: 1000..1152 })), "{short:?}");
    assert_eq!(count(&mut world), small);
    let long = world.answer_to(&Request::Probe(Probe { pad: 1200 }));
    assert!(matches!(long, Reply::Probed(Probed { len: 1200..1300 })), "{long:?}");
    assert_eq!((small, count(&mut world)), (17 * 2, 9 * 2));
    world.host.config = vast();
    let before = world.sent;
    assert_eq!(world.answer_to(&Request::Config), Reply::Config(vast()));
    let blocks = Reply::Config(vast()).encode().expect("it fits").len().div_ceil(1024) as u64;
    assert_eq!(world.sent - before, blocks * 2, "answers, too");
    assert_eq!(world.host.asked.len(), 4, "the host hears nothing of probes");
}

/// A server, and the code with which it answers each message.
struct Gateway(Server<u32>, Instant);

impl Gateway {
    fn new() -> Self {
        Self(Server::new(ServerLimits::default()), Instant::ZERO + seconds(1))
    }

    fn take(&mut self, peer: u32, message: &[u8]) -> Received {
        self.0.handle_message(self.1, &mut Chance::new(1), peer, message)
    }

    /// The code of the answer, and the block that it bears.
    #[track_caller]
    fn code(&mut self, peer: u32, message: &[u8]) -> (Code, Option<Block>) {
        assert_eq!(self.take(peer, message), Received::Nothing);
        self.answer()
    }

    #[track_caller]
    fn answer(&mut self) -> (Code, Option<Block>) {
        let answer = self.0.poll_transmit().expect("an answer").message;
        let view = View::parse(&answer).expect("a message");
        let block = view.option(number::BLOCK1).or_else(|| view.option(number::BLOCK2));
        (view.code, block.and_then(Block::read))
    }
}

fn block1(id: u16, number: u32, more: bool, exponent: u8, payload: &[u8]) -> Vec<u8> {
    let bits = Block { number, more, exponent }.bits().to_be_bytes();
    thing(Code::POST, id, "auth", &[(number::BLOCK1, &bits[1..])], payload)
}

#[test]
fn blocks_that_do_not_fit_together_are_refused() {
    let body = proof(2000).encode().expect("a body");
    for (number, (blocks, expected)) in [
        (&[(0, true, 5, 512), (2, true, 5, 512)][..], Code::INCOMPLETE),
        (&[(1, true, 5, 512)], Code::INCOMPLETE),
        (&[(3, false, 5, 10)], Code::INCOMPLETE),
        (&[(0, true, 5, 511)], Code::BAD_REQUEST),
        (&[(0, true, 5, 513)], Code::BAD_REQUEST),
        (&[(0, false, 5, 513)], Code::BAD_REQUEST),
        (&[(0, true, 5, 0)], Code::BAD_REQUEST),
        (&[(0, true, 5, 512), (1, false, 5, 20)], Code::BAD_REQUEST),
        (&[(0, true, 5, 512), (0, true, 5, 512), (1, true, 5, 512)], Code::CONTINUE),
        (&[(0, true, 5, 512), (1, true, 5, 512), (1, true, 5, 512)], Code::CONTINUE),
        (&[(0, true, 6, 1024), (2, true, 5, 512)], Code::CONTINUE),
        (&[(0, true, 0, 16), (1, true, 0, 16)], Code::CONTINUE),
    ]
    .into_iter()
    .enumerate()
    {
        let mut gateway = Gateway::new();
        let mut last = None;
        for (id, (block, more, exponent, len)) in (1..).zip(blocks) {
            let at = (*block as usize) << (exponent + 4);
            let payload: Vec<_> = body.iter().skip(at).copied().chain([0; 600]).take(*len).collect();
            last = Some(gateway.code(PEER, &block1(id, *block, *more, *exponent, &payload)).0);
        }
        assert_eq!(last, Some(expected), "{number}");
    }
}

#[test]
fn a_body_beyond_the_cap_is_refused_when_it_is_announced_and_when_it_comes() {
    let mut gateway = Gateway::new();
    let size = (MAX_BODY as u32 + 1).to_be_bytes();
    let first = Block { number: 0, more: true, exponent: 5 }.bits().to_be_bytes();
    let options: [(u16, &[u8]); 2] = [(number::BLOCK1, &first[3..]), (number::SIZE1, &size)];
    assert_eq!(gateway.code(PEER, &thing(Code::POST, 1, "auth", &options, &[0; 512])).0, Code::TOO_LARGE);
    for number in 0..32 {
        let (code, block) = gateway.code(PEER, &block1(number as u16 + 2, number, true, 5, &[0; 512]));
        assert_eq!((code, block.map(|block| block.number)), (Code::CONTINUE, Some(number)));
    }
    assert!(gateway.0.held() <= 2 * MAX_BODY, "{} bytes", gateway.0.held());
    assert_eq!(gateway.code(PEER, &block1(50, 32, true, 5, &[0; 512])).0, Code::TOO_LARGE);
    assert_eq!(gateway.0.held(), 0, "it is dropped");
    assert_eq!(gateway.code(PEER, &block1(51, 0xf_ffff, true, 6, &[0; 1024])).0, Code::INCOMPLETE);
    let whole = thing(Code::POST, 52, "auth", &[], &vec![0; MAX_BODY + 1]);
    assert_eq!(gateway.code(PEER, &whole).0, Code::TOO_LARGE);
}

#[test]
fn thirty_two_transfers_at_once_and_one_that_stands_still_makes_room() {
    let mut gateway = Gateway::new();
    for peer in 0..32 {
        assert_eq!(gateway.code(peer, &block1(1, 0, true, 5, &[0; 512])).0, Code::CONTINUE);
        gateway.1 = gateway.1 + Duration::from_millis(100);
    }
    assert_eq!(gateway.code(99, &block1(1, 0, true, 5, &[0; 512])).0, Code::UNAVAILABLE);
    assert_eq!(gateway.code(5, &block1(2, 0, true, 5, &[0; 512])).0, Code::CONTINUE, "its own place");
    gateway.1 = gateway.1 + seconds(12);
    assert_eq!(gateway.code(0, &block1(2, 1, true, 5, &[0; 512])).0, Code::CONTINUE, "it goes on");
    gateway.1 = gateway.1 + seconds(3);
    assert_eq!(gateway.code(99, &block1(1, 0, true, 5, &[0; 512])).0, Code::CONTINUE);
    assert_eq!(gateway.code(1, &block1(2, 1, true, 5, &[0; 512])).0, Code::INCOMPLETE, "the longest still");
    assert_eq!(gateway.code(0, &block1(3, 2, true, 5, &[0; 512])).0, Code::CONTINUE);
    while let Some(due) = gateway.0.poll_timeout() {
        gateway.0.handle_timeout(due, &mut Chance::new(1));
    }
    assert_eq!((gateway.0.peers(), gateway.0.held()), (0, 0), "and in the end all are forgotten");
}

/// Peers that send a block now and then, and the same one again, keep nobody out for longer than a minute.
#[test]
fn transfers_that_crawl_make_room_after_a_minute() {
    let mut gateway = Gateway::new();
    let crawl = |gateway: &mut Gateway, round: u32, progress: bool| {
        for peer in 0..32 {
            let number = if progress { round } else { round.min(1) };
            assert_eq!(gateway.code(peer, &block1(round as u16, number, true, 0, &[0; 16])).0, Code::CONTINUE);
        }
        gateway.1 = gateway.1 + seconds(10);
    };
    crawl(&mut gateway, 0, true);
    crawl(&mut gateway, 1, true);
    let newcomer = block1(1, 0, true, 5, &[0; 512]);
    assert_eq!(gateway.code(98, &newcomer).0, Code::UNAVAILABLE);
    // The same block again is no progress.
    crawl(&mut gateway, 2, false);
    assert_eq!(gateway.code(98, &newcomer).0, Code::CONTINUE);
    assert_eq!(gateway.code(98, &block1(2, 1, false, 5, &[0; 5])).0, Code::BAD_REQUEST, "it is whole, and no login");
    let mut gateway = Gateway::new();
    for round in 0..6 {
        crawl(&mut gateway, round, true);
        let expected = if round < 5 { Code::UNAVAILABLE } else { Code::CONTINUE };
        assert_eq!(gateway.code(98, &newcomer).0, expected, "{round}");
    }
}

#[test]
fn blocks_of_an_answer_are_asked_for_in_any_order_until_they_are_forgotten() {
    let mut gateway = Gateway::new();
    let config = Reply::Config(vast());
    let body = config.encode().expect("it fits");
    let (id, _) = admit(gateway.take(PEER, &thing(Code::GET, 1, "config", &[], &[])));
    let ask = |id: u16, number: u32| {
        let bits = Block { number, more: false, exponent: 5 }.bits().to_be_bytes();
        thing(Code::GET, id, "config", &[(number::BLOCK2, &bits[1..])], &[])
    };
    assert_eq!(gateway.code(PEER, &ask(2, 1)).0, Code::INCOMPLETE, "before there is an answer");
    gateway.0.answer(gateway.1, &mut Chance::new(1), id, Ok(&config)).expect("memory");
    assert_eq!(gateway.answer(), (Code::CONTENT, Some(Block { number: 0, more: true, exponent: 5 })));
    let last = (body.len() as u32 - 1) / 512;
    for (id, number) in [(3, 5), (4, 1), (5, last), (6, 1)] {
        let expected = Block { number, more: number != last, exponent: 5 };
        assert_eq!(gateway.code(PEER, &ask(id, number)), (Code::CONTENT, Some(expected)));
    }
    assert_eq!(gateway.code(PEER, &ask(7, last + 1)).0, Code::BAD_REQUEST);
    assert_eq!(gateway.code(8, &ask(7, 1)).0, Code::INCOMPLETE, "another peer has none");
    gateway.1 = gateway.1 + seconds(60);
    gateway.0.handle_timeout(gateway.1, &mut Chance::new(1));
    assert_eq!(gateway.code(PEER, &ask(9, 1)).0, Code::INCOMPLETE);
}

#[test]
fn a_body_of_just_the_cap_is_handed_up() {
    let mut gateway = Gateway::new();
    let mut body = proof(12 * 1024).encode().expect("a body").to_vec();
    // A key that is passed over fills it up: map head, key, and the head of a string of three bytes.
    let fill = MAX_BODY - body.len() - 5;
    body[0] += 1;
    body.extend([0x18, 40, 0x59, (fill >> 8) as u8, fill as u8]);
    body.extend(vec![0; fill]);
    assert_eq!(body.len(), MAX_BODY);
    for (number, part) in (0..31).zip(body.chunks(512)) {
        assert_eq!(gateway.code(PEER, &block1(number as u16, number, true, 5, part)).0, Code::CONTINUE);
    }
    let (id, request) = admit(gateway.take(PEER, &block1(31, 31, false, 5, &body[31 * 512..])));
    assert_eq!(request, proof(12 * 1024));
    let reply = Reply::Login(LoginReply { login: crate::control::message::LoginId([7; 8]), outcome: Outcome::Done });
    gateway.0.answer(gateway.1, &mut Chance::new(1), id, Ok(&reply)).expect("memory");
    let last = Some(Block { number: 31, more: false, exponent: 5 });
    assert_eq!(gateway.answer(), (Code::CHANGED, last), "the answer bears the last block");
}

#[test]
fn a_body_in_one_block_needs_no_place_among_transfers() {
    let mut gateway = Gateway::new();
    for peer in 0..32 {
        assert_eq!(gateway.code(peer, &block1(1, 0, true, 5, &[0; 512])).0, Code::CONTINUE);
    }
    let body = proof(100).encode().expect("a body");
    assert_eq!(admit(gateway.take(99, &block1(1, 0, false, 5, &body))).1, proof(100));
}

#[test]
fn a_gateway_that_is_restarted_in_the_middle_of_a_body_asks_for_it_anew() {
    let mut world = World::open();
    world.ask(&proof(8 * 1024));
    world.run(Duration::from_millis(300));
    world.restart_server();
    let Event::Refused { refusal, .. } = world.next_event() else { panic!("it is refused") };
    assert_eq!(refusal.code, Code::INCOMPLETE);
    assert!(world.host.asked.is_empty());
    assert!(matches!(world.answer_to(&proof(8 * 1024)), Reply::Login(_)));
}

#[test]
fn the_first_block_again_does_not_begin_a_body_anew_unless_it_is_another_message() {
    let mut gateway = Gateway::new();
    let take = |gateway: &mut Gateway, id, number| gateway.code(PEER, &block1(id, number, true, 5, &[0; 512])).0;
    for (number, (id, block, expected)) in [
        (1, 0, Code::CONTINUE),
        (2, 1, Code::CONTINUE),
        (1, 0, Code::CONTINUE),
        (3, 2, Code::CONTINUE),
        (4, 0, Code::CONTINUE),
        (5, 2, Code::INCOMPLETE),
        (6, 1, Code::CONTINUE),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(take(&mut gateway, id, block), expected, "{number}");
    }
}
