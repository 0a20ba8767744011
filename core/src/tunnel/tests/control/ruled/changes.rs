//! Rules that change, and what they ask for: time, place, memory of lists.
use super::*;

fn send(now: Instant, client: &mut Host, gateway: &mut Host) -> Got {
    up(now, client, gateway, udp((CLIENT, 4000), (OFFICE, 53)))
}

fn answer(now: Instant, gateway: &mut Host) -> Result<(), Given> {
    down(now, gateway, udp((OFFICE, 53), (CLIENT, 4000)))
}

#[test]
fn a_change_of_rules_cuts_a_live_flow_and_spares_one_that_is_still_allowed() {
    let (mut client, mut gateway) = ruled(vec![allow(1)]);
    assert_eq!(send(NOW, &mut client, &mut gateway), Got::Packet(36));
    rule(&mut gateway, vec![Rule { protocol: Protocol::Udp, ..allow(2) }]);
    assert_eq!(answer(NOW, &mut gateway), Ok(()), "the download goes on");
    assert_eq!(gateway.tunnel.footprint().flows, 1);
    rule(&mut gateway, vec![web()]);
    assert_eq!(answer(NOW, &mut gateway), Err(Given::Dropped(DropReason::Denied)), "and stops here");
    assert_eq!((send(NOW, &mut client, &mut gateway), gateway.tunnel.footprint().flows), (DENIED, 0));
}

/// A lock ends the flows: what is opened again begins anew.
#[test]
fn a_lock_flushes_flows() {
    let (mut client, mut gateway) = ruled(vec![allow(1)]);
    assert_eq!(send(NOW, &mut client, &mut gateway), Got::Packet(36));
    lock(&mut gateway);
    assert_eq!(gateway.tunnel.footprint().flows, 0);
    assert_eq!(answer(NOW, &mut gateway), Err(Given::Dropped(DropReason::Locked)));
    rule(&mut gateway, vec![allow(1)]);
    assert_eq!(answer(NOW, &mut gateway), Err(Given::Dropped(DropReason::Denied)), "nobody has asked since");
    let account = gateway.tunnel.peer(only(&gateway)).and_then(|peer| peer.account()).expect("ruled");
    assert_eq!(account.from_peer.packets, 0, "an account of its own");
    open(&mut gateway);
    assert_eq!(answer(NOW, &mut gateway), Ok(()));
    // A tunnel that becomes a gateway anew locks whoever is ruled.
    rule(&mut gateway, vec![allow(1)]);
    change(&mut gateway, Change::Control(ControlRole::Off));
    change(&mut gateway, Change::Control(ControlRole::Gateway));
    assert_eq!(send(NOW, &mut client, &mut gateway), Got::Dropped(DropReason::Locked));
}

#[test]
fn rules_that_make_no_sense_change_nothing() {
    let (mut client, mut gateway) = ruled(vec![allow(1)]);
    let senseless = Rules::from(vec![allow(1), Rule { networks: Vec::new(), ..allow(2) }]);
    assert_eq!(senseless.check(), Err(RulesError::Rule(1, RuleFault::NoNetworks)));
    let access = Access::Ruled(SessionConfig { rules: senseless, ..SessionConfig::default() });
    for change in [
        Change::Access { peer: key(CLIENT), access: access.clone() },
        Change::Peer(PeerChange { action: PeerAction::Admit(access), ..PeerChange::new(key(CLIENT)) }),
    ] {
        let lists = [Change::Access { peer: key(CLIENT), access: Access::Locked }, change];
        let refused = gateway.tunnel.configure(NOW, &lists);
        assert_eq!(refused, Err(ConfigError { change: Some(1), reason: ConfigReason::BadRules }));
        assert_eq!(send(NOW, &mut client, &mut gateway), Got::Packet(36));
    }
}

