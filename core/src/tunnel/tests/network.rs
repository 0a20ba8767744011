//! What a change of network, an answer of the host and a failed send make of an endpoint.
use super::*;

const fn millis(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// A host that met its peer by name, at `address(2)`, and the name of the peer.
fn named() -> (Host, Host, PeerId) {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    let peer = a.tunnel.peers().next().expect("one peer").id();
    let endpoint = Some(Endpoint::Name { host: "b.example".into(), port: 51820 });
    let change = PeerChange { endpoint, ..PeerChange::new(private(2).public_key()) };
    a.tunnel.configure(Instant::ZERO, &[Change::Peer(change)]).expect("a sound change");
    a.tunnel.set_endpoint(Instant::ZERO, peer, address(2));
    a.tunnel.connect(Instant::ZERO, peer);
    assert_eq!(exchange(Instant::ZERO, &mut a, &mut b), 3);
    while a.tunnel.poll_event().is_some() {}
    (a, b, peer)
}

/// Where the last byte of the peer's address is believed to be.
fn at(host: &Host) -> u8 {
    let path = host.tunnel.peers().next().and_then(|peer| peer.path()).expect("an endpoint");
    (1..=9).find(|last| address(*last) == path.remote).expect("one of ours")
}

/// Everything that the host wants to send: for each datagram its type and where it goes.
fn drain(host: &mut Host, now: Instant) -> Vec<(u8, SocketAddr)> {
    let mut buf = vec![0; 2048];
    core::iter::from_fn(|| host.tunnel.poll_transmit(now, &mut buf).expect("room").map(|t| (buf[0], t.path.remote)))
        .collect()
}

/// A datagram of `b` to `a`, which believes what it hears.
fn speak(now: Instant, b: &mut Host, a: &mut Host) {
    let (mut buf, range) = packet(2, 1, 60);
    let Outbound::Datagram { transmit, .. } = b.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range })
    else {
        panic!("a live session seals")
    };
    let inbound = a.tunnel.handle_datagram(now, b.path, Ecn::NotCapable, &mut buf[..transmit.len]);
    assert!(matches!(inbound, Inbound::Packet { .. }), "{inbound:?}");
}

fn fail(host: &mut Host, peer: PeerId, kind: SendError) {
    let path = host.tunnel.peer(peer).and_then(|peer| peer.path()).expect("an endpoint");
    host.tunnel.handle_send_error(peer, path, 32, kind);
}

#[test]
fn the_answer_after_a_change_of_network_waits_for_the_peers_silence() {
    type Step = fn(&mut Host, &mut Host, PeerId);
    let nothing: Step = |_, _, _| {};
    let hears: Step = |a, b, _| speak(millis(1_000), b, a);
    let unreachable: Step = |a, _, peer| fail(a, peer, SendError::Unreachable);
    let family_gone: Step = |a, _, peer| fail(a, peer, SendError::FamilyGone);
    let refused: Step = |a, _, peer| fail(a, peer, SendError::Refused);
    let denied: Step = |a, _, peer| fail(a, peer, SendError::Denied);
    let table: &[(&str, u64, Step, Step, u8, u8)] = &[
        // milliseconds until the answer, before it, after it, where then, where in the end
        ("silent", 100, nothing, nothing, 2, 7),
        ("silent, answered late", 5_000, nothing, nothing, 7, 7),
        ("heard before the answer", 1_500, hears, nothing, 2, 2),
        ("heard before a late answer", 5_000, hears, nothing, 2, 2),
        ("heard after the answer", 100, nothing, hears, 2, 2),
        ("not to be reached before the answer", 100, unreachable, nothing, 7, 7),
        ("not to be reached after the answer", 100, nothing, unreachable, 7, 7),
        ("its family gone", 100, nothing, family_gone, 7, 7),
        ("refused, which anyone can say", 100, nothing, refused, 2, 7),
        ("denied, which says nothing of the path", 100, nothing, denied, 2, 7),
    ];
    for (what, millis_until, before, after, then, finally) in table {
        let (mut a, mut b, peer) = named();
        a.tunnel.handle_network_change(Instant::ZERO);
        assert!(matches!(a.tunnel.poll_event(), Some(Event::ResolveEndpoint { .. })), "{what}");
        assert_eq!(drain(&mut a, Instant::ZERO), [(4, address(2))], "{what}");
        let due = a.tunnel.poll_timeout().expect("a wait");
        assert_eq!(due, millis(2_000), "{what}");
        before(&mut a, &mut b, peer);
        let now = millis(*millis_until);
        a.tunnel.handle_timeout(now);
        a.tunnel.set_endpoint(now, peer, address(7));
        after(&mut a, &mut b, peer);
        assert_eq!(at(&a), *then, "{what}: then");
        a.tunnel.handle_timeout(millis(6_000));
        assert_eq!(at(&a), *finally, "{what}: finally");
        let sent = drain(&mut a, millis(6_000));
        assert!(*finally == 2 || sent.contains(&(4, address(7))), "{what}: it learns where we are: {sent:?}");
    }
}

