//! A running tunnel is reconfigured: what changes, and what must not.
use core::time::Duration;
use underpass_core::config::{AllowedIp, Endpoint, PeerAction};
use underpass_core::tunnel::Health;
use underpass_core::{Change, ConfigReason, DropReason, Limits, PeerChange, PrivateKey};
use underpass_sim::{HostId, Kind, Outcome, Spec, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn key(byte: u8) -> PrivateKey {
    PrivateKey::from_bytes([byte; 32])
}

/// Lesson 11: allowed IPs, endpoint and keepalive change while data flows; no handshake, no loss.
#[test]
fn lesson_11_reconfiguration_does_not_touch_the_session() {
    let (mut world, phone, gateway) = World::pair(1);
    world.meet(phone, gateway);
    world.network.attacker.record();
    for round in 0..10u8 {
        let same_endpoint = Endpoint::Address(world.address(gateway));
        let change = PeerChange {
            endpoint: Some(same_endpoint),
            persistent_keepalive: Some(u16::from(round % 3) * 30),
            replace_allowed_ips: true,
            ..world.describe(gateway)
        };
        world.configure(phone, change);
        world.change(phone, &[Change::Mtu(1400 + u16::from(round))]).expect("a sound MTU");
        world.converse(phone, gateway, 100 * MS, SECOND);
    }
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
    assert_eq!(world.network.attacker.captured(Kind::Initiation).count(), 0);
    assert_eq!(world.sessions(phone), 1);
    world.assert_nothing_leaked();
}

/// Allowed IPs taken away stop both directions at once, for that address only, and given back they flow again.
#[test]
fn allowed_ips_change_live() {
    let (mut world, phone, gateway) = World::pair(2);
    world.meet(phone, gateway);
    let ipv4 = AllowedIp::from(ipnet::IpNet::from(world.host(phone).inner(false)));
    let without = PeerChange { allowed_ips: vec![AllowedIp { remove: true, ..ipv4 }], ..world.about(phone) };
    world.configure(gateway, without);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert_eq!(world.tunnel(gateway).stats().drops.of(DropReason::SourceNotAllowed), 1);
    assert_eq!(world.send(gateway, phone), Outcome::Bounced(DropReason::NoRoute));
    let ipv6 = underpass_sim::Shape { ipv6: true, ..Default::default() };
    world.send_shaped(phone, gateway, ipv6);
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).missing(), [1]);

    let back = PeerChange { allowed_ips: vec![ipv4], ..world.about(phone) };
    world.configure(gateway, back);
    world.send(phone, gateway);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).missing(), [1]);
    assert_eq!(world.flow(gateway, phone).missing(), [1]);
    assert_eq!(world.sessions(phone), 1);
    world.assert_nothing_leaked();
}

/// Allowed IPs that another peer claims move to it.
#[test]
fn an_allowed_ip_has_one_owner() {
    let mut world = World::new(3);
    let (gateway, old, new) =
        (world.add(Spec::new("gateway")), world.add(Spec::new("old")), world.add(Spec::new("new")));
    world.introduce(gateway, old);
    world.introduce(gateway, new);
    world.meet(gateway, old);
    let taken = PeerChange { allowed_ips: world.describe(old).allowed_ips, ..world.about(new) };
    world.configure(gateway, taken);
    let count = |world: &World, peer: HostId| {
        let id = world.peer_id(gateway, peer);
        world.tunnel(gateway).peer(id).expect("a peer").allowed_ips().count()
    };
    assert_eq!((count(&world, old), count(&world, new)), (0, 4));
    world.send(old, gateway);
    world.run_for(SECOND);
    assert_eq!(world.tunnel(gateway).stats().drops.of(DropReason::SourceNotAllowed), 1);
    world.assert_nothing_leaked();
}

