//! The filter beside a naive one: rules read from the top for every packet, flows in a map, no bounds.
use super::build::{echo, tcp, udp, unreachable};
use super::*;
use core::net::IpAddr;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Addresses of both families: those of the two peers, and two that no peer owns.
const ADDRESSES: [[&str; 4]; 2] =
    [["10.9.0.1", "10.9.0.2", "192.0.2.1", "192.0.2.2"], ["fd00::1", "fd00::2", "2001:db8::1", "2001:db8::2"]];

/// An end: which of the addresses of its family, and a port or identifier.
type End = (usize, u16);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp(u8),
    Udp,
    Question,
    Answer,
}

/// A packet, or an ICMP error about it that its sender is sent by the address of this number.
#[derive(Clone, Copy, Debug)]
struct Packet {
    family: usize,
    from: End,
    to: End,
    kind: Kind,
    error_by: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    /// A packet on its way from a peer, or to one.
    Packet(Packet, Way),
    Time(u64),
    Rules(u32, Vec<Rule>),
    Flush(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    SynSent,
    SynReceived,
    Established,
    Closing,
    Datagrams,
    Query,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    stage: Stage,
    used: Instant,
    owner: u32,
}

/// Family, protocol, beginner, other end.
type Name = (usize, u8, End, End);

/// The naive filter.
struct Naive {
    began: Instant,
    rules: [Vec<Rule>; 2],
    flows: BTreeMap<Name, Known>,
}

/// The peer that owns an address.
fn owner(address: usize) -> Option<u32> {
    (address < 2).then_some(address as u32 + 1)
}

fn address(family: usize, place: usize) -> IpAddr {
    ADDRESSES[family][place].parse().unwrap()
}

impl Packet {
    fn bytes(&self) -> Vec<u8> {
        let (from, to) = (address(self.family, self.from.0), address(self.family, self.to.0));
        let ends = (SocketAddr::new(from, self.from.1), SocketAddr::new(to, self.to.1));
        let packet = match self.kind {
            Kind::Tcp(flags) => tcp(ends.0, ends.1, flags),
            Kind::Udp => udp(ends.0, ends.1),
            Kind::Question => echo(from, to, self.from.1, false),
            Kind::Answer => echo(from, to, self.from.1, true),
        };
        match self.error_by {
            Some(by) => unreachable(address(self.family, by), from, &packet, 100),
            None => packet,
        }
    }

    /// Where its bytes say they come from and go to.
    fn ends(&self) -> (usize, usize) {
        self.error_by.map_or((self.from.0, self.to.0), |by| (by, self.from.0))
    }

    fn protocol(&self) -> u8 {
        match (self.kind, self.family) {
            (Kind::Tcp(_), _) => 6,
            (Kind::Udp, _) => 17,
            (_, 0) => 1,
            _ => 58,
        }
    }
}

impl Naive {
    fn rule(&mut self, now: Instant, packet: &Packet, way: Way) -> Ruling {
        let kind = packet.kind;
        if let (Kind::Tcp(flags), None) = (kind, packet.error_by)
            && ![SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK].contains(&flags)
        {
            return Ruling::Drop(Reason::Malformed);
        }
        let is_opening = kind != Kind::Answer && !matches!(kind, Kind::Tcp(flags) if flags != SYN);
        let (forth, back) = (
            (packet.family, packet.protocol(), packet.from, packet.to),
            (packet.family, packet.protocol(), packet.to, packet.from),
        );
        let names = match kind {
            Kind::Question => vec![forth],
            Kind::Answer => vec![back],
            _ => vec![forth, back],
        };
        let found = names.into_iter().find(|name| self.flows.contains_key(name) && self.is_between(name, packet));
        if let Some(name) = found {
            let known = self.flows[&name];
            let follows = kind == Kind::Tcp(SYN) && known.stage == Stage::Closing && packet.error_by.is_none();
            if now.since(known.used) >= patience(known.stage) || follows {
                self.flows.remove(&name);
            } else {
                return self.follow(now, packet, name, known);
            }
        }
        if packet.error_by.is_some() {
            return Ruling::Drop(Reason::UnknownError);
        }
        if !is_opening {
            return NO_FLOW;
        }
        let session = if way == Way::FromPeer { packet.from.0 } else { packet.to.0 };
        let owner = session as u32 + 1;
        let ruling = self.decide(now, owner, &forth);
        if ruling == PASS {
            let stage = match kind {
                Kind::Tcp(_) => Stage::SynSent,
                Kind::Udp => Stage::Datagrams,
                _ => Stage::Query,
            };
            self.flows.insert(forth, Known { stage, used: now, owner });
        }
        ruling
    }

