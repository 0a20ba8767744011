//! Rules that change during a flow, sessions that end, and the wall clock.
use super::build::{tcp, udp};
use super::*;

const CLIENT: &str = "10.9.0.1:4000";
const SERVER: &str = "192.0.2.1:443";
const DAY: u64 = 86_400_000;

fn hours(from: u16, to: u16) -> Rule {
    let mut rule = Rule::allow(1, everything());
    rule.hours = vec![Hours { from: from * 60, to: to * 60 }];
    rule
}

#[test]
fn a_change_of_rules_ends_what_they_do_not_allow() {
    let mut world = World::open();
    world.connect(at(CLIENT), at(SERVER));
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), PASS);
    let mut rule = Rule::allow(9, vec![net("192.0.2.0/24")]);
    rule.protocol = Protocol::Tcp;
    world.filter.set_rules(world.now, ALICE, vec![rule].into()).unwrap();
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), ACK)), PASS, "it goes on without a new handshake");
    assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), DENIED, "the answer finds it out as well");
    assert_eq!(world.filter.flows(), 1);
    world.filter.set_rules(world.now, ALICE, Rules::default()).unwrap();
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), DENIED);
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), NO_FLOW);
    assert_eq!(world.filter.flows(), 0);
    world.filter.set_rules(world.now, ALICE, vec![Rule::allow(1, everything())].into()).unwrap();
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), NO_FLOW, "a flow that ended does not come back");
}

#[test]
fn rules_that_make_no_sense_change_nothing() {
    let mut world = World::open();
    let bad = |change: &dyn Fn(&mut Rule)| {
        let mut rule = Rule::allow(2, everything());
        change(&mut rule);
        rule
    };
    let table: [(Rule, RuleFault); 6] = [
        (bad(&|rule| rule.networks.clear()), RuleFault::NoNetworks),
        (bad(&|rule| (rule.protocol, rule.ports) = (Protocol::Icmp, vec![1..=2])), RuleFault::PortsWithoutTransport),
        (
            bad(&|rule| (rule.protocol, rule.ports) = (Protocol::Number(47), vec![1..=2])),
            RuleFault::PortsWithoutTransport,
        ),
        (bad(&|rule| rule.ports = vec![1..=2, core::ops::RangeInclusive::new(5, 4)]), RuleFault::EmptyPortRange),
        (bad(&|rule| rule.hours = vec![Hours { from: 10_080, to: 1 }]), RuleFault::HoursOutOfRange),
        (bad(&|rule| rule.hours = vec![Hours { from: 9, to: 9 }]), RuleFault::HoursOutOfRange),
    ];
    for (rule, fault) in table {
        let rules = vec![Rule::allow(1, everything()), rule];
        let found = world.filter.set_rules(world.now, ALICE, rules.clone().into());
        assert_eq!(found, Err(RulesError::Rule(1, fault)));
        let session = SessionConfig { rules: rules.into(), ..SessionConfig::default() };
        assert_eq!(world.filter.open(world.now, ALICE, session), Err(RulesError::Rule(1, fault)));
    }
    let many = Rule { ports: vec![1..=1; 1 << 10], ..Rule::allow(1, vec![net("10.0.0.0/8"); 1 << 10]) };
    assert_eq!(world.filter.set_rules(world.now, ALICE, vec![many].into()), Err(RulesError::TooMany));
    assert_eq!(world.filter.set_rules(world.now, BOB, Rules::default()), Err(RulesError::NoSession));
    assert_eq!(world.filter.open(world.now, u32::MAX, SessionConfig::default()), Err(RulesError::PeerOutOfRange));
    world.connect(at(CLIENT), at(SERVER));
}

#[test]
fn a_session_that_is_closed_leaves_nothing() {
    let mut world = World::open();
    world.connect(at(CLIENT), at(SERVER));
    let account = world.filter.close(ALICE).expect("a session");
    assert_eq!((account.from_peer.packets, account.to_peer.packets), (2, 1));
    assert_eq!((world.filter.flows(), world.filter.close(ALICE)), (0, None));
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), Ruling::Drop(Reason::NoSession));
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), ACK)), Ruling::Drop(Reason::NoSession));
    assert_eq!(world.filter.footprint(), FilterFootprint::default());
    let session = SessionConfig { rules: vec![Rule::allow(1, everything())].into(), ..SessionConfig::default() };
    world.filter.open(world.now, ALICE, session).unwrap();
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), NO_FLOW);
    assert_eq!(world.filter.account(ALICE).unwrap().from_peer, Traffic::default());
}