/// A new endpoint is used for the next packet, in the same session.
#[test]
fn a_new_endpoint_is_used_at_once() {
    let (mut world, phone, gateway) = World::pair(4);
    world.meet(phone, gateway);
    world.relocate(gateway, "203.0.113.5:5555");
    let moved = PeerChange { endpoint: Some(Endpoint::Address(world.address(gateway))), ..world.about(gateway) };
    world.configure(phone, moved);
    assert_eq!(world.send(phone, gateway), Outcome::Sent);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}

/// A peer that gets its first endpoint while packets wait: they leave at once.
#[test]
fn an_endpoint_that_was_missing() {
    let (mut world, phone, gateway) = World::pair(5);
    world.remove(phone, gateway);
    let without = PeerChange { endpoint: None, ..world.describe(gateway) };
    world.configure(phone, without);
    assert_eq!(world.send(phone, gateway), Outcome::Bounced(DropReason::NoEndpoint));
    world.connect(phone, gateway);
    world.run_for(2 * SECOND);
    let with = PeerChange { endpoint: Some(Endpoint::Address(world.address(gateway))), ..world.about(gateway) };
    world.configure(phone, with);
    world.run_for(100 * MS);
    assert_eq!(world.sessions(phone), 1, "the handshake that waited goes out at once");
    world.meet_again(phone, gateway);
    world.assert_nothing_leaked();
}

/// The private key changes: sessions end, for they were made with the old one, and are made anew with the new one.
#[test]
fn the_private_key_changes() {
    let (mut world, phone, gateway) = World::pair(6);
    world.meet(phone, gateway);
    let old = world.host(phone).public_key();
    world.change(phone, &[Change::PrivateKey(Some(key(7)))]).expect("a sound key");
    assert_eq!(world.tunnel(phone).public_key(), Some(&key(7).public_key()));
    let held = world.footprint(phone);
    assert_eq!((held.session_indices, held.keypairs, held.handshakes), (0, 0, 0), "{held:?}");
    // The gateway does not know the new key yet.
    assert_eq!(world.send(phone, gateway), Outcome::Staged);
    world.run_for(2 * SECOND);
    assert_eq!(world.tunnel(gateway).stats().drops.of(DropReason::UnknownPeer), 1);
    world
        .change(gateway, &[Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(old) })])
        .expect("a peer can be removed");
    let about_phone = world.describe(phone);
    world.configure(gateway, about_phone);
    world.run_for(5 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    // The same key again changes nothing.
    world.change(phone, &[Change::PrivateKey(Some(key(7)))]).expect("a sound key");
    assert_eq!(world.send(phone, gateway), Outcome::Sent);
    world.run_for(SECOND);
    world.assert_nothing_leaked();
}

/// Packets that wait when the private key changes leave under the new one; when it is taken away they are dropped.
#[test]
fn what_waits_outlives_a_change_of_the_private_key() {
    let (mut world, phone, gateway) = World::pair(16);
    let old = world.host(phone).public_key();
    world.network.attacker.drop_next(Kind::Initiation, 1);
    world.burst(phone, gateway, 3);
    world.run_for(SECOND);
    world.change(phone, &[Change::PrivateKey(Some(key(7)))]).expect("a sound key");
    let about_phone = world.describe(phone);
    let forget = PeerChange { action: PeerAction::Remove, ..PeerChange::new(old) };
    world.change(gateway, &[Change::Peer(forget), Change::Peer(about_phone)]).expect("sound changes");
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());

    world.run_for(600 * SECOND);
    world.network.attacker.blackhole();
    world.burst(phone, gateway, 3);
    world.change(phone, &[Change::PrivateKey(None)]).expect("a key can be removed");
    assert_eq!(world.footprint(phone).staged_packets, 0);
    assert_eq!(world.tunnel(phone).stats().drops.of(DropReason::NoPrivateKey), 3);
    assert_eq!(world.tunnel(phone).poll_timeout(), None);
    world.assert_nothing_leaked();
}

