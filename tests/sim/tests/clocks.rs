//! Clocks that sleep, jump and lie.
use core::time::Duration;
use underpass_core::Tai64N;
use underpass_core::tunnel::Event;
use underpass_core::{DropReason, UnixTime};
use underpass_sim::{HostId, Kind, Outcome, Spec, World};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: i64 = 24 * 3600;

fn both_complete(world: &World, a: HostId, b: HostId) -> bool {
    world.flow(a, b).is_complete() && world.flow(b, a).is_complete()
}

/// Lesson 17: after hours in a pocket the session is old, whatever a stopped clock would say. One handshake on demand, no
/// burst of what was due meanwhile, and the packet goes.
#[test]
fn lesson_17_hours_of_sleep_end_in_one_handshake_on_demand() {
    for hours in [1, 3, 8, 80] {
        let (mut world, phone, gateway) = World::pair(1);
        world.meet(phone, gateway);
        world.sleep(phone);
        world.run_for(hours * HOUR);
        world.network.attacker.record();
        world.wake(phone);
        world.run_for(10 * SECOND);
        assert_eq!(world.network.attacker.everything(), [], "nobody asked for anything");
        assert_eq!(world.send(phone, gateway), Outcome::Staged);
        world.run_for(SECOND);
        assert!(world.flow(phone, gateway).is_complete());
        assert_eq!(world.network.attacker.captured(Kind::Initiation).count(), 1);
        world.assert_nothing_leaked();
    }
}

/// With a persistent keepalive, waking up is itself a reason: one handshake, at once.
#[test]
fn sleep_with_a_persistent_keepalive() {
    let (mut world, phone, gateway) = World::pair(2);
    world.keepalive(phone, gateway, 25);
    world.meet(phone, gateway);
    world.sleep(phone);
    world.run_for(6 * HOUR);
    world.network.attacker.record();
    world.wake(phone);
    world.run_for(SECOND);
    assert_eq!(world.network.attacker.captured(Kind::Initiation).count(), 1);
    assert_eq!(world.send(gateway, phone), Outcome::Sent);
    world.run_for(SECOND);
    assert!(both_complete(&world, phone, gateway));
    world.assert_nothing_leaked();
}

/// A short nap is no reason for a handshake.
#[test]
fn a_nap_keeps_the_session() {
    let (mut world, phone, gateway) = World::pair(3);
    world.meet(phone, gateway);
    // Long enough that nobody waits for an answer: the gateway would rightly try again.
    world.run_for(20 * SECOND);
    world.sleep(phone);
    world.run_for(60 * SECOND);
    world.wake(phone);
    assert_eq!(world.send(phone, gateway), Outcome::Sent);
    world.run_for(SECOND);
    assert!(both_complete(&world, phone, gateway));
    assert_eq!(world.sessions(phone), 1);
    world.assert_nothing_leaked();
}

/// The initiator's clock steps back by an hour in the middle of a session. Its keys age all the same: it rekeys in time and
/// not one packet is lost.
#[test]
fn a_clock_that_steps_back_by_an_hour_freezes_nothing() {
    let (mut world, phone, gateway) = World::pair(20);
    world.host_mut(phone).clock.step_monotonic(7200);
    world.meet(phone, gateway);
    let met = world.arrived(phone, gateway);
    for second in 1..2000 {
        if second == 100 {
            world.step_monotonic(phone, -3600);
        }
        world.send(phone, gateway);
        world.run_for(SECOND);
    }
    assert_eq!(world.arrived(phone, gateway) - met, 1999);
    assert!(world.sessions(phone) >= 2000 / 130, "{} sessions", world.sessions(phone));
    world.assert_nothing_leaked();
}

/// The same clock goes back and forth all the time.
#[test]
fn a_clock_that_jitters_by_minutes_freezes_nothing() {
    let (mut world, phone, gateway) = World::pair(21);
    world.host_mut(phone).clock.step_monotonic(100_000);
    world.meet(phone, gateway);
    let met = world.arrived(phone, gateway);
    for second in 1..=1000 {
        world.step_monotonic(phone, if second % 2 == 0 { -300 } else { 100 });
        world.send(phone, gateway);
        world.run_for(SECOND);
    }
    // Each step ahead ages the session by 100 s: it is renewed every other time, and no packet is lost for good.
    world.run_for(10 * SECOND);
    assert_eq!(world.arrived(phone, gateway) - met, 1000);
    world.assert_nothing_leaked();
}

