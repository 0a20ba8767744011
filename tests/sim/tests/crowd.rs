//! Many peers: a gateway with a hundred thousand of them does no more work for those who are silent.
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use underpass_core::config::{AllowedIp, Endpoint};
use underpass_core::{Change, Limits, PeerChange, PublicKey, Rng as _};
use underpass_sim::rng::Rng;
use underpass_sim::{HostId, Spec, World};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const SILENT: u32 = 100_000;

/// A gateway whose limits suit a crowd.
fn big_gateway(world: &mut World) -> HostId {
    let limits = Limits { handshakes_per_second: 10_000, verified_handshakes_per_second: 10_000, ..Limits::default() };
    world.add(Spec { limits, ..Spec::new("gateway") })
}

/// A peer that is never heard of, at an address where nobody is.
fn silent(number: u32, rng: &mut Rng) -> PeerChange {
    let mut key = [0; 32];
    rng.fill(&mut key).expect("randomness");
    let inner = IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 0)) + number));
    let outer = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::new(20, 0, 0, 0)) + number)), 51820);
    PeerChange {
        endpoint: Some(Endpoint::Address(outer)),
        allowed_ips: vec![AllowedIp::from(ipnet::IpNet::from(inner))],
        ..PeerChange::new(PublicKey::from_bytes(key))
    }
}

#[test]
fn a_hundred_thousand_peers() {
    let mut world = World::new(1);
    let gateway = big_gateway(&mut world);
    let mut rng = world.rng().split();
    let changes: Vec<_> = (0..SILENT).map(|number| Change::Peer(silent(number, &mut rng))).collect();
    world.change(gateway, &changes).expect("a hundred thousand peers fit");
    drop(changes);
    assert_eq!(world.tunnel(gateway).poll_timeout(), None, "they cost no deadline");

    // Two hundred phones among them come, talk for six minutes, and go on being served in time.
    let phones: Vec<_> = (0..200).map(|_| world.add(Spec::new("phone"))).collect();
    for phone in &phones {
        world.enrol(*phone, gateway);
        world.keepalive(*phone, gateway, 25);
    }
    let held = world.footprint(gateway);
    assert_eq!((held.peers, held.allowed_ips), (100_200, 100_400));
    world.run_for(SECOND);
    assert!(phones.iter().all(|phone| world.sessions(*phone) == 1));
    for _ in 0..36 {
        for phone in &phones {
            world.send(*phone, gateway);
            world.send(gateway, *phone);
        }
        world.run_for(10 * SECOND);
    }
    for phone in &phones {
        assert!(world.flow(*phone, gateway).is_complete() && world.flow(gateway, *phone).is_complete());
    }
    let wakeups = world.host(gateway).wakeups.len();
    assert!(wakeups <= 200 * 40, "{wakeups} wake-ups");
    world.assert_nothing_leaked();
}

/// Ten thousand peers begin a handshake in the same instant, and nobody answers: ninety seconds of retransmissions, each
/// at its own time, then silence.
#[test]
fn ten_thousand_handshakes_into_a_void() {
    let mut world = World::new(2);
    let limits = Limits { staged_bytes: 64 * 1024 * 1024, ..Limits::default() };
    let gateway = world.add(Spec { limits, ..Spec::new("gateway") });
    let mut rng = world.rng().split();
    // Each is wanted for one retransmission only; the rest of the ninety seconds they sleep through, as a suspended host.
    let changes: Vec<_> = (0..10_000).map(|number| Change::Peer(silent(number, &mut rng))).collect();
    world.change(gateway, &changes).expect("they fit");
    let ids: Vec<_> = world.tunnel(gateway).peers().map(|peer| peer.id()).collect();
    for id in &ids {
        world.command(gateway, |tunnel, now| tunnel.connect(now, *id));
    }
    assert_eq!(world.footprint(gateway).handshakes, 10_000);
    world.run_for(4 * SECOND);
    assert_eq!(world.host(gateway).wakeups.len(), 0);
    world.run_for(1400 * MS);
    assert_eq!(world.network.unroutable, 20_000, "each was tried twice");
    assert!(world.host(gateway).wakeups.len() > 9_000, "and not all at once");
    assert_eq!(world.footprint(gateway).session_indices, 10_000);

    world.sleep(gateway);
    world.run_for(100 * SECOND);
    world.host_mut(gateway).forget();
    world.wake(gateway);
    world.run_for(SECOND);
    assert_eq!(world.host(gateway).wakeups.len(), 1, "one wake-up ends them all");
    let held = world.footprint(gateway);
    assert_eq!((held.handshakes, held.session_indices, held.intents), (0, 0, 0));
    assert_eq!(world.tunnel(gateway).poll_timeout(), None);
    world.assert_nothing_leaked();
}
