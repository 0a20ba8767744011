//! Packets with addresses of the channel that are none of its messages: from programs on this machine, and from peers.
use super::*;
use core::net::Ipv6Addr;

/// A tunnel without a role, which takes any packet from its virtual interface: what an attacker with a key can send.
fn attacker(gateway: &mut Host) -> Host {
    let mut attacker = host(CLIENT, OFFICE);
    let networks = ["::/0", "0.0.0.0/0"].map(|text| text.parse::<ipnet::IpNet>().expect("a network").into());
    change(&mut attacker, Change::Peer(PeerChange { allowed_ips: networks.into(), ..PeerChange::new(key(OFFICE)) }));
    let everything = networks.into();
    let peer = only(&attacker);
    change(gateway, Change::Peer(PeerChange { allowed_ips: everything, ..PeerChange::new(key(CLIENT)) }));
    let now = NOW + Duration::from_secs(6);
    attacker.tunnel.connect(now, peer);
    assert_eq!(exchange(now, &mut attacker, gateway), 3);
    attacker
}

fn sent(now: Instant, host: &mut Host, (mut buf, range): (Vec<u8>, core::ops::Range<usize>)) -> Vec<u8> {
    match host.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Datagram { datagram, .. } => datagram.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

/// All of it is allowed by the routes, which give everything to this peer.
#[test]
fn a_peer_speaks_from_its_own_address_to_ours_only() {
    let now = NOW + Duration::from_secs(6);
    let own = of_client(&key(CLIENT));
    let flipped = |at: usize, with: u8| {
        let (mut buf, range) = control_packet(own, GATEWAY);
        buf[range.start + at] ^= with;
        (buf, range)
    };
    let between = |from, to| control_packet(v6(from), v6(to));
    let table = [
        // packet, its fate where the peer is open, and where it is locked
        (control_packet(own, GATEWAY), Ok(()), Ok(())),
        (control_packet(GATEWAY, GATEWAY), Err(DropReason::SourceNotAllowed), Err(DropReason::Locked)),
        (control_packet(of_client(&key(9)), GATEWAY), Err(DropReason::SourceNotAllowed), Err(DropReason::Locked)),
        (between("fe80::2", "ff02::2"), Err(DropReason::SourceNotAllowed), Err(DropReason::Locked)),
        (between("febf::1", "2001:db8::1"), Err(DropReason::SourceNotAllowed), Err(DropReason::Locked)),
        (between("2001:db8::7", "fe80::1"), Err(DropReason::SourceNotAllowed), Err(DropReason::Locked)),
        (between("2001:db8::7", "fe80::7"), Err(DropReason::SourceNotAllowed), Err(DropReason::Locked)),
        (control_packet(own, own), Err(DropReason::NotControl), Err(DropReason::NotControl)),
        (control_packet(own, v6("fe80::2")), Err(DropReason::NotControl), Err(DropReason::NotControl)),
        (control_packet(own, v6("2001:db8::1")), Err(DropReason::NotControl), Err(DropReason::NotControl)),
        (flipped(41, 1), Err(DropReason::NotControl), Err(DropReason::NotControl)), // source port
        (flipped(43, 1), Err(DropReason::NotControl), Err(DropReason::NotControl)), // destination port
        (flipped(46, 1), Err(DropReason::NotControl), Err(DropReason::NotControl)), // checksum
        (flipped(6, 17), Err(DropReason::NotControl), Err(DropReason::NotControl)), // hop-by-hop options
    ];
    for (row, (packet, open_fate, locked_fate)) in table.into_iter().enumerate() {
        for (locked, fate) in [(false, open_fate), (true, locked_fate)] {
            let (_, mut gateway) = pair();
            let mut attacker = attacker(&mut gateway);
            if !locked {
                open(&mut gateway);
            }
            let mut datagram = sent(now, &mut attacker, packet.clone());
            let got = take(now, attacker.path, &mut gateway, &mut datagram);
            let want = fate.map_or_else(Got::Dropped, |()| Got::Message(vec![0; 4]));
            assert_eq!(got, want, "row {row}, locked: {locked}");
            let counted = fate.map_or_else(|reason| gateway.tunnel.stats().drops.of(reason), |()| 1);
            assert_eq!((counted, gateway.tunnel.stats().rx_packets), (1, 0), "row {row}, locked: {locked}");
        }
    }
}

/// A second packet of a run finds the peer's source in its memo. An address of the channel never gets there.
#[test]
fn what_was_found_of_other_addresses_lets_no_link_local_one_through() {
    let now = NOW + Duration::from_secs(6);
    let (_, mut gateway) = pair();
    let mut attacker = attacker(&mut gateway);
    open(&mut gateway);
    let global = v6("2001:db8::7");
    let sources = [global, GATEWAY, global, of_client(&key(9)), GATEWAY];
    let mut datagrams: Vec<_> =
        sources.into_iter().map(|from| sent(now, &mut attacker, control_packet(from, v6("2001:db8::1")))).collect();
    let mut slots: Vec<_> =
        datagrams.iter_mut().map(|one| DatagramSlot::new(attacker.path, Ecn::NotCapable, one)).collect();
    gateway.tunnel.handle_datagrams(now, &mut slots);
    let got: Vec<Got> = slots.into_iter().map(|slot| slot.into_outcome().into()).collect();
    let refused = || Got::Dropped(DropReason::SourceNotAllowed);
    assert_eq!(got, [Got::Packet(52), refused(), Got::Packet(52), refused(), refused()]);
}

/// A program on either machine that writes to the virtual interface reaches nobody's channel, and asks for no handshake.
#[test]
fn what_comes_from_the_virtual_interface_is_no_control_message() {
    let (mut client, mut gateway) = pair();
    open(&mut gateway);
    let everything = || vec!["::/0".parse::<ipnet::IpNet>().expect("a network").into()];
    change(&mut gateway, Change::Peer(PeerChange { allowed_ips: everything(), ..PeerChange::new(key(CLIENT)) }));
    change(&mut client, Change::Peer(PeerChange { allowed_ips: everything(), ..PeerChange::new(key(OFFICE)) }));
    let own = of_client(&key(CLIENT));
    for (number, host) in [&mut client, &mut gateway].into_iter().enumerate() {
        let mut bufs =
            [(own, GATEWAY), (GATEWAY, own), (v6("2001:db8::1"), GATEWAY), (v6("2001:db8::1"), v6("fe80::5"))]
                .map(|(from, to)| control_packet(from, to));
        let mut batch: Vec<_> =
            bufs.iter_mut().map(|(buf, range)| PacketSlot::new(PacketBuf { buf, packet: range.clone() })).collect();
        host.tunnel.handle_packets(NOW, &mut batch);
        for slot in &batch {
            assert_eq!(slot.outcome(), Outbound::Dropped(DropReason::NotControl), "host {number}");
        }
        let (mut buf, range) = control_packet(own, GATEWAY);
        let single = host.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range });
        assert_eq!(single, Outbound::Dropped(DropReason::NotControl), "host {number}");
        assert_eq!(host.tunnel.stats().drops.of(DropReason::NotControl), 5, "host {number}");
        // What is not link-local goes where it went before.
        let (mut buf, range) = control_packet(v6("2001:db8::1"), v6("2001:db8::2"));
        let routed = host.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range });
        assert!(matches!(routed, Outbound::Datagram { .. }), "{routed:?}");
        let held = host.tunnel.footprint();
        assert_eq!((held.intents, held.staged_packets), (0, 0), "host {number}");
    }
}

