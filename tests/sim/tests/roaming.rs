//! Peers that move, NATs that forget, and what may move an endpoint.
use core::time::Duration;
use underpass_core::config::Endpoint;
use underpass_core::tunnel::Event;
use underpass_core::{DropReason, PeerChange};
use underpass_sim::endpoints::{ELSEWHERE, address, believed, moves};
use underpass_sim::network::Datagram;
use underpass_sim::{HostId, Kind, Spec, World};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_phone_roams_and_the_gateway_follows() {
    let (mut world, phone, gateway) = World::pair(1);
    world.meet(phone, gateway);
    let before = moves(&world, gateway);
    world.relocate(phone, ELSEWHERE);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert_eq!(believed(&world, gateway, phone), Some(address(ELSEWHERE)));
    assert_eq!(moves(&world, gateway), before + 1);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
    assert_eq!(world.sessions(phone), 1, "no handshake was needed");
    world.assert_nothing_leaked();
}

#[test]
fn the_gateway_roams_and_the_phone_follows() {
    let (mut world, phone, gateway) = World::pair(2);
    world.meet(phone, gateway);
    world.relocate(gateway, ELSEWHERE);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(believed(&world, phone, gateway), Some(address(ELSEWHERE)));
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
    world.assert_nothing_leaked();
}

/// A host that learns of its own move tells its live peers at once, without waiting for a packet.
#[test]
fn a_network_change_tells_the_peers_at_once() {
    let (mut world, phone, gateway) = World::pair(3);
    let idle = world.add(Spec::new("idle"));
    world.introduce(phone, idle);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.relocate(phone, ELSEWHERE);
    world.network.attacker.record();
    world.network_change(phone);
    world.run_for(SECOND);
    assert_eq!(believed(&world, gateway, phone), Some(address(ELSEWHERE)));
    let kinds: Vec<_> = world.network.attacker.everything().iter().map(|(_, d)| d.kind()).collect();
    assert_eq!(kinds, [Kind::Keepalive], "and the peer without a session hears nothing");
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete());
    world.assert_nothing_leaked();
}

/// Both move at once and neither knows: nothing can reach anyone. The phone's configuration still holds the gateway's old
/// address, so it takes the gateway's next word to the phone's old address, or a new endpoint, to meet again.
#[test]
fn both_move_at_once_and_meet_again_when_one_is_told() {
    let (mut world, phone, gateway) = World::pair(4);
    world.meet(phone, gateway);
    world.relocate(phone, ELSEWHERE);
    world.relocate(gateway, "203.0.113.88:50505");
    world.converse(phone, gateway, SECOND, 30 * SECOND);
    assert_eq!((world.arrived(phone, gateway), world.arrived(gateway, phone)), (1, 1));
    let told = PeerChange { endpoint: Some(Endpoint::Address(address("203.0.113.88:50505"))), ..world.about(gateway) };
    world.configure(phone, told);
    world.run_for(10 * SECOND);
    world.send(phone, gateway);
    world.run_for(SECOND);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(believed(&world, gateway, phone), Some(address(ELSEWHERE)));
    assert!(world.arrived(gateway, phone) > 1);
    world.assert_nothing_leaked();
}

/// With a keepalive shorter than the NAT's memory the gateway can speak at any time.
#[test]
fn behind_a_nat_with_keepalive_the_phone_stays_reachable() {
    let mut world = World::new(5);
    let (phone, gateway) = (world.add(Spec::new("phone")), world.add(Spec::new("gateway")));
    let nat = world.put_behind_nat(phone, "203.0.113.9", 30 * SECOND);
    world.enrol(phone, gateway);
    world.keepalive(phone, gateway, 25);
    world.run_for(SECOND);
    for _ in 0..20 {
        world.run_for(170 * SECOND);
        world.send(gateway, phone);
    }
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete(), "{:?}", world.flow(gateway, phone).missing());
    assert_eq!(world.network.nat(nat).stats.mappings, 1, "one mapping for an hour");
    world.assert_nothing_leaked();
}

/// Without one, the gateway's words are lost when the NAT has forgotten; the phone's next packet opens a new mapping,
/// and the gateway follows it.
#[test]
fn behind_a_nat_without_keepalive_the_phone_must_speak_first() {
    let mut world = World::new(6);
    let (phone, gateway) = (world.add(Spec::new("phone")), world.add(Spec::new("gateway")));
    let nat = world.put_behind_nat(phone, "203.0.113.9", 30 * SECOND);
    world.enrol(phone, gateway);
    world.meet(phone, gateway);
    let first = believed(&world, gateway, phone);
    world.run_for(45 * SECOND);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(world.flow(gateway, phone).missing(), [1]);
    assert!(world.network.nat(nat).stats.unsolicited > 0);

    world.send(phone, gateway);
    world.run_for(SECOND);
    assert_ne!(believed(&world, gateway, phone), first);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(world.flow(gateway, phone).missing(), [1]);
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}

