//! Memory that runs out under a control channel, and while peers are locked and opened.
use super::{Pair, fail, key, peer, tunnel};
use underpass_core::tunnel::Backpressure;
use underpass_core::{Access, Change, ControlRole, PeerId, Tunnel};

fn only(tunnel: &Tunnel) -> PeerId {
    tunnel.peers().next().expect("a peer").id()
}

/// A client on the left; on the right a gateway, which has locked it. There is no session yet.
fn pair() -> Pair {
    let mut pair = Pair { left: tunnel(1, &[2]), ..Pair::new() };
    let gateway = key(2).public_key();
    pair.left.configure(pair.now, &[Change::Control(ControlRole::Client { gateway })]).expect("memory");
    pair.right.configure(pair.now, &[Change::Control(ControlRole::Gateway)]).expect("memory");
    pair
}

/// There is memory again: within a minute a message gets through, and no packet does.
fn talks(pair: &mut Pair) {
    for _ in 0..60 {
        let id = only(&pair.left);
        let _ = pair.left.send_control_waking(pair.now, id, b"still there?");
        if pair.exchange() > 0 {
            assert_eq!(pair.right.stats().rx_packets, 0);
            return;
        }
        pair.pass(1000);
    }
    panic!("no message gets through: {:?}\n{:?}", pair.left, pair.right);
}

/// A handshake for a message, and messages and packets both ways.
pub(super) fn messages(first: usize, count: usize) -> usize {
    let mut pair = pair();
    let ids = (only(&pair.left), only(&pair.right));
    let ((taken, came), calls) = fail(first, count, || {
        let (mut taken, mut came) = (0, 0);
        for round in 0..6 {
            let asked = pair.left.send_control_waking(pair.now, ids.0, &[round; 200]);
            let said = pair.right.send_control(pair.now, ids.1, &[round; 200]);
            assert!(matches!(asked, Ok(()) | Err(Backpressure::NoMemory)), "{asked:?}");
            assert!(matches!(said, Ok(()) | Err(Backpressure::NoMemory | Backpressure::NoSession)), "{said:?}");
            taken += usize::from(asked.is_ok());
            pair.send(2);
            came += pair.exchange();
        }
        (taken, came)
    });
    let told = pair.counted() + u64::from(pair.waits());
    assert!(came >= taken || told > 0, "{came} of {taken} messages came, neither counted nor waiting");
    // Locked it was and locked it stays, whatever could not be noted.
    assert_eq!(pair.right.stats().rx_packets, 0);
    talks(&mut pair);
    calls
}

/// Opened, a peer added, and locked again: all or nothing.
pub(super) fn locks(first: usize, count: usize) -> usize {
    let mut pair = pair();
    let change = |access| Change::Access { peer: key(1).public_key(), access };
    let now = pair.now;
    let list = [change(Access::Open), Change::Peer(peer(7).into())];
    let (done, calls) = fail(first, count, || pair.right.configure(now, &list));
    let access = pair.right.peers().next().map(|peer| peer.access());
    let (want, peers) = if done.is_ok() { (Access::Open, 2) } else { (Access::Locked, 1) };
    assert_eq!((access, pair.right.peers().count()), (Some(want), peers));
    // What takes away needs no memory.
    let alone = fail(0, usize::MAX / 2, || pair.right.configure(now, &[change(Access::Locked)]));
    assert_eq!(alone, (Ok(()), 0));
    talks(&mut pair);
    calls
}
