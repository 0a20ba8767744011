//! Hosts with several sockets: answers go out by the link that a peer was last heard on.
use super::*;

/// The link of a packet from `from`, sealed now.
fn link_of_a_packet(from: &mut Host, numbers: (u8, u8)) -> u32 {
    let (mut buf, range) = packet(numbers.0, numbers.1, 60);
    match from.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Datagram { transmit, .. } => transmit.path.link,
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_go_out_by_the_link_that_a_peer_was_heard_on() {
    let (mut a, mut b) = connected();
    assert_eq!(link_of_a_packet(&mut b, (2, 1)), 0);
    while b.tunnel.poll_event().is_some() {}
    for link in [3, u32::MAX] {
        let (mut buf, range) = packet(1, 2, 60);
        let sent = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
        let Outbound::Datagram { datagram, .. } = sent else { panic!("{sent:?}") };
        let path = a.path.with_link(link);
        let _ = b.tunnel.handle_datagram(Instant::ZERO, path, Ecn::NotCapable, &mut datagram.to_vec());
        assert_eq!(link_of_a_packet(&mut b, (2, 1)), link);
        assert_eq!(b.tunnel.poll_event(), None, "it is the same endpoint");
    }
    let peer = b.tunnel.peers().next().expect("one peer").id();
    b.tunnel.set_endpoint(Instant::ZERO, peer, address(9));
    assert_eq!(link_of_a_packet(&mut b, (2, 1)), 0, "nobody was heard there yet");
}

#[test]
fn a_response_goes_out_by_the_link_of_its_initiation() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    let peer = a.tunnel.peers().next().expect("one peer").id();
    a.tunnel.connect(Instant::ZERO, peer);
    let mut buf = [0; 2048];
    let initiation = a.tunnel.poll_transmit(Instant::ZERO, &mut buf).expect("room").expect("an initiation");
    let path = a.path.with_link(5);
    let _ = b.tunnel.handle_datagram(Instant::ZERO, path, Ecn::NotCapable, &mut buf[..initiation.len]);
    let response = b.tunnel.poll_transmit(Instant::ZERO, &mut buf).expect("room").expect("a response");
    assert_eq!((buf[0], response.path.link), (2, 5));
}