/// Without a reason to doubt it, what the host says is where the peer is.
#[test]
fn all_other_answers_act_at_once() {
    let pin = Change::Peer(PeerChange { pin_endpoint: Some(true), ..PeerChange::new(private(2).public_key()) });
    let again = Change::Peer(PeerChange {
        endpoint: Some(Endpoint::Name { host: "b.example".into(), port: 51820 }),
        ..PeerChange::new(private(2).public_key())
    });
    let table: &[(&str, Option<u64>, Option<&Change>)] = &[
        // when the network changes, what changes then
        ("unasked", None, None),
        ("asked long ago", Some(0), None),
        ("pinned", Some(20_000), Some(&pin)),
        ("asked because of a change of configuration", Some(20_000), Some(&again)),
        ("no live session", Some(200_000), None),
    ];
    for (what, changes, change) in table {
        let (mut a, _, peer) = named();
        if let Some(at) = changes {
            a.tunnel.handle_network_change(millis(*at));
        }
        let now = millis(changes.unwrap_or(0).max(20_000));
        a.tunnel.configure(now, change.map_or(&[], core::slice::from_ref)).expect("a sound change");
        a.tunnel.set_endpoint(now, peer, address(7));
        assert_eq!(at(&a), 7, "{what}");
    }
}

/// Changes of network come in rows, and hosts answer each: none of it prolongs the wait or ends it early.
#[test]
fn changes_of_network_in_a_row_are_one() {
    let (mut a, _, peer) = named();
    for now in [0, 300, 1_900].map(millis) {
        a.tunnel.handle_network_change(now);
        a.tunnel.set_endpoint(now, peer, address(7));
        assert_eq!(at(&a), 2);
    }
    a.tunnel.handle_timeout(millis(2_000));
    assert_eq!(at(&a), 7);
    // What the name says next is another question.
    a.tunnel.handle_network_change(millis(10_000));
    a.tunnel.set_endpoint(millis(10_000), peer, address(8));
    assert_eq!(at(&a), 7);
    a.tunnel.configure(millis(10_000), &[Change::RemoveAllPeers]).expect("always possible");
    assert_eq!(a.tunnel.poll_timeout(), None);
}

#[test]
fn what_could_not_be_sent_is_counted_apart() {
    let (mut a, mut b, peer) = named();
    let figures = |a: &Host| {
        let view = a.tunnel.peer(peer).expect("there");
        let stats = a.tunnel.stats();
        assert_eq!((view.stats().tx_bytes, view.send_errors()), (stats.tx_bytes, stats.send_errors));
        (stats.tx_bytes, stats.send_errors, view.last_send_error())
    };
    let (sent, ..) = figures(&a);
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(millis(1), PacketBuf { buf: &mut buf, packet: range });
    let Outbound::Datagram { transmit, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(figures(&a), (sent + transmit.len as u64, 0, None));
    a.tunnel.handle_send_error(peer, transmit.path, transmit.len, SendError::Denied);
    assert_eq!(figures(&a), (sent, 1, Some(SendError::Denied)));
    a.tunnel.handle_send_error(peer, transmit.path, usize::MAX, SendError::TooBig);
    assert_eq!(figures(&a), (0, 2, Some(SendError::TooBig)));
    // What left after all, from another address, is no loss.
    a.tunnel.handle_send_error(peer, transmit.path, 0, SendError::NoSource);
    assert_eq!(figures(&a), (0, 2, Some(SendError::TooBig)));
    speak(millis(2), &mut b, &mut a);
    assert_eq!(figures(&a), (0, 2, None));
}

/// Threat 18: an address of ours that does not work is left to the host; only of the path that is in use.
#[test]
fn a_source_that_does_not_work_is_forgotten() {
    let ours = Some(core::net::IpAddr::from([198, 51, 100, 1]));
    for kind in SendError::ALL {
        let (mut a, mut b, peer) = named();
        let there = b.path;
        b.path.local = ours;
        speak(millis(10_000), &mut b, &mut a);
        let path = |a: &Host| a.tunnel.peer(peer).and_then(|peer| peer.path());
        assert_eq!(path(&a), Some(Path { local: ours, ..there }));
        let old = Path { remote: address(8), ..b.path };
        a.tunnel.handle_send_error(peer, old, 32, *kind);
        assert_eq!(path(&a), Some(Path { local: ours, ..there }), "{kind:?} over another path");
        a.tunnel.handle_send_error(peer, b.path, 32, *kind);
        let kept = !matches!(kind, SendError::NoSource | SendError::Unreachable);
        assert_eq!(path(&a), Some(Path { local: ours.filter(|_| kept), ..there }), "{kind:?}");
        // The way may be missing from that address alone; then from any.
        let asks = |a: &mut Host| {
            let mut events = core::iter::from_fn(|| a.tunnel.poll_event());
            events.any(|event| matches!(event, Event::ResolveEndpoint { .. }))
        };
        assert_eq!(asks(&mut a), *kind == SendError::FamilyGone, "{kind:?}");
        fail(&mut a, peer, *kind);
        assert_eq!(asks(&mut a), *kind == SendError::Unreachable, "{kind:?}");
        assert_eq!(SendError::from_name(kind.name()), Some(*kind));
    }
}
