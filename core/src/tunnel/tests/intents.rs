//! What a tunnel owes its peers is never lost: intents, deadlines and what changes under them.
use super::*;

const fn secs(secs: u64) -> Instant {
    Instant::from_nanos(secs * 1_000_000_000)
}

/// The only peer of a host.
fn only(host: &Host) -> &Peer {
    host.tunnel.peers.iter().next().expect("one peer")
}

fn configure(host: &mut Host, now: Instant, change: Change) {
    host.tunnel.configure(now, &[change]).expect("a sound change");
}

/// A change of the only peer.
fn change_peer(host: &mut Host, now: Instant, edit: impl FnOnce(&mut PeerChange)) {
    let mut change = PeerChange { action: PeerAction::Update, ..PeerChange::new(only(host).public_key) };
    edit(&mut change);
    configure(host, now, Change::Peer(change));
}

/// Everything that the tunnel wants to send: for each datagram its type and where it goes.
fn drain(host: &mut Host, now: Instant) -> Vec<(u8, SocketAddr)> {
    let mut buf = vec![0; 2048];
    core::iter::from_fn(|| {
        let transmit = host.tunnel.poll_transmit(now, &mut buf).expect("room");
        transmit.map(|transmit| (buf[0], transmit.path.remote))
    })
    .collect()
}

#[test]
fn a_private_key_is_clamped_once() {
    let (mut a, _) = connected();
    let unclamped = private(1);
    assert_ne!(unclamped, unclamped.clone().clamped());
    assert_eq!(a.tunnel.private_key(), Some(&unclamped.clone().clamped()));
    let before = a.tunnel.footprint();
    for same in [unclamped.clone(), unclamped.clamped()] {
        configure(&mut a, Instant::ZERO, Change::PrivateKey(Some(same)));
        assert_eq!(a.tunnel.footprint(), before, "the session goes on");
    }
}

/// RFC 4443 § 2.4 (f), RFC 1812 § 4.3.2.8: errors have a rate; what exceeds it is dropped and counted all the same.
#[test]
fn icmp_errors_have_a_rate() {
    let mut a = host(1, 2);
    let mut bounced = |now, to, len| {
        let (mut buf, range) = packet(1, to, len);
        let header = &mut buf[range.start..][..20];
        let checksum = crate::packet::checksum::Sum::new().bytes(header).checksum();
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        matches!(a.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range }), Outbound::Bounce { .. })
    };
    let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
    let table = [
        // milliseconds, destination, length, errors for 300 packets
        (0, 9, 60, 100),
        (0, 2, 1421, 100),
        (10, 9, 60, 1),
        (500, 9, 60, 49),
        (5_000, 9, 60, 100),
        (5_000, 2, 1421, 100),
    ];
    for (row, (millis, to, len, errors)) in table.into_iter().enumerate() {
        let count = (0..300).filter(|_| bounced(at(millis), to, len)).count();
        assert_eq!(count, errors, "row {row}");
    }
    let drops = &a.tunnel.stats().drops;
    assert_eq!((drops.of(DropReason::NoRoute), drops.of(DropReason::TooBig)), (1200, 600));
}

/// Carries what `from` wants to send to `to`; returns how many datagrams went.
fn carry(now: Instant, from: &mut Host, to: &mut Host) -> usize {
    let (mut buf, mut carried) = (vec![0; 2048], 0);
    while let Ok(Some(transmit)) = from.tunnel.poll_transmit(now, &mut buf) {
        let _ = to.tunnel.handle_datagram(now, from.path, transmit.ecn, &mut buf[..transmit.len]);
        carried += 1;
    }
    carried
}

fn connect(host: &mut Host, now: Instant) {
    let peer = only(host).id;
    host.tunnel.connect(now, peer);
}

