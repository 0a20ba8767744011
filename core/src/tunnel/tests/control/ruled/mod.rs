//! Peers that are ruled: what passes, what is answered, and that every form of the data path says the same.
mod changes;
mod forms;
mod peers;

use super::*;
use crate::filter::{Action, Event as Fact, Hours, Protocol, Rule, RuleFault, Rules, RulesError, SessionConfig, Way};

/// A packet in a buffer with room around it.
type Packet = (Vec<u8>, core::ops::Range<usize>);

const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;
const DENIED: Got = Got::Dropped(DropReason::Denied);

/// The gateway rules the client by these.
fn rule(gateway: &mut Host, rules: Vec<Rule>) {
    rule_as(gateway, SessionConfig { rules: rules.into(), ..SessionConfig::default() });
}

fn rule_as(gateway: &mut Host, session: SessionConfig) {
    change(gateway, Change::Access { peer: key(CLIENT), access: Access::Ruled(session) });
}

/// A client with a session, and a gateway that rules it.
fn ruled(rules: Vec<Rule>) -> (Host, Host) {
    let (client, mut gateway) = pair();
    rule(&mut gateway, rules);
    (client, gateway)
}

/// A rule for the gateway's own network, all of it on the client's route.
fn allow(number: u32) -> Rule {
    Rule::allow(number, vec!["10.0.0.0/24".parse().expect("a network")])
}

fn web() -> Rule {
    Rule { protocol: Protocol::Tcp, ports: vec![443..=443], ..allow(1) }
}

/// A TCP segment between two hosts of 10.0.0.0/24: from, its port, to, its port.
fn tcp(from: (u8, u16), to: (u8, u16), flags: u8) -> Packet {
    let (mut buf, range) = packet(from.0, to.0, 40);
    let ip = &mut buf[range.clone()];
    ip[9] = 6;
    ip[20..22].copy_from_slice(&from.1.to_be_bytes());
    ip[22..24].copy_from_slice(&to.1.to_be_bytes());
    ip[27] = 9;
    (ip[32], ip[33]) = (5 << 4, flags);
    add_checksum(ip);
    (buf, range)
}

fn udp(from: (u8, u16), to: (u8, u16)) -> Packet {
    let (mut buf, range) = packet(from.0, to.0, 36);
    let ip = &mut buf[range.clone()];
    ip[20..22].copy_from_slice(&from.1.to_be_bytes());
    ip[22..24].copy_from_slice(&to.1.to_be_bytes());
    ip[25] = 16;
    add_checksum(ip);
    (buf, range)
}

/// No ICMP error is about a packet whose header is damaged.
fn add_checksum(ip: &mut [u8]) {
    let sum: u32 = ip[..20].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Hands a packet to a host: the datagram, or why there is none.
fn give(now: Instant, host: &mut Host, (mut buf, range): Packet) -> Result<Vec<u8>, Given> {
    match host.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range }) {
        Outbound::Datagram { datagram, .. } => Ok(datagram.to_vec()),
        Outbound::Staged => Err(Given::Staged),
        Outbound::Dropped(reason) => Err(Given::Dropped(reason)),
        Outbound::Bounce { reason, packet } => Err(Given::Bounced(reason, packet.to_vec())),
    }
}

/// What else becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
enum Given {
    Staged,
    Dropped(DropReason),
    Bounced(DropReason, Vec<u8>),
}

/// The client sends, and the gateway opens it.
fn up(now: Instant, client: &mut Host, gateway: &mut Host, packet: Packet) -> Got {
    let mut datagram = give(now, client, packet).expect("the client rules nobody");
    take(now, client.path, gateway, &mut datagram)
}

/// The host side of the gateway sends to the client.
fn down(now: Instant, gateway: &mut Host, packet: Packet) -> Result<(), Given> {
    give(now, gateway, packet).map(drop)
}

fn facts(host: &mut Host) -> Vec<Fact> {
    core::iter::from_fn(|| host.tunnel.poll_filter_event()).collect()
}

#[test]
fn nothing_passes_that_no_rule_allows() {
    let (mut client, mut gateway) = ruled(Vec::new());
    let id = only(&gateway);
    let access = gateway.tunnel.peer(id).map(|peer| peer.access());
    assert!(matches!(access, Some(Access::Ruled(_))), "{access:?}");
    assert_eq!(up(NOW, &mut client, &mut gateway, tcp((CLIENT, 4000), (OFFICE, 443), SYN)), DENIED);
    assert_eq!(up(NOW, &mut client, &mut gateway, udp((CLIENT, 4000), (OFFICE, 53))), DENIED);
    let refused = Err(Given::Dropped(DropReason::Denied));
    assert_eq!(down(NOW, &mut gateway, udp((OFFICE, 53), (CLIENT, 4000))), refused);
    let stray = down(NOW, &mut gateway, tcp((OFFICE, 443), (CLIENT, 4000), SYN_ACK));
    assert_eq!(stray, Err(Given::Dropped(DropReason::NoFlow)));
    let peer = gateway.tunnel.peer(id).expect("known");
    assert_eq!((peer.drops().of(DropReason::Denied), peer.drops().of(DropReason::NoFlow)), (3, 1));
    assert_eq!(peer.account().expect("it is ruled").dropped, 4);
    assert_eq!((gateway.tunnel.stats().rx_packets, gateway.tunnel.stats().tx_packets), (0, 0));
    // The control channel is not the rules' business.
    ask(NOW, &mut client, b"why?");
    say(NOW, &mut gateway, b"default deny");
    assert_eq!(talk(NOW, &mut client, &mut gateway), [b"why?".to_vec(), b"default deny".to_vec()]);
}

