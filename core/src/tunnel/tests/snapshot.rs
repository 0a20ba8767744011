//! What is known of a peer, to be kept.
use super::*;

#[test]
fn a_snapshot_says_what_the_view_said_and_stays() {
    let (mut a, mut b) = connected();
    let now = Instant::ZERO + Duration::from_secs(1);
    let id = a.tunnel.peers().next().expect("one peer").id();
    let taken = a.tunnel.peer(id).expect("configured").snapshot(now);
    let view = a.tunnel.peer(id).expect("configured");
    let PeerSnapshot { stats, drops, path, .. } = &taken;
    assert_eq!((stats, drops, path), (&view.stats(), &view.drops(), &view.path()));
    assert_eq!((taken.id, taken.at, taken.public_key), (id, now, private(2).public_key()));
    assert_eq!((taken.health, taken.last_heard), (Health::Up, Some(Instant::ZERO)));
    assert_eq!(taken.latest_handshake, view.latest_handshake());
    assert_eq!(taken.configured_endpoint, Some(Endpoint::Address(address(2))));
    assert_eq!(taken.allowed_ips, ["10.0.0.2/32".parse().expect("a network")]);
    assert_eq!((taken.has_preshared_key, taken.is_pinned, taken.persistent_keepalive), (false, false, 0));

    a.tunnel.configure(now, &[Change::RemoveAllPeers]).expect("always possible");
    let _ = exchange(now, &mut a, &mut b);
    assert_eq!(taken.allowed_ips.len(), 1);
}
