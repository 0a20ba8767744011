//! Lists of rules that sessions share.
use super::build::udp;
use super::*;

const CLIENT: &str = "10.9.0.1:4000";
const SERVER: &str = "192.0.2.1:53";
const PEERS: u32 = 50;

/// So many rules that their list takes most of the memory.
fn long_list() -> Vec<Rule> {
    let deny = |number: u32| Rule { action: Action::Deny, ..Rule::allow(number, vec![net("198.51.100.0/24")]) };
    let mut rules: Vec<_> = (1..=500).map(|number| Rule { ports: vec![1..=number as u16], ..deny(number) }).collect();
    rules.push(Rule::allow(777, vec![net("192.0.2.0/24")]));
    rules
}

fn world(rules: impl Fn() -> Rules) -> World {
    let mut world = World::new(Vec::new());
    for peer in 10..10 + PEERS {
        world.filter.open(world.now, peer, SessionConfig { rules: rules(), ..SessionConfig::default() }).unwrap();
    }
    world
}

fn send(world: &mut World, peer: u32) -> Ruling {
    world.filter.inbound(world.now, peer, None, &mut udp(at(CLIENT), at(SERVER)))
}

#[test]
fn copies_of_a_list_are_compiled_and_kept_once() {
    let rules = Rules::from(long_list());
    let mut shared = world(|| rules.clone());
    let apart = world(|| Rules::from(long_list()));
    let [one, many] = [&shared, &apart].map(|world| world.filter.footprint().sessions);
    assert!(one * 10 < many, "{one} and {many} bytes");
    assert!((10..10 + PEERS).all(|peer| send(&mut shared, peer) == PASS));
    // Each session leaves the list; the last one takes it along.
    for peer in 10..10 + PEERS {
        assert_eq!(send(&mut shared, peer), PASS, "it is there as long as somebody has it");
        shared.filter.close(peer);
    }
    shared.filter.close(ALICE);
    assert_eq!(shared.filter.footprint(), FilterFootprint::default());
}

/// Who is given another list changes nothing for those who share the first.
#[test]
fn a_change_is_one_sessions_own() {
    let rules = Rules::from(long_list());
    let mut world = world(|| rules.clone());
    world.filter.set_rules(world.now, 10, Rules::default()).unwrap();
    assert_eq!((send(&mut world, 10), send(&mut world, 11)), (DENIED, PASS));
    world.filter.set_rules(world.now, 10, rules).unwrap();
    assert_eq!(send(&mut world, 10), PASS);
}

/// What rules ask of the endpoint parts those who are elsewhere from the others.
#[test]
fn sessions_at_different_places_have_lists_of_their_own() {
    let rules = Rules::from(vec![Rule { outer: vec![net("203.0.113.0/24")], ..Rule::allow(1, everything()) }]);
    let mut world = world(|| rules.clone());
    assert_eq!(send(&mut world, 10), DENIED, "where it is nobody knows");
    world.filter.handle_roaming(world.now, 10, at("203.0.113.5:1").ip());
    world.filter.handle_roaming(world.now, 11, at("198.51.100.5:1").ip());
    assert_eq!([10, 11, 12].map(|peer| send(&mut world, peer)), [PASS, DENIED, DENIED]);
    world.filter.handle_roaming(world.now, 10, at("198.51.100.5:1").ip());
    assert_eq!(send(&mut world, 10), DENIED);
}

/// All who share a list follow the clock, whoever of them asks first.
#[test]
fn hours_change_a_list_for_all_who_share_it() {
    let hours = vec![Hours { from: 0, to: 1 }];
    let rules = Rules::from(vec![Rule { hours, ..Rule::allow(1, everything()) }]);
    let mut world = world(|| rules.clone());
    assert!((10..20).all(|peer| send(&mut world, peer) == PASS));
    world.pass_time(60_000);
    assert!((10..20).all(|peer| send(&mut world, peer) == DENIED), "flows are asked about again");
}

/// A flow is told of by the rule that allowed it, also when that is in no list any more.
#[test]
fn the_end_of_a_flow_names_the_rule_that_allowed_it() {
    let mut world = World::new(vec![Rule { log: true, ..Rule::allow(5, everything()) }]);
    assert_eq!(send(&mut world, ALICE), PASS);
    let other = Rule { log: true, action: Action::Deny, ..Rule::allow(9, everything()) };
    world.filter.set_rules(world.now, ALICE, vec![other].into()).unwrap();
    world.filter.flush(ALICE);
    let told: Vec<_> = core::iter::from_fn(|| world.filter.poll_event()).collect();
    assert!(matches!(told[..], [Event::FlowStart { rule: 5, .. }, Event::FlowEnd { rule: 5, .. }]), "{told:?}");
}
