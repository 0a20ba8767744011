//! A routing table that leads a tunnel's datagrams back into it.
use core::net::IpAddr;
use core::time::Duration;
use underpass_core::{AllowedIp, PeerChange};
use underpass_sim::network::Datagram;
use underpass_sim::{Kind, Outcome, World};

const SECOND: Duration = Duration::from_secs(1);

/// The datagram as the virtual interface of its sender would see it, were it routed there.
fn as_packet(datagram: &Datagram) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (datagram.from.ip(), datagram.to.ip()) else { panic!("IPv4") };
    let total = u16::try_from(datagram.outer_len()).expect("short");
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    for field in [datagram.from.port(), datagram.to.port(), total - 20, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(&datagram.bytes);
    packet
}

/// A routing table that leads a tunnel's datagrams back into it makes no storm: what is our own goes no further, and
/// anything else to the same address passes.
#[test]
fn our_own_datagrams_do_not_go_round() {
    let (mut world, phone, gateway) = World::pair(7);
    let everything = AllowedIp::from("0.0.0.0/0".parse::<ipnet::IpNet>().expect("a network"));
    let all = PeerChange { allowed_ips: vec![everything], ..world.about(gateway) };
    world.configure(phone, all);
    world.network.attacker.record();
    world.meet(phone, gateway);
    world.stream(phone, gateway, SECOND, 3 * SECOND);
    let home = world.address(phone);
    let sent: Vec<Datagram> =
        world.network.attacker.everything().iter().map(|(_, d)| d.clone()).filter(|d| d.from == home).collect();
    assert!(sent.len() > 2 && sent.iter().any(|d| d.kind() == Kind::Data));
    for own in sent.iter().filter(|d| matches!(d.kind(), Kind::Data | Kind::Keepalive)) {
        let outcome = world.write(phone, as_packet(own));
        assert!(matches!(outcome, Outcome::Dropped(reason) if reason.name() == "loop"), "{outcome:?}");
    }
    // Another's traffic to the same place: another session, another port, no WireGuard at all.
    let own = sent.iter().find(|d| d.kind() == Kind::Data).expect("there is one");
    let mut others = [own.clone(), own.clone(), own.clone()];
    others[0].bytes[4] ^= 1;
    others[1].to.set_port(443);
    others[2].bytes[0] = 5;
    for (row, other) in others.iter().enumerate() {
        assert_eq!(world.write(phone, as_packet(other)), Outcome::Sent, "row {row}");
    }
}
