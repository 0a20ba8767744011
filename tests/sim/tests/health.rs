//! Whether a peer can be reached, as the host is told: when it becomes true, and nothing else.
use core::time::Duration;
use underpass_core::tunnel::{Event, Health};
use underpass_core::{Change, PrivateKey};
use underpass_sim::clock::Time;
use underpass_sim::{HostId, Kind, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// From the middle of the network to a station.
const DOWNLINK: Duration = Duration::from_millis(10);

/// What a host was told of health, and when.
fn told(world: &World, host: HostId) -> Vec<(Time, Health)> {
    let health = |(at, event): &(Time, Event)| match event {
        Event::HealthChanged { health, .. } => Some((*at, *health)),
        _ => None,
    };
    world.host(host).events.iter().filter_map(health).collect()
}

/// A phone and a gateway that met, and when the phone's session was made.
fn met(seed: u64) -> (World, HostId, HostId, Time) {
    let (mut world, phone, gateway) = World::pair(seed);
    world.network.attacker.record();
    world.meet(phone, gateway);
    let made = world.network.attacker.times(Kind::Response)[0] + DOWNLINK;
    assert_eq!(told(&world, phone), [(made, Health::Up)]);
    world.network.attacker.forget();
    world.host_mut(phone).forget();
    (world, phone, gateway, made)
}

/// What is asked for agrees with what is told, at each of these times.
fn is_at(world: &mut World, phone: HostId, gateway: HostId, from: Time, table: &[(u64, Health)]) {
    for (millis, health) in table {
        world.run_until(from + *millis as u32 * MS);
        assert_eq!(world.health(phone, gateway), *health, "{millis} ms");
    }
}

/// Nobody sends anything: the session ends, that is all. One deadline for the passive keepalive, one for the keys.
#[test]
fn a_session_that_nobody_needs_ends_in_peace() {
    let (mut world, phone, gateway, made) = met(1);
    let table = [
        (15_000, Health::Up),
        (179_999, Health::Up),
        (180_000, Health::Idle),
        (540_000, Health::Idle),
        (4_000_000, Health::Idle),
    ];
    is_at(&mut world, phone, gateway, made, &table);
    assert_eq!(told(&world, phone), [(made + 180 * SECOND, Health::Idle)]);
    assert_eq!(world.count_events(phone, |event| matches!(event, Event::SessionExpired { .. })), 1);
    assert!(world.host(phone).wakeups.len() <= 2, "{:?}", world.host(phone).wakeups);
    assert_eq!(world.tunnel(phone).poll_timeout(), None);
    world.meet_again(phone, gateway);
    assert_eq!(world.health(phone, gateway), Health::Up);
    world.assert_nothing_leaked();
}

/// A packet is not answered: stale after 15 s, failed when the handshake that follows is given up 90 s later. That the
/// session ends meanwhile changes nothing.
#[test]
fn a_peer_that_does_not_answer_is_stale_then_failed() {
    let (mut world, phone, gateway, made) = met(2);
    world.network.attacker.blackhole();
    world.run_until(made + 20 * SECOND);
    let sent = world.time();
    world.send(phone, gateway);
    let table = [
        (14_999, Health::Up),
        (15_334, Health::Stale),
        (104_999, Health::Stale),
        (111_334, Health::Failed),
        (180_000, Health::Failed),
        (540_000, Health::Failed),
    ];
    is_at(&mut world, phone, gateway, sent, &table);
    let told = told(&world, phone);
    let [(stale, Health::Stale), (failed, Health::Failed)] = told[..] else { panic!("{told:?}") };
    assert!((15_000 * MS..=15_333 * MS).contains(&(stale - sent)), "{stale:?}");
    assert!((105 * SECOND..112 * SECOND).contains(&(failed - sent)), "{failed:?}");
    world.assert_nothing_leaked();
}

/// The session has ended, and the handshake for the next one is not answered.
#[test]
fn a_handshake_after_a_session_that_is_not_answered_is_stale() {
    let (mut world, phone, gateway, made) = met(3);
    world.run_until(made + 300 * SECOND);
    world.network.attacker.blackhole();
    let sent = world.time();
    world.send(phone, gateway);
    is_at(&mut world, phone, gateway, sent, &[(4_999, Health::Idle), (5_334, Health::Stale), (96_000, Health::Failed)]);
    // The peer is heard: nothing of before counts any more.
    world.network.attacker.relent();
    world.send(gateway, phone);
    world.run_for(SECOND);
    let told: Vec<_> = told(&world, phone).into_iter().map(|(_, health)| health).collect();
    assert_eq!(told.first_chunk(), Some(&[Health::Idle, Health::Stale, Health::Failed]), "{told:?}");
    assert_eq!(told.last(), Some(&Health::Up));
    world.assert_nothing_leaked();
}

/// The key was to be replaced and nobody answered; no packet waits for an answer. When the session ends, that is no peace.
#[test]
fn a_session_that_could_not_be_replaced_ends_stale() {
    let (mut world, phone, gateway, made) = met(4);
    world.run_until(made + 100 * SECOND);
    world.network.attacker.blackhole();
    world.keepalive(phone, gateway, 10);
    is_at(
        &mut world,
        phone,
        gateway,
        made,
        &[(179_999, Health::Up), (180_000, Health::Stale), (217_000, Health::Failed)],
    );
    assert_eq!(told(&world, phone)[0], (made + 180 * SECOND, Health::Stale));
    world.keepalive(phone, gateway, 0);
    world.assert_nothing_leaked();
}

/// Under another key of ours the peer may not know us: it is as one that was never met.
#[test]
fn another_key_of_ours_begins_anew() {
    let (mut world, phone, gateway, _) = met(5);
    let key = PrivateKey::from_bytes([77; 32]);
    world.change(phone, &[Change::PrivateKey(Some(key))]).expect("a sound change");
    assert_eq!(world.health(phone, gateway), Health::Connecting);
    let now = world.time();
    assert_eq!(told(&world, phone), [(now, Health::Connecting)]);
    world.send(phone, gateway);
    is_at(&mut world, phone, gateway, now, &[(60_000, Health::Connecting), (96_000, Health::Failed)]);
}

/// A keypair that was replaced goes when its peer next has something due, at the latest with the session; nobody is
/// told. One that was never confirmed goes at its own time.
#[test]
fn keypairs_that_were_replaced_or_never_confirmed_are_wiped() {
    for keepalive in [0, 25] {
        let (mut world, phone, gateway, made) = met(6);
        world.converse(phone, gateway, SECOND, 130 * SECOND);
        world.keepalive(phone, gateway, keepalive);
        world.run_until(made + 179 * SECOND);
        assert_eq!(world.footprint(phone).keypairs, 2);
        world.host_mut(phone).forget();
        world.run_until(made + 181 * SECOND);
        let held = world.footprint(phone);
        assert_eq!((held.keypairs, held.session_indices), (1, 1), "the one that was replaced is gone");
        assert_eq!(world.host(phone).events, []);
        if keepalive == 0 {
            assert_eq!(world.host(phone).wakeups.len(), 1, "{:?}", world.host(phone).wakeups);
        }
        world.run_until(made + 305 * SECOND);
        let expired = world.count_events(phone, |event| matches!(event, Event::SessionExpired { .. }));
        assert_eq!(expired, usize::from(keepalive == 0));
        assert_eq!(world.health(phone, gateway), if keepalive == 0 { Health::Idle } else { Health::Up });
    }

    let (mut world, phone, gateway) = World::pair(7);
    world.network.attacker.drop_all(Kind::Response);
    world.send(phone, gateway);
    world.run_for(100 * SECOND);
    assert_eq!(world.footprint(gateway).keypairs, 1);
    // Initiations ended at 90 s.
    world.run_for(171 * SECOND);
    let held = world.footprint(gateway);
    assert_eq!((held.keypairs, held.session_indices), (0, 0));
    assert_eq!(world.tunnel(gateway).poll_timeout(), None);
    assert_eq!(world.host(gateway).events, []);
    assert_eq!(world.health(gateway, phone), Health::Connecting);
}

/// When the peer was last heard: handshakes and data count, what is not authentic does not.
#[test]
fn when_a_peer_was_last_heard() {
    let (mut world, phone, gateway) = World::pair(8);
    let heard = |world: &World| {
        let view = world.tunnel(phone).peer(world.peer_id(phone, gateway)).expect("configured");
        let now = world.host(phone).clock.monotonic(world.time());
        assert_eq!(view.snapshot(now).last_heard, view.last_heard());
        view.last_heard().map(|at| now.since(at))
    };
    assert_eq!(heard(&world), None);
    world.network.attacker.record();
    world.meet(phone, gateway);
    world.run_for(60 * SECOND);
    let last = *world.network.attacker.times(Kind::Data).last().expect("data") + DOWNLINK;
    assert_eq!(heard(&world), Some(world.time() - last));
    let mut forged = world.network.attacker.captured(Kind::Data).last().expect("data").clone();
    forged.bytes[20] ^= 1;
    world.hand(phone, forged);
    assert_eq!(heard(&world), Some(world.time() - last));
}
