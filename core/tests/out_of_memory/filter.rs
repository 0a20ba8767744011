//! A filter: sessions, rules, flows, fragments and events.
use super::{Seeded, WALL, fail, net};
use std::time::Duration;
use underpass_core::filter::{
    Action, Event, Filter, FilterConfig, FilterFootprint, Hours, Reason, Rule, RulesError, Ruling, SessionConfig,
};
use underpass_core::{Instant, UnixTime};

/// A UDP datagram from 10.0.0.1 to a host of 10.1.0.0/16; `fragment` is what stands in bytes 4 to 7.
fn packet(host: u8, fragment: [u8; 4]) -> [u8; 36] {
    let mut packet = [0; 36];
    (packet[0], packet[3], packet[8], packet[9], packet[25]) = (0x45, 36, 64, 17, 16);
    packet[4..8].copy_from_slice(&fragment);
    packet[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 1, 0, host]);
    (packet[21], packet[23]) = (9, 53);
    packet
}

/// Rules that look at the time, and tell of all they do.
fn rules() -> Vec<Rule> {
    let deny = Rule { action: Action::Deny, ..Rule::allow(1, vec![net("10.1.0.9/32"), net("fd00::/8")]) };
    let hours = vec![Hours { from: 0, to: 10_080 }];
    let allow = Rule { ports: vec![1..=100, 200..=300], hours, ..Rule::allow(2, vec![net("10.1.0.0/16")]) };
    [deny, allow].map(|rule| Rule { log: true, ..rule }).into()
}

fn session() -> SessionConfig {
    SessionConfig { rules: rules().into(), ..SessionConfig::default() }
}

fn filter() -> Filter {
    let config = FilterConfig { flows_per_peer: 50, events: 20, ..FilterConfig::default() };
    let mut filter = Filter::new(config, &mut Seeded(1), Instant::ZERO, WALL).expect("randomness");
    filter.open(Instant::ZERO, 1, session()).expect("memory");
    filter
}

/// Sessions and rules are as they were when there is no memory for other ones.
pub fn sessions(first: usize, count: usize) -> usize {
    let mut filter = filter();
    let now = Instant::ZERO;
    let (again, other, rules) = (session(), session(), rules().into());
    let ((opened, another, changed), calls) = fail(first, count, || {
        (filter.open(now, 1, again), filter.open(now, 70, other), filter.set_rules(now, 1, rules))
    });
    for done in [opened, another, changed] {
        assert!(done.is_ok() || done == Err(RulesError::NoMemory), "{done:?}");
    }
    assert_eq!(filter.account(70).is_some(), another.is_ok());
    assert_eq!(filter.inbound(now, 1, None, &mut packet(1, [0; 4])), Ruling::Pass);
    calls
}

/// What has no memory for its flow does not pass, and what passes has one.
pub fn flows(first: usize, count: usize) -> usize {
    let mut filter = filter();
    let mut now = Instant::ZERO;
    let (mut passed, mut refused) = (0, 0);
    let ((), calls) = fail(first, count, || {
        for host in 1..=100 {
            // The wall clock is read anew: the rules are compiled again, and without memory for it nothing is allowed.
            if host % 20 == 0 {
                filter.handle_wall_clock(now, WALL + Duration::from_secs(host.into()), 0);
            }
            let fragment = if host % 2 == 0 { [0, host, 0x20, 0] } else { [0; 4] };
            match filter.inbound(now, 1, None, &mut packet(host, fragment)) {
                Ruling::Pass => passed += 1,
                Ruling::Drop(Reason::NoMemory | Reason::Denied) => refused += 1,
                other => panic!("{other:?}"),
            }
            let _ = filter.inbound(now, 1, None, &mut packet(host, [0, host, 0, 2]));
            now = now + Duration::from_millis(100);
            filter.handle_timeout(now);
        }
    });
    assert_eq!(passed + refused, 100);
    let told: u64 = std::iter::from_fn(|| filter.poll_event())
        .map(|event| match event {
            Event::Lost { events } => events,
            _ => 1,
        })
        .sum();
    assert!(told >= passed, "each start is told or lost");
    works(&mut filter, now + Duration::from_secs(1));
    calls
}

/// There is memory again: packets pass, and all of it comes back.
fn works(filter: &mut Filter, now: Instant) {
    filter.handle_wall_clock(now, UnixTime::from_secs(1_800_000_000), 0);
    for host in 101..=200 {
        assert_eq!(filter.inbound(now, 1, None, &mut packet(host, [0; 4])), Ruling::Pass, "host {host}");
    }
    let _ = filter.close(1);
    filter.handle_timeout(now + Duration::from_secs(60));
    while filter.poll_event().is_some() {}
    assert_eq!(filter.footprint(), FilterFootprint::default());
}
