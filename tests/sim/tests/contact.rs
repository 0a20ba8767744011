//! How two hosts meet, and what may go wrong before they do.
use core::time::Duration;
use underpass_core::DropReason;
use underpass_core::tunnel::{Event, Health};
use underpass_sim::network::{Datagram, Fate};
use underpass_sim::{DataPath, HostId, Kind, Outcome, Shape, Spec, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn failures(world: &World, host: HostId) -> usize {
    world.count_events(host, |event| matches!(event, Event::HandshakeFailed { .. }))
}

#[test]
fn first_contact() {
    let (mut world, phone, gateway) = World::pair(1);
    world.network.attacker.record();
    assert_eq!(world.tunnel(phone).poll_timeout(), None, "nothing to do yet");
    assert_eq!(world.health(phone, gateway), Health::Connecting);

    // The packet waits for the handshake: one round trip, then it goes.
    assert_eq!(world.send(phone, gateway), Outcome::Staged);
    world.run_for(59 * MS);
    assert_eq!(world.arrived(phone, gateway), 0);
    world.run_for(MS);
    assert_eq!(world.arrived(phone, gateway), 1);

    let seen: Vec<_> = world.network.attacker.everything().iter().map(|(_, d)| (d.kind(), d.bytes.len())).collect();
    assert_eq!(seen, [(Kind::Initiation, 148), (Kind::Response, 92), (Kind::Data, 16 + 112 + 16)]);
    for host in [phone, gateway] {
        assert_eq!(world.sessions(host), 1);
    }
    assert_eq!(world.health(phone, gateway), Health::Up);
    assert_eq!(world.health(gateway, phone), Health::Up);
    assert_eq!(world.send(gateway, phone), Outcome::Sent);
    world.run_for(SECOND);
    assert_eq!(world.arrived(gateway, phone), 1);
    world.assert_nothing_leaked();
}

#[test]
fn data_both_ways_in_both_families_and_every_form_of_the_data_path() {
    let forms = [DataPath::Single, DataPath::Batch, DataPath::Steps];
    for (a, b) in forms.into_iter().flat_map(|a| forms.map(|b| (a, b))) {
        let mut world = World::new(2);
        let phone = world.add(Spec { data_path: a, ..Spec::new("phone") });
        let gateway = world.add(Spec { data_path: b, ..Spec::new("gateway") });
        world.introduce(phone, gateway);
        world.burst(phone, gateway, 20);
        world.run_for(SECOND);
        for len in [28, 64, 100, 576, 1419, 1420] {
            for ipv6 in [false, true] {
                let shape = Shape { len, ipv6, ..Shape::default() };
                assert_eq!(world.send_shaped(phone, gateway, shape), Outcome::Sent);
                assert_eq!(world.send_shaped(gateway, phone, shape), Outcome::Sent);
            }
        }
        assert!(world.burst(gateway, phone, 50).iter().all(|outcome| *outcome == Outcome::Sent));
        world.run_for(SECOND);
        for (from, to) in [(phone, gateway), (gateway, phone)] {
            let flow = world.flow(from, to);
            assert!(flow.is_complete() && flow.in_order(), "{a:?} {b:?}: {:?}", flow.missing());
        }
        world.assert_nothing_leaked();
    }
}

#[test]
fn over_ipv6_outside() {
    let mut world = World::new(3);
    let at = |text: &str| Some(text.parse().expect("an address"));
    let phone = world.add(Spec { address: at("[2001:db8::1]:1000"), ..Spec::new("phone") });
    let gateway = world.add(Spec { address: at("[2001:db8::2]:51820"), ..Spec::new("gateway") });
    world.enrol(phone, gateway);
    world.meet(phone, gateway);
    world.assert_nothing_leaked();
}

#[test]
fn a_lost_initiation_is_repeated() {
    let (mut world, phone, gateway) = World::pair(4);
    world.network.attacker.drop_next(Kind::Initiation, 1);
    world.send(phone, gateway);
    world.run_for(5 * SECOND);
    assert_eq!(world.arrived(phone, gateway), 0);
    world.run_for(500 * MS);
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}

#[test]
fn a_lost_response_is_repeated() {
    let (mut world, phone, gateway) = World::pair(5);
    world.network.attacker.drop_next(Kind::Response, 1);
    world.send(phone, gateway);
    world.run_for(5500 * MS);
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!((world.sessions(phone), world.sessions(gateway)), (1, 1));
    world.assert_nothing_leaked();
}

/// The gateway may not use the new key before the phone has proved that it has it: until then its packets wait.
#[test]
fn a_lost_first_datagram_delays_the_gateway_but_loses_none_of_its_packets() {
    let (mut world, phone, gateway) = World::pair(6);
    world.network.attacker.record();
    world.network.attacker.drop_next(Kind::Data, 1);
    world.send(phone, gateway);
    world.run_for(200 * MS);
    assert_eq!(world.sessions(gateway), 0, "not confirmed");
    assert_eq!(world.send(gateway, phone), Outcome::Staged);
    world.run_for(SECOND);
    assert_eq!(world.arrived(gateway, phone), 0);
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert_eq!(world.flow(gateway, phone).arrived(), [0]);
    assert_eq!(world.flow(phone, gateway).arrived(), [1], "the network lost 0, not the tunnel");
    world.assert_nothing_leaked();
}

/// A lost keepalive confirmation: the phone had nothing to say, so it confirmed with a keepalive, and that was lost.
#[test]
fn an_initiator_without_data_confirms_with_a_keepalive() {
    let (mut world, phone, gateway) = World::pair(7);
    world.network.attacker.record();
    world.connect(phone, gateway);
    world.run_for(SECOND);
    let kinds: Vec<_> = world.network.attacker.everything().iter().map(|(_, d)| d.kind()).collect();
    assert_eq!(kinds, [Kind::Initiation, Kind::Response, Kind::Keepalive]);
    assert_eq!(world.sessions(gateway), 1);
    world.assert_nothing_leaked();
}

/// Lesson 7: both ends begin at the same instant, whoever's messages win, nobody fights.
#[test]
fn lesson_07_simultaneous_initiation_settles() {
    for (seed, skew) in [(8, 0), (9, 0), (10, 1), (11, 5), (12, 19), (13, 21), (14, 39)] {
        let (mut world, phone, gateway) = World::pair(seed);
        world.network.attacker.record();
        world.send(phone, gateway);
        world.run_for(skew * MS);
        world.send(gateway, phone);
        world.run_for(SECOND);
        world.converse(phone, gateway, SECOND, 110 * SECOND);
        for (from, to) in [(phone, gateway), (gateway, phone)] {
            assert!(world.flow(from, to).is_complete(), "skew {skew}: {:?}", world.flow(from, to).missing());
        }
        let initiations = world.network.attacker.captured(Kind::Initiation).count();
        assert!(initiations <= 3, "skew {skew}: {initiations} initiations in the first two minutes");
        // And the rekeying that follows is one handshake of one side, not a fight.
        world.network.attacker.forget();
        world.converse(phone, gateway, SECOND, 120 * SECOND);
        let initiations = world.network.attacker.captured(Kind::Initiation).count();
        assert_eq!(initiations, 1, "skew {skew}: initiations to rekey");
        assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
        world.assert_nothing_leaked();
    }
}

/// Threat 4: whatever pretends to be a response, the pending handshake goes on.
#[test]
fn a_forged_response_does_not_kill_a_pending_handshake() {
    let (mut world, phone, gateway) = World::pair(15);
    world.network.attacker.record();
    // Each response comes first with every field damaged in turn, then as it was.
    world.network.attacker.rule(|_, datagram| {
        if datagram.kind() != Kind::Response {
            return Fate::Pass;
        }
        let mut all: Vec<_> = (4..92)
            .step_by(4)
            .map(|at| {
                let mut forged = datagram.clone();
                forged.bytes[at] ^= 0x80;
                forged
            })
            .collect();
        all.push(datagram.clone());
        Fate::Replace(all)
    });
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    assert_eq!(world.network.attacker.captured(Kind::Initiation).count(), 1);
    let drops = &world.tunnel(phone).stats().drops;
    assert_eq!(drops.total(), 22, "{drops:?}");
    world.assert_nothing_leaked();
}

#[test]
fn a_peer_that_restarts_is_met_again() {
    let (mut world, phone, gateway) = World::pair(16);
    world.meet(phone, gateway);
    world.run_for(10 * SECOND);
    world.restart(gateway, Default::default());
    // The phone does not know: its packets meet no session until it notices that nothing comes back (15 s).
    world.send(phone, gateway);
    world.run_for(14 * SECOND);
    assert_eq!(world.flow(phone, gateway).missing(), [1]);
    world.run_for(2 * SECOND);
    world.send(phone, gateway);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).missing(), [1], "only what was lost on the way");
    assert!(world.flow(gateway, phone).is_complete());
    world.assert_nothing_leaked();
}

