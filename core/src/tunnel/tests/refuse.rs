//! Ending sessions, keeping peers out, and limits that change while packets wait.
use super::*;

const NOW: Instant = Instant::ZERO;

fn only(host: &Host) -> PeerId {
    host.tunnel.peers().next().expect("one peer").id()
}

fn send(host: &mut Host) -> DropReason {
    let (mut buf, range) = packet(1, 2, 60);
    match host.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Dropped(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_end_at_once_and_the_peer_stays() {
    let (mut a, mut b) = connected();
    let id = only(&a);
    while a.tunnel.poll_event().is_some() {}
    a.tunnel.end_sessions(NOW, id);
    let held = a.tunnel.footprint();
    assert_eq!((held.keypairs, held.session_indices, held.handshakes, held.peers), (0, 0, 0, 1));
    assert_eq!(
        (a.tunnel.poll_event(), a.tunnel.poll_timeout()),
        (Some(Event::SessionExpired { peer: id, user: 0 }), None)
    );
    // The next packet begins a new session. B answered A a moment ago, which a peer may do 50 times a second.
    let now = NOW + Duration::from_secs(6);
    let (mut buf, range) = packet(1, 2, 60);
    let _ = a.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range });
    assert_eq!(exchange(now, &mut a, &mut b), 3);
    assert_eq!(b.tunnel.stats().rx_packets, 1);
}

#[test]
fn a_refused_peer_gets_nothing_in_and_nothing_out_until_that_is_lifted() {
    let (mut a, mut b) = connected();
    let id = only(&a);
    a.tunnel.set_refused(NOW, id, true);
    assert!(a.tunnel.peer(id).is_some_and(|peer| peer.is_refused()));
    assert_eq!(send(&mut a), DropReason::Refused);
    a.tunnel.connect(NOW, id);
    assert_eq!(a.tunnel.footprint().intents, 0, "no initiation of ours");
    // Nor is one of the peer's heard, whatever it tries.
    let mut now = NOW;
    for _ in 0..4 {
        now = now + Duration::from_secs(200);
        let peer = only(&b);
        b.tunnel.handle_timeout(now);
        b.tunnel.connect(now, peer);
        assert_eq!(exchange(now, &mut b, &mut a), 1);
    }
    assert_eq!(a.tunnel.stats().drops.of(DropReason::Refused), 5);
    let held = a.tunnel.footprint();
    assert_eq!((held.keypairs, held.handshakes, held.staged_packets, a.tunnel.poll_timeout()), (0, 0, 0, None));
    // Its configuration may change meanwhile, and does not let it in.
    let mut change = PeerChange::new(private(2).public_key());
    change.persistent_keepalive = Some(25);
    a.tunnel.configure(now, &[Change::Peer(change)]).expect("sound");
    assert_eq!((a.tunnel.footprint().intents, a.tunnel.poll_timeout()), (0, None));
    a.tunnel.set_refused(now, id, false);
    let now = now + Duration::from_secs(6);
    assert!(exchange(now, &mut a, &mut b) >= 3, "the persistent keepalive starts");
    assert_eq!(a.tunnel.footprint().keypairs, 1);
}

/// A phone under memory pressure lowers its bounds: what is beyond them goes at once, the oldest first.
#[test]
fn limits_change_while_packets_wait() {
    let mut a = host(1, 2);
    for number in 0..50_u8 {
        let (mut buf, range) = packet(1, 2, 100);
        buf[range.start + 30] = number;
        let _ = a.tunnel.handle_packet(NOW, PacketBuf { buf: &mut buf, packet: range });
    }
    let staged = |host: &Host| host.tunnel.peers.iter().next().expect("one").staged.front().map(|packet| packet[30]);
    let table = [
        // packets and bytes of a peer, bytes of the tunnel; what is left, and the oldest of it
        (40, 100_000, 100_000, 40, 10),
        (40, 3_000, 100_000, 30, 20),
        (40, 3_000, 2_050, 20, 30),
        (128, 100_000, 100_000, 20, 30),
        (128, 100_000, 99, 0, 0),
    ];
    for (row, (packets, peer_bytes, bytes, left, oldest)) in table.into_iter().enumerate() {
        let limits = Limits {
            staged_packets_per_peer: packets,
            staged_bytes_per_peer: peer_bytes,
            staged_bytes: bytes,
            ..Limits::default()
        };
        a.tunnel.configure(NOW, &[Change::Limits(limits)]).expect("sound");
        assert_eq!(a.tunnel.footprint().staged_packets, left, "row {row}");
        assert_eq!(staged(&a), (left > 0).then_some(oldest), "row {row}");
    }
    assert_eq!(a.tunnel.stats().drops.of(DropReason::StagedOverflow), 50);
    let none = Limits { peers: 0, ..Limits::default() };
    let error = |change, reason| Err(ConfigError { change: Some(change), reason });
    assert_eq!(a.tunnel.configure(NOW, &[Change::Limits(none)]), error(0, ConfigReason::LimitOutOfRange));
    let two = [
        Change::Peer(PeerChange::new(private(3).public_key())),
        Change::Limits(Limits { peers: 1, ..Limits::default() }),
    ];
    assert_eq!(a.tunnel.configure(NOW, &two), error(1, ConfigReason::TooManyPeers));
    assert_eq!(a.tunnel.footprint().peers, 1);
}
