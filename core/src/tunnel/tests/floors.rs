//! The latest timestamp accepted from a peer: read, restored, kept.
use super::*;
use crate::noise::Tai64N;

/// Our floor for the only peer.
fn floor(host: &Host) -> Tai64N {
    host.tunnel.peers().next().expect("one peer").timestamp_floor()
}

#[test]
fn a_timestamp_floor_is_restored_and_never_lowered() {
    let (_, mut b) = connected();
    let known = floor(&b);
    assert!(known > Tai64N::ZERO);
    let later = known.after(known);
    let change = |action, timestamp_floor| {
        Change::Peer(PeerChange { action, timestamp_floor, ..PeerChange::new(private(1).public_key()) })
    };
    use PeerAction::{Remove, Set, Update};
    let table: &[(&str, &[Change], Tai64N)] = &[
        ("set without one", &[change(Set, None)], known),
        ("an earlier one", &[change(Update, Some(Tai64N::ZERO))], known),
        ("removed and set in one list", &[change(Remove, None), change(Set, None)], known),
        ("replaced", &[Change::RemoveAllPeers, change(Set, None)], known),
        (
            "replaced twice",
            &[Change::RemoveAllPeers, change(Set, None), change(Remove, None), change(Set, None)],
            known,
        ),
        ("removed", &[change(Remove, None)], Tai64N::ZERO),
        ("set again later", &[change(Set, None)], Tai64N::ZERO),
        ("restored", &[change(Update, Some(known))], known),
        ("replaced with an earlier one", &[Change::RemoveAllPeers, change(Set, Some(Tai64N::ZERO))], known),
        ("a later one", &[change(Set, Some(later))], later),
    ];
    for (what, changes, want) in table {
        b.tunnel.configure(Instant::ZERO, changes).expect("sound changes");
        let held = b.tunnel.peers().next().map(|peer| peer.timestamp_floor());
        assert_eq!(held.unwrap_or_default(), *want, "{what}");
    }
}

/// A host that restarts, or takes a peer back, restores what it saved: an initiation from before is old.
#[test]
fn a_restored_floor_refuses_what_was_accepted_before() {
    for restores in [false, true] {
        let (mut a, mut b) = (host(1, 2), host(2, 1));
        let peer = a.tunnel.peers().next().expect("one peer").id();
        a.tunnel.connect(Instant::ZERO, peer);
        let mut initiation = [0; 148];
        assert!(a.tunnel.poll_transmit(Instant::ZERO, &mut initiation).expect("room").is_some());
        let mut receive = |b: &mut Host| {
            let inbound = b.tunnel.handle_datagram(Instant::ZERO, a.path, Ecn::NotCapable, &mut initiation);
            matches!(inbound, Inbound::Consumed)
        };
        assert!(receive(&mut b));
        let saved = Some(floor(&b)).filter(|_| restores);
        let mut restarted = host(2, 1);
        let change = PeerChange { timestamp_floor: saved, ..PeerChange::new(private(1).public_key()) };
        restarted.tunnel.configure(Instant::ZERO, &[Change::Peer(change)]).expect("a sound change");
        assert_eq!(receive(&mut restarted), !restores);
    }
}