/// A reading of the clock fails once and comes as the greatest number there is. Every session has expired then, the host is
/// told, and traffic goes on with the next packet; no timestamp exceeds the wall clock.
#[test]
fn one_absurd_reading_of_the_clock_is_survived_and_told() {
    let (mut world, phone, gateway) = World::pair(22);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.command(phone, |tunnel, _| tunnel.handle_timeout(underpass_core::Instant::MAX));
    assert_eq!(world.count_events(phone, |event| matches!(event, Event::ClockLeapt)), 1);
    for _ in 0..300 {
        world.send(phone, gateway);
        world.run_for(SECOND);
        world.send(gateway, phone);
    }
    world.run_for(10 * SECOND);
    assert!(both_complete(&world, phone, gateway));
    let wall = world.host(phone).clock.wall(world.time());
    assert!(world.tunnel(phone).timestamp_floor() <= Tai64N::from_wall(wall), "a timestamp of the future");
    assert_eq!(world.count_events(phone, |event| matches!(event, Event::ClockLeapt)), 1);
    assert_eq!(world.count_events(gateway, |event| matches!(event, Event::TimestampAhead { .. })), 0);
    world.assert_nothing_leaked();
}

/// The monotonic clock steps back, as broken ones do, and forth again: nothing breaks.
#[test]
fn a_monotonic_clock_that_steps_back_and_forth() {
    for back in [1, 60, 900] {
        let (mut world, phone, gateway) = World::pair(4);
        world.meet(phone, gateway);
        world.step_monotonic(phone, -back);
        world.converse(phone, gateway, SECOND, 50 * SECOND);
        world.run_for(SECOND);
        assert!(both_complete(&world, phone, gateway), "{back} s back");
        // Forward again: at worst the sessions are older than the phone thought. Nothing stays broken.
        world.step_monotonic(phone, back);
        world.run_for(200 * SECOND);
        let (before, sent) = (world.arrived(phone, gateway), 5);
        for _ in 0..sent {
            world.send(phone, gateway);
            world.run_for(20 * SECOND);
        }
        assert_eq!(world.arrived(phone, gateway), before + sent, "{back} s back");
        world.assert_nothing_leaked();
    }
}

/// It jumps forward by a day: everything expires at once, one handshake mends it.
#[test]
fn a_monotonic_clock_that_jumps_forward() {
    let (mut world, phone, gateway) = World::pair(5);
    world.meet(phone, gateway);
    world.network.attacker.record();
    world.step_monotonic(phone, DAY);
    world.run_for(SECOND);
    assert_eq!(world.network.attacker.everything(), []);
    assert_eq!(world.send(phone, gateway), Outcome::Staged);
    world.run_for(SECOND);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert!(both_complete(&world, phone, gateway));
    world.assert_nothing_leaked();
}

/// Lesson 9: the wall clock goes back by a year and the timestamps do not.
#[test]
fn lesson_09_a_wall_clock_set_back_does_not_lock_the_phone_out() {
    let (mut world, phone, gateway) = World::pair(6);
    world.meet(phone, gateway);
    for back in [60, DAY, 365 * DAY] {
        world.step_wall(phone, -back);
        world.run_for(600 * SECOND);
        world.send(phone, gateway);
        world.run_for(SECOND);
        assert!(world.flow(phone, gateway).is_complete(), "{back} s back");
    }
    assert_eq!(world.tunnel(gateway).stats().drops.of(DropReason::OldTimestamp), 0);
    world.assert_nothing_leaked();
}

