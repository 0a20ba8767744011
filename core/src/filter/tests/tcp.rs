//! The states of TCP, and what begins a flow.
use super::build::{ip, segment, tcp, udp};
use super::*;

const CLIENT: &str = "10.9.0.1:4000";
const SERVER: &str = "192.0.2.1:443";

#[test]
fn only_a_syn_begins_a_flow() {
    for flags in 0..64_u8 {
        let mut world = World::open();
        let ruling = world.send(tcp(at(CLIENT), at(SERVER), flags));
        let kind = flags & (SYN | ACK | FIN | RST);
        if kind == SYN {
            assert_eq!(ruling, PASS, "flags {flags:#x}");
        } else if [SYN | ACK, ACK, FIN | ACK, RST, RST | ACK].contains(&kind) {
            assert_eq!(ruling, NO_FLOW, "flags {flags:#x}");
        } else {
            assert_eq!(ruling, Ruling::Drop(Reason::Malformed), "flags {flags:#x}");
        }
        assert_eq!(world.filter.flows(), usize::from(kind == SYN));
    }
}

#[test]
fn an_answer_passes_only_after_the_first_packet() {
    let mut world = World::open();
    for answer in [tcp(at(SERVER), at(CLIENT), SYN | ACK), tcp(at(SERVER), at(CLIENT), ACK)] {
        assert_eq!(world.receive(answer), NO_FLOW);
    }
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), SYN)), DENIED);
    assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), DENIED);
    world.connect(at(CLIENT), at(SERVER));
}

#[test]
fn a_spoofed_answer_does_not_pass() {
    let mut world = World::open();
    world.connect(at(CLIENT), at(SERVER));
    for (number, from, to) in [
        (1, "192.0.2.1:443", "10.9.0.1:4001"),
        (2, "192.0.2.1:444", "10.9.0.1:4000"),
        (3, "192.0.2.2:443", "10.9.0.1:4000"),
        (4, "192.0.2.1:443", "10.9.0.2:4000"),
    ] {
        assert_eq!(world.receive(tcp(at(from), at(to), ACK)), NO_FLOW, "row {number}");
        assert_eq!(world.receive(udp(at(from), at(to))), DENIED, "row {number}");
    }
    // The same addresses and ports, but of another protocol or by way of a peer.
    assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), DENIED);
    let mut answer = tcp(at(SERVER), at(CLIENT), ACK);
    assert_eq!(world.filter.outbound(world.now, ALICE, Some(BOB), &mut answer), NO_FLOW);
    assert_eq!(world.receive(answer), PASS);
}

#[test]
fn both_ends_may_begin_at_once() {
    let mut world = World::open();
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), SYN)), PASS);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), SYN)), PASS);
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), SYN | ACK)), PASS);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), SYN | ACK)), PASS);
    world.pass_time(3_600_000);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), ACK)), PASS, "it is established");
}

#[test]
fn a_syn_alone_establishes_nothing() {
    let mut world = World::open();
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), SYN)), PASS);
    // An attacker who guesses the ports of the client cannot lengthen its life without answering.
    for flags in [ACK, SYN, ACK] {
        assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), flags)), PASS);
    }
    world.pass_time(240_000);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), SYN | ACK)), NO_FLOW);
}

#[test]
fn a_connection_may_follow_another_between_the_same_ports() {
    let mut rule = Rule::allow(1, everything());
    rule.log = true;
    let mut world = World::new(vec![rule]);
    world.connect(at(CLIENT), at(SERVER));
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), RST)), PASS);
    world.connect(at(CLIENT), at(SERVER));
    assert_eq!(world.filter.flows(), 1);
    let events: Vec<_> = core::iter::from_fn(|| world.filter.poll_event()).collect();
    assert!(
        matches!(
            events[..],
            [Event::FlowStart { .. }, Event::FlowEnd { why: FlowEnd::Replaced, .. }, Event::FlowStart { .. }]
        ),
        "{events:?}"
    );
    // What follows a connection is a first packet, and needs a rule.
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), FIN | ACK)), PASS);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), SYN)), DENIED);
}

#[test]
fn headers_that_are_cut_do_not_pass() {
    let whole = segment(at(CLIENT), at(SERVER), SYN, &[2, 4, 5, 180], &[]);
    let (client, server) = (at(CLIENT).ip(), at(SERVER).ip());
    for len in 0..whole.len() {
        let mut world = World::open();
        assert_eq!(world.send(ip(client, server, 6, &whole[..len])), Ruling::Drop(Reason::Malformed), "{len} bytes");
    }
    for offset in 0..5 {
        let mut short = whole.clone();
        short[12] = offset << 4;
        assert_eq!(World::open().send(ip(client, server, 6, &short)), Ruling::Drop(Reason::Malformed));
    }
    assert_eq!(World::open().send(ip(client, server, 6, &whole)), PASS);
    assert_eq!(
        World::open().send(tcp(at(CLIENT), at("10.9.0.1:9"), SYN)),
        Ruling::Drop(Reason::Malformed),
        "to itself"
    );
}
