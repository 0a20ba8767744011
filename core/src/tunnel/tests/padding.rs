//! Padding policies between two tunnels; the receiver, as every WireGuard peer, goes by the length in the IP header.
use super::*;

#[test]
fn every_padding_arrives_and_hides_what_it_says() {
    let table = [
        // padding; packet lengths; lengths of their datagrams
        (Padding::Sixteen, [20, 100, 1419], [64, 144, 1452]),
        (Padding::Buckets(256), [20, 100, 1419], [288, 288, 1452]),
        (Padding::Buckets(1024), [20, 1025, 1419], [1056, 1452, 1452]),
        (Padding::Mtu, [20, 100, 1419], [1452, 1452, 1452]),
    ];
    for (padding, lengths, datagrams) in table {
        let (mut a, mut b) = connected();
        a.tunnel.configure(Instant::ZERO, &[Change::Padding(padding)]).expect("sound");
        let layout = a.tunnel.layout();
        for (len, want) in lengths.into_iter().zip(datagrams) {
            assert_eq!(layout.datagram_len(len), want, "{padding:?}");
            let (short, range) = packet(1, 2, len);
            let mut buf = vec![0xa5; layout.headroom() + len + layout.tailroom()];
            buf[range.clone()].copy_from_slice(&short[range.clone()]);
            let packet = PacketBuf { buf: &mut buf, packet: range.clone() };
            let Outbound::Datagram { datagram, .. } = a.tunnel.handle_packet(Instant::ZERO, packet) else {
                panic!("a live session seals")
            };
            assert_eq!(datagram.len(), want, "{padding:?}");
            let mut datagram = datagram.to_vec();
            let Inbound::Packet { packet, .. } =
                b.tunnel.handle_datagram(Instant::ZERO, a.path, Ecn::NotCapable, &mut datagram)
            else {
                panic!("it is opened")
            };
            assert_eq!(packet, &short[range], "{padding:?}");
        }
        assert_eq!(b.tunnel.stats().rx_packets, 3);
        // A keepalive stays empty, or it would be none.
        let id = a.tunnel.peers().next().expect("one").id();
        let mut change = PeerChange::new(*a.tunnel.peer(id).expect("known").public_key());
        change.persistent_keepalive = Some(25);
        a.tunnel.configure(Instant::ZERO, &[Change::Peer(change)]).expect("sound");
        let sent = a.tunnel.poll_transmit(Instant::ZERO, &mut [0; 2048]).expect("room").expect("a keepalive");
        assert_eq!(sent.len, 32);
    }
}

#[test]
fn a_change_of_the_room_is_told_and_a_buffer_without_it_is_dropped() {
    let (mut a, _) = connected();
    while a.tunnel.poll_event().is_some() {}
    a.tunnel.configure(Instant::ZERO, &[Change::Mtu(1420), Change::Padding(Padding::Sixteen)]).expect("sound");
    assert_eq!(a.tunnel.poll_event(), None, "nothing changed");
    for change in [Change::Padding(Padding::Mtu), Change::Mtu(1280)] {
        a.tunnel.configure(Instant::ZERO, &[change]).expect("sound");
        assert_eq!((a.tunnel.poll_event(), a.tunnel.poll_event()), (Some(Event::LayoutChanged), None));
    }
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Dropped(DropReason::NoRoom)), "{outcome:?}");
    let odd = a.tunnel.configure(Instant::ZERO, &[Change::Padding(Padding::Buckets(100))]);
    assert_eq!(odd, Err(ConfigError { change: Some(0), reason: ConfigReason::PaddingOutOfRange }));
}
