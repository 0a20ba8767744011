//! Memory that runs out while peers are ruled: rules come all or not at all, and what cannot be remembered does not pass.
use super::{Pair, fail, key, net, peer};
use underpass_core::config::PeerAction;
use underpass_core::filter::{Action, Hours, Rule, Rules, SessionConfig};
use underpass_core::{Access, Change, ConfigReason, DropReason, PeerChange};

fn session(action: Action) -> SessionConfig {
    let hours = vec![Hours { from: 0, to: 10_080 }];
    let rule = Rule { action, log: true, hours, ..Rule::allow(1, vec![net("10.0.0.0/8"), net("fd00::/8")]) };
    SessionConfig { rules: Rules::from(vec![rule]), ..SessionConfig::default() }
}

fn ruling(action: Action) -> Change {
    Change::Access { peer: key(1).public_key(), access: Access::Ruled(session(action)) }
}

/// A peer that is ruled, one that is added and ruled, one that is locked between: all of it or nothing.
pub fn changes(first: usize, count: usize) -> usize {
    let mut pair = Pair::new();
    pair.works();
    let now = pair.now;
    let admit = PeerAction::Admit(Access::Ruled(session(Action::Reject)));
    let list = [
        ruling(Action::Allow),
        Change::Peer(PeerChange { action: admit, ..peer(7).into() }),
        Change::Access { peer: key(1).public_key(), access: Access::Locked },
        ruling(Action::Allow),
    ];
    let (done, calls) = fail(first, count, || pair.right.configure(now, &list));
    let is_ruled = pair.right.peers().next().is_some_and(|peer| matches!(peer.access(), Access::Ruled(_)));
    assert_eq!((is_ruled, pair.right.peers().count()), if done.is_ok() { (true, 2) } else { (false, 1) });
    assert!(done.is_ok() || done.is_err_and(|error| error.reason == ConfigReason::NoMemory), "{done:?}");
    pair.works();
    // What takes away needs no memory.
    let lock = [Change::Access { peer: key(1).public_key(), access: Access::Locked }];
    assert_eq!(fail(0, usize::MAX / 2, || pair.right.configure(now, &lock)), (Ok(()), 0));
    assert_eq!(pair.right.footprint().flows, 0);
    calls
}

/// Packets that begin flows, and such as are rejected: each passes or is counted, and a reject that has no memory is none.
pub fn packets(first: usize, count: usize) -> usize {
    let mut pair = Pair::new();
    pair.works();
    let now = pair.now;
    pair.right.configure(now, &[ruling(Action::Allow)]).expect("memory");
    let reject = [ruling(Action::Reject)];
    let ((), calls) = fail(first, count, || {
        let passed = usize::from(pair.send(2)) as u64;
        let lost = pair.right.stats().drops.of(DropReason::NoMemory);
        assert!(passed + lost >= 1, "neither passed nor counted");
        // Either way nothing of it is amiss afterwards.
        let _changed = pair.right.configure(now, &reject);
        let _ = pair.send(2);
        pair.exchange();
        while pair.right.poll_filter_event().is_some() {}
    });
    pair.right.configure(now, &[ruling(Action::Allow)]).expect("memory");
    pair.works();
    calls
}
