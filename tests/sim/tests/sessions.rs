//! How sessions age, are replaced and die.
use core::time::Duration;
use underpass_core::tunnel::{Event, Health};
use underpass_core::{DropReason, PeerChange, PresharedKey};
use underpass_sim::{HostId, Kind, Outcome, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn initiations_from(world: &World, host: HostId) -> usize {
    let from = world.address(host);
    world.network.attacker.captured(Kind::Initiation).filter(|d| d.from == from).count()
}

/// Three hours of a conversation, packets in flight at every moment: some ninety rekeys, not one packet lost or late.
#[test]
fn rekey_under_load_without_a_lost_packet() {
    let (mut world, phone, gateway) = World::pair(1);
    world.meet(phone, gateway);
    world.converse(phone, gateway, 200 * MS, 3 * 3600 * SECOND);
    world.run_for(SECOND);
    for (from, to) in [(phone, gateway), (gateway, phone)] {
        let flow = world.flow(from, to);
        assert!(flow.is_complete(), "lost {:?}", flow.missing());
        assert!(flow.in_order());
    }
    let sessions = world.sessions(phone);
    assert!((85..=91).contains(&sessions), "{sessions} sessions in 10 800 s");
    for host in [phone, gateway] {
        let held = world.footprint(host);
        assert!(held.keypairs <= 3 && held.session_indices <= 3, "{held:?}");
        assert_eq!(world.tunnel(host).stats().drops.total(), 0);
    }
    world.assert_nothing_leaked();
}

/// REKEY_AFTER_TIME concerns the initiator only: the gateway may talk as much as it likes, the phone replaces the key.
#[test]
fn only_the_initiator_rekeys_by_time() {
    let (mut world, phone, gateway) = World::pair(2);
    world.network.attacker.record();
    world.meet(phone, gateway);
    world.converse(phone, gateway, SECOND, 118 * SECOND);
    assert_eq!(initiations_from(&world, phone), 1);
    world.converse(phone, gateway, SECOND, 300 * SECOND);
    assert_eq!((initiations_from(&world, phone), initiations_from(&world, gateway)), (4, 0));
    world.assert_nothing_leaked();
}

/// An initiator that only listens replaces the key on receiving, 165 s after the handshake (paper § 6.2), so that the
/// sender never runs into the expiry at 180 s. (This one does not even send keepalives: nobody serves its deadlines.)
#[test]
fn an_initiator_that_only_listens_rekeys_in_time() {
    let (mut world, phone, gateway) = World::pair(3);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let made = world.network.attacker.times(Kind::Response)[0] + 10 * MS;
    world.sleep(phone);
    for (age, initiations) in [(119, 0), (121, 0), (164, 0), (166, 1), (167, 0)] {
        world.run_until(made + age * SECOND);
        world.network.attacker.forget();
        world.send(gateway, phone);
        world.run_for(30 * MS);
        let data = world.network.attacker.captured(Kind::Data).next().expect("data").clone();
        assert_eq!(world.hand(phone, data), Outcome::Delivered);
        world.run_for(30 * MS);
        assert_eq!(initiations_from(&world, phone), initiations, "{age} s");
        assert_eq!(initiations_from(&world, gateway), 0, "{age} s");
    }
    world.assert_nothing_leaked();
}

/// Lesson 2: age is judged when a key is used. Nobody serves this gateway's deadlines, and still an old key neither seals
/// nor opens.
#[test]
fn lesson_02_an_expired_key_neither_seals_nor_opens_though_nobody_ticks() {
    let (mut world, phone, gateway) = World::pair(4);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let session = world.network.attacker.times(Kind::Initiation)[0];
    world.send(phone, gateway);
    world.run_for(SECOND);
    let sealed = world.network.attacker.captured(Kind::Data).last().expect("data").clone();

    world.sleep(phone);
    world.sleep(gateway);
    world.run_until(session + 179 * SECOND);
    assert_eq!(world.send(gateway, phone), Outcome::Sent, "one second before");
    assert_eq!(world.send(phone, gateway), Outcome::Sent);
    world.run_until(session + 181 * SECOND);
    assert_eq!(world.send(gateway, phone), Outcome::Staged);
    assert_eq!(world.send(phone, gateway), Outcome::Staged);
    // And what the phone sealed in time comes too late for the gateway, whose deadlines nobody served either.
    let mut late = sealed;
    late.bytes[8] = late.bytes[8].wrapping_add(1);
    let outcome = world.hand(gateway, late);
    assert_eq!(outcome, Outcome::Dropped(DropReason::KeyExpired));
    world.assert_nothing_leaked();
}

/// Lesson 1: ten rekeys whose response is lost; the gateway goes on sealing under the key that the phone has.
#[test]
fn lesson_01_unconfirmed_keys_never_seal() {
    let (mut world, phone, gateway) = World::pair(5);
    world.network.attacker.record();
    world.meet(phone, gateway);
    world.network.attacker.drop_all(Kind::Response);
    world.converse(phone, gateway, 500 * MS, 178 * SECOND);
    assert!(initiations_from(&world, phone) >= 10, "{}", initiations_from(&world, phone));
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete(), "{:?}", world.flow(gateway, phone).missing());
    assert!(world.flow(phone, gateway).is_complete());
    assert!(world.footprint(gateway).keypairs <= 3);
    world.network.attacker.relent();
    world.run_for(6 * SECOND);
    world.converse(phone, gateway, 500 * MS, 100 * SECOND);
    world.run_for(SECOND);
    assert!(world.flow(gateway, phone).is_complete(), "{:?}", world.flow(gateway, phone).missing());
    world.assert_nothing_leaked();
}

