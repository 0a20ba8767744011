//! Bounds: buffers of the host that are too short, staged packets of peers that never answer, queues of removed peers.
use super::*;

/// A gateway that knows `peers` peers at 192.0.2.1, 2, ..., all unreachable.
fn gateway(peers: u32, limits: Limits) -> Host {
    let peer = |number: u32| {
        let [_, a, b, c] = number.to_be_bytes();
        let mut key = [7; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        NewPeer {
            endpoint: Some(Endpoint::Address(SocketAddr::from(([192, a, b, c], 51820)))),
            allowed_ips: vec![network(number)],
            ..NewPeer::new(PrivateKey::from_bytes(key).public_key())
        }
    };
    let config = TunnelConfig {
        private_key: Some(private(9)),
        peers: (1..=peers).map(peer).collect(),
        limits,
        ..TunnelConfig::default()
    };
    let tunnel = Tunnel::new(config, Box::new(Seeded(3)), Instant::ZERO, UnixTime::default()).expect("sound");
    Host { tunnel, path: Path::new(address(9)) }
}

fn inner(number: u32) -> [u8; 4] {
    (0x0a00_0000 + number).to_be_bytes()
}

fn network(number: u32) -> ipnet::IpNet {
    ipnet::Ipv4Net::from(core::net::Ipv4Addr::from(inner(number))).into()
}

/// Stages a packet of `len` bytes for peer `number`.
fn stage(host: &mut Host, number: u32, len: usize) {
    let outcome = try_to_stage(host, number, len);
    assert!(outcome.is_ok(), "{outcome:?}");
}

/// The same, or why it was dropped.
fn try_to_stage(host: &mut Host, number: u32, len: usize) -> Result<(), DropReason> {
    let (mut buf, range) = packet(9, 0, len);
    buf[range.start + 16..][..4].copy_from_slice(&inner(number));
    match host.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Staged => Ok(()),
        Outbound::Dropped(reason) => Err(reason),
        other => panic!("{other:?}"),
    }
}

fn staged(host: &Host, number: u32) -> usize {
    let mut peers = host.tunnel.peers.iter();
    peers
        .find(|peer| host.tunnel.shared.routes.networks_of(peer.id.slot).any(|net| net == network(number)))
        .map_or(0, |peer| peer.staged.len())
}

/// Peers that never answer hold all that a tunnel may stage. Whoever comes later gets room all the same.
#[test]
fn dead_peers_do_not_keep_a_newcomer_from_staging() {
    for by_turns in [false, true] {
        let mut host = gateway(61, Limits::default());
        for round in 0..128 * 60_u32 {
            let number = 1 + if by_turns { round % 60 } else { round / 128 };
            stage(&mut host, number, 1420);
        }
        assert!(host.tunnel.shared.staged.bytes > 4 * 1024 * 1024 - 1420, "full");
        for count in 1..=10 {
            stage(&mut host, 61, 1420);
            assert_eq!(staged(&host, 61), count, "by turns: {by_turns}");
        }
        assert!(host.tunnel.shared.staged.bytes <= 4 * 1024 * 1024);
        let least = (1..=60).map(|number| staged(&host, number)).min().expect("sixty");
        assert!(least >= 20, "nobody is left with {least}");
    }
}

/// A packet that no cap lets in is dropped and says so; it still asks for a session, in which the next one passes.
#[test]
fn a_packet_that_cannot_be_staged_is_dropped_and_asks_for_a_session() {
    for limits in [
        Limits { staged_bytes_per_peer: 200, ..Limits::default() },
        Limits { staged_bytes: 200, ..Limits::default() },
        Limits { staged_packets_per_peer: 0, ..Limits::default() },
    ] {
        let mut host = gateway(1, limits);
        assert_eq!(try_to_stage(&mut host, 1, 201), Err(DropReason::StagedOverflow));
        assert_eq!(host.tunnel.stats().drops.of(DropReason::StagedOverflow), 1);
        assert_eq!((staged(&host, 1), host.tunnel.shared.staged.bytes), (0, 0));
        let sent = host.tunnel.poll_transmit(Instant::ZERO, &mut [0; 1500]).expect("there is randomness");
        assert_eq!(sent.map(|transmit| transmit.len), Some(148), "an initiation");
    }
}