#[test]
fn answers_of_an_allowed_flow_pass_and_nothing_else_does() {
    let (mut client, mut gateway) = ruled(vec![web()]);
    let answer = || tcp((OFFICE, 443), (CLIENT, 4000), SYN_ACK);
    assert_eq!(down(NOW, &mut gateway, answer()), Err(Given::Dropped(DropReason::NoFlow)), "nobody has asked");
    assert_eq!(up(NOW, &mut client, &mut gateway, tcp((CLIENT, 4000), (OFFICE, 443), SYN)), Got::Packet(40));
    assert_eq!(down(NOW, &mut gateway, answer()), Ok(()));
    assert_eq!(up(NOW, &mut client, &mut gateway, tcp((CLIENT, 4000), (OFFICE, 5432), SYN)), DENIED);
    assert_eq!(
        down(NOW, &mut gateway, tcp((OFFICE, 443), (CLIENT, 4001), SYN_ACK)),
        Err(Given::Dropped(DropReason::NoFlow))
    );
    let account = gateway.tunnel.peer(only(&gateway)).and_then(|peer| peer.account()).expect("ruled");
    assert_eq!((account.from_peer.packets, account.to_peer.packets, account.flows), (1, 1, 1));
    assert_eq!(gateway.tunnel.footprint().flows, 1);
    // A source that is not the client's is told before any rule is asked.
    assert_eq!(
        up(NOW, &mut client, &mut gateway, tcp((9, 4000), (OFFICE, 443), SYN)),
        Got::Dropped(DropReason::SourceNotAllowed)
    );
}

/// Whoever is rejected hears of it: the peer through the tunnel, our own side by a packet for the virtual interface.
#[test]
fn a_reject_reaches_the_sender() {
    let (mut client, mut gateway) = pair();
    let session = SessionConfig { unmatched: Action::Reject, ..SessionConfig::default() };
    rule_as(&mut gateway, session);
    let mut answers = |packet: Packet| -> Vec<u8> {
        assert_eq!(up(NOW, &mut client, &mut gateway, packet), DENIED);
        let mut datagrams = polled(NOW, &mut gateway);
        assert_eq!(datagrams.len(), 1);
        match client.tunnel.handle_datagram(NOW, gateway.path, Ecn::NotCapable, &mut datagrams[0]) {
            Inbound::Packet { packet, .. } => packet.to_vec(),
            other => panic!("{other:?}"),
        }
    };
    let reset = answers(tcp((CLIENT, 4000), (OFFICE, 22), SYN));
    assert_eq!((reset.len(), reset[9], reset[33] & 4), (40, 6, 4), "a reset");
    assert_eq!((&reset[12..16], &reset[16..20]), (&[10, 0, 0, OFFICE][..], &[10, 0, 0, CLIENT][..]));
    let error = answers(udp((CLIENT, 4000), (OFFICE, 53)));
    assert_eq!((error[9], error[20], error[21]), (1, 3, 13), "ICMP: administratively prohibited");
    let bounced = down(NOW, &mut gateway, tcp((OFFICE, 80), (CLIENT, 22), SYN));
    let Err(Given::Bounced(DropReason::Denied, reset)) = bounced else { panic!("{bounced:?}") };
    assert_eq!((reset.len(), reset[9], reset[33] & 4), (40, 6, 4), "a reset");
    assert_eq!((&reset[12..16], &reset[16..20]), (&[10, 0, 0, CLIENT][..], &[10, 0, 0, OFFICE][..]));
    let bounced = down(NOW, &mut gateway, udp((OFFICE, 80), (CLIENT, 53)));
    let Err(Given::Bounced(DropReason::Denied, error)) = bounced else { panic!("{bounced:?}") };
    assert_eq!((error[9], error[20], error[21]), (1, 3, 13));
    assert_eq!(gateway.tunnel.footprint().staged_packets, 0);
}