    /// An error comes by way of the side at which the destination of the packet is.
    fn is_between(&self, _: &Name, packet: &Packet) -> bool {
        packet.error_by.is_none_or(|by| owner(by) == owner(packet.to.0))
    }

    fn follow(&mut self, now: Instant, packet: &Packet, name: Name, known: Known) -> Ruling {
        let ruling = self.decide(now, known.owner, &name);
        if ruling != PASS {
            self.flows.remove(&name);
            return ruling;
        }
        if packet.error_by.is_some() {
            return PASS;
        }
        let by_beginner = packet.from == name.2;
        let stage = match (packet.kind, known.stage) {
            (_, Stage::Closing) => Stage::Closing,
            (Kind::Tcp(flags), _) if flags & (FIN | RST) != 0 => Stage::Closing,
            (Kind::Tcp(flags), Stage::SynSent) if !by_beginner && flags & SYN != 0 => Stage::SynReceived,
            (Kind::Tcp(flags), Stage::SynReceived) if by_beginner && flags & ACK != 0 => Stage::Established,
            (_, stage) => stage,
        };
        self.flows.insert(name, Known { stage, used: now, ..known });
        PASS
    }

    fn decide(&self, now: Instant, session: u32, (family, protocol, beginner, other): &Name) -> Ruling {
        let minute = (now.since(self.began).as_secs() / 60 % 10_080) as u16;
        let way = if owner(beginner.0) == Some(session) { Way::FromPeer } else { Way::ToPeer };
        let far = if way == Way::FromPeer { other.0 } else { beginner.0 };
        let address = address(*family, far);
        for rule in &self.rules[session as usize - 1] {
            let in_time =
                rule.hours.is_empty() || rule.hours.iter().any(|hours| hours.from <= minute && minute < hours.to);
            let of_protocol = match rule.protocol {
                Protocol::Any => true,
                Protocol::Tcp => *protocol == 6,
                Protocol::Udp => *protocol == 17,
                Protocol::Icmp => [1, 58].contains(protocol),
                Protocol::Number(number) => *protocol == number,
            };
            let has_port = [6, 17].contains(protocol) && rule.ports.iter().any(|ports| ports.contains(&other.1));
            let far_side = owner(far).is_none() || rule.peers || rule.action != Action::Allow;
            let contained = rule.networks.iter().any(|network| network.contains(&address));
            if in_time && rule.way == way && of_protocol && (rule.ports.is_empty() || has_port) && far_side && contained
            {
                return match rule.action {
                    Action::Allow => PASS,
                    Action::Deny => DENIED,
                    Action::Reject if *protocol == 6 => Ruling::Reject(Reject::Reset),
                    Action::Reject => Ruling::Reject(Reject::Prohibited),
                };
            }
        }
        DENIED
    }
}

fn patience(stage: Stage) -> Duration {
    Duration::from_secs(match stage {
        Stage::SynSent | Stage::SynReceived | Stage::Closing => 240,
        Stage::Established => 7440,
        Stage::Datagrams => 300,
        Stage::Query => 60,
    })
}

fn any_packet() -> impl Strategy<Value = (Packet, Way)> {
    let flags = prop_oneof![
        4 => Just(SYN), 3 => Just(SYN | ACK), 6 => Just(ACK), 1 => Just(FIN | ACK), 1 => Just(RST), 1 => Just(RST | ACK),
        1 => Just(SYN | FIN), 1 => Just(0)
    ];
    let kind = prop_oneof![
        6 => flags.prop_map(Kind::Tcp), 3 => Just(Kind::Udp), 2 => Just(Kind::Question), 1 => Just(Kind::Answer)
    ];
    let error_by = prop::option::weighted(0.15, 0..4_usize);
    let ends = (0..4_usize, 1..4_usize, 1..3_u16, 1..3_u16);
    (0..2_usize, ends, kind, error_by, any::<bool>()).prop_map(
        |(family, (from, more, from_port, to_port), kind, error_by, from_peer)| {
            let to_port = if matches!(kind, Kind::Question | Kind::Answer) { from_port } else { to_port };
            let to = (from + more) % 4;
            // At least one end is a peer, and an error comes from elsewhere than it goes to.
            let from = if from >= 2 && to >= 2 { from - 2 } else { from };
            let error_by = error_by.filter(|by| *by != from && (*by < 2 || from < 2));
            let packet = Packet { family, from: (from, from_port), to: (to, to_port), kind, error_by };
            let (source, destination) = packet.ends();
            let from_peer = source < 2 && (from_peer || destination >= 2);
            (packet, if from_peer { Way::FromPeer } else { Way::ToPeer })
        },
    )
}

fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let network = prop::sample::select(vec![
        "0.0.0.0/0",
        "::/0",
        "10.9.0.0/24",
        "10.9.0.2/32",
        "192.0.2.0/24",
        "192.0.2.1/32",
        "fd00::/16",
        "2001:db8::/127",
    ]);
    let action = prop_oneof![4 => Just(Action::Allow), 1 => Just(Action::Deny), 1 => Just(Action::Reject)];
    let protocol = prop_oneof![
        3 => Just(Protocol::Any), 1 => Just(Protocol::Tcp), 1 => Just(Protocol::Udp), 1 => Just(Protocol::Icmp)
    ];
    let port = prop::option::weighted(0.3, 1..3_u16);
    let until = prop::option::weighted(0.2, (0..9_u16, 1..9_u16));
    let rule = (action, prop::collection::vec(network, 1..4), protocol, port, until, any::<bool>(), any::<bool>());
    let rule = rule.prop_map(|(action, networks, protocol, port, until, peers, from_peer)| {
        let ports = port.filter(|_| protocol.has_ports()).map(|port| port..=port).into_iter().collect();
        let hours = until.map(|(from, more)| Hours { from, to: from + more }).into_iter().collect();
        let way = if from_peer { Way::FromPeer } else { Way::ToPeer };
        let networks = networks.into_iter().map(net).collect();
        Rule { action, protocol, ports, peers, way, hours, ..Rule::allow(0, networks) }
    });
    prop::collection::vec(rule, 0..6)
}