/// And across a restart, when the host saved the floor. Without it the phone is locked out until its clock is mended: this is
/// the danger, and the reason for the floor.
#[test]
fn lesson_09_the_timestamp_floor_survives_a_restart_with_a_clock_set_back() {
    let (mut world, phone, gateway) = World::pair(7);
    world.meet(phone, gateway);
    // Long enough that the gateway waits for nothing and begins no handshake of its own.
    world.run_for(20 * SECOND);
    let floor = world.tunnel(phone).timestamp_floor();
    assert!(floor > Tai64N::ZERO);
    world.host_mut(phone).clock.step_wall(-DAY);

    world.restart(phone, Tai64N::ZERO);
    world.send(phone, gateway);
    world.run_for(60 * SECOND);
    assert!(!world.flow(phone, gateway).is_complete(), "without the floor");
    assert!(world.tunnel(gateway).stats().drops.of(DropReason::OldTimestamp) >= 10);

    world.restart(phone, floor);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).missing(), [1], "with it");
    world.assert_nothing_leaked();
}

/// The gateway has a clock as well; only the order of the phone's own timestamps counts.
#[test]
fn a_gateway_with_a_wrong_clock_is_no_obstacle() {
    for seconds in [-300 * DAY, 300 * DAY] {
        let (mut world, phone, gateway) = World::pair(8);
        world.step_wall(gateway, seconds);
        world.meet(phone, gateway);
        world.run_for(1000 * SECOND);
        world.step_wall(gateway, -seconds);
        world.send(phone, gateway);
        world.run_for(SECOND);
        assert!(both_complete(&world, phone, gateway));
        world.assert_nothing_leaked();
    }
}

/// Threat 6: a phone whose clock is years ahead, and is then mended, would be refused for years. The gateway is told when
/// it happens and can forget the timestamp.
#[test]
fn a_timestamp_far_ahead_is_told_and_can_be_forgotten() {
    let mut world = World::new(9);
    let ahead = UnixTime::from_secs(1_760_000_000 + 5 * 365 * 24 * 3600);
    let phone = world.add(Spec { wall: ahead, ..Spec::new("phone") });
    let gateway = world.add(Spec::new("gateway"));
    world.introduce(phone, gateway);
    world.meet(phone, gateway);
    let told = |world: &World| world.count_events(gateway, |e| matches!(e, Event::TimestampAhead { .. }));
    assert_eq!(told(&world), 1);
    world.run_for(20 * SECOND);

    world.host_mut(phone).clock.step_wall(-5 * 365 * DAY);
    world.restart(phone, Tai64N::ZERO);
    world.send(phone, gateway);
    world.run_for(20 * SECOND);
    assert!(world.tunnel(gateway).stats().drops.of(DropReason::OldTimestamp) >= 3);
    assert!(!world.flow(phone, gateway).is_complete());

    let id = world.peer_id(gateway, phone);
    world.command(gateway, |tunnel, _| tunnel.reset_peer_timestamp(id));
    world.run_for(6 * SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!(told(&world), 1);
    world.assert_nothing_leaked();
}

/// An hour ahead is nothing to speak of.
#[test]
fn a_timestamp_somewhat_ahead_is_not_told() {
    let (mut world, phone, gateway) = World::pair(10);
    world.step_wall(phone, 23 * 3600);
    world.meet(phone, gateway);
    assert_eq!(world.count_events(gateway, |e| matches!(e, Event::TimestampAhead { .. })), 0);
    world.assert_nothing_leaked();
}

/// Timestamps are whitened: an observer who knows the key learns nothing of our clock below 2^24 ns.
#[test]
fn timestamps_are_whitened() {
    let (mut world, phone, gateway) = World::pair(11);
    world.run_for(Duration::from_nanos(123_456_789));
    world.meet(phone, gateway);
    let stamp = world.tunnel(phone).timestamp_floor();
    let nanos = u32::from_be_bytes(stamp.as_bytes()[8..].try_into().expect("four bytes"));
    assert_eq!(nanos & 0x00ff_ffff, 0);
    world.assert_nothing_leaked();
}

/// Lesson 9 again: a peer that is removed and added again meets a wall clock that was set back in between. What was sent
/// before is remembered by the tunnel, not by the peer alone.
#[test]
fn lesson_09_a_peer_added_again_after_the_clock_was_set_back() {
    let (mut world, phone, gateway) = World::pair(12);
    world.meet(phone, gateway);
    world.run_for(20 * SECOND);
    world.step_wall(phone, -DAY);
    world.remove(phone, gateway);
    let about = world.describe(gateway);
    world.configure(phone, about);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!(world.tunnel(gateway).stats().drops.of(DropReason::OldTimestamp), 0);
    world.assert_nothing_leaked();
}
