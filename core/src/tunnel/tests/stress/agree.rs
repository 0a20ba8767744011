//! What a tunnel remembers, held against itself.
use super::*;

/// What a tunnel remembers agrees with itself; when it is `drained`, nothing waits without somebody who waits for it.
pub(super) fn check(tunnel: &Tunnel, drained: bool) {
    let (mut indices, mut bytes, mut next) = (0, 0, Instant::MAX);
    for peer in tunnel.peers.iter() {
        let Peer { id, intents, queued, timers, staged, .. } = peer;
        let standing = tunnel.shared.transmits.peers.count(peer.id);
        assert_eq!(standing, usize::from(*queued), "{peer:?}");
        assert!(*queued || !peer.has_intents(), "{peer:?}");
        let told_of = tunnel.shared.events.peers().count(peer.id);
        assert_eq!(told_of, usize::from(!peer.facts.is_empty()), "{peer:?}");
        indices += peer.sessions.len() + usize::from(peer.handshake.pending().is_some());
        bytes += staged.bytes();
        next = next.min(timers.next());
        let handshake = peer.handshake.is_under_way();
        let repeated = peer.initiates() || timers.waits_for(Due::Retransmit);
        assert!(repeated == handshake, "an initiation that nobody sends or repeats: {peer:?}");
        assert!(peer.answer.is_some() == intents.respond, "{peer:?}");
        assert_eq!(tunnel.shared.deadlines.bound_of(id.slot).unwrap_or(Instant::MAX), peer.bound, "{peer:?}");
        assert!(peer.bound <= timers.next(), "a deadline that nobody keeps: {peer:?}");
        assert_eq!(timers.wipes(), peer.sessions.wipe_date(), "keys that nobody wipes: {peer:?}");
        if drained {
            assert!(staged.is_empty() || handshake, "packets that nobody sends: {peer:?}");
            let able = tunnel.shared.local.is_some() && peer.endpoint.path().is_some() && !peer.refused;
            assert!(!(able && timers.persistent_sleeps()), "a keepalive that nobody wakes: {peer:?}");
        }
        #[cfg(feature = "control")]
        channel::check(tunnel, peer, drained);
        if tunnel.shared.local.is_none() || peer.refused {
            assert!(peer.sessions.len() == 0 && staged.is_empty() && !handshake && !intents.respond, "{peer:?}");
        }
    }
    assert_eq!(tunnel.shared.indices.len(), indices);
    assert_eq!(tunnel.shared.staged.bytes, bytes);
    let next = next.min(tunnel.shared.questions.due().unwrap_or(Instant::MAX));
    let top = tunnel.shared.due();
    assert_eq!(top, Some(next).filter(|at| *at < Instant::MAX));
    check_bounds(tunnel);
}

/// What a tunnel holds is bounded by its peers and its limits, whatever these were before.
fn check_bounds(tunnel: &Tunnel) {
    let (held, limits) = (tunnel.footprint(), &tunnel.shared.limits);
    let peers = held.peers;
    assert!(peers <= limits.peers as usize, "{held:?}");
    assert!(held.staged_packets <= peers * usize::from(limits.staged_packets_per_peer), "{held:?} {limits:?}");
    assert!(held.staged_bytes <= peers * limits.staged_bytes_per_peer as usize, "{held:?} {limits:?}");
    assert!(held.staged_bytes <= limits.staged_bytes as usize, "{held:?} {limits:?}");
    assert!(held.keypairs <= 3 * peers && held.handshakes <= 2 * peers && held.intents <= peers, "{held:?}");
    assert!(held.session_indices <= held.keypairs + held.handshakes, "{held:?}");
    #[cfg(feature = "control")]
    channel::check_bounds(tunnel);
}
