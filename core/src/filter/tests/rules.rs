//! Which rule applies.
use super::build::{echo, ip, tcp, udp};
use super::*;
use crate::packet::Address;
use proptest::prelude::*;

/// A rule that denies or allows `protocol` to `networks` and `ports`.
fn rule(number: u32, action: Action, networks: &[&str], protocol: Protocol, ports: &[(u16, u16)]) -> Rule {
    let networks = networks.iter().map(|text| net(text)).collect();
    let ports = ports.iter().map(|(first, last)| *first..=*last).collect();
    Rule { action, protocol, ports, ..Rule::allow(number, networks) }
}

#[test]
fn the_first_rule_that_applies_decides() {
    use Action::{Allow, Deny};
    let rules = [
        rule(10, Deny, &["10.1.2.3/32", "fd00:1::3/128"], Protocol::Any, &[]),
        rule(20, Allow, &["10.1.0.0/16", "fd00:1::/32"], Protocol::Tcp, &[(22, 22), (443, 443), (8000, 8100)]),
        rule(30, Deny, &["10.1.2.0/24"], Protocol::Udp, &[(53, 53)]),
        rule(40, Allow, &["10.0.0.0/8"], Protocol::Udp, &[]),
        rule(50, Allow, &["0.0.0.0/0", "::/0"], Protocol::Icmp, &[]),
        rule(60, Allow, &["10.2.0.0/16"], Protocol::Number(50), &[]),
        rule(70, Allow, &["10.2.0.0/16"], Protocol::Any, &[(1000, 2000)]),
        rule(80, Allow, &["255.255.255.0/24"], Protocol::Any, &[]),
    ];
    let from = at("10.9.0.1:4000");
    let from6 = at("[fd00::1]:4000");
    let to = |text: &str| tcp(if text.starts_with('[') { from6 } else { from }, at(text), SYN);
    let table: [(u32, Vec<u8>, Option<u32>); 20] = [
        (1, to("10.1.2.3:22"), None),
        (2, to("10.1.2.4:22"), Some(20)),
        (3, to("10.1.2.4:23"), None),
        (4, to("10.1.2.4:8000"), Some(20)),
        (5, to("10.1.2.4:8100"), Some(20)),
        (6, to("10.1.2.4:8101"), None),
        (7, to("10.2.2.4:22"), None),
        (8, to("[fd00:1::3]:22"), None),
        (9, to("[fd00:1::4]:22"), Some(20)),
        (10, to("[fd00:2::4]:22"), None),
        (11, udp(from, at("10.1.2.4:53")), None),
        (12, udp(from, at("10.1.3.4:53")), Some(40)),
        (13, udp(from, at("10.1.2.3:99")), None),
        (14, echo(from.ip(), at("10.1.2.3:0").ip(), 1, false), None),
        (15, echo(from.ip(), at("10.1.2.4:0").ip(), 1, false), Some(50)),
        (16, echo(from6.ip(), at("[2001:db8::1]:0").ip(), 1, false), Some(50)),
        (17, ip(from.ip(), at("10.2.0.1:0").ip(), 50, &[0; 8]), Some(60)),
        (18, ip(from.ip(), at("10.2.0.1:0").ip(), 51, &[0; 8]), None),
        (19, to("10.2.0.1:2000"), Some(70)),
        (20, to("255.255.255.255:1"), Some(80)),
    ];
    for (number, packet, expected) in table {
        let told = rules.iter().cloned().map(|rule| Rule { log: true, ..rule }).collect();
        let mut world = World::new(told);
        let ruling = world.send(packet);
        assert_eq!(ruling == PASS, expected.is_some(), "row {number}: {ruling:?}");
        let found = match world.filter.poll_event() {
            Some(Event::FlowStart { rule, .. }) => Some(rule),
            _ => None,
        };
        assert_eq!(found, expected, "row {number}");
    }
}

#[test]
fn what_no_rule_applies_to_does_not_pass() {
    for unmatched in [Action::Deny, Action::Allow] {
        let session = SessionConfig { unmatched, ..SessionConfig::default() };
        let mut world = World::with(FilterConfig::default(), session);
        assert_eq!(world.send(udp(at("10.9.0.1:4000"), at("192.0.2.1:53"))), DENIED);
        assert_eq!(world.receive(udp(at("192.0.2.1:53"), at("10.9.0.1:4000"))), DENIED);
    }
}

