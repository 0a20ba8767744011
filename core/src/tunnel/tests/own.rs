//! Packets that are datagrams of our own: told from all others, where an endpoint lies in allowed IPs.
use super::*;
use crate::config::AllowedIp;
use core::net::IpAddr;

/// A tunnel with two peers: number, address, allowed IPs of each.
fn tunnel(peers: [(u8, IpAddr, &[&str]); 2]) -> Tunnel {
    let peers = peers.map(|(number, address, networks)| NewPeer {
        endpoint: Some(Endpoint::Address(SocketAddr::new(address, 51820))),
        allowed_ips: networks.iter().map(|text| text.parse().unwrap()).collect(),
        ..NewPeer::new(private(number).public_key())
    });
    let config = TunnelConfig { private_key: Some(private(1)), peers: peers.into(), ..TunnelConfig::default() };
    Tunnel::new(config, Box::new(Seeded(2)), Instant::ZERO, UnixTime::from_secs(1_700_000_000)).expect("sound")
}

/// The initiation to the peer in `slot`, and where it goes.
fn initiation(tunnel: &mut Tunnel, slot: usize) -> (SocketAddr, Vec<u8>) {
    let peer = tunnel.peers().nth(slot).expect("configured").id();
    tunnel.connect(Instant::ZERO, peer);
    let mut buf = vec![0; 2048];
    let transmit = tunnel.poll_transmit(Instant::ZERO, &mut buf).expect("room").expect("an initiation");
    buf.truncate(transmit.len);
    (transmit.path.remote, buf)
}

/// A datagram as a packet. `fragment`: the bits and the offset of a fragment header, if there is to be one.
fn around(remote: SocketAddr, payload: &[u8], fragment: Option<u16>) -> Vec<u8> {
    let udp = u16::try_from(payload.len() + 8).unwrap();
    let mut packet = Vec::new();
    match remote.ip() {
        IpAddr::V4(ip) => {
            packet.extend([0x45, 0]);
            packet.extend((udp + 20).to_be_bytes());
            packet.extend([0, 0]);
            packet.extend(fragment.unwrap_or(0).to_be_bytes());
            packet.extend([64, 17, 0, 0, 10, 0, 0, 1]);
            packet.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend((udp + if fragment.is_some() { 8 } else { 0 }).to_be_bytes());
            packet.extend([if fragment.is_some() { 44 } else { 17 }, 64]);
            packet.extend([0; 16]);
            packet.extend(ip.octets());
            if let Some(place) = fragment {
                packet.extend([17, 0]);
                packet.extend(place.to_be_bytes());
                packet.extend([0; 4]);
            }
        }
    }
    packet.extend(4000_u16.to_be_bytes());
    packet.extend(remote.port().to_be_bytes());
    packet.extend(udp.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// Whether a packet is dropped as one of our own.
fn is_own(tunnel: &mut Tunnel, packet: &[u8]) -> bool {
    let mut buf = vec![0; HEADROOM + packet.len() + TAILROOM];
    let range = HEADROOM..HEADROOM + packet.len();
    buf[range.clone()].copy_from_slice(packet);
    match tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Dropped(DropReason::Loop) => true,
        Outbound::Staged => false,
        other => panic!("{other:?}"),
    }
}

const B: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 2));
const C: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 3));

#[test]
fn what_comes_round_is_stopped_and_what_goes_through_is_not() {
    type Networks = &'static [&'static str];
    let table: &[(&str, Networks, Networks, bool)] = &[
        // allowed IPs of B, of C, whether the initiation to B comes round
        ("B's endpoint lies in its own", &["192.0.2.2/32"], &["10.0.0.3/32"], true),
        ("everything is B's", &["0.0.0.0/0"], &["10.0.0.3/32"], true),
        ("B is reached through C, which is outside", &["10.0.0.2/32"], &["192.0.2.2/32"], false),
        ("B is reached through C, and C through B", &["192.0.2.3/32"], &["192.0.2.2/32"], true),
        ("B is reached through C, and C through itself", &["10.0.0.2/32"], &["192.0.2.0/24"], false),
    ];
    for (what, of_b, of_c, round) in table {
        let mut tunnel = tunnel([(2, B, of_b), (3, C, of_c)]);
        let (remote, bytes) = initiation(&mut tunnel, 0);
        assert_eq!(remote.ip(), B);
        for _ in 0..2 {
            assert_eq!(is_own(&mut tunnel, &around(remote, &bytes, None)), *round, "{what}");
        }
        assert_eq!(tunnel.stats().drops.of(DropReason::Loop), if *round { 2 } else { 0 }, "{what}");
    }
}