/// Within one list, each change is made for what the one before it leaves.
#[test]
fn a_list_of_changes_adds_locks_and_rules() {
    let (mut client, mut gateway) = ruled(vec![allow(1)]);
    assert_eq!(send(NOW, &mut client, &mut gateway), Got::Packet(36));
    let rules = Rules::from(vec![web()]);
    let session = SessionConfig { rules, user: 4, ..SessionConfig::default() };
    let add = NewPeer { access: Some(Access::Ruled(session.clone())), ..NewPeer::new(key(7)) };
    let list = [
        Change::Access { peer: key(CLIENT), access: Access::Locked },
        Change::Peer(add.into()),
        Change::Access { peer: key(CLIENT), access: Access::Ruled(session) },
        Change::Access { peer: key(9), access: Access::Ruled(SessionConfig::default()) },
    ];
    gateway.tunnel.configure(NOW, &list).expect("memory");
    assert_eq!(gateway.tunnel.footprint().flows, 0, "the lock between has ended them");
    assert_eq!(send(NOW, &mut client, &mut gateway), DENIED);
    let users: Vec<_> = gateway
        .tunnel
        .peers()
        .map(|peer| if let Access::Ruled(session) = peer.access() { session.user } else { 0 })
        .collect();
    assert_eq!(users, [4, 4]);
}

/// Hours begin and end by the wall clock, in local time, and without a deadline.
#[test]
fn hours_follow_the_wall_clock() {
    let (mut client, mut gateway) = pair();
    // The first hour of a Monday.
    let hours = vec![Hours { from: 0, to: 60 }];
    rule(&mut gateway, vec![Rule { hours, ..allow(1) }]);
    let before_monday = |seconds: u64| UnixTime::from_secs(1_704_067_200 - seconds);
    gateway.tunnel.handle_wall_clock(NOW, before_monday(5));
    assert_eq!(send(NOW, &mut client, &mut gateway), DENIED);
    let later = NOW + Duration::from_secs(5);
    assert_eq!(send(later, &mut client, &mut gateway), Got::Packet(36));
    let ahead = crate::filter::FilterConfig { seconds_ahead: 3600, ..Default::default() };
    change(&mut gateway, Change::Filter(ahead));
    assert_eq!(answer(later, &mut gateway), Err(Given::Dropped(DropReason::Denied)), "it is one o'clock here");
    gateway.tunnel.handle_wall_clock(later, before_monday(3600));
    assert_eq!(send(later, &mut client, &mut gateway), Got::Packet(36));
}

/// Rules ask where the peer is, which its last datagram says.
#[test]
fn the_outer_address_is_where_the_peer_is_heard_from() {
    let (mut client, mut gateway) = pair();
    let at_home = |network: &str| Rule { outer: vec![network.parse().expect("a network")], ..allow(1) };
    rule(&mut gateway, vec![at_home("192.0.2.1/32")]);
    let session = gateway.tunnel.peers().next().map(|peer| peer.access());
    let Some(Access::Ruled(session)) = session else { panic!("{session:?}") };
    assert_eq!(session.outer, Some(client.path.remote.ip()));
    assert_eq!(send(NOW, &mut client, &mut gateway), Got::Packet(36));
    client.path = Path::new(address(99));
    assert_eq!(send(NOW, &mut client, &mut gateway), DENIED, "it has roamed away");
    client.path = Path::new(address(CLIENT));
    assert_eq!(send(NOW, &mut client, &mut gateway), Got::Packet(36), "and back");
}

/// Bounds of flows and events come by a change of their own.
#[test]
fn bounds_are_configured() {
    let (mut client, mut gateway) = pair();
    let bounds = crate::filter::FilterConfig { flows_per_peer: 3, ..Default::default() };
    change(&mut gateway, Change::Filter(bounds));
    rule(&mut gateway, vec![allow(1)]);
    for port in 1..20 {
        assert_eq!(up(NOW, &mut client, &mut gateway, udp((CLIENT, port), (OFFICE, 53))), Got::Packet(36));
    }
    assert_eq!(gateway.tunnel.footprint().flows, 3);
}
