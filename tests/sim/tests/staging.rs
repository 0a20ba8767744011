//! Packets that wait for a session: in order, within bounds, the oldest giving way.
use core::time::Duration;
use underpass_core::{DropReason, Limits};
use underpass_sim::{HostId, Kind, Outcome, Shape, Spec, World};

const SECOND: Duration = Duration::from_secs(1);

fn pair_with(limits: Limits) -> (World, HostId, HostId) {
    let mut world = World::new(1);
    let phone = world.add(Spec { limits, ..Spec::new("phone") });
    let gateway = world.add(Spec::new("gateway"));
    world.introduce(phone, gateway);
    (world, phone, gateway)
}

/// Lesson 4: what was sent 1, 2, 3 arrives 1, 2, 3, whatever happened to the handshake meanwhile.
#[test]
fn lesson_04_staged_packets_leave_in_order() {
    let (mut world, phone, gateway) = World::pair(1);
    world.network.attacker.drop_next(Kind::Initiation, 1);
    world.network.attacker.drop_next(Kind::Response, 1);
    world.stream(phone, gateway, SECOND / 2, 14 * SECOND);
    world.run_for(SECOND);
    let flow = world.flow(phone, gateway);
    assert!(flow.is_complete() && flow.in_order(), "{:?}", flow.arrived());
    world.assert_nothing_leaked();
}

/// The other half of lesson 4: a responder's staged packets leave on confirmation.
#[test]
fn lesson_04_the_responders_staged_packets_leave_on_confirmation() {
    let (mut world, phone, gateway) = World::pair(2);
    // The gateway has much to say, but its initiations are lost. The phone's handshake brings the session.
    let gateway_address = world.address(gateway);
    world.network.attacker.rule(move |_, datagram| {
        let lost = datagram.from == gateway_address && datagram.kind() == Kind::Initiation;
        if lost { underpass_sim::network::Fate::Drop } else { underpass_sim::network::Fate::Pass }
    });
    world.burst(gateway, phone, 20);
    world.run_for(SECOND);
    assert_eq!(world.arrived(gateway, phone), 0);
    world.connect(phone, gateway);
    world.run_for(SECOND);
    let flow = world.flow(gateway, phone);
    assert!(flow.is_complete() && flow.in_order(), "{:?}", flow.arrived());
    world.assert_nothing_leaked();
}

/// Lesson 22: 128 packets wait; the oldest give way.
#[test]
fn lesson_22_the_oldest_gives_way_at_128_packets() {
    let (mut world, phone, gateway) = World::pair(3);
    world.network.attacker.drop_next(Kind::Initiation, 1);
    let outcomes = world.burst(phone, gateway, 200);
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Staged));
    assert_eq!(world.footprint(phone).staged_packets, 128);
    assert_eq!(world.footprint(phone).staged_bytes, 128 * 100);
    assert_eq!(world.tunnel(phone).stats().drops.of(DropReason::StagedOverflow), 72);
    world.run_for(6 * SECOND);
    let flow = world.flow(phone, gateway);
    assert_eq!(flow.arrived(), (72..200).collect::<Vec<_>>());
    world.assert_nothing_leaked();
}

/// And the bytes of one peer are bounded.
#[test]
fn lesson_22_the_oldest_gives_way_at_the_peers_byte_cap() {
    let limits = Limits { staged_bytes_per_peer: 10_000, ..Limits::default() };
    let (mut world, phone, gateway) = pair_with(limits);
    for _ in 0..20 {
        world.send_shaped(phone, gateway, Shape { len: 1000, ..Shape::default() });
        assert!(world.footprint(phone).staged_bytes <= 10_000);
    }
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).arrived(), (10..20).collect::<Vec<_>>());
    world.assert_nothing_leaked();
}

/// And those of the whole tunnel, however many peers have packets waiting.
#[test]
fn lesson_22_the_tunnels_bytes_are_bounded_over_all_peers() {
    let limits = Limits { staged_bytes: 20_000, ..Limits::default() };
    let mut world = World::new(4);
    let gateway = world.add(Spec { limits, ..Spec::new("gateway") });
    let phones: Vec<_> = (0..50).map(|_| world.add(Spec::new("phone"))).collect();
    for phone in &phones {
        world.introduce(gateway, *phone);
    }
    world.network.attacker.blackhole();
    for _ in 0..10 {
        for phone in &phones {
            world.send_shaped(gateway, *phone, Shape { len: 500, ..Shape::default() });
            assert!(world.footprint(gateway).staged_bytes <= 20_000);
        }
    }
    assert!(world.footprint(gateway).staged_bytes >= 19_000, "and they are used");
    world.network.attacker.relent();
    world.run_for(10 * SECOND);
    let arrived: usize = phones.iter().map(|phone| world.arrived(gateway, *phone)).sum();
    assert_eq!(arrived, 40);
    world.assert_nothing_leaked();
}

/// Packets that wait when their peer is removed are dropped with it, and said to be.
#[test]
fn removing_a_peer_drops_what_waits_for_it() {
    let (mut world, phone, gateway) = World::pair(5);
    world.network.attacker.blackhole();
    world.burst(phone, gateway, 30);
    world.remove(phone, gateway);
    let held = world.footprint(phone);
    assert_eq!((held.staged_packets, held.staged_bytes, held.session_indices, held.handshakes), (0, 0, 0, 0));
    assert_eq!(world.tunnel(phone).poll_timeout(), None);
    assert_eq!(world.tunnel(phone).stats().drops.of(DropReason::StagedOverflow), 30);
    world.assert_nothing_leaked();
}

/// A packet staged for one peer does not go to it when its address was given to another meanwhile.
#[test]
fn what_waits_is_routed_again_when_it_leaves() {
    let mut world = World::new(6);
    let (phone, gateway, other) =
        (world.add(Spec::new("phone")), world.add(Spec::new("gateway")), world.add(Spec::new("other")));
    world.introduce(phone, gateway);
    world.introduce(phone, other);
    world.network.attacker.drop_next(Kind::Initiation, 1);
    world.burst(phone, gateway, 5);
    let taken = underpass_core::PeerChange { allowed_ips: world.describe(gateway).allowed_ips, ..world.about(other) };
    world.configure(phone, taken);
    world.run_for(10 * SECOND);
    assert_eq!(world.arrived(phone, gateway), 0, "its addresses are another's");
    assert_eq!(world.tunnel(phone).stats().drops.of(DropReason::NoRoute), 5);
    world.assert_nothing_leaked();
}

/// The MTU shrinks while packets wait: those that no longer fit are dropped, and hold nobody up.
#[test]
fn what_waits_and_no_longer_fits_the_mtu_holds_nobody_up() {
    let mut world = World::new(7);
    let (phone, gateway, other) =
        (world.add(Spec::new("phone")), world.add(Spec::new("gateway")), world.add(Spec::new("other")));
    world.introduce(phone, gateway);
    world.introduce(phone, other);
    for len in [1400, 100, 1280, 1281] {
        world.send_shaped(phone, gateway, Shape { len, ..Shape::default() });
    }
    world.send(phone, other);
    world.change(phone, &[underpass_core::Change::Mtu(1280)]).expect("a sound MTU");
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).arrived(), [1, 2]);
    assert!(world.flow(phone, other).is_complete());
    assert_eq!(world.tunnel(phone).stats().drops.of(DropReason::TooBig), 2);
    world.assert_nothing_leaked();
}
