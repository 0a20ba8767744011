//! Two peers and the host between them.
use super::build::{tcp, udp};
use super::*;

const A: &str = "10.9.0.1:4000";
const B: &str = "10.9.0.2:443";

/// A filter in which Bob has a session, too.
fn both(alice: Vec<Rule>, bob: Vec<Rule>) -> World {
    let mut world = World::new(alice);
    world.filter.open(world.now, BOB, SessionConfig { rules: bob.into(), ..SessionConfig::default() }).unwrap();
    world
}

/// A packet from one peer to the other: ruled as it comes and as it goes.
fn carry(world: &mut World, from: u32, to: u32, packet: &[u8]) -> (Ruling, Ruling) {
    let mut packet = packet.to_vec();
    let inbound = world.filter.inbound(world.now, from, Some(to), &mut packet);
    let outbound =
        if inbound == PASS { world.filter.outbound(world.now, to, Some(from), &mut packet) } else { inbound };
    (inbound, outbound)
}

fn peers() -> Vec<Rule> {
    let mut rule = Rule::allow(1, vec![net("10.9.0.0/16")]);
    rule.peers = true;
    vec![rule]
}

#[test]
fn peers_cannot_reach_each_other_unless_it_is_allowed() {
    let mut world = both(vec![Rule::allow(1, everything())], vec![Rule::allow(1, everything())]);
    assert_eq!(carry(&mut world, ALICE, BOB, &tcp(at(A), at(B), SYN)).0, DENIED, "everything is no peer");
    assert_eq!(carry(&mut world, BOB, ALICE, &udp(at(B), at(A))).0, DENIED);
    let mut world = both(peers(), Vec::new());
    assert_eq!(carry(&mut world, ALICE, BOB, &tcp(at(A), at(B), SYN)), (PASS, PASS));
    assert_eq!(
        carry(&mut world, BOB, ALICE, &tcp(at(B), at(A), SYN | ACK)),
        (PASS, PASS),
        "Bob needs no rule to answer"
    );
    assert_eq!(carry(&mut world, BOB, ALICE, &udp(at(B), at(A))).0, DENIED, "but to begin");
    assert_eq!(carry(&mut world, BOB, ALICE, &tcp(at(B), at("10.9.0.1:22"), SYN)).0, DENIED);
}

#[test]
fn rules_that_deny_hold_for_peers_as_well() {
    let deny = Rule { action: Action::Deny, ..Rule::allow(1, vec![net("10.9.0.2/32")]) };
    let mut world = both([vec![deny], peers()].concat(), Vec::new());
    assert_eq!(carry(&mut world, ALICE, BOB, &tcp(at(A), at(B), SYN)).0, DENIED);
    assert_eq!(carry(&mut world, ALICE, BOB, &tcp(at(A), at("10.9.0.3:1"), SYN)), (PASS, PASS));
}

#[test]
fn each_counts_and_the_flow_counts_once() {
    let mut rule = peers();
    rule[0].log = true;
    let mut world = both(rule, Vec::new());
    let packet = udp(at(A), at(B));
    for _ in 0..3 {
        assert_eq!(carry(&mut world, ALICE, BOB, &packet), (PASS, PASS));
    }
    assert_eq!(carry(&mut world, BOB, ALICE, &udp(at(B), at(A))), (PASS, PASS));
    let (alice, bob) = (world.filter.account(ALICE).unwrap(), world.filter.account(BOB).unwrap());
    assert_eq!((alice.from_peer.packets, alice.to_peer.packets), (3, 1));
    assert_eq!((bob.from_peer.packets, bob.to_peer.packets), (1, 3));
    assert_eq!((alice.flows, bob.flows, world.filter.flows()), (1, 0, 1));
    world.filter.flush(ALICE);
    let end = core::iter::from_fn(|| world.filter.poll_event()).last();
    assert!(matches!(
        end,
        Some(Event::FlowEnd { sent: Traffic { packets: 3, .. }, received: Traffic { packets: 1, .. }, .. })
    ));
}

#[test]
fn a_peer_that_logs_out_takes_the_flows_of_others_to_it_along() {
    let mut world = both(peers(), Vec::new());
    assert_eq!(carry(&mut world, ALICE, BOB, &tcp(at(A), at(B), SYN)), (PASS, PASS));
    world.filter.close(BOB);
    assert_eq!(world.filter.flows(), 0);
    world.filter.open(world.now, BOB, SessionConfig::default()).unwrap();
    assert_eq!(carry(&mut world, BOB, ALICE, &tcp(at(B), at(A), SYN | ACK)).0, NO_FLOW);
    assert_eq!(carry(&mut world, ALICE, BOB, &tcp(at(A), at(B), SYN)), (PASS, PASS));
    world.filter.close(ALICE);
    assert_eq!(world.filter.flows(), 0);
    world.filter.close(BOB);
    assert_eq!(world.filter.footprint(), FilterFootprint::default());
}

#[test]
fn a_flow_to_a_peer_without_a_session_is_listed_once_it_has_one() {
    let mut world = World::new(peers());
    let mut syn = tcp(at(A), at(B), SYN);
    assert_eq!(world.filter.inbound(world.now, ALICE, Some(BOB), &mut syn), PASS);
    world.filter.open(world.now, BOB, SessionConfig::default()).unwrap();
    assert_eq!(carry(&mut world, BOB, ALICE, &tcp(at(B), at(A), SYN | ACK)), (PASS, PASS));
    world.filter.close(BOB);
    assert_eq!(world.filter.flows(), 0);
}

#[test]
fn the_other_end_begins_where_a_rule_says_so() {
    let mut rule = Rule::allow(1, vec![net("192.0.2.0/24")]);
    (rule.way, rule.protocol, rule.ports) = (Way::ToPeer, Protocol::Tcp, vec![22..=22]);
    let mut world = World::new(vec![rule.clone()]);
    let (admin, alice) = (at("192.0.2.5:5000"), at("10.9.0.1:22"));
    assert_eq!(world.receive(tcp(admin, at("10.9.0.1:23"), SYN)), DENIED);
    assert_eq!(world.receive(tcp(at("198.51.100.1:5000"), alice, SYN)), DENIED);
    assert_eq!(world.receive(tcp(admin, alice, SYN)), PASS);
    assert_eq!(world.send(tcp(alice, admin, SYN | ACK)), PASS);
    assert_eq!(world.receive(tcp(admin, alice, ACK)), PASS);
    assert_eq!(world.send(tcp(alice, at("192.0.2.6:22"), SYN)), DENIED, "it opens one way only");
    // A peer is no part of the network that the rule names, whatever address it has.
    let mut syn = tcp(at("192.0.2.7:1"), alice, SYN);
    assert_eq!(world.filter.outbound(world.now, ALICE, Some(BOB), &mut syn), DENIED);
    rule.peers = true;
    world.filter.set_rules(world.now, ALICE, vec![rule].into()).unwrap();
    assert_eq!(world.filter.outbound(world.now, ALICE, Some(BOB), &mut syn), PASS);
    assert_eq!(world.receive(tcp(admin, alice, ACK)), PASS);
}

#[test]
fn an_address_that_changes_hands_takes_no_flow_along() {
    let mut world = both(peers(), Vec::new());
    assert_eq!(carry(&mut world, ALICE, BOB, &udp(at(A), at(B))), (PASS, PASS));
    // Bob's address belongs to peer 3 from now on.
    let mut answer = udp(at(B), at(A));
    assert_eq!(world.filter.outbound(world.now, ALICE, Some(3), &mut answer), DENIED);
}