/// Off by default: link-local addresses are routed as they always were.
#[test]
fn without_a_role_nothing_changes() {
    let (_, mut gateway) = connected();
    let mut attacker = attacker(&mut gateway);
    let now = NOW + Duration::from_secs(6);
    let mut datagram = sent(now, &mut attacker, control_packet(of_client(&key(CLIENT)), GATEWAY));
    assert_eq!(take(now, attacker.path, &mut gateway, &mut datagram), Got::Packet(52));
    let mut batch: Vec<_> = (0..3).map(|_| sent(now, &mut attacker, control_packet(v6("fe80::9"), GATEWAY))).collect();
    let mut slots: Vec<_> =
        batch.iter_mut().map(|one| DatagramSlot::new(attacker.path, Ecn::NotCapable, one)).collect();
    gateway.tunnel.handle_datagrams(now, &mut slots);
    assert!(slots.iter_mut().all(|slot| matches!(slot.outcome(), Inbound::Packet { .. })));
    assert_eq!((gateway.tunnel.stats().rx_packets, gateway.tunnel.stats().drops.total()), (4, 0));
    // And in the allowed IPs of nobody, they are of no peer.
    let remove = crate::config::AllowedIp { remove: true, ..attacker_network() };
    change(&mut gateway, Change::Peer(PeerChange { allowed_ips: vec![remove], ..PeerChange::new(key(CLIENT)) }));
    let mut datagram = sent(now, &mut attacker, control_packet(of_client(&key(CLIENT)), GATEWAY));
    let got = take(now, attacker.path, &mut gateway, &mut datagram);
    assert_eq!(got, Got::Dropped(DropReason::SourceNotAllowed));
}

fn attacker_network() -> crate::config::AllowedIp {
    "::/0".parse::<ipnet::IpNet>().expect("a network").into()
}

/// A client has a channel with its gateway and with nobody else, even where another peer may use every address.
#[test]
fn a_client_hears_its_gateway_only() {
    let now = NOW + Duration::from_secs(6);
    let mut client = host(OFFICE, CLIENT);
    change(&mut client, Change::Control(ControlRole::Client { gateway: key(77) }));
    let mut attacker = attacker(&mut client);
    for from in [GATEWAY, of_client(&key(CLIENT))] {
        let mut datagram = sent(now, &mut attacker, control_packet(from, of_client(&key(OFFICE))));
        let got = take(now, attacker.path, &mut client, &mut datagram);
        assert_eq!(got, Got::Dropped(DropReason::SourceNotAllowed));
    }
    let peer = only(&client);
    assert_eq!(client.tunnel.send_control(now, peer, b"a question"), Err(Backpressure::NoChannel));
    // Two clients of one gateway have no channel with each other; two gateways are no clients.
    let (mut one, mut other) = pair();
    change(&mut one, Change::Control(ControlRole::Gateway));
    ask(NOW, &mut one, b"a question");
    let got = carry(NOW, &mut one, &mut other);
    assert_eq!(got, [Got::Dropped(DropReason::Locked)]);
}

/// The bits of the outer header are applied to control packets as to others (RFC 6040 § 4.2).
#[test]
fn a_message_marked_as_congested_on_its_way_is_dropped() {
    let (mut client, mut gateway) = pair();
    ask(NOW, &mut client, b"a question");
    let mut datagrams = polled(NOW, &mut client);
    let path = client.path;
    let came = gateway.tunnel.handle_datagram(NOW, path, Ecn::Congested, &mut datagrams[0]);
    assert_eq!(came, Inbound::Dropped(DropReason::Congestion));
}