#[test]
fn explained_is_which_rule_decides() {
    let mut timed = rule(1, Action::Deny, &["10.0.0.0/8"], Protocol::Tcp, &[]);
    timed.hours = vec![Hours { from: 60, to: 120 }];
    let other = rule(2, Action::Allow, &["10.1.0.0/16"], Protocol::Tcp, &[(443, 443)]);
    let world = World::new(vec![timed, other]);
    let question = |address: &str, protocol| Question {
        way: Way::FromPeer,
        address: at(address).ip(),
        is_peer: false,
        protocol,
        port: at(address).port(),
    };
    let half_past = MONDAY + Duration::from_secs(90 * 60);
    for (number, wall, question, action, rule, inactive) in [
        (1, MONDAY, question("10.1.0.1:443", 6), Action::Allow, Some(2), Some(1)),
        (2, half_past, question("10.1.0.1:443", 6), Action::Deny, Some(1), None),
        (3, MONDAY, question("10.1.0.1:80", 6), Action::Deny, None, Some(1)),
        (4, MONDAY, question("10.1.0.1:443", 17), Action::Deny, None, None),
        (5, MONDAY, Question { is_peer: true, ..question("10.1.0.1:443", 6) }, Action::Deny, None, Some(1)),
        (6, MONDAY, Question { way: Way::ToPeer, ..question("10.1.0.1:443", 6) }, Action::Deny, None, None),
    ] {
        let expected = Explanation { action, rule, inactive };
        assert_eq!(world.filter.explain(ALICE, wall, &question), Some(expected), "row {number}");
    }
    assert_eq!(world.filter.explain(BOB, MONDAY, &question("10.1.0.1:443", 6)), None);
}

/// A network among few, so that they nest and repeat.
fn networks() -> impl Strategy<Value = ipnet::IpNet> {
    let v4 = (0..8_u32, 0..=32_u8).prop_map(|(bits, len)| {
        let address = ((bits * 0x2000_0000) | bits << 12 | (bits * 37)).into();
        ipnet::Ipv4Net::new(address, len).unwrap().trunc().into()
    });
    let v6 = (0..8_u128, 0..=128_u8).prop_map(|(bits, len)| {
        let address = (bits << 125 | bits << 60 | (bits * 37)).into();
        ipnet::Ipv6Net::new(address, len).unwrap().trunc().into()
    });
    prop_oneof![v4, v6]
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let action = prop_oneof![Just(Action::Allow), Just(Action::Deny), Just(Action::Reject)];
    let protocol = prop_oneof![
        Just(Protocol::Any),
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Icmp),
        prop_oneof![Just(6), Just(17), Just(58), any::<u8>()].prop_map(Protocol::Number),
    ];
    let ports = prop::collection::vec(
        (0..50_u16, 0..10_u16).prop_map(|(first, more)| first * 1300..=first * 1300 + more),
        0..3,
    );
    let networks = prop::collection::vec(networks(), 1..4);
    (action, protocol, ports, networks, any::<bool>(), any::<bool>()).prop_map(
        |(action, protocol, ports, networks, peers, from_peer)| {
            let ports = if protocol.has_ports() { ports } else { Vec::new() };
            let way = if from_peer { Way::FromPeer } else { Way::ToPeer };
            Rule { action, protocol, ports, peers, way, ..Rule::allow(0, networks) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// The compiled rules and the list read from the top agree on every address at which a network begins or ends.
    #[test]
    fn compiled_rules_are_the_list(mut rules in prop::collection::vec(any_rule(), 0..25), protocol: u8, port in 0..70_000_u32) {
        (0..).zip(&mut rules).for_each(|(number, rule)| rule.number = number);
        let edges: Vec<_> = rules.iter().flat_map(|rule| &rule.networks).flat_map(|net| [net.network(), net.broadcast()]).collect();
        let world = World::new(rules);
        let session = world.filter.session(ALICE).unwrap();
        for (place, address) in edges.into_iter().chain([at("10.1.2.3:0").ip(), at("[fd00::1]:0").ip()]).enumerate() {
            for protocol in [6, 17, 1, 58, protocol] {
                for (way, is_peer) in [(Way::FromPeer, false), (Way::FromPeer, true), (Way::ToPeer, false), (Way::ToPeer, true)] {
                    let port = ((port as usize + place * 1300) % 65_536 / 1300 * 1300) as u16;
                    let port = if matches!(protocol, 6 | 17) { port } else { 0 };
                    let question = Question { way, address, is_peer, protocol, port };
                    let wanted = world.filter.explain(ALICE, MONDAY, &question).unwrap();
                    let found = session.verdict(world.filter.lists.compiled(session.list), way, (Address::from(address), is_peer), protocol, port);
                    prop_assert_eq!((found.action, found.number), (wanted.action, wanted.rule), "{:?}", question);
                }
            }
        }
    }
}