/// What has to wait is ruled before it waits, and what is denied begins no handshake.
#[test]
fn what_is_denied_is_not_staged() {
    let mut gateway = host(OFFICE, CLIENT);
    let to_client = Rule { way: Way::ToPeer, ..web() };
    rule(&mut gateway, vec![to_client]);
    let denied = down(NOW, &mut gateway, tcp((OFFICE, 80), (CLIENT, 22), SYN));
    assert_eq!(denied, Err(Given::Dropped(DropReason::Denied)));
    let held = gateway.tunnel.footprint();
    assert_eq!((held.staged_packets, held.intents, held.flows), (0, 0, 0));
    assert_eq!(down(NOW, &mut gateway, tcp((OFFICE, 80), (CLIENT, 443), SYN)), Err(Given::Staged));
    let held = gateway.tunnel.footprint();
    assert_eq!((held.staged_packets, held.intents, held.flows), (1, 1, 1));
    // Other rules: what waited was let in by those before.
    rule(&mut gateway, Vec::new());
    assert_eq!(gateway.tunnel.footprint().staged_packets, 0);
    assert_eq!(gateway.tunnel.stats().drops.of(DropReason::Denied), 2);
}

/// Denials are added up, and told with the number that the host gave to the session.
#[test]
fn what_was_denied_is_told() {
    let (mut client, mut gateway) = pair();
    rule_as(&mut gateway, SessionConfig { user: 77, log_unmatched: true, ..SessionConfig::default() });
    let due_before = gateway.tunnel.poll_timeout();
    for _ in 0..3 {
        assert_eq!(up(NOW, &mut client, &mut gateway, tcp((CLIENT, 4000), (OFFICE, 5432), SYN)), DENIED);
    }
    assert_eq!(facts(&mut gateway), []);
    let due = NOW + Duration::from_secs(10);
    assert!(gateway.tunnel.poll_timeout() <= Some(due), "{due_before:?}");
    gateway.tunnel.handle_timeout(due);
    assert!(gateway.tunnel.poll_timeout() > Some(due));
    let told = facts(&mut gateway);
    let [Fact::Denied { user: 77, rule: None, first, packets: 3, .. }] = told[..] else { panic!("{told:?}") };
    assert_eq!((first.destination_port, first.way), (5432, Way::FromPeer));
    // What is being added up when the session ends is told then.
    assert_eq!(up(due, &mut client, &mut gateway, tcp((CLIENT, 4000), (OFFICE, 5432), SYN)), DENIED);
    lock(&mut gateway);
    assert!(matches!(facts(&mut gateway)[..], [Fact::Denied { user: 77, packets: 1, .. }]));
}

#[test]
fn rates_and_quotas_are_reasons_of_their_own() {
    let (mut client, mut gateway) = pair();
    let rate = crate::filter::Rate { bytes_per_second: 36, burst: 72 };
    let rules = Rules::from(vec![allow(1)]);
    rule_as(&mut gateway, SessionConfig { rules: rules.clone(), from_peer: Some(rate), ..SessionConfig::default() });
    let send = |client: &mut Host, gateway: &mut Host| up(NOW, client, gateway, udp((CLIENT, 4000), (OFFICE, 53)));
    let came: Vec<_> = (0..3).map(|_| send(&mut client, &mut gateway)).collect();
    assert_eq!(came, [Got::Packet(36), Got::Packet(36), Got::Dropped(DropReason::RateLimited)]);
    rule_as(&mut gateway, SessionConfig { rules: rules.clone(), quota: Some(100), ..SessionConfig::default() });
    assert_eq!(send(&mut client, &mut gateway), Got::Dropped(DropReason::QuotaExceeded), "72 are used already");
    lock(&mut gateway);
    rule_as(&mut gateway, SessionConfig { rules, quota: Some(100), ..SessionConfig::default() });
    assert_eq!(send(&mut client, &mut gateway), Got::Packet(36), "another session");
}

/// Nothing of a session outlives its peer, nor goes to the next one in its place.
#[test]
fn a_peer_that_goes_takes_its_session_along() {
    let (mut client, mut gateway) = pair();
    rule_as(&mut gateway, SessionConfig { rules: vec![allow(1)].into(), log_unmatched: true, ..Default::default() });
    assert_eq!(up(NOW, &mut client, &mut gateway, udp((CLIENT, 4000), (OFFICE, 53))), Got::Packet(36));
    assert_eq!(down(NOW, &mut gateway, udp((OFFICE, 9), (CLIENT, 9))), Err(Given::Dropped(DropReason::Denied)));
    change(&mut gateway, Change::RemoveAllPeers);
    while gateway.tunnel.poll_event().is_some() {}
    assert_eq!((gateway.tunnel.footprint(), gateway.tunnel.poll_timeout()), (Footprint::default(), None));
    assert_eq!(facts(&mut gateway).len(), 1);
    change(&mut gateway, Change::Control(ControlRole::Off));
    let next = NewPeer { allowed_ips: vec!["10.0.0.1/32".parse().expect("a network")], ..NewPeer::new(key(5)) };
    change(&mut gateway, Change::Peer(next.into()));
    let peer = gateway.tunnel.peers().next().expect("one");
    assert_eq!((peer.access(), peer.account()), (Access::Open, None));
}
