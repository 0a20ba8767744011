//! How many flows there may be, who gives way, and how much memory that takes.
use super::build::{tcp, udp};
use super::*;

const SERVER: &str = "192.0.2.1:443";

fn alice(port: u16) -> SocketAddr {
    SocketAddr::new(at("10.9.0.1:1").ip(), port)
}

fn small(per_peer: u32, flows: u32) -> World {
    let config = FilterConfig { flows_per_peer: per_peer, flows, ..FilterConfig::default() };
    let rules = vec![Rule::allow(1, everything())];
    World::with(config, SessionConfig { rules: rules.into(), ..SessionConfig::default() })
}

fn is_alive(world: &mut World, client: SocketAddr) -> bool {
    world.receive(tcp(at(SERVER), client, ACK)) == PASS
}

#[test]
fn half_open_flows_give_way_first() {
    let mut world = small(100, 1000);
    for port in 1..=50 {
        world.connect(alice(port), at(SERVER));
    }
    for port in 51..=60 {
        assert_eq!(world.send(udp(alice(port), at(SERVER))), PASS);
        assert_eq!(world.receive(udp(at(SERVER), alice(port))), PASS);
    }
    world.connect(alice(61), at(SERVER));
    assert_eq!(world.send(tcp(alice(61), at(SERVER), FIN | ACK)), PASS);
    // A scan of ten thousand ports.
    for port in 1000..11_000 {
        assert_eq!(world.send(tcp(alice(port), at(SERVER), SYN)), PASS);
        assert!(world.filter.flows() <= 100);
    }
    assert!((1..=50).all(|port| is_alive(&mut world, alice(port))), "connections outlive a scan");
    assert!((51..=60).all(|port| world.receive(udp(at(SERVER), alice(port))) == PASS));
    assert!(is_alive(&mut world, alice(61)));
    assert!(is_alive(&mut world, alice(10_999)) && !is_alive(&mut world, alice(5000)), "the newest of the scan");
    assert_eq!(world.filter.account(ALICE).unwrap().flows, 100);
}

#[test]
fn then_closing_ones_then_answered_ones_then_the_longest_unused() {
    let mut world = small(4, 1000);
    world.connect(alice(1), at(SERVER));
    world.pass_time(10);
    world.connect(alice(2), at(SERVER));
    world.pass_time(10);
    assert_eq!(world.send(udp(alice(3), at(SERVER))), PASS);
    assert_eq!(world.receive(udp(at(SERVER), alice(3))), PASS);
    world.connect(alice(4), at(SERVER));
    assert_eq!(world.send(tcp(alice(4), at(SERVER), FIN | ACK)), PASS);
    world.connect(alice(5), at(SERVER));
    assert!(!is_alive(&mut world, alice(4)), "the one that was closing");
    world.connect(alice(6), at(SERVER));
    assert_eq!(world.receive(udp(at(SERVER), alice(3))), DENIED, "the one of UDP");
    world.pass_time(10);
    assert!(is_alive(&mut world, alice(1)));
    world.connect(alice(7), at(SERVER));
    assert!(!is_alive(&mut world, alice(2)), "the longest unused, not the oldest");
    assert!([1, 5, 6, 7].into_iter().all(|port| is_alive(&mut world, alice(port))));
}

#[test]
fn when_all_are_too_many_the_peer_with_the_most_gives() {
    let mut world = small(1000, 40);
    let rules = || SessionConfig { rules: vec![Rule::allow(1, everything())].into(), ..SessionConfig::default() };
    world.filter.open(world.now, BOB, rules()).unwrap();
    for port in 1..=5 {
        let mut syn = tcp(SocketAddr::new(at("10.9.0.2:1").ip(), port), at(SERVER), SYN);
        assert_eq!(world.filter.inbound(world.now, BOB, None, &mut syn), PASS);
    }
    for port in 1..=1000 {
        assert_eq!(world.send(tcp(alice(port), at(SERVER), SYN)), PASS);
        assert!(world.filter.flows() <= 40);
    }
    assert_eq!(world.filter.account(BOB).unwrap().flows, 5, "Bob keeps his, though they are the oldest");
}

#[test]
fn evicted_flows_are_gone() {
    let mut world = small(1, 1);
    for port in 1..=100 {
        world.connect(alice(port), at(SERVER));
        assert_eq!(world.filter.flows(), 1);
    }
    assert_eq!(world.send(tcp(alice(99), at(SERVER), ACK)), NO_FLOW);
    assert_eq!(world.send(tcp(alice(100), at(SERVER), ACK)), PASS);
    // Limits of none count as one.
    let mut none = small(0, 0);
    none.connect(alice(1), at(SERVER));
}

/// Flows at the default limits take at most 200 bytes each, and memory comes back when they are gone.
#[test]
fn memory_is_bounded_and_comes_back() {
    let limit = FilterConfig::default().flows as usize;
    let mut world = World::open();
    for peer in 1..=40_u32 {
        let session = SessionConfig { rules: vec![Rule::allow(1, everything())].into(), ..SessionConfig::default() };
        world.filter.open(world.now, peer, session).unwrap();
        let client = core::net::Ipv4Addr::from(0x0a09_0000 + peer).into();
        for port in 1..=5000 {
            let mut packet = udp(SocketAddr::new(client, port), at(SERVER));
            assert_eq!(world.filter.inbound(world.now, peer, None, &mut packet), PASS);
        }
        assert!(world.filter.account(peer).unwrap().flows <= 4096);
    }
    assert_eq!(world.filter.flows(), limit);
    let full = world.filter.footprint();
    assert!(full.flows <= limit * 200, "{} bytes a flow", full.flows / limit);
    std::println!("{limit} flows: {} bytes, {} each", full.flows, full.flows / limit);
    (1..=40).for_each(|peer| world.filter.flush(peer));
    assert_eq!((world.filter.flows(), world.filter.footprint().flows), (0, 0));
}