fn any_step() -> impl Strategy<Value = Step> {
    let time = prop::sample::select(vec![1, 1000, 59_999, 60_000, 100_000, 239_999, 240_000, 300_000, 7_440_000]);
    prop_oneof![
        30 => any_packet().prop_map(|(packet, way)| Step::Packet(packet, way)),
        5 => time.prop_map(Step::Time),
        2 => (1..3_u32, any_rules()).prop_map(|(peer, rules)| Step::Rules(peer, rules)),
        1 => (1..3_u32).prop_map(Step::Flush),
    ]
}

fn is_flow_of(name: &Name, peer: u32) -> bool {
    owner(name.2.0) == Some(peer) || owner(name.3.0) == Some(peer)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn it_rules_as_a_naive_filter_does(
        first in any_rules(),
        second in any_rules(),
        steps in prop::collection::vec(any_step(), 0..120),
        stale: bool,
    ) {
        let mut world = World::new(first.clone());
        world.filter.open(world.now, BOB, SessionConfig { rules: second.clone().into(), ..SessionConfig::default() }).unwrap();
        let mut naive = Naive { began: world.now, rules: [first, second], flows: BTreeMap::new() };
        let (mut rejected, mut before) = (0, Ahead::NONE);
        for step in steps {
            match step {
                Step::Packet(packet, way) => {
                    let (source, destination) = packet.ends();
                    let mut bytes = packet.bytes();
                    let passage = match way {
                        Way::FromPeer => Passage { peer: source as u32 + 1, way, owner: owner(destination) },
                        Way::ToPeer => Passage { peer: destination as u32 + 1, way, owner: owner(source) },
                    };
                    // What was read ahead for the packet before is of no use, and does no harm.
                    let now_ahead = world.filter.read_ahead(&passage, &bytes);
                    let ahead = if stale { core::mem::replace(&mut before, now_ahead) } else { now_ahead };
                    let found = world.filter.rule(world.now, passage, ahead, &mut bytes);
                    let wanted = naive.rule(world.now, &packet, way);
                    let is_rejection = matches!(wanted, Ruling::Reject(_));
                    rejected += u32::from(is_rejection);
                    let beyond_rate = is_rejection && rejected > 100 && found == DENIED;
                    prop_assert!(found == wanted || beyond_rate, "{:?} {:?}: {:?}, not {:?}", packet, way, found, wanted);
                }
                Step::Time(millis) => world.pass_time(millis),
                Step::Rules(peer, rules) => {
                    world.filter.set_rules(world.now, peer, rules.clone().into()).unwrap();
                    naive.rules[peer as usize - 1] = rules;
                }
                Step::Flush(peer) => {
                    world.filter.flush(peer);
                    naive.flows.retain(|name, _| !is_flow_of(name, peer));
                }
            }
            let live = naive.flows.values().filter(|known| world.now.since(known.used) < patience(known.stage)).count();
            prop_assert!(world.filter.flows() >= live, "a flow was lost");
        }
    }
}