/// A NAT that rebinds in the middle of a conversation costs the packets that were on their way to the old port.
#[test]
fn a_nat_that_rebinds_under_load_is_followed() {
    let mut world = World::new(7);
    let (phone, gateway) = (world.add(Spec::new("phone")), world.add(Spec::new("gateway")));
    let nat = world.put_behind_nat(phone, "203.0.113.9", 30 * SECOND);
    world.enrol(phone, gateway);
    world.meet(phone, gateway);
    for _ in 0..50 {
        world.converse(phone, gateway, SECOND / 10, 2 * SECOND);
        world.network.nat(nat).rebind();
    }
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete(), "what leaves the phone is not hurt");
    let missing = world.flow(gateway, phone).missing().len();
    assert!(missing <= 100, "{missing} of 1000");
    assert_eq!(moves(&world, gateway), 50, "the first endpoint and 49 new ones");
    assert_eq!(world.sessions(phone), 1);
    world.assert_nothing_leaked();
}

/// Threat 5: a datagram from elsewhere that does not authenticate, or was seen before, moves nothing.
#[test]
fn only_fresh_authentic_datagrams_move_an_endpoint() {
    let (mut world, phone, gateway) = World::pair(8);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let home = believed(&world, gateway, phone);
    let captured: Vec<_> = world.network.attacker.everything().iter().map(|(_, d)| d.clone()).collect();
    let there = world.address(gateway);
    for datagram in captured.iter().filter(|d| d.to == there) {
        let replayed = Datagram { from: address(ELSEWHERE), ..datagram.clone() };
        world.hand(gateway, replayed.clone());
        let mut forged = replayed;
        let last = forged.bytes.len() - 1;
        forged.bytes[last] ^= 1;
        world.hand(gateway, forged.clone());
        forged.bytes[8] ^= 0x40;
        world.hand(gateway, forged);
        assert_eq!(believed(&world, gateway, phone), home, "moved by a {:?}", datagram.kind());
    }
    assert!(world.tunnel(gateway).stats().drops.of(DropReason::Replay) >= 1);
    world.assert_nothing_leaked();
}

/// Lesson 10: a cookie reply is not authenticated by the peer's key and moves nothing, whoever sends it from wherever.
#[test]
fn lesson_10_a_cookie_reply_moves_no_endpoint() {
    let mut world = World::new(9);
    let phone = world.add(Spec::new("phone"));
    // A gateway that answers the first initiation from anyone with a cookie: its budget is one a second.
    let limits = underpass_core::Limits { handshakes_per_second: 1, ..Default::default() };
    let gateway = world.add(Spec { limits, ..Spec::new("gateway") });
    let other = world.add(Spec::new("other"));
    world.introduce(phone, gateway);
    world.introduce(other, gateway);
    world.network.attacker.record();
    world.network.attacker.rule(|_, datagram| {
        if datagram.kind() != Kind::CookieReply {
            return underpass_sim::network::Fate::Pass;
        }
        let from_elsewhere = Datagram { from: ELSEWHERE.parse().expect("an address"), ..datagram.clone() };
        underpass_sim::network::Fate::Replace(vec![from_elsewhere])
    });
    // Two others use up the budget in the same instant.
    world.send(other, gateway);
    world.send(phone, gateway);
    world.run_for(SECOND);
    let cookies = world.network.attacker.captured(Kind::CookieReply).count();
    assert!(cookies >= 1, "no cookie reply was sent");
    assert_eq!(believed(&world, phone, gateway), Some(world.address(gateway)));
    assert_eq!((moves(&world, phone), moves(&world, other)), (0, 0));
    world.run_for(10 * SECOND);
    assert!(world.flow(phone, gateway).is_complete(), "the cookie was believed and used");
    assert!(world.flow(other, gateway).is_complete());
    world.assert_nothing_leaked();
}

/// A pinned endpoint stays; what comes from elsewhere is still taken.
#[test]
fn a_pinned_endpoint_stays() {
    let (mut world, phone, gateway) = World::pair(10);
    let pinned = PeerChange { pin_endpoint: Some(true), ..world.about(gateway) };
    world.configure(phone, pinned);
    world.meet(phone, gateway);
    let home = world.address(gateway);
    world.relocate(gateway, ELSEWHERE);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete(), "delivered");
    assert_eq!(believed(&world, phone, gateway), Some(home), "but not followed");
    assert_eq!(moves(&world, phone), 0);

    let free = PeerChange { pin_endpoint: Some(false), ..world.about(gateway) };
    world.configure(phone, free);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(believed(&world, phone, gateway), Some(address(ELSEWHERE)));
    world.assert_nothing_leaked();
}

