//! Deadlines: exact when there is something to do, none when there is not.
use core::time::Duration;
use underpass_core::tunnel::Event;
use underpass_sim::clock::Time;
use underpass_sim::{HostId, Kind, Outcome, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
/// From a station to the middle, where the attacker watches.
const UPLINK: Duration = Duration::from_millis(10);

/// When datagrams of this kind left a host.
fn departures(world: &World, host: HostId, kind: Kind) -> Vec<Time> {
    let from = world.address(host);
    let all = world.network.attacker.everything().iter();
    all.filter(|(_, d)| d.from == from && d.kind() == kind).map(|(at, _)| *at - UPLINK).collect()
}

/// Lesson 12: a tunnel that has nothing to do has no deadline. After the keys are wiped a whole day passes without
/// a single wake-up, and a packet then finds the tunnel ready.
#[test]
fn lesson_12_idle_for_a_day_with_zero_wakeups() {
    let (mut world, phone, gateway) = World::pair(1);
    world.meet(phone, gateway);
    world.run_for(600 * SECOND);
    for host in [phone, gateway] {
        // One for the passive keepalive, one for the wiping of the keys.
        assert!(world.host(host).wakeups.len() <= 3, "{:?}", world.host(host).wakeups);
        world.host_mut(host).forget();
    }
    world.network.attacker.record();
    world.run_for(24 * HOUR);
    for host in [phone, gateway] {
        assert_eq!(world.tunnel(host).poll_timeout(), None);
        assert_eq!(world.host(host).wakeups, []);
        assert_eq!(world.host(host).events, []);
    }
    assert_eq!(world.network.attacker.everything(), []);
    world.meet(phone, gateway);
    world.assert_nothing_leaked();
}

/// A tunnel that never had a session wakes for nothing at all.
#[test]
fn a_tunnel_without_traffic_never_wakes() {
    let (mut world, phone, gateway) = World::pair(2);
    world.run_for(24 * HOUR);
    assert!(world.host(phone).wakeups.is_empty() && world.host(gateway).wakeups.is_empty());
    world.assert_nothing_leaked();
}

/// Lesson 14: data that is not answered within 10 s is answered by one keepalive, exactly then; and a keepalive
/// is answered by nothing.
#[test]
fn lesson_14_passive_keepalive_after_ten_seconds_exactly_once() {
    let (mut world, phone, gateway) = World::pair(3);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.network.attacker.record();
    let sent = world.time();
    world.send(phone, gateway);
    world.run_for(140 * SECOND);
    assert_eq!(departures(&world, gateway, Kind::Keepalive), [sent + 20 * MS + 10 * SECOND]);
    assert_eq!(departures(&world, phone, Kind::Keepalive), []);
    assert_eq!(world.network.attacker.everything().len(), 2);
    world.assert_nothing_leaked();
}

/// A one-way stream is answered by a keepalive every ten seconds, no more and no less.
#[test]
fn a_one_way_stream_is_kept_alive_every_ten_seconds() {
    let (mut world, phone, gateway) = World::pair(4);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.network.attacker.record();
    world.stream(phone, gateway, 100 * MS, 90 * SECOND);
    let keepalives = departures(&world, gateway, Kind::Keepalive);
    assert!((8..=9).contains(&keepalives.len()), "{keepalives:?}");
    let gaps: Vec<_> = keepalives.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.iter().all(|gap| (10 * SECOND..=10 * SECOND + 200 * MS).contains(gap)), "{gaps:?}");
    assert_eq!(world.sessions(phone), 1, "and no handshake was needed");
    world.assert_nothing_leaked();
}

/// Data that is answered by data needs no keepalive.
#[test]
fn a_conversation_needs_no_keepalives() {
    let (mut world, phone, gateway) = World::pair(5);
    world.meet(phone, gateway);
    world.network.attacker.record();
    world.converse(phone, gateway, 9 * SECOND, 99 * SECOND);
    assert_eq!(world.network.attacker.captured(Kind::Keepalive).count(), 0);
    world.assert_nothing_leaked();
}

/// The persistent keepalive leaves exactly when its interval is over.
#[test]
fn persistent_keepalive_exactly_when_due() {
    let (mut world, phone, gateway) = World::pair(6);
    world.network.attacker.record();
    world.keepalive(phone, gateway, 25);
    world.run_for(SECOND);
    assert_eq!(world.sessions(phone), 1, "switching it on makes the session at once");
    let confirmed = departures(&world, phone, Kind::Keepalive);
    assert_eq!(confirmed.len(), 1);
    world.run_for(100 * SECOND);
    let due: Vec<_> = (0..=4).map(|n| confirmed[0] + n * 25 * SECOND).collect();
    assert_eq!(departures(&world, phone, Kind::Keepalive), due);
    assert_eq!(departures(&world, gateway, Kind::Keepalive), [], "keepalives are not answered");
    world.assert_nothing_leaked();
}

