//! Events, accounts, rates and quotas.
use super::build::{tcp, udp};
use super::*;

const CLIENT: &str = "10.9.0.1:4000";
const SERVER: &str = "192.0.2.1:53";

fn events(world: &mut World) -> Vec<Event> {
    core::iter::from_fn(|| world.filter.poll_event()).collect()
}

#[test]
fn denials_are_added_up() {
    let deny = Rule { action: Action::Deny, log: true, ..Rule::allow(77, vec![net("192.0.2.0/24")]) };
    let quiet = Rule { log: false, ..Rule { number: 78, networks: vec![net("198.51.100.0/24")], ..deny.clone() } };
    let session = SessionConfig { rules: vec![deny, quiet].into(), log_unmatched: true, ..SessionConfig::default() };
    let mut world = World::with(FilterConfig::default(), session);
    let began = world.now;
    for port in 1..=500 {
        assert_eq!(world.send(tcp(at(CLIENT), SocketAddr::new(at(SERVER).ip(), port), SYN)), DENIED);
        assert_eq!(world.send(udp(at(CLIENT), at("198.51.100.1:1"))), DENIED);
    }
    world.pass_time(3000);
    assert_eq!(world.send(udp(at(CLIENT), at("203.0.113.1:9"))), DENIED);
    assert_eq!(events(&mut world), []);
    assert_eq!(world.filter.poll_timeout(), Some(began + Duration::from_secs(10)));
    world.pass_time(6999);
    world.filter.handle_timeout(world.now);
    assert_eq!(events(&mut world), [], "a millisecond too early");
    world.pass_time(1);
    world.filter.handle_timeout(world.now);
    let first = Contact {
        way: Way::FromPeer,
        source: at(CLIENT).ip(),
        destination: at(SERVER).ip(),
        protocol: 6,
        source_port: 4000,
        destination_port: 1,
    };
    assert_eq!(events(&mut world), [Event::Denied { peer: ALICE, user: 0, rule: Some(77), first, packets: 500 }]);
    assert_eq!(world.filter.poll_timeout(), Some(began + Duration::from_secs(13)));
    world.pass_time(3000);
    world.filter.handle_timeout(world.now);
    assert!(matches!(events(&mut world)[..], [Event::Denied { rule: None, packets: 1, .. }]));
    assert_eq!((world.filter.poll_timeout(), world.filter.footprint().events), (None, 0));
}

#[test]
fn flows_are_told_where_the_rule_asks() {
    let logged = Rule { log: true, ..Rule::allow(5, vec![net("192.0.2.0/24")]) };
    let mut world = World::new(vec![logged, Rule::allow(6, everything())]);
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), PASS);
    assert_eq!(world.send(udp(at(CLIENT), at("198.51.100.1:1"))), PASS);
    world.pass_time(2000);
    assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), PASS);
    world.pass_time(300_000);
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), PASS, "another flow");
    let events = events(&mut world);
    let [Event::FlowStart { peer: ALICE, user: 0, rule: 5, contact }, end, Event::FlowStart { .. }] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((contact.destination, contact.destination_port), (at(SERVER).ip(), 53));
    let traffic = Traffic { bytes: 36, packets: 1 };
    let (lasted, why) = (Duration::from_secs(2), FlowEnd::Silent);
    assert_eq!(
        end,
        Event::FlowEnd { peer: ALICE, user: 0, rule: 5, contact, sent: traffic, received: traffic, lasted, why }
    );
}

#[test]
fn events_are_bounded_and_say_what_was_lost() {
    let config = FilterConfig { events: 3, ..FilterConfig::default() };
    let rules = vec![Rule { log: true, ..Rule::allow(5, everything()) }];
    let mut world = World::with(config, SessionConfig { rules: rules.into(), ..SessionConfig::default() });
    for port in 1..=10 {
        assert_eq!(world.send(udp(at(CLIENT), SocketAddr::new(at(SERVER).ip(), port))), PASS);
    }
    let told = events(&mut world);
    assert_eq!((told.len(), told.last()), (4, Some(&Event::Lost { events: 7 })));
    // Denials of more than 256 rules and peers at a time are lost as well.
    let deny = |number| Rule { action: Action::Deny, log: true, ..Rule::allow(number, vec![net("192.0.2.1/32")]) };
    let rules: Vec<_> = (1..=400).map(|number| Rule { ports: vec![number..=number], ..deny(number.into()) }).collect();
    world.filter.set_rules(world.now, ALICE, rules.into()).unwrap();
    world.filter.flush(ALICE);
    events(&mut world);
    for port in 1..=400 {
        assert_eq!(world.send(udp(at(CLIENT), SocketAddr::new(at(SERVER).ip(), port))), DENIED);
    }
    world.pass_time(10_000);
    world.filter.handle_timeout(world.now);
    let lost: u64 = events(&mut world)
        .iter()
        .map(|event| match event {
            Event::Lost { events } => *events,
            _ => 1,
        })
        .sum();
    assert_eq!(lost, 400);
}

