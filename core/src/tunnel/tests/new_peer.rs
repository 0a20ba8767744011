//! A peer described whole: the same in a first configuration and over a running tunnel.
use super::*;
use crate::PresharedKey;
use crate::noise::Tai64N;

/// All that a configuration says of the only peer, and the tunnel's count of allowed IPs.
fn told(host: &Host) -> impl PartialEq + core::fmt::Debug + use<> {
    let view = host.tunnel.peers().next().expect("one peer");
    let mut networks: Vec<_> = view.allowed_ips().collect();
    networks.sort();
    (
        view.preshared_key().cloned(),
        view.persistent_keepalive(),
        view.user(),
        view.timestamp_floor(),
        view.is_pinned(),
        networks,
        host.tunnel.footprint().allowed_ips,
    )
}

fn at_first(peer: NewPeer) -> Host {
    let config = TunnelConfig { private_key: Some(private(1)), peers: vec![peer], ..TunnelConfig::default() };
    let tunnel = Tunnel::new(config, Box::new(Seeded(1)), Instant::ZERO, UnixTime::default()).expect("sound");
    Host { tunnel, path: Path::new(address(1)) }
}

fn full() -> NewPeer {
    NewPeer {
        preshared_key: Some(PresharedKey::from_bytes([5; 32])),
        endpoint: Some(Endpoint::Address(address(7))),
        pin_endpoint: true,
        persistent_keepalive: 25,
        user: 9,
        timestamp_floor: Tai64N::ZERO,
        allowed_ips: vec!["10.2.0.0/16".parse().expect("a network"), "fd02::/64".parse().expect("a network")],
        ..NewPeer::new(private(2).public_key())
    }
}

#[test]
fn a_peer_described_whole_is_that_whatever_it_was() {
    let plain = NewPeer::new(private(2).public_key());
    for (was, is) in [(full(), plain.clone()), (plain.clone(), full()), (full(), full()), (plain.clone(), plain)] {
        let mut running = at_first(was);
        running.tunnel.configure(Instant::ZERO, &[Change::Peer(is.clone().into())]).expect("a sound change");
        assert_eq!(told(&running), told(&at_first(is)));
    }
}

/// What cannot be taken back stays: the peer is reached where it was, and its old initiations are not taken.
#[test]
fn endpoint_and_floor_stay_where_nothing_takes_their_place() {
    let floor = Tai64N::from_bytes([0x40; 12]);
    let mut host = at_first(NewPeer { timestamp_floor: floor, ..full() });
    let plain = NewPeer::new(private(2).public_key());
    host.tunnel.configure(Instant::ZERO, &[Change::Peer(plain.into())]).expect("a sound change");
    let peer = host.tunnel.peers().next().expect("one peer");
    assert_eq!(peer.path().map(|path| path.remote), Some(address(7)));
    assert_eq!(peer.timestamp_floor(), floor);
}

/// As a file may name a peer twice that is put together from several.
#[test]
fn of_two_with_one_key_the_later_counts() {
    let config = TunnelConfig {
        private_key: Some(private(1)),
        peers: vec![full(), NewPeer { user: 3, ..NewPeer::new(private(2).public_key()) }],
        ..TunnelConfig::default()
    };
    let tunnel = Tunnel::new(config, Box::new(Seeded(1)), Instant::ZERO, UnixTime::default()).expect("sound");
    let peer = tunnel.peers().next().expect("one peer");
    assert_eq!((tunnel.peers().count(), peer.user(), peer.allowed_ips().count()), (1, 3, 0));
}