/// A phone that knows its gateway by name, which resolves or does not yet.
fn named(world: &mut World, resolves: bool) -> (HostId, HostId) {
    let (phone, gateway) = (world.add(Spec::new("phone")), world.add(Spec::new("gateway")));
    if resolves {
        world.names.insert("gateway.example".into(), world.address(gateway));
    }
    let endpoint = Endpoint::Name { host: "gateway.example".into(), port: 51820 };
    let by_name = PeerChange { endpoint: Some(endpoint), ..world.describe(gateway) };
    world.configure(phone, by_name);
    let roamer = PeerChange { endpoint: None, ..world.describe(phone) };
    world.configure(gateway, roamer);
    (phone, gateway)
}

fn asked(world: &World, host: HostId) -> usize {
    world.count_events(host, |event| matches!(event, Event::ResolveEndpoint { .. }))
}

/// Lesson 35: an endpoint's name is resolved when it is needed, again while nobody answers, and after a network change.
#[test]
fn lesson_35_names_are_resolved_again() {
    let mut world = World::new(11);
    let (phone, gateway) = named(&mut world, true);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    let first = asked(&world, phone);
    assert!((1..=2).contains(&first), "{first}");

    // The gateway, which owes no answer, moves house; the name follows.
    world.run_for(20 * SECOND);
    world.relocate(gateway, ELSEWHERE);
    world.names.insert("gateway.example".into(), address(ELSEWHERE));
    world.stream(phone, gateway, SECOND, 60 * SECOND);
    assert_eq!(believed(&world, phone, gateway), Some(address(ELSEWHERE)));
    world.send(phone, gateway);
    world.run_for(SECOND);
    let flow = world.flow(phone, gateway);
    assert_eq!(flow.arrived().last(), Some(&(flow.sent() - 1)));
    assert!((first + 1..=first + 4).contains(&asked(&world, phone)), "{}", asked(&world, phone));

    let before = asked(&world, phone);
    world.network_change(phone);
    world.run_for(SECOND);
    assert_eq!(asked(&world, phone), before + 1);
    world.assert_nothing_leaked();
}

/// A name that led to the wrong place is resolved again while the first handshake goes unanswered there.
#[test]
fn lesson_35_a_name_that_led_astray_is_resolved_again_during_the_handshake() {
    let mut world = World::new(14);
    world.names.insert("gateway.example".into(), address("203.0.113.1:1"));
    let (phone, gateway) = named(&mut world, false);
    world.send(phone, gateway);
    world.run_for(12 * SECOND);
    let there = world.address(gateway);
    world.names.insert("gateway.example".into(), there);
    world.run_for(20 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    assert!(asked(&world, phone) <= 4, "{}", asked(&world, phone));
    world.assert_nothing_leaked();
}

/// A name that does not resolve is asked for at a patient pace, for as long as the handshake is tried; the packets
/// wait, and go when it resolves.
#[test]
fn a_name_that_does_not_resolve_yet() {
    let mut world = World::new(12);
    let (phone, gateway) = named(&mut world, false);
    world.stream(phone, gateway, SECOND, 40 * SECOND);
    let questions = asked(&world, phone);
    assert!((2..=10).contains(&questions), "{questions} questions in 40 s");
    let there = world.address(gateway);
    world.names.insert("gateway.example".into(), there);
    world.stream(phone, gateway, SECOND, 20 * SECOND);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete(), "{:?}", world.flow(phone, gateway).missing());
    world.assert_nothing_leaked();
}

/// A name that never resolves: the handshake is given up, once, and then nothing is asked without traffic.
#[test]
fn a_name_that_never_resolves_is_given_up() {
    let mut world = World::new(13);
    let (phone, gateway) = named(&mut world, false);
    world.send(phone, gateway);
    world.run_for(120 * SECOND);
    assert_eq!(world.count_events(phone, |event| matches!(event, Event::HandshakeFailed { .. })), 1);
    let questions = asked(&world, phone);
    assert!(questions <= 12, "{questions}");
    world.run_for(3600 * SECOND);
    assert_eq!(asked(&world, phone), questions);
    assert_eq!(world.footprint(phone).staged_packets, 0);
    world.assert_nothing_leaked();
}
