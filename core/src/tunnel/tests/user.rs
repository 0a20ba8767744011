//! The host's own number of a peer: where it is told, and where it comes back.
use super::*;

fn set_user(host: &mut Host, user: Option<u64>) {
    let public_key = *host.tunnel.peers().next().expect("one peer").public_key();
    let change = PeerChange { action: PeerAction::Update, user, ..PeerChange::new(public_key) };
    host.tunnel.configure(Instant::ZERO, &[Change::Peer(change)]).expect("a sound change");
}

/// What a packet from `a` to `b` is told to be, on both sides.
fn told(a: &mut Host, b: &mut Host) -> (u64, u64) {
    let (mut buf, range) = packet(1, 2, 60);
    let sent = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    let Outbound::Datagram { transmit, datagram } = sent else { panic!("{sent:?}") };
    match b.tunnel.handle_datagram(Instant::ZERO, a.path, Ecn::NotCapable, &mut datagram.to_vec()) {
        Inbound::Packet { user, .. } => (transmit.user, user),
        other => panic!("{other:?}"),
    }
}

#[test]
fn verdicts_carry_the_number_that_the_host_gave_a_peer() {
    let (mut a, mut b) = connected();
    assert_eq!(told(&mut a, &mut b), (0, 0));
    set_user(&mut a, Some(u64::MAX));
    set_user(&mut b, Some(7));
    assert_eq!(told(&mut a, &mut b), (u64::MAX, 7));
    set_user(&mut b, None);
    assert_eq!(told(&mut a, &mut b), (u64::MAX, 7), "left as it was");
    assert_eq!(a.tunnel.peers().next().expect("one peer").user(), u64::MAX);
}

#[test]
fn what_the_tunnel_sends_of_itself_carries_it_too() {
    let mut a = host(1, 2);
    set_user(&mut a, Some(9));
    let peer = a.tunnel.peers().next().expect("one peer").id();
    a.tunnel.connect(Instant::ZERO, peer);
    let initiation = a.tunnel.poll_transmit(Instant::ZERO, &mut [0; 2048]).expect("room").expect("an initiation");
    assert_eq!((initiation.peer, initiation.user), (peer, 9));
}

#[test]
fn a_peer_that_comes_again_has_none() {
    let mut a = host(1, 2);
    set_user(&mut a, Some(9));
    let again = PeerChange::new(private(2).public_key());
    let changes = [Change::RemoveAllPeers, Change::Peer(again)];
    a.tunnel.configure(Instant::ZERO, &changes).expect("sound changes");
    assert_eq!(a.tunnel.peers().next().expect("one peer").user(), 0);
}

#[test]
fn events_carry_it_too() {
    let mut a = host(1, 2);
    let mut b = host(2, 1);
    set_user(&mut a, Some(9));
    let peer = a.tunnel.peers().next().expect("one peer").id();
    a.tunnel.connect(Instant::ZERO, peer);
    let _ = exchange(Instant::ZERO, &mut a, &mut b);
    assert_eq!(a.tunnel.poll_event(), Some(Event::SessionEstablished { peer, user: 9 }));
    assert_eq!(a.tunnel.poll_event(), Some(Event::HealthChanged { peer, user: 9, health: Health::Up }));
}