/// Lesson 15: the persistent keepalive never leaves beside data, sent or received.
#[test]
fn lesson_15_no_persistent_keepalive_beside_data() {
    let (mut world, phone, gateway) = World::pair(7);
    world.keepalive(phone, gateway, 25);
    world.meet(phone, gateway);
    world.network.attacker.record();
    world.converse(phone, gateway, 5 * SECOND, 100 * SECOND);
    assert_eq!(world.network.attacker.captured(Kind::Keepalive).count(), 0);
    // Data that is only received counts as well: what leaves are the passive keepalives, every ten seconds.
    world.network.attacker.forget();
    world.stream(gateway, phone, 500 * MS, 15 * SECOND);
    assert_eq!(departures(&world, phone, Kind::Keepalive).len(), 1);
    world.assert_nothing_leaked();
}

/// A persistent keepalive keeps a session for hours, rekeys included, at the price of its own datagrams.
#[test]
fn persistent_keepalive_holds_a_session_for_hours() {
    let (mut world, phone, gateway) = World::pair(8);
    world.keepalive(phone, gateway, 25);
    world.run_for(SECOND);
    world.host_mut(phone).forget();
    world.host_mut(gateway).forget();
    world.run_for(3 * HOUR);
    let sessions = world.sessions(phone);
    assert!((70..=90).contains(&sessions), "{sessions}");
    let quiet = |host| world.count_events(host, |e| matches!(e, Event::SessionExpired { .. })) == 0;
    assert!(quiet(phone) && quiet(gateway));
    assert_eq!(world.send(gateway, phone), Outcome::Sent, "reachable at any time");
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete());
    // Beside the keepalives, the phone wakes once for each keypair that was replaced, to wipe it.
    let wakeups = world.host(phone).wakeups.len();
    assert!(wakeups <= 3 * 3600 / 25 + sessions + 10, "{wakeups} wake-ups for {sessions} sessions");
    world.assert_nothing_leaked();
}

/// Turning it off ends it; changing it takes hold with the next one.
#[test]
fn persistent_keepalive_changes_live() {
    let (mut world, phone, gateway) = World::pair(9);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.network.attacker.record();
    let on = world.time();
    world.keepalive(phone, gateway, 10);
    world.run_for(25 * SECOND);
    assert_eq!(departures(&world, phone, Kind::Keepalive), [on, on + 10 * SECOND, on + 20 * SECOND]);
    world.keepalive(phone, gateway, 0);
    world.run_for(100 * SECOND);
    assert_eq!(departures(&world, phone, Kind::Keepalive).len(), 3);
    world.assert_nothing_leaked();
}

/// Lesson 13: whatever is due at once after hours of suspension, one call serves it, and nothing stays due.
/// (Every wake-up of every story asserts it; here each kind of deadline is overdue together.)
#[test]
fn lesson_13_nothing_stays_due_after_a_suspension() {
    let (mut world, phone, gateway) = World::pair(10);
    world.keepalive(phone, gateway, 25);
    world.meet(phone, gateway);
    world.network.attacker.blackhole();
    world.send(gateway, phone);
    world.send(phone, gateway);
    world.sleep(phone);
    world.run_for(9 * HOUR);
    world.host_mut(phone).forget();
    world.wake(phone);
    world.run_for(SECOND);
    assert_eq!(world.host(phone).wakeups.len(), 1, "one wake-up serves all that was overdue");
    world.run_for(10 * SECOND);
    assert!(world.host(phone).wakeups.len() <= 4, "{:?}", world.host(phone).wakeups);
    world.assert_nothing_leaked();
}

/// `handle_timeout` before the time, and a thousand times in a row, does nothing.
#[test]
fn early_and_repeated_ticks_do_no_harm() {
    let (mut world, phone, gateway) = World::pair(11);
    world.keepalive(phone, gateway, 25);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.network.attacker.record();
    let deadline = world.tunnel(phone).poll_timeout();
    for _ in 0..1000 {
        world.command(phone, |tunnel, now| tunnel.handle_timeout(now));
    }
    assert_eq!(world.tunnel(phone).poll_timeout(), deadline);
    assert_eq!(world.network.attacker.everything(), []);
    world.assert_nothing_leaked();
}

/// A handshake follows 15 s after data that nothing came back for, and not sooner.
#[test]
fn unanswered_data_begins_a_handshake_after_fifteen_seconds() {
    let (mut world, phone, gateway) = World::pair(12);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.network.attacker.record();
    world.network.attacker.blackhole();
    let sent = world.time();
    world.stream(phone, gateway, SECOND, 30 * SECOND);
    let initiations = departures(&world, phone, Kind::Initiation);
    assert!((15 * SECOND..=15 * SECOND + 334 * MS).contains(&(initiations[0] - sent)), "{initiations:?}");
    world.assert_nothing_leaked();
}