#[test]
fn a_restarted_peer_that_speaks_first_replaces_the_session_at_once() {
    let (mut world, phone, gateway) = World::pair(17);
    world.meet(phone, gateway);
    world.run_for(SECOND);
    world.restart(phone, Default::default());
    world.send(phone, gateway);
    world.run_for(SECOND);
    world.send(gateway, phone);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete() && world.flow(gateway, phone).is_complete());
    assert_eq!(world.sessions(gateway), 2);
    world.assert_nothing_leaked();
}

#[test]
fn a_stranger_is_not_answered() {
    let (mut world, phone, gateway) = World::pair(18);
    let stranger = world.add(Spec::new("stranger"));
    let about_gateway = world.describe(gateway);
    world.configure(stranger, about_gateway);
    world.network.attacker.record();
    world.send(stranger, gateway);
    world.run_for(30 * SECOND);
    assert_eq!(world.network.attacker.captured(Kind::Response).count(), 0);
    assert!(world.tunnel(gateway).stats().drops.of(DropReason::UnknownPeer) >= 5);
    world.meet(phone, gateway);
    world.assert_nothing_leaked();
}

#[test]
fn a_wrong_key_of_the_gateway_fails_without_a_word() {
    let (mut world, phone, gateway) = World::pair(19);
    let other = world.add(Spec::new("other"));
    let wrong = underpass_core::PeerChange { public_key: world.host(other).public_key(), ..world.describe(gateway) };
    world.remove(phone, gateway);
    world.configure(phone, wrong);
    world.network.attacker.record();
    assert_eq!(world.send(phone, gateway), Outcome::Staged);
    world.run_for(100 * SECOND);
    assert_eq!(failures(&world, phone), 1);
    assert!(world.tunnel(gateway).stats().drops.of(DropReason::BadMac) >= 17);
    assert_eq!(world.network.attacker.captured(Kind::Response).count(), 0);
    assert_eq!(world.footprint(phone).staged_packets, 0);
    world.assert_nothing_leaked();
}

