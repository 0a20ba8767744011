//! The network by itself, with datagrams that mean nothing.
use super::*;

const A: &str = "198.51.100.1:1000";
const B: &str = "198.51.100.2:2000";
const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn pair() -> (Network, StationId, StationId) {
    let mut network = Network::new(Rng::new(3));
    let a = network.add_station(address(A));
    let b = network.add_station(address(B));
    (network, a, b)
}

/// Everything that arrives until the network is empty.
fn drain(network: &mut Network) -> Vec<(Time, StationId, Datagram)> {
    let mut arrived = Vec::new();
    while let Some(at) = network.next_time() {
        arrived.extend(network.advance(at).map(|(station, datagram)| (at, station, datagram)));
    }
    arrived
}

fn say(network: &mut Network, now: Time, from: StationId, to: &str, text: &str) {
    network.send(now, from, address(to), Ecn::NotCapable, text.into());
}

#[test]
fn datagrams_go_where_they_are_addressed() {
    let (mut network, a, b) = pair();
    say(&mut network, SECOND, a, B, "hello");
    say(&mut network, SECOND, a, "198.51.100.2:2001", "nobody");
    let arrived = drain(&mut network);
    let expected = Datagram::new(address(A), address(B), "hello".into());
    assert_eq!(arrived, [(SECOND + Duration::from_millis(20), b, expected)]);
    assert_eq!(network.unroutable, 1);
    assert_eq!(network.uplink(a).stats.datagrams, 2);
    assert_eq!(network.downlink(b).stats.delivered, 1);
}

#[test]
fn a_station_that_moves_is_reached_at_its_place_only() {
    let (mut network, a, b) = pair();
    network.relocate(b, address("203.0.113.5:9"), None);
    say(&mut network, SECOND, a, B, "old");
    say(&mut network, SECOND, a, "203.0.113.5:9", "new");
    let arrived = drain(&mut network);
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].2.bytes, b"new");
    assert_eq!(network.address(b), address("203.0.113.5:9"));
}

#[test]
fn a_station_behind_a_nat_is_reached_only_where_it_asked() {
    let (mut network, a, b) = pair();
    let nat = network.add_nat("203.0.113.9".parse().unwrap(), 30 * SECOND);
    network.relocate(b, address("192.168.1.2:51820"), Some(nat));
    say(&mut network, SECOND, a, "203.0.113.9:40000", "too early");
    say(&mut network, 2 * SECOND, b, A, "ask");
    let arrived = drain(&mut network);
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].2.from, address("203.0.113.9:40000"));
    say(&mut network, 3 * SECOND, a, "203.0.113.9:40000", "answer");
    say(&mut network, 40 * SECOND, a, "203.0.113.9:40000", "too late");
    let arrived = drain(&mut network);
    assert_eq!(arrived.len(), 1);
    assert_eq!((arrived[0].1, arrived[0].2.to), (b, address("192.168.1.2:51820")));
    assert_eq!(network.nat(nat).stats.unsolicited, 2);
}

#[test]
fn what_is_under_way_does_not_follow_a_station_that_moves() {
    let (mut network, a, b) = pair();
    let nat = network.add_nat("203.0.113.9".parse().unwrap(), 30 * SECOND);
    network.relocate(b, address("192.168.1.2:51820"), Some(nat));
    say(&mut network, SECOND, b, A, "ask");
    drain(&mut network);
    say(&mut network, 2 * SECOND, a, "203.0.113.9:40000", "on the downlink");
    say(&mut network, 2 * SECOND, b, A, "on the uplink");
    assert_eq!(network.advance(2 * SECOND + Duration::from_millis(15)), None);
    network.relocate(b, address("203.0.113.5:9"), None);
    say(&mut network, 3 * SECOND, a, "203.0.113.9:40000", "to the old place");
    let arrived = drain(&mut network);
    assert_eq!(arrived.len(), 1);
    assert_eq!((arrived[0].1, arrived[0].2.from), (a, address("203.0.113.9:40000")), "it left before the move");
    assert_eq!(network.unroutable, 2);
}

#[test]
fn the_attacker_sees_drops_delays_alters_and_invents() {
    let (mut network, a, b) = pair();
    network.attacker.record();
    network.attacker.drop_next(Kind::Initiation, 1);
    network.attacker.rule(|_, d| if d.bytes == b"later" { Fate::Delay(SECOND) } else { Fate::Pass });
    network.attacker.rule(|_, d| {
        let twice = Datagram { bytes: d.bytes.to_ascii_uppercase(), ..d.clone() };
        if d.bytes == b"loud" { Fate::Replace(vec![twice.clone(), twice]) } else { Fate::Pass }
    });
    for text in ["\u{1}first", "\u{1}second", "later", "loud"] {
        say(&mut network, SECOND, a, B, text);
    }
    network.inject(SECOND, Datagram::new(address("9.9.9.9:9"), address(A), "spoofed".into()));
    let arrived = drain(&mut network);
    let texts: Vec<_> = arrived.iter().map(|(_, s, d)| (*s, String::from_utf8_lossy(&d.bytes).into_owned())).collect();
    let expected = [(a, "spoofed"), (b, "\u{1}second"), (b, "LOUD"), (b, "LOUD"), (b, "later")];
    assert_eq!(texts, expected.map(|(s, t)| (s, t.to_owned())));
    assert_eq!(network.attacker.captured(Kind::Initiation).count(), 2, "seen although dropped");
    assert_eq!(network.attacker.everything().len(), 4);
    network.attacker.relent();
    network.attacker.blackhole();
    say(&mut network, 2 * SECOND, a, B, "nothing passes");
    assert!(drain(&mut network).is_empty());
}

#[test]
fn a_rough_network_replays_from_its_seed() {
    let run = |seed| {
        let mut network = Network::new(Rng::new(seed));
        let a = network.add_station(address(A));
        let b = network.add_station(address(B));
        let rough = Profile {
            loss: 200_000,
            duplicate: 100_000,
            corrupt: 100_000,
            reorder: 300_000,
            jitter: Duration::from_millis(5),
            ..Profile::default()
        };
        *network.uplink(a) = Link::new(rough.clone());
        *network.downlink(b) = Link::new(rough);
        for i in 0..200 {
            say(&mut network, Duration::from_millis(i), a, B, &format!("number {i}"));
        }
        drain(&mut network)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn kinds_are_told_by_type_and_length() {
    let kind = |bytes: &[u8]| Datagram::new(address(A), address(B), bytes.to_vec()).kind();
    let table = [
        (vec![1; 148], Kind::Initiation),
        (vec![2; 92], Kind::Response),
        (vec![3; 64], Kind::CookieReply),
        (vec![4; 32], Kind::Keepalive),
        (vec![4; 48], Kind::Data),
        (vec![], Kind::Other),
        (vec![0; 10], Kind::Other),
    ];
    for (number, (bytes, expected)) in table.iter().enumerate() {
        assert_eq!(kind(bytes), *expected, "case {number}");
    }
}