/// The list of those who hold staged packets does not grow with peers that come and go.
#[test]
fn peers_that_come_and_go_leave_nothing_in_the_queues() {
    let mut host = gateway(40, Limits::default());
    let own = *host.tunnel.peers().next().expect("forty").public_key();
    for _ in 0..2000 {
        let mut change = PeerChange::new(own);
        change.endpoint = Some(Endpoint::Address(address(1)));
        change.allowed_ips = vec![network(99).into()];
        let remove = PeerChange { action: PeerAction::Remove, ..PeerChange::new(own) };
        host.tunnel.configure(Instant::ZERO, &[Change::Peer(remove), Change::Peer(change)]).expect("sound");
        stage(&mut host, 99, 100);
    }
    assert_eq!(host.tunnel.footprint().intents, 1);
    assert!(host.tunnel.shared.transmits.peers.places() < 10 && host.tunnel.shared.staged.listed() < 20);
}

/// Removing queued peers looks at each of them a few times, however many there are.
#[test]
fn removing_many_queued_peers_is_linear() {
    let mut host = gateway(16_000, Limits::default());
    (1..=16_000).for_each(|number| stage(&mut host, number, 60));
    let keys: Vec<_> = host.tunnel.peers().map(|peer| *peer.public_key()).collect();
    let before = host.tunnel.shared.transmits.peers.visits;
    for key in keys {
        let remove = PeerChange { action: PeerAction::Remove, ..PeerChange::new(key) };
        host.tunnel.configure(Instant::ZERO, &[Change::Peer(remove)]).expect("sound");
    }
    let visits = host.tunnel.shared.transmits.peers.visits - before;
    assert!(visits <= 4 * 16_000, "{visits} entries of the queue were looked at");
    while host.tunnel.poll_event().is_some() {}
    assert_eq!(host.tunnel.footprint(), Footprint::default());
}

/// A buffer that is too short for one peer's packet is an error that says what is needed, and the others go on.
#[test]
fn a_short_transmit_buffer_holds_up_only_what_does_not_fit() {
    let mut host = gateway(2, Limits::default());
    assert_eq!(host.tunnel.poll_transmit(Instant::ZERO, &mut [0; 10]), Ok(None), "there is nothing");
    let (mut a, mut b) = (super::host(1, 2), super::host(2, 1));
    let (mut buf, range) = packet(1, 2, 1000);
    let _ = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert_eq!(a.tunnel.poll_transmit(Instant::ZERO, &mut [0; 147]), Err(TransmitError::ShortBuffer { needed: 148 }));
    let mut buf = [0; 2048];
    for _ in 0..2 {
        let (from, to) = (&mut a, &mut b);
        let sent = from.tunnel.poll_transmit(Instant::ZERO, &mut buf[..148]).expect("room").expect("a message");
        let _ = to.tunnel.handle_datagram(Instant::ZERO, from.path, Ecn::NotCapable, &mut buf[..sent.len]);
        core::mem::swap(&mut a, &mut b);
    }
    // A second peer wants a handshake while the first one's packet finds no room.
    let mut other = PeerChange::new(private(5).public_key());
    other.endpoint = Some(Endpoint::Address(address(5)));
    a.tunnel.configure(Instant::ZERO, &[Change::Peer(other)]).expect("sound");
    let id = a.tunnel.peer_by_key(&private(5).public_key()).expect("just added");
    a.tunnel.connect(Instant::ZERO, id);
    let sent = a.tunnel.poll_transmit(Instant::ZERO, &mut buf[..200]).expect("room").expect("the other's initiation");
    assert_eq!((buf[0], sent.path.remote), (1, address(5)));
    assert_eq!(
        a.tunnel.poll_transmit(Instant::ZERO, &mut buf[..200]),
        Err(TransmitError::ShortBuffer { needed: 16 + 1008 + 16 })
    );
    assert_eq!(a.tunnel.footprint().staged_packets, 1);
    let sent = a.tunnel.poll_transmit(Instant::ZERO, &mut buf).expect("room").expect("the packet");
    assert_eq!(sent.len, 16 + 1008 + 16);
    assert_eq!(a.tunnel.poll_transmit(Instant::ZERO, &mut buf), Ok(None));
}