#[test]
fn a_flush_ends_flows_and_keeps_the_session() {
    let mut world = World::open();
    world.connect(at(CLIENT), at(SERVER));
    world.filter.flush(ALICE);
    assert_eq!(world.filter.flows(), 0);
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), NO_FLOW);
    world.connect(at(CLIENT), at(SERVER));
}

#[test]
fn rules_begin_and_end_with_their_hours() {
    // Mondays from 9 to 17 o'clock; the world begins on a Monday at midnight.
    let mut world = World::new(vec![hours(9, 17)]);
    assert_eq!(world.filter.poll_timeout(), None, "no deadline for that");
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), DENIED);
    world.pass_time(9 * 3_600_000 - 1);
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), DENIED);
    world.pass_time(1);
    world.connect(at(CLIENT), at(SERVER));
    for _ in 0..7 {
        world.pass_time(3_600_000);
        assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), ACK)), PASS);
    }
    world.pass_time(3_600_000 - 1);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), ACK)), PASS);
    world.pass_time(1);
    assert_eq!(world.receive(tcp(at(SERVER), at(CLIENT), ACK)), DENIED, "the live connection ends as well");
    world.pass_time(6 * DAY + 16 * 3_600_000);
    world.connect(at(CLIENT), at(SERVER));
}

#[test]
fn a_rule_ends_for_good() {
    let mut rule = Rule::allow(1, everything());
    rule.not_after = Some(MONDAY + Duration::from_secs(100));
    let mut world = World::new(vec![rule]);
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), PASS);
    world.pass_time(100_000);
    assert_eq!(world.receive(udp(at(SERVER), at(CLIENT))), DENIED);
    world.pass_time(300 * DAY);
    assert_eq!(world.send(udp(at(CLIENT), at(SERVER))), DENIED);
}

#[test]
fn a_wall_clock_that_steps_is_followed_at_once() {
    let mut world = World::new(vec![hours(9, 17)]);
    let noon = MONDAY + Duration::from_secs(12 * 3600);
    world.filter.handle_wall_clock(world.now, noon, 0);
    world.connect(at(CLIENT), at(SERVER));
    world.filter.handle_wall_clock(world.now, MONDAY, 0);
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), DENIED, "back to midnight");
    world.filter.handle_wall_clock(world.now, noon, 0);
    world.connect(at(CLIENT), at(SERVER));
    world.filter.handle_wall_clock(world.now, noon, 6 * 3600);
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), DENIED, "18 o'clock local time");
    world.filter.handle_wall_clock(world.now, noon, -3 * 3600);
    world.connect(at(CLIENT), at(SERVER));
}

#[test]
fn where_the_peer_sends_from_may_decide() {
    let mut rule = Rule::allow(1, everything());
    rule.outer = vec![net("203.0.113.0/24")];
    let mut deny = Rule::allow(2, vec![net("192.0.2.9/32")]);
    (deny.action, deny.outer) = (Action::Deny, vec![net("198.51.100.0/24")]);
    let mut world = World::new(vec![deny, rule]);
    assert_eq!(
        world.send(udp(at(CLIENT), at(SERVER))),
        DENIED,
        "the endpoint is not known: nothing is allowed for its sake"
    );
    world.filter.handle_roaming(world.now, ALICE, at("203.0.113.7:1").ip());
    world.connect(at(CLIENT), at(SERVER));
    assert_eq!(world.send(udp(at(CLIENT), at("192.0.2.9:1"))), PASS);
    world.filter.handle_roaming(world.now, ALICE, at("[::ffff:203.0.113.8]:1").ip());
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), PASS);
    world.filter.handle_roaming(world.now, ALICE, at("198.51.100.7:1").ip());
    assert_eq!(world.send(tcp(at(CLIENT), at(SERVER), ACK)), DENIED);
}