/// Lesson 16: retransmissions carry jitter, and a handshake given up starts again with new traffic. Lesson 8:
/// given up is said once, then there is silence.
#[test]
fn lesson_08_and_16_given_up_after_90_seconds_said_once_then_silence_until_there_is_traffic() {
    let (mut world, phone, gateway) = World::pair(20);
    world.network.attacker.record();
    world.network.attacker.blackhole();
    world.send(phone, gateway);
    world.run_for(1000 * SECOND);
    let times = world.network.attacker.times(Kind::Initiation);
    assert!((17..=19).contains(&times.len()), "{times:?}");
    let gaps: Vec<_> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.iter().all(|gap| (5000 * MS..=5334 * MS).contains(gap)), "{gaps:?}");
    assert!(gaps.windows(2).any(|w| w[0] != w[1]), "no jitter: {gaps:?}");
    let given_up = world.host(phone).events.iter().find(|(_, e)| matches!(e, Event::HandshakeFailed { .. }));
    let given_up = given_up.expect("given up").0;
    assert!((90 * SECOND..96 * SECOND).contains(&given_up), "{given_up:?}");
    assert_eq!(failures(&world, phone), 1);
    assert_eq!(world.health(phone, gateway), Health::Failed);
    assert_eq!(world.host(phone).events.iter().filter(|(at, _)| *at > given_up).count(), 0, "silence");
    assert_eq!(world.footprint(phone).staged_packets, 0);
    assert_eq!(world.tunnel(phone).stats().drops.of(DropReason::HandshakeFailed), 1);

    world.network.attacker.relent();
    assert_eq!(world.send(phone, gateway), Outcome::Staged);
    world.run_for(SECOND);
    assert_eq!(world.flow(phone, gateway).missing(), [0]);
    assert_eq!(world.health(phone, gateway), Health::Up);
    world.assert_nothing_leaked();
}