/// An initiation that was wanted before the peer's came does not follow at the heels of our response, be it wanted
/// for the first time or again.
#[test]
fn no_initiation_leaves_beside_a_response() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    connect(&mut a, secs(0));
    connect(&mut b, secs(0));
    assert_eq!(carry(secs(0), &mut b, &mut a), 1);
    assert_eq!(drain(&mut a, secs(0)), [(2, address(2))], "the response alone");
    // The confirmation was lost: ours leaves in its turn.
    assert_eq!(a.tunnel.poll_timeout(), Some(secs(5)));
    a.tunnel.handle_timeout(secs(5));
    assert_eq!(drain(&mut a, secs(5)), [(1, address(2))]);

    // B initiates again, and again the confirmation is lost; A's repetition is due while its response is fresh.
    b.tunnel.handle_timeout(secs(6));
    assert_eq!(carry(secs(6), &mut b, &mut a), 1);
    let due = a.tunnel.poll_timeout().expect("unanswered");
    assert!(due < secs(11), "{due:?}");
    assert_eq!(drain(&mut a, secs(6)), [(2, address(2))]);
    a.tunnel.handle_timeout(due);
    assert_eq!(drain(&mut a, due), []);
    assert_eq!(a.tunnel.poll_timeout(), Some(secs(11)));
    a.tunnel.handle_timeout(secs(11));
    assert_eq!(drain(&mut a, secs(11)), [(1, address(2))]);
}

/// A persistent keepalive that is switched on before there is a key or an endpoint starts when there are both.
#[test]
fn a_persistent_keepalive_waits_for_key_and_endpoint() {
    let peer = NewPeer { persistent_keepalive: 25, ..NewPeer::new(private(2).public_key()) };
    let config = TunnelConfig { peers: vec![peer], ..TunnelConfig::default() };
    let tunnel = Tunnel::new(config, Box::new(Seeded(1)), secs(0), UnixTime::default()).expect("a good configuration");
    let mut a = Host { tunnel, path: Path::new(address(1)) };
    assert_eq!((drain(&mut a, secs(0)), a.tunnel.poll_timeout()), (vec![], None));
    configure(&mut a, secs(1), Change::PrivateKey(Some(private(1))));
    assert_eq!((drain(&mut a, secs(1)), a.tunnel.poll_timeout()), (vec![], None));
    change_peer(&mut a, secs(2), |change| change.endpoint = Some(Endpoint::Address(address(2))));
    assert_eq!(drain(&mut a, secs(2)), [(1, address(2))]);

    // The other way round.
    configure(&mut a, secs(3), Change::PrivateKey(None));
    assert!(a.tunnel.poll_timeout().is_some());
    a.tunnel.handle_timeout(secs(60));
    assert_eq!((drain(&mut a, secs(60)), a.tunnel.poll_timeout()), (vec![], None), "no key, no wake-ups");
    configure(&mut a, secs(61), Change::PrivateKey(Some(private(3))));
    assert_eq!(drain(&mut a, secs(61)), [(1, address(2))]);
    // A key that changes has the peer told at once where we are.
    configure(&mut a, secs(62), Change::PrivateKey(Some(private(4))));
    assert_eq!(drain(&mut a, secs(62)), [(1, address(2))]);
}

/// A peer with a live session whose endpoint is a name that does not resolve yet.
fn nameless() -> (Host, Host) {
    let (mut a, b) = connected();
    let name = Endpoint::Name { host: "b.example".to_string(), port: 1 };
    change_peer(&mut a, secs(1), |change| change.endpoint = Some(name));
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(secs(1), PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Staged));
    assert_eq!(drain(&mut a, secs(1)), []);
    (a, b)
}

/// Packets that wait for an endpoint leave when one is told or when the peer is heard from, and do not wait for ever.
#[test]
fn packets_that_wait_for_an_endpoint_get_it_or_are_given_up() {
    let (mut a, _) = nameless();
    let peer = only(&a).id;
    a.tunnel.set_endpoint(secs(2), peer, address(7));
    assert!(drain(&mut a, secs(2)).contains(&(4, address(7))));
    assert_eq!(a.tunnel.footprint().staged_packets, 0);

    let (mut a, mut b) = nameless();
    let (mut buf, range) = packet(2, 1, 60);
    let Outbound::Datagram { transmit, .. } =
        b.tunnel.handle_packet(secs(2), PacketBuf { buf: &mut buf, packet: range })
    else {
        panic!("a live session seals")
    };
    let _ = a.tunnel.handle_datagram(secs(2), b.path, Ecn::NotCapable, &mut buf[..transmit.len]);
    assert!(drain(&mut a, secs(2)).contains(&(4, address(2))));

    let (mut a, _) = nameless();
    while let Some(at) = a.tunnel.poll_timeout() {
        a.tunnel.handle_timeout(at);
        assert_eq!(drain(&mut a, at), []);
    }
    let held = a.tunnel.footprint();
    assert_eq!((held.staged_packets, held.staged_bytes, held.session_indices), (0, 0, 0));
    assert_eq!(a.tunnel.stats().drops.of(DropReason::HandshakeFailed), 1);
}