/// Keys are wiped 180 s after they were made, with one event, and then there is nothing to wake for.
#[test]
fn keys_are_wiped_after_180_seconds() {
    let (mut world, phone, gateway) = World::pair(6);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let (began, answered) =
        (world.network.attacker.times(Kind::Initiation)[0], world.network.attacker.times(Kind::Response)[0]);
    world.run_until(began + 179 * SECOND);
    for host in [phone, gateway] {
        assert_eq!(world.footprint(host).keypairs, 1);
        assert_eq!(world.footprint(host).session_indices, 1);
    }
    world.run_until(answered + 181 * SECOND);
    for (host, peer) in [(phone, gateway), (gateway, phone)] {
        assert_eq!(world.footprint(host).keypairs, 0);
        assert_eq!(world.footprint(host).session_indices, 0);
        assert_eq!(world.tunnel(host).poll_timeout(), None);
        assert_eq!(world.count_events(host, |e| matches!(e, Event::SessionExpired { .. })), 1);
        assert_eq!(world.health(host, peer), Health::Idle);
    }
    world.assert_nothing_leaked();
}

/// Lesson 8, the other half: an expired session is said once, not on every tick.
#[test]
fn lesson_08_expiry_is_said_once() {
    let (mut world, phone, gateway) = World::pair(7);
    world.meet(phone, gateway);
    world.host_mut(phone).forget();
    for _ in 0..2000 {
        world.command(phone, |tunnel, now| tunnel.handle_timeout(now));
        world.run_for(SECOND);
    }
    let expiries = world.count_events(phone, |e| matches!(e, Event::SessionExpired { .. }));
    assert_eq!(expiries, 1);
    assert!(world.host(phone).events.len() <= 2, "{:?}", world.host(phone).events);
    world.assert_nothing_leaked();
}

