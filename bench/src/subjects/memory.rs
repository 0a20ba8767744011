//! Heap held by peers, and the time it takes to have one more, find it and lose it.
use crate::figures::Table;
use crate::harness::Effort;
use crate::heap;
use crate::parties::timed;
use std::time::Duration;
use underpass_budget::{as_peer, boundless, key, room, shake_hands, tunnel_with, write_packet};
use underpass_core::config::PeerAction;
use underpass_core::limits::DEFAULT_MTU;
use underpass_core::tunnel::Outbound;
use underpass_core::{Change, Instant, Limits, PeerChange, Tunnel};

const NOW: Instant = Instant::ZERO;
/// Peers that get a session, at most: a million handshakes would take minutes and tell nothing new.
const TALKING: u32 = 100_000;
/// Peers of the other implementations: what one holds does not depend on how many there are.
#[cfg(feature = "peers")]
const FEW: usize = 200;

/// Bytes of heap for each peer.
pub fn heap(effort: Effort) -> Table {
    let mut table = Table::new(
        "Memory, bytes of heap for each peer",
        "Counted at the allocator, tables and slack included (sessions of at most 100 000 peers). `full queue`: what a peer holds more when as many packets \
         of 1420 bytes are staged for it as its limit allows (the tunnel as a whole holds 4 MiB by default). The other \
         implementations hold their state for each peer in a `Vec`; routes, endpoints and index tables are their \
         daemons' and not counted.",
        &["idle", "with a session", "full queue"],
    );
    heap::count(|| {
        for peers in effort.pick([1000, 10_000], [10_000, 1_000_000]) {
            let (idle, session) = gateway(peers);
            let queue = (peers == 10_000).then(|| full_queue() as f64);
            table.row(
                format!("Underpass, {peers} peers"),
                vec![Some(idle.into()), Some(session.into()), queue.map(Into::into)],
            );
        }
        #[cfg(feature = "peers")]
        others(&mut table);
    });
    table
}

/// Bytes of heap for each of many peers, without and with a session.
fn gateway(peers: u32) -> (f64, f64) {
    let limits = boundless();
    let (mut gateway, idle) =
        heap::held(|| tunnel_with(0, (1..=peers).map(as_peer).collect(), DEFAULT_MTU, limits.clone()));
    let talking = peers.min(TALKING);
    let ((), sessions) = heap::held(|| {
        for number in 1..=talking {
            let mut other = tunnel_with(number, vec![as_peer(0)], DEFAULT_MTU, limits.clone());
            shake_hands(&mut gateway, 0, &mut other, number, NOW);
        }
    });
    assert_eq!(gateway.stats().handshakes, u64::from(talking));
    let idle = idle as f64 / f64::from(peers);
    (idle, idle + sessions as f64 / f64::from(talking))
}

/// Bytes of heap that a full staging queue holds.
fn full_queue() -> usize {
    let mut gateway = tunnel_with(0, vec![as_peer(1)], DEFAULT_MTU, Limits::default());
    let mut buf = vec![0; room(1420)];
    let (_, bytes) = heap::held(|| {
        for _ in 0..1000 {
            let outcome = gateway.handle_packet(NOW, write_packet(&mut buf, 1420, 0, 1));
            assert!(matches!(outcome, Outbound::Staged), "{outcome:?}");
        }
    });
    bytes
}

#[cfg(feature = "peers")]
fn others(table: &mut Table) {
    use crate::parties::{boringtun, gotatun, sanstun};
    let share = |bytes: usize| Some((bytes as f64 / FEW as f64).into());
    let measure = |make: fn(bool) -> usize| vec![share(make(false)), share(make(true)), None];
    table.row("boringtun", measure(|session| heap::held(|| boringtun::many(FEW, session)).1));
    table.row("gotatun", measure(|session| heap::held(|| gotatun::many(FEW, session)).1));
    table.row("sanstun", measure(|session| heap::held(|| sanstun::many(FEW, session)).1));
}

/// Microseconds to add, find and remove a peer of many.
pub fn churn(effort: Effort) -> Table {
    const TIMES: u32 = 2000;
    let mut table = Table::new(
        "Peers that come and go, microseconds each",
        "Adding (with an endpoint and an allowed IP), finding by public key and removing 2000 peers one by one, beside \
         those that stay. Adding derives the keys for a peer's MACs.",
        &["add", "find", "remove"],
    );
    for peers in effort.pick(vec![1000, 10_000], vec![10_000, 1_000_000]) {
        let limits = Limits { peers: 2_000_000, ..Limits::default() };
        let mut gateway = tunnel_with(0, (1..=peers).map(as_peer).collect(), DEFAULT_MTU, limits);
        let coming: Vec<PeerChange> = (peers + 1..=peers + TIMES).map(as_peer).map(PeerChange::from).collect();
        let keys: Vec<_> = coming.iter().map(|peer| peer.public_key).collect();
        let going: Vec<PeerChange> = keys.iter().map(|key| remove(*key)).collect();
        let micros = |took: Duration| Some((took.as_secs_f64() * 1e6 / f64::from(TIMES)).into());
        let (add, ()) = timed(|| change(&mut gateway, coming));
        let (find, ()) = timed(|| keys.iter().for_each(|key| assert!(gateway.peer_by_key(key).is_some())));
        let (leave, ()) = timed(|| change(&mut gateway, going));
        assert!(gateway.peer_by_key(&key(1).public_key()).is_some());
        table.row(format!("{peers} peers"), vec![micros(add), micros(find), micros(leave)]);
    }
    table
}

fn change(gateway: &mut Tunnel, changes: Vec<PeerChange>) {
    for peer in changes {
        gateway.configure(NOW, &[Change::Peer(peer)]).expect("a sound change");
    }
}

fn remove(public_key: underpass_core::PublicKey) -> PeerChange {
    PeerChange { action: PeerAction::Remove, ..PeerChange::new(public_key) }
}
