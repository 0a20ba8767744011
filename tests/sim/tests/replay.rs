//! Datagrams that come late, twice, out of order, or damaged.
use core::time::Duration;
use underpass_core::DropReason;
use underpass_sim::network::{Datagram, Link, Profile};
use underpass_sim::rng::percent;
use underpass_sim::{HostId, Kind, Outcome, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// Counters that the window remembers behind the newest (paper § 5.4.6).
const WINDOW: usize = 8192;

/// Packets that the phone sealed and the network kept: `count` of them, in the order of their counters.
fn withheld(world: &mut World, phone: HostId, gateway: HostId, count: usize) -> Vec<Datagram> {
    world.network.attacker.record();
    world.network.attacker.blackhole();
    world.network.attacker.forget();
    for _ in 0..count / 64 {
        world.burst(phone, gateway, 64);
    }
    world.burst(phone, gateway, count % 64);
    world.run_for(100 * MS);
    let kept: Vec<_> = world.network.attacker.captured(Kind::Data).cloned().collect();
    world.network.attacker.forget();
    world.network.attacker.relent();
    assert_eq!(kept.len(), count);
    kept
}

#[test]
fn a_replayed_datagram_is_dropped() {
    let (mut world, phone, gateway) = World::pair(1);
    world.meet(phone, gateway);
    let kept = withheld(&mut world, phone, gateway, 10);
    for datagram in &kept {
        assert_eq!(world.hand(gateway, datagram.clone()), Outcome::Delivered);
    }
    for _ in 0..3 {
        for datagram in &kept {
            assert_eq!(world.hand(gateway, datagram.clone()), Outcome::Dropped(DropReason::Replay));
        }
    }
    assert_eq!(world.tunnel(gateway).stats().drops.of(DropReason::Replay), 30);
    world.assert_nothing_leaked();
}

/// Across the whole window, in the worst order: newest first.
#[test]
fn reversed_order_across_the_window() {
    let (mut world, phone, gateway) = World::pair(2);
    world.meet(phone, gateway);
    let kept = withheld(&mut world, phone, gateway, WINDOW + 100);
    let outcomes: Vec<_> = kept.iter().rev().map(|datagram| world.hand(gateway, datagram.clone())).collect();
    let delivered = outcomes.iter().filter(|outcome| **outcome == Outcome::Delivered).count();
    assert_eq!(delivered, WINDOW + 1, "the newest, and the window behind it");
    assert!(outcomes[..delivered].iter().all(|outcome| *outcome == Outcome::Delivered), "the newest are taken");
    assert!(outcomes[delivered..].iter().all(|outcome| *outcome == Outcome::Dropped(DropReason::Replay)));
    for datagram in &kept {
        assert_eq!(world.hand(gateway, datagram.clone()), Outcome::Dropped(DropReason::Replay), "and none twice");
    }
    world.assert_nothing_leaked();
}

#[test]
fn shuffled_order_within_the_window() {
    let (mut world, phone, gateway) = World::pair(3);
    world.meet(phone, gateway);
    let mut kept = withheld(&mut world, phone, gateway, 8000);
    for last in (1..kept.len()).rev() {
        let other = world.rng().below(last as u64 + 1) as usize;
        kept.swap(last, other);
    }
    for datagram in kept {
        assert_eq!(world.hand(gateway, datagram), Outcome::Delivered);
    }
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}

/// A forged counter far ahead does not move the window: only what authenticates marks it.
#[test]
fn a_forged_counter_does_not_move_the_window() {
    let (mut world, phone, gateway) = World::pair(4);
    world.meet(phone, gateway);
    let kept = withheld(&mut world, phone, gateway, 5);
    for counter in [100_000, 1 << 40, u64::MAX - (1 << 13) - 2] {
        let mut forged = kept[4].clone();
        forged.bytes[8..16].copy_from_slice(&u64::to_le_bytes(counter));
        assert_eq!(world.hand(gateway, forged), Outcome::Dropped(DropReason::BadTag));
    }
    // At and beyond REJECT_AFTER_MESSAGES nothing is even tried (lesson 3).
    for counter in [u64::MAX - (1 << 13), u64::MAX] {
        let mut forged = kept[4].clone();
        forged.bytes[8..16].copy_from_slice(&u64::to_le_bytes(counter));
        assert_eq!(world.hand(gateway, forged), Outcome::Dropped(DropReason::KeyExpired));
    }
    for datagram in kept {
        assert_eq!(world.hand(gateway, datagram), Outcome::Delivered);
    }
    world.assert_nothing_leaked();
}

/// Every single bit of a datagram is authenticated, the header's by what it leads to.
#[test]
fn any_flipped_bit_is_found_out() {
    let (mut world, phone, gateway) = World::pair(5);
    world.meet(phone, gateway);
    let kept = withheld(&mut world, phone, gateway, 1);
    for bit in 0..kept[0].bytes.len() * 8 {
        let mut damaged = kept[0].clone();
        damaged.bytes[bit / 8] ^= 1 << (bit % 8);
        let outcome = world.hand(gateway, damaged);
        assert!(matches!(outcome, Outcome::Dropped(_)), "bit {bit}: {outcome:?}");
    }
    assert_eq!(world.hand(gateway, kept[0].clone()), Outcome::Delivered);
    world.assert_nothing_leaked();
}

/// A replayed initiation, however authentic, begins nothing: its timestamp was accepted before.
#[test]
fn a_replayed_initiation_is_refused() {
    let (mut world, phone, gateway) = World::pair(6);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let initiation = world.network.attacker.captured(Kind::Initiation).next().expect("an initiation").clone();
    world.run_for(SECOND);
    assert_eq!(world.hand(gateway, initiation.clone()), Outcome::Dropped(DropReason::OldTimestamp));
    world.run_for(600 * SECOND);
    assert_eq!(world.hand(gateway, initiation), Outcome::Dropped(DropReason::OldTimestamp), "also after the session");
    let response = world.network.attacker.captured(Kind::Response).next().expect("a response").clone();
    assert_eq!(world.hand(phone, response), Outcome::Dropped(DropReason::UnknownIndex));
    world.assert_nothing_leaked();
}

/// An hour over a network that loses a tenth, doubles, reorders, damages: what the network delivers arrives once.
#[test]
fn a_rough_network_for_an_hour() {
    let (mut world, phone, gateway) = World::pair(7);
    let rough = Profile {
        loss: percent(5),
        duplicate: percent(5),
        corrupt: percent(1),
        reorder: percent(10),
        reorder_by: SECOND,
        jitter: 30 * MS,
        ..Profile::default()
    };
    for host in [phone, gateway] {
        *world.network.uplink(host.station()) = Link::new(rough.clone());
        *world.network.downlink(host.station()) = Link::new(rough.clone());
    }
    world.converse(phone, gateway, 250 * MS, 3600 * SECOND);
    world.run_for(10 * SECOND);
    for (from, to) in [(phone, gateway), (gateway, phone)] {
        let flow = world.flow(from, to);
        // Two wires of 5 % loss and 1 % damage each: 88.5 % arrive, and every handshake comes through.
        let share = flow.arrived().len() as f64 / flow.sent() as f64;
        assert!((0.87..0.91).contains(&share), "{share}");
        assert!(!flow.in_order());
        let longest = flow.missing().chunk_by(|a, b| a + 1 == *b).map(<[u64]>::len).max();
        assert!(longest < Some(25), "a gap of {longest:?} packets");
    }
    assert!(world.sessions(phone) + world.sessions(gateway) >= 30);
    world.assert_nothing_leaked();
}