/// Without a private key nothing goes either way, and nothing is kept.
#[test]
fn a_tunnel_without_a_private_key() {
    let (mut world, phone, gateway) = World::pair(7);
    world.keepalive(phone, gateway, 25);
    world.meet(phone, gateway);
    world.change(phone, &[Change::PrivateKey(None)]).expect("a key can be removed");
    assert_eq!(world.send(phone, gateway), Outcome::Dropped(DropReason::NoPrivateKey));
    world.send(gateway, phone);
    world.run_for(60 * SECOND);
    assert_eq!(world.arrived(gateway, phone), 1);
    assert_eq!(world.footprint(phone).staged_packets, 0);
    assert!(world.tunnel(phone).stats().drops.of(DropReason::NoPrivateKey) > 1);
    world.change(phone, &[Change::PrivateKey(Some(world.host(phone).private_key().clone()))]).expect("a key");
    world.run_for(10 * SECOND);
    world.send(phone, gateway);
    world.run_for(10 * SECOND);
    assert_eq!(world.health(phone, gateway), Health::Up);
    world.assert_nothing_leaked();
}

/// A peer with our own public key is no peer: it is passed over, and goes away when our key becomes its.
#[test]
fn nobody_is_a_peer_of_itself() {
    let (mut world, phone, gateway) = World::pair(8);
    let own = world.describe(phone);
    world.configure(phone, own);
    assert_eq!(world.footprint(phone).peers, 1);
    let gateways_key = world.host(gateway).private_key().clone();
    world.change(phone, &[Change::PrivateKey(Some(gateways_key))]).expect("a sound key");
    assert_eq!(world.footprint(phone).peers, 0);
    world.assert_nothing_leaked();
}

/// A peer is removed at each stage of a handshake; what comes for it afterwards is nobody's.
#[test]
fn a_peer_is_removed_mid_handshake() {
    for wait in [0, 5, 15, 25, 35, 45, 55, 70] {
        for by_gateway in [false, true] {
            let (mut world, phone, gateway) = World::pair(9);
            world.send(phone, gateway);
            world.run_for(wait * MS);
            let (host, peer) = if by_gateway { (gateway, phone) } else { (phone, gateway) };
            world.remove(host, peer);
            let held = world.footprint(host);
            assert_eq!(held, underpass_core::tunnel::Footprint::default(), "{wait} ms: {held:?}");
            assert_eq!(world.tunnel(host).poll_timeout(), None);
            world.run_for(SECOND);
            assert_eq!(world.footprint(host), Default::default());
            // And added again it is met again.
            let about = world.describe(peer);
            world.configure(host, about);
            world.run_for(20 * SECOND);
            world.send(phone, gateway);
            world.run_for(20 * SECOND);
            assert_eq!(world.health(phone, gateway), Health::Up, "{wait} ms, by gateway {by_gateway}");
            world.assert_nothing_leaked();
        }
    }
}

/// Everything goes at once, whatever is under way.
#[test]
fn all_peers_are_removed_in_full_swing() {
    let mut world = World::new(10);
    let gateway = world.add(Spec::new("gateway"));
    let phones: Vec<_> = (0..40).map(|_| world.add(Spec::new("phone"))).collect();
    for (number, phone) in phones.iter().enumerate() {
        world.introduce(*phone, gateway);
        world.keepalive(*phone, gateway, 25);
        if number % 2 == 0 {
            world.burst(gateway, *phone, 5);
        }
        world.run_for(3 * MS);
    }
    world.assert_removal_leaks_nothing();
}