/// Traffic that goes on while nobody answers is no reason to hurry. It keeps the handshake going, as with the kernel and
/// wireguard-go; that nobody answers is said once.
#[test]
fn steady_traffic_into_a_void_keeps_the_pace() {
    let (mut world, phone, gateway) = World::pair(21);
    world.network.attacker.record();
    world.network.attacker.blackhole();
    world.stream(phone, gateway, 100 * MS, 300 * SECOND);
    let times = world.network.attacker.times(Kind::Initiation);
    assert!(times.windows(2).all(|w| w[1] - w[0] >= 5 * SECOND), "{times:?}");
    assert!((50..=60).contains(&times.len()), "{}", times.len());
    assert_eq!(failures(&world, phone), 1);
    assert!(world.footprint(phone).staged_packets <= 128);
    world.network.attacker.relent();
    world.assert_nothing_leaked();
}

/// Lesson 23: session indices are random, and freed with their keypair.
#[test]
fn lesson_23_session_indices_are_random_and_freed() {
    let (mut world, phone, gateway) = World::pair(22);
    world.network.attacker.record();
    world.network.attacker.drop_all(Kind::Response);
    for _ in 0..5 {
        world.send(phone, gateway);
        world.run_for(100 * SECOND);
    }
    let indices: Vec<_> = world
        .network
        .attacker
        .captured(Kind::Initiation)
        .map(|d| u32::from_le_bytes(d.bytes[4..8].try_into().expect("four bytes")))
        .collect();
    let mut sorted = indices.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), indices.len(), "an index was used twice");
    assert!(sorted.windows(2).all(|w| w[1] - w[0] > 1000), "{sorted:?}");
    assert!(sorted[0] < u32::MAX / 4 && sorted[sorted.len() - 1] > u32::MAX / 4 * 3, "not spread out");
    assert!(world.footprint(phone).session_indices <= 1);
    assert!(world.footprint(gateway).session_indices <= 2);
    world.assert_nothing_leaked();
}

/// Lesson 21: any length, any first byte, is an outcome.
#[test]
fn lesson_21_any_length_and_type_is_taken_calmly() {
    let (mut world, phone, gateway) = World::pair(23);
    world.meet(phone, gateway);
    let (from, to) = (world.address(phone), world.address(gateway));
    world.network.downlink(gateway.station()).profile.mtu = usize::MAX;
    let lengths = (0..200).chain([1500, 9000, 65_000, 65_507, 65_535]);
    for (len, first) in lengths.flat_map(|len| (0..6).map(move |first| (len, first))) {
        let mut bytes = vec![0; len];
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        let now = world.time();
        world.network.inject(now, Datagram::new(from, to, bytes));
    }
    world.run_for(SECOND);
    let drops = &world.tunnel(gateway).stats().drops;
    assert_eq!(drops.total(), 205 * 6, "{drops:?}");
    world.send(phone, gateway);
    world.run_for(SECOND);
    assert!(world.flow(phone, gateway).is_complete());
    world.assert_nothing_leaked();
}