/// The responder may not seal before the initiator does. When the packet that was to confirm the session has lost its
/// route, a keepalive confirms it.
#[test]
fn a_session_is_confirmed_whatever_becomes_of_the_packets() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    let (mut buf, range) = packet(1, 2, 60);
    let _ = a.tunnel.handle_packet(secs(0), PacketBuf { buf: &mut buf, packet: range });
    assert_eq!((carry(secs(0), &mut a, &mut b), carry(secs(0), &mut b, &mut a)), (1, 1));
    change_peer(&mut a, secs(0), |change| change.replace_allowed_ips = true);
    assert_eq!(carry(secs(0), &mut a, &mut b), 1);
    assert!(only(&b).sessions.is_live(secs(0)));
    assert_eq!(a.tunnel.stats().drops.of(DropReason::NoRoute), 1);
}

#[test]
fn no_keepalive_leaves_beside_data() {
    let (mut a, _) = connected();
    change_peer(&mut a, secs(1), |change| change.persistent_keepalive = Some(10));
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(secs(1), PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Datagram { .. }));
    assert_eq!(drain(&mut a, secs(1)), []);
    assert_eq!(a.tunnel.poll_timeout(), Some(secs(11)));
}

#[test]
fn a_job_seals_only_for_a_peer_that_is_there() {
    let begin =
        |a: &mut Host, buf: &mut [u8], range| match a.tunnel.begin_seal(secs(0), PacketBuf { buf, packet: range }) {
            Begin::Crypt(job) => job,
            Begin::Done(verdict) => panic!("{verdict:?}"),
        };
    let (mut a, mut b) = connected();
    let (mut buf, range) = packet(1, 2, 60);
    let job = begin(&mut a, &mut buf, range);
    let (verdict, mut buf) = a.tunnel.finish_seal(secs(0), job.crypt(buf));
    let Outbound::Datagram { transmit, .. } = verdict else { panic!("{verdict:?}") };
    let opened = b.tunnel.handle_datagram(secs(0), a.path, Ecn::NotCapable, &mut buf[..transmit.len]);
    assert!(matches!(opened, Inbound::Packet { .. }), "{opened:?}");

    let (mut buf, range) = packet(1, 2, 60);
    let sealed = begin(&mut a, &mut buf, range).crypt(buf);
    configure(&mut a, secs(0), Change::RemoveAllPeers);
    assert_eq!(a.tunnel.finish_seal(secs(0), sealed).0, Outbound::Dropped(DropReason::NoRoute));
}

/// Threat 18: the address that datagrams leave from is not held on to when nobody answers.
#[test]
fn a_repeated_initiation_leaves_from_anywhere() {
    let (mut a, mut b) = connected();
    let local = Some(core::net::IpAddr::from([198, 51, 100, 1]));
    let (mut buf, range) = packet(2, 1, 60);
    let Outbound::Datagram { transmit, .. } =
        b.tunnel.handle_packet(secs(1), PacketBuf { buf: &mut buf, packet: range })
    else {
        panic!("a live session seals")
    };
    let path = Path { local, ..b.path };
    let _ = a.tunnel.handle_datagram(secs(1), path, Ecn::NotCapable, &mut buf[..transmit.len]);
    connect(&mut a, secs(200));
    for (due, from) in [(false, local), (true, None)] {
        let now = if due { a.tunnel.poll_timeout().expect("unanswered") } else { secs(200) };
        a.tunnel.handle_timeout(now);
        let transmit = a.tunnel.poll_transmit(now, &mut [0; 2048]).expect("room").expect("an initiation");
        assert_eq!(transmit.path.local, from);
    }
}

#[test]
fn a_new_private_key_tells_that_the_session_is_gone() {
    let (mut a, _) = connected();
    while a.tunnel.poll_event().is_some() {}
    let peer = only(&a).id;
    configure(&mut a, secs(1), Change::PrivateKey(Some(private(9))));
    assert_eq!(a.tunnel.poll_event(), Some(Event::SessionExpired { peer, user: 0 }));
    assert_eq!(a.tunnel.poll_event(), Some(Event::HealthChanged { peer, user: 0, health: Health::Connecting }));
    assert_eq!(a.tunnel.poll_event(), None);
}
