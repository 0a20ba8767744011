//! Who may send what to whom, and what comes back for packets that cannot go.
use core::net::IpAddr;
use core::time::Duration;
use underpass_core::config::AllowedIp;
use underpass_core::packet::ecn::Ecn;
use underpass_core::{DropReason, PeerChange};
use underpass_sim::inner::{self, Identity};
use underpass_sim::{HostId, Kind, Outcome, Shape, Spec, World};

const SECOND: Duration = Duration::from_secs(1);

fn allowed(networks: &[&str]) -> Vec<AllowedIp> {
    networks.iter().map(|text| AllowedIp::from(text.parse::<ipnet::IpNet>().expect("a network"))).collect()
}

fn packet(source: IpAddr, destination: IpAddr) -> Vec<u8> {
    inner::packet(source, destination, Ecn::NotCapable, Identity { flow: u32::MAX, number: 0 }, 100)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn sets(world: &World, of: HostId, networks: &[&str]) -> PeerChange {
    PeerChange { replace_allowed_ips: true, allowed_ips: allowed(networks), ..world.about(of) }
}

/// A gateway with an office behind it and two phones.
fn office() -> (World, HostId, HostId, HostId) {
    let mut world = World::new(1);
    let (gateway, alice, bob) =
        (world.add(Spec::new("gateway")), world.add(Spec::new("alice")), world.add(Spec::new("bob")));
    world.introduce(alice, gateway);
    world.introduce(bob, gateway);
    (world, gateway, alice, bob)
}

/// Lesson 20: Alice owns 10.9.0.0/16 but for 10.9.9.0/24, which is Bob's. She may not speak as Bob.
#[test]
fn lesson_20_a_more_specific_source_of_another_peer_is_refused() {
    let (mut world, gateway, alice, bob) = office();
    let (of_alice, of_bob) = (sets(&world, alice, &["10.9.0.0/16"]), sets(&world, bob, &["10.9.9.0/24"]));
    world.configure(gateway, of_alice);
    world.configure(gateway, of_bob);
    for phone in [alice, bob] {
        let everything = sets(&world, gateway, &["0.0.0.0/0"]);
        world.configure(phone, everything);
        world.connect(phone, gateway);
    }
    world.run_for(SECOND);
    let spoken = |world: &World| world.tunnel(gateway).stats().rx_packets;
    let refused = |world: &World| world.tunnel(gateway).stats().drops.of(DropReason::SourceNotAllowed);
    let table = [
        (alice, "10.9.0.1", true),
        (alice, "10.9.9.1", false),
        (bob, "10.9.9.1", true),
        (bob, "10.9.0.1", false),
        (bob, "10.9.8.255", false),
        (alice, "10.8.0.1", false),
        (alice, "0.0.0.0", false),
        (alice, "255.255.255.255", false),
    ];
    for (number, (who, source, taken)) in table.into_iter().enumerate() {
        let before = (spoken(&world), refused(&world));
        // A stranger's destination: the ledger would not know such packets, and the gateway's interface drops them.
        let mut bytes = packet(ip(source), ip("192.0.2.1"));
        bytes[28..36].fill(0);
        assert_eq!(world.write(who, bytes), Outcome::Sent, "row {number}");
        world.run_for(SECOND);
        let (yes, no) = if taken { (1, 0) } else { (0, 1) };
        assert_eq!((spoken(&world), refused(&world)), (before.0 + yes, before.1 + no), "row {number}");
    }
    assert_eq!(world.host(gateway).interface.len(), 2);
    world.assert_nothing_leaked();
}

/// The same for what leaves: the longest prefix decides.
#[test]
fn packets_leave_to_the_owner_of_the_longest_prefix() {
    let (mut world, gateway, alice, bob) = office();
    let of_alice = sets(&world, alice, &["10.0.0.0/8", "fd00::/16"]);
    world.configure(gateway, of_alice);
    world.send(gateway, bob);
    world.send_shaped(gateway, bob, Shape { ipv6: true, ..Shape::default() });
    world.send(gateway, alice);
    world.send_shaped(gateway, alice, Shape { ipv6: true, ..Shape::default() });
    world.run_for(SECOND);
    assert!(world.flow(gateway, alice).is_complete() && world.flow(gateway, bob).is_complete());
    world.assert_nothing_leaked();
}

/// Packets that nobody owns come back as ICMP errors that a stack understands; broken ones do not.
#[test]
fn what_cannot_go_comes_back_as_icmp() {
    let (mut world, gateway, alice, _) = office();
    let me = world.host(alice).inner(false);
    let me6 = world.host(alice).inner(true);
    let nowhere =
        PeerChange { allowed_ips: allowed(&["10.77.0.0/16", "fd77::/16"]), ..PeerChange::new(no_one(&world)) };
    world.configure(alice, nowhere);
    // source, destination, outcome, ICMP type and code (RFC 792, RFC 4443)
    let table = [
        (me, "192.0.2.1", Outcome::Bounced(DropReason::NoRoute), Some((3, 1))),
        (me6, "2001:db8::1", Outcome::Bounced(DropReason::NoRoute), Some((1, 0))),
        (me, "10.77.0.1", Outcome::Bounced(DropReason::NoEndpoint), Some((3, 1))),
        (me6, "fd77::1", Outcome::Bounced(DropReason::NoEndpoint), Some((1, 3))),
        (me, "224.0.0.251", Outcome::Dropped(DropReason::NoRoute), None),
        (me6, "ff02::1", Outcome::Dropped(DropReason::NoRoute), None),
        (ip("0.0.0.0"), "192.0.2.1", Outcome::Dropped(DropReason::NoRoute), None),
    ];
    for (number, (source, destination, outcome, icmp)) in table.into_iter().enumerate() {
        let bytes = packet(source, ip(destination));
        assert_eq!(world.write(alice, bytes.clone()), outcome, "row {number}");
        let bounce = world.host_mut(alice).bounces.pop();
        match (bounce, icmp) {
            (None, None) => {}
            (Some(bounce), Some(type_and_code)) => check_icmp(&bounce, &bytes, type_and_code),
            (bounce, _) => panic!("row {number}: {bounce:?}"),
        }
    }
    for broken in [vec![], vec![0x45], vec![0x45; 19], vec![0x15; 40], vec![0x60; 39], vec![0xff; 100]] {
        assert_eq!(world.write(alice, broken), Outcome::Dropped(DropReason::MalformedPacket));
    }
    world.meet(alice, gateway);
    world.assert_nothing_leaked();
}

/// A public key that is no host's.
fn no_one(world: &World) -> underpass_core::PublicKey {
    let mut bytes = *world.host(HostId(0)).public_key().as_bytes();
    bytes[0] ^= 0xff;
    underpass_core::PublicKey::from_bytes(bytes)
}

/// An ICMP error to the sender of `packet`, whole, quoting it, with checksums that verify.
fn check_icmp(bounce: &[u8], packet: &[u8], type_and_code: (u8, u8)) {
    let (source, destination, header) = inner::addresses(packet).expect("an IP packet");
    let (bounce_source, bounce_destination, bounce_header) = inner::addresses(bounce).expect("an IP packet");
    assert_eq!(bounce_destination, source);
    assert_eq!(bounce_source.is_ipv4(), destination.is_ipv4());
    assert_eq!((bounce[bounce_header], bounce[bounce_header + 1]), type_and_code);
    let quoted = &bounce[bounce_header + 8..];
    assert!(quoted.len() >= header + 8 && packet.starts_with(quoted), "quotes the packet");
    if source.is_ipv4() {
        assert_eq!(inner::checksum(&bounce[..bounce_header]), 0);
        assert_eq!(inner::checksum(&bounce[bounce_header..]), 0);
    } else {
        let mut pseudo = bounce[8..40].to_vec();
        pseudo.extend(((bounce.len() - 40) as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, 58]);
        pseudo.extend(&bounce[40..]);
        assert_eq!(inner::checksum(&pseudo), 0);
    }
}

/// Packets above the MTU come back with the MTU; at the MTU the padding is clamped, so that no datagram exceeds
/// MTU + 32 bytes.
#[test]
fn the_mtu_bounds_packets_and_padding() {
    for mtu in [1280, 1420, 1421, 9000] {
        let mut world = World::new(2);
        let phone = world.add(Spec { mtu, ..Spec::new("phone") });
        let gateway = world.add(Spec { mtu, ..Spec::new("gateway") });
        world.introduce(phone, gateway);
        for host in [phone, gateway] {
            let wire = usize::from(mtu) + 32 + 28;
            world.network.uplink(host.station()).profile.mtu = wire;
            world.network.downlink(host.station()).profile.mtu = wire;
        }
        world.meet(phone, gateway);
        world.network.attacker.record();
        let mtu = usize::from(mtu);
        for len in mtu - 40..=mtu {
            for ipv6 in [false, true] {
                world.network.attacker.forget();
                assert_eq!(world.send_shaped(phone, gateway, Shape { len, ipv6, ..Shape::default() }), Outcome::Sent);
                world.run_for(SECOND);
                let size = world.network.attacker.captured(Kind::Data).next().expect("a datagram").bytes.len();
                assert_eq!(size, 32 + len.next_multiple_of(16).min(mtu), "{len} of {mtu}");
            }
        }
        assert!(world.flow(phone, gateway).is_complete(), "none exceeded the wire");
        assert_eq!(world.network.uplink(phone.station()).stats.too_big, 0);

        for (ipv6, type_and_code) in [(false, (3, 4)), (true, (2, 0))] {
            let (source, destination) = (world.host(phone).inner(ipv6), world.host(gateway).inner(ipv6));
            let identity = Identity { flow: 0, number: 0 };
            let big = inner::packet(source, destination, Ecn::NotCapable, identity, mtu + 1);
            assert_eq!(world.write(phone, big.clone()), Outcome::Bounced(DropReason::TooBig));
            let bounce = world.host_mut(phone).bounces.pop().expect("an ICMP error");
            check_icmp(&bounce, &big, type_and_code);
            let header = if ipv6 { 40 } else { 20 };
            let announced = u32::from_be_bytes(bounce[header + 4..header + 8].try_into().expect("four bytes"));
            assert_eq!(announced as usize, mtu);
        }
        world.assert_nothing_leaked();
    }
}

/// What a peer sends may be longer than our own MTU (theirs is larger), and is delivered.
#[test]
fn a_larger_mtu_on_the_other_side_is_no_obstacle() {
    let mut world = World::new(3);
    let phone = world.add(Spec { mtu: 1280, ..Spec::new("phone") });
    let gateway = world.add(Spec { mtu: 1420, ..Spec::new("gateway") });
    world.introduce(phone, gateway);
    world.send_shaped(gateway, phone, Shape { len: 1420, ..Shape::default() });
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete());
    world.assert_nothing_leaked();
}