#[test]
fn a_quota_warns_and_then_closes() {
    let rules = vec![Rule::allow(1, everything())];
    // Packets here are 36 bytes.
    let session = SessionConfig { rules: rules.into(), quota: Some(20 * 36), ..SessionConfig::default() };
    let mut world = World::with(FilterConfig::default(), session);
    let packets = |world: &mut World, count: u32| {
        for _ in 0..count {
            assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), PASS);
        }
    };
    packets(&mut world, 17);
    assert_eq!(events(&mut world), []);
    packets(&mut world, 1);
    assert_eq!(events(&mut world), [Event::QuotaWarning { peer: ALICE, user: 0 }]);
    packets(&mut world, 1);
    assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), PASS, "both directions count");
    for _ in 0..3 {
        assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), Ruling::Drop(Reason::QuotaExceeded));
        assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), Ruling::Drop(Reason::QuotaExceeded));
    }
    assert_eq!(events(&mut world), [Event::QuotaExceeded { peer: ALICE, user: 0 }], "once");
    let account = world.filter.account(ALICE).unwrap();
    assert_eq!((account.from_peer.bytes, account.to_peer.bytes, account.dropped), (19 * 36, 36, 6));
}

#[test]
fn each_direction_has_its_rate() {
    let rules = vec![Rule::allow(1, everything())];
    let rate = |packets: u64| Some(Rate { bytes_per_second: packets * 36, burst: packets * 36 });
    let session =
        SessionConfig { rules: rules.into(), from_peer: rate(2), to_peer: rate(5), ..SessionConfig::default() };
    let mut world = World::with(FilterConfig::default(), session);
    const SLOW: Ruling = Ruling::Drop(Reason::RateLimited);
    for _ in 0..3 {
        let sent: Vec<_> = (0..3).map(|_| world.send(udp(at(CLIENT), at(SERVER)))).collect();
        let received: Vec<_> = (0..6).map(|_| world.receive(udp(at(SERVER), at(CLIENT)))).collect();
        assert_eq!(sent, [PASS, PASS, SLOW]);
        assert_eq!(received, [PASS, PASS, PASS, PASS, PASS, SLOW]);
        world.pass_time(1000);
    }
    // Both directions of a peer are added up.
    assert_eq!(events(&mut world), []);
    world.pass_time(7000);
    world.filter.handle_timeout(world.now);
    assert_eq!(events(&mut world), [Event::RateLimited { peer: ALICE, user: 0, packets: 6 }]);
    assert_eq!(world.filter.poll_timeout(), None);
    // A packet that the rate does not let through begins no flow.
    let mut world = World::with(
        FilterConfig::default(),
        SessionConfig {
            rules: vec![Rule::allow(1, everything())].into(),
            from_peer: rate(1),
            ..SessionConfig::default()
        },
    );
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), PASS);
    assert_eq!(world.send(udp(at(CLIENT), at("192.0.2.2:53"))), SLOW);
    assert_eq!(world.filter.flows(), 1);
}

#[test]
fn reasons_have_names_and_are_counted() {
    let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Reason::ALL.len());
    assert!(Reason::ALL.iter().enumerate().all(|(number, reason)| *reason as usize == number));
    let mut world = World::open();
    for _ in 0..3 {
        assert_eq!(world.send(vec![0x45; 10]), Ruling::Drop(Reason::Malformed));
    }
    assert_eq!((world.filter.drops(Reason::Malformed), world.filter.drops(Reason::Denied)), (3, 0));
}