/// Lesson 11: a new preshared key is used from the next handshake on and costs the live session nothing.
#[test]
fn lesson_11_a_preshared_key_changes_without_teardown() {
    let (mut world, phone, gateway) = World::pair(8);
    world.meet(phone, gateway);
    let psk = |byte| Some(PresharedKey::from_bytes([byte; 32]));
    for (host, peer) in [(phone, gateway), (gateway, phone)] {
        let change = PeerChange { preshared_key: psk(7), ..world.about(peer) };
        world.configure(host, change);
        assert_eq!(world.send(host, peer), Outcome::Sent, "the session lives on");
    }
    world.converse(phone, gateway, SECOND, 400 * SECOND);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
    assert!(world.sessions(phone) >= 3, "and handshakes succeed under it");

    // One side alone changes it: the session lasts until it expires, then nothing goes.
    let change = PeerChange { preshared_key: psk(8), ..world.about(phone) };
    world.configure(gateway, change);
    let sessions = world.sessions(phone);
    world.converse(phone, gateway, SECOND, 300 * SECOND);
    assert_eq!(world.sessions(phone), sessions);
    assert!(world.tunnel(phone).stats().drops.of(DropReason::BadTag) > 0);
    assert!(!world.flow(phone, gateway).is_complete());
    assert_ne!(world.health(phone, gateway), Health::Up);

    // All zero is none; both sides agree again.
    for (host, peer) in [(phone, gateway), (gateway, phone)] {
        let change = PeerChange { preshared_key: psk(0), ..world.about(peer) };
        world.configure(host, change);
    }
    world.run_for(10 * SECOND);
    world.send(phone, gateway);
    world.run_for(10 * SECOND);
    assert_eq!(world.health(phone, gateway), Health::Up);
    world.assert_nothing_leaked();
}

/// Lesson 7, the other half: a responder does not answer a keepalive with a handshake, however old its session.
#[test]
fn lesson_07_a_responder_does_not_begin_a_handshake_because_of_a_keepalive() {
    let (mut world, phone, gateway) = World::pair(9);
    world.network.attacker.record();
    world.meet(phone, gateway);
    world.run_for(160 * SECOND);
    world.sleep(gateway);
    world.keepalive(phone, gateway, 5);
    world.run_for(SECOND);
    world.wake(gateway);
    world.run_for(10 * SECOND);
    assert_eq!(initiations_from(&world, gateway), 0);
    world.assert_nothing_leaked();
}

/// Lesson 32: "up" means that the peer was heard, not that a session was once made.
#[test]
fn lesson_32_health_comes_from_authenticated_traffic() {
    let (mut world, phone, gateway) = World::pair(10);
    let told = |world: &World| {
        let health = |(_, event): &(Duration, Event)| match event {
            Event::HealthChanged { health, .. } => Some(*health),
            _ => None,
        };
        world.host(phone).events.iter().filter_map(health).collect::<Vec<_>>()
    };
    assert_eq!(world.health(phone, gateway), Health::Connecting);
    world.meet(phone, gateway);
    assert_eq!(world.health(phone, gateway), Health::Up);
    assert_eq!(told(&world), [Health::Up]);

    // The gateway falls silent: 15 s after the first unanswered packet the session is no longer called up.
    world.network.attacker.blackhole();
    world.send(phone, gateway);
    world.run_for(14 * SECOND);
    assert_eq!(world.health(phone, gateway), Health::Up);
    world.run_for(2 * SECOND);
    assert_eq!(world.health(phone, gateway), Health::Stale);
    assert_eq!(told(&world), [Health::Up, Health::Stale]);
    world.stream(phone, gateway, SECOND, 280 * SECOND);
    assert_eq!(world.health(phone, gateway), Health::Failed);
    assert_eq!(told(&world), [Health::Up, Health::Stale, Health::Failed]);

    world.network.attacker.relent();
    world.run_for(200 * SECOND);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert_eq!(world.health(phone, gateway), Health::Up);
    assert_eq!(told(&world).last(), Some(&Health::Up));
    world.assert_nothing_leaked();
}

/// A session idle from the beginning is never "stale" for want of answers: nothing was asked.
#[test]
fn silence_that_nobody_broke_is_not_staleness() {
    let (mut world, phone, gateway) = World::pair(11);
    world.meet(phone, gateway);
    world.run_for(170 * SECOND);
    assert_eq!(world.health(phone, gateway), Health::Up);
    world.assert_nothing_leaked();
}