/// Names of peers are not used again: an old name means nobody, not somebody else.
#[test]
fn a_peer_id_outlives_its_peer_without_naming_another() {
    let mut world = World::new(11);
    let (phone, a, b) = (world.add(Spec::new("phone")), world.add(Spec::new("a")), world.add(Spec::new("b")));
    world.introduce(phone, a);
    let id = world.peer_id(phone, a);
    world.remove(phone, a);
    world.introduce(phone, b);
    assert!(world.tunnel(phone).peer(id).is_none());
    assert_ne!(world.peer_id(phone, b), id);
    let remote = world.address(a);
    world.command(phone, |tunnel, now| {
        tunnel.set_endpoint(now, id, remote);
        tunnel.connect(now, id);
        tunnel.reset_peer_timestamp(id);
    });
    world.meet(phone, b);
    world.assert_nothing_leaked();
}

/// Changes are applied all or nothing.
#[test]
fn changes_are_applied_all_or_nothing() {
    let mut world = World::new(12);
    let limits = Limits { peers: 3, ..Limits::default() };
    let phone = world.add(Spec { limits, ..Spec::new("phone") });
    let gateway = world.add(Spec::new("gateway"));
    world.introduce(phone, gateway);
    world.meet(phone, gateway);
    let peer = |byte: u8| Change::Peer(PeerChange::new(key(byte).public_key()));
    let mut point = [0; 32];
    point[0] = 1;
    let low = Change::Peer(PeerChange::new(underpass_core::PublicKey::from_bytes(point)));
    let table = [
        (vec![peer(1), low.clone()], ConfigReason::LowOrderPublicKey),
        (vec![Change::RemoveAllPeers, Change::PrivateKey(None), low], ConfigReason::LowOrderPublicKey),
        (vec![peer(1), peer(2), peer(3)], ConfigReason::TooManyPeers),
        (vec![Change::RemoveAllPeers, peer(1), peer(2), peer(3), peer(4)], ConfigReason::TooManyPeers),
        (vec![Change::RemoveAllPeers, Change::Mtu(0)], ConfigReason::MtuOutOfRange),
    ];
    for (number, (changes, error)) in table.into_iter().enumerate() {
        let refused = world.change(phone, &changes).expect_err("a list with a fault");
        assert_eq!((refused.change, refused.reason), (Some(changes.len() - 1), error), "row {number}");
        assert_eq!(world.footprint(phone).peers, 1, "row {number}");
        assert_eq!(world.send(phone, gateway), Outcome::Sent, "row {number}");
    }
    world.change(phone, &[peer(1), peer(2), peer(1), peer(2)]).expect("three peers fit");
    world.change(phone, &[Change::RemoveAllPeers, peer(1), peer(2), peer(3)]).expect("as do three others");
    world.run_for(SECOND);
    world.assert_nothing_leaked();
}

/// An update of a peer that is not there adds none.
#[test]
fn an_update_adds_nobody() {
    let (mut world, phone, _) = World::pair(13);
    let absent = PeerChange { action: PeerAction::Update, ..PeerChange::new(key(9).public_key()) };
    world.configure(phone, absent);
    assert_eq!(world.footprint(phone).peers, 1);
    world.assert_nothing_leaked();
}

/// Lesson 5: an answer that does not fit the host's buffer is not lost, nor is anything spent on it.
#[test]
fn lesson_05_a_short_buffer_costs_nothing() {
    let (mut world, phone, gateway) = World::pair(14);
    world.network.attacker.record();
    let packet = world.make_packet(phone, gateway, Default::default());
    world.undrained(phone, |tunnel, now| {
        let mut buf = vec![0; 16 + packet.len() + 32];
        buf[16..16 + packet.len()].copy_from_slice(&packet);
        let packet = underpass_core::tunnel::PacketBuf { packet: 16..16 + packet.len(), buf: &mut buf };
        assert!(matches!(tunnel.handle_packet(now, packet), underpass_core::tunnel::Outbound::Staged));
        for len in [0, 1, 32, 91, 92, 147] {
            assert!(tunnel.poll_transmit(now, &mut vec![0; len]).is_err(), "{len} bytes");
        }
    });
    world.command(phone, |_, _| {});
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!(world.network.attacker.captured(Kind::Initiation).count(), 1);
    world.assert_nothing_leaked();
}