#[test]
fn only_what_we_sent_to_this_very_peer_is_our_own() {
    let v6: IpAddr = "2001:db8::2".parse().unwrap();
    for address in [B, v6] {
        let mut tunnel = tunnel([(2, address, &["0.0.0.0/0", "::/0"]), (3, C, &["10.0.0.3/32"])]);
        let (remote, bytes) = initiation(&mut tunnel, 0);
        let (_, to_c) = initiation(&mut tunnel, 1);
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 2;
            bytes
        };
        // More fragments follow (IPv4, IPv6); the second one, at 8 bytes.
        let (first, second) = if remote.is_ipv4() { (0x2000, 0x2001) } else { (0x0001, 0x0009) };
        let elsewhere = SocketAddr::new(remote.ip(), 443);
        let table = [
            ("it", around(remote, &bytes, None), true),
            ("its first fragment", around(remote, &bytes, Some(first)), true),
            ("another fragment, of which nothing is known", around(remote, &bytes, Some(second)), false),
            ("its beginning alone", around(remote, &bytes[..8], None), true),
            ("less than that", around(remote, &bytes[..7], None), false),
            ("to another port", around(elsewhere, &bytes, None), false),
            ("of another type", around(remote, &flipped(0), None), false),
            ("with reserved bytes", around(remote, &flipped(2), None), false),
            ("from another index", around(remote, &flipped(5), None), false),
            ("to another peer", around(remote, &to_c, None), false),
        ];
        for (what, packet, own) in table {
            assert_eq!(is_own(&mut tunnel, &packet), own, "{address}: {what}");
        }
        for protocol in [6, 50] {
            let mut packet = around(remote, &bytes, None);
            packet[if remote.is_ipv4() { 9 } else { 6 }] = protocol;
            assert!(!is_own(&mut tunnel, &packet), "{address}: protocol {protocol}");
        }
    }
}

/// What was found of an endpoint holds until the endpoint or the routes change.
#[test]
fn what_is_known_of_an_endpoint_follows_endpoint_and_routes() {
    let mut tunnel = tunnel([(2, B, &["10.0.0.2/32"]), (3, C, &["10.0.0.3/32"])]);
    let (remote, bytes) = initiation(&mut tunnel, 0);
    let own = around(remote, &bytes, None);
    let to_b = around("10.0.0.2:7".parse().unwrap(), &bytes, None);
    assert!(!is_own(&mut tunnel, &to_b), "nobody's endpoint");
    let change = |allowed_ips: &[&str], endpoint: Option<SocketAddr>| {
        let networks = allowed_ips.iter().map(|text| AllowedIp::from(text.parse::<ipnet::IpNet>().unwrap()));
        Change::Peer(PeerChange {
            allowed_ips: networks.collect(),
            endpoint: endpoint.map(Endpoint::Address),
            ..PeerChange::new(private(2).public_key())
        })
    };
    tunnel.configure(Instant::ZERO, &[change(&["192.0.2.0/24"], None)]).expect("sound");
    assert!(is_own(&mut tunnel, &own) && !is_own(&mut tunnel, &to_b), "the routes changed");
    let peer = tunnel.peers().next().expect("configured").id();
    tunnel.set_endpoint(Instant::ZERO, peer, "198.51.100.2:51820".parse().unwrap());
    assert!(!is_own(&mut tunnel, &own), "it is reached elsewhere");
    tunnel.configure(Instant::ZERO, &[change(&[], Some(remote))]).expect("sound");
    assert!(is_own(&mut tunnel, &own), "and back");
}

/// In a batch, what is not our own goes on, whatever stands between it.
#[test]
fn a_batch_loses_only_what_is_our_own() {
    let (mut a, _) = connected();
    let change = PeerChange {
        allowed_ips: vec![AllowedIp::from("0.0.0.0/0".parse::<ipnet::IpNet>().unwrap())],
        ..PeerChange::new(private(2).public_key())
    };
    a.tunnel.configure(Instant::ZERO, &[Change::Peer(change)]).expect("sound");
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    let Outbound::Datagram { transmit, datagram } = outcome else { panic!("{outcome:?}") };
    let own = around(transmit.path.remote, datagram, None);
    let (other, range) = packet(1, 2, 60);
    let other = other[range].to_vec();
    for pattern in 0..64_u32 {
        let mut bufs: Vec<Vec<u8>> = (0..6)
            .map(|place| if pattern >> place & 1 == 1 { &own } else { &other })
            .map(|packet| [&[0; HEADROOM][..], packet, &[0; TAILROOM]].concat())
            .collect();
        let mut batch: Vec<PacketSlot<'_>> = bufs
            .iter_mut()
            .map(|buf| {
                let packet = HEADROOM..buf.len() - TAILROOM;
                PacketSlot::new(PacketBuf { buf, packet })
            })
            .collect();
        a.tunnel.handle_packets(Instant::ZERO, &mut batch);
        for (place, slot) in batch.iter().enumerate() {
            let dropped = slot.verdict == Outbound::Dropped(DropReason::Loop);
            assert_eq!(dropped, pattern >> place & 1 == 1, "{pattern:b}: {place}");
            assert!(dropped || matches!(slot.verdict, Outbound::Datagram { .. }), "{pattern:b}: {place}");
        }
    }
}
