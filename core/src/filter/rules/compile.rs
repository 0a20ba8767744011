//! The rules of a peer that apply now, compiled for lookups.
use super::classify::{Classifier, Entry};
use super::hours::Wall;
use super::steps::{Interval, LAST_KEY, NONE, key};
use super::{Action, Protocol, Rule, RulesError, Way};
use crate::filter::MAX_ENTRIES;
use crate::memory::{self, NoMemory};
use crate::packet::tcp::TCP;
use crate::packet::udp::UDP;
use crate::packet::{Address, ICMP, ICMPV6};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::IpAddr;
use ipnet::IpNet;

/// Rules for lookups. As it is made by `default`, it knows no rule.
#[derive(Debug, Default)]
pub(in crate::filter) struct Compiled {
    ways: [Families; 2],
}

#[derive(Debug, Default)]
struct Families {
    v4: Classifier<u32>,
    v6: Classifier<u128>,
}

/// What lists of rules are made into first.
#[derive(Debug, Default)]
struct Entries {
    v4: Vec<Entry<u32>>,
    v6: Vec<Entry<u128>>,
}

impl Compiled {
    /// Whether each of `rules` makes sense, and all are not too many.
    pub(in crate::filter) fn check(rules: &[Rule]) -> Result<(), RulesError> {
        let mut entries = 0_usize;
        for (place, rule) in rules.iter().enumerate() {
            rule.check().map_err(|fault| RulesError::Rule(place, fault))?;
            // A range of ports is two intervals at most: of TCP and of UDP.
            let intervals = rule.ports.len().saturating_mul(2).max(2);
            entries = entries.saturating_add(rule.networks.len().saturating_mul(intervals));
        }
        if entries > MAX_ENTRIES { Err(RulesError::TooMany) } else { Ok(()) }
    }

    /// Compiles those of `rules` that apply at `wall` to a peer whose endpoint is `outer`.
    pub(in crate::filter) fn new(rules: &[Rule], wall: &Wall, outer: Option<IpAddr>) -> Result<Self, NoMemory> {
        let mut ways = [Entries::default(), Entries::default()];
        for (place, rule) in (0..).zip(rules).filter(|(_, rule)| rule.is_active(wall, outer)) {
            let [from, to] = &mut ways;
            let entries = match rule.way {
                Way::FromPeer => from,
                Way::ToPeer => to,
            };
            add(entries, place, rule)?;
        }
        let [from, to] = ways;
        Ok(Self { ways: [families(from)?, families(to)?] })
    }

    /// The place in the list of the first rule for a flow with the other end at `address`, where a peer is or not.
    #[inline]
    pub(in crate::filter) fn first(
        &self,
        way: Way,
        address: Address,
        is_peer: bool,
        protocol: u8,
        port: u16,
    ) -> Option<u32> {
        let [from, to] = &self.ways;
        let families = match way {
            Way::FromPeer => from,
            Way::ToPeer => to,
        };
        let key = key(protocol, port);
        let found = match address {
            Address::V4(address) => families.v4.first(address, key, is_peer),
            Address::V6(address) => families.v6.first(address, key, is_peer),
        };
        (found != NONE).then_some(found)
    }

    /// Bytes on the heap.
    pub(in crate::filter) fn heap_bytes(&self) -> usize {
        let of = |families: &Families| families.v4.heap_bytes().saturating_add(families.v6.heap_bytes());
        self.ways.iter().map(of).fold(0, usize::saturating_add)
    }
}

fn families(entries: Entries) -> Result<Families, NoMemory> {
    Ok(Families { v4: Classifier::new(entries.v4)?, v6: Classifier::new(entries.v6)? })
}

/// The entries of a rule: each of its networks with each of its intervals.
fn add(entries: &mut Entries, place: u32, rule: &Rule) -> Result<(), NoMemory> {
    let peers = rule.peers || rule.action != Action::Allow;
    let mut intervals = Vec::new();
    each_interval(rule, &mut |first, last| memory::push(&mut intervals, Interval { rule: place, first, last }))?;
    for network in &rule.networks {
        for interval in intervals.iter().copied() {
            match network {
                IpNet::V4(network) => {
                    let (first, last) = (network.network().into(), Reverse(network.broadcast().into()));
                    memory::push(&mut entries.v4, Entry { first, last, interval, peers })?;
                }
                IpNet::V6(network) => {
                    let (first, last) = (network.network().into(), Reverse(network.broadcast().into()));
                    memory::push(&mut entries.v6, Entry { first, last, interval, peers })?;
                }
            }
        }
    }
    Ok(())
}

/// The stretches of keys that a rule applies to.
fn each_interval(rule: &Rule, tell: &mut dyn FnMut(u32, u32) -> Result<(), NoMemory>) -> Result<(), NoMemory> {
    let transports: &[u8] = match rule.protocol {
        Protocol::Any if rule.ports.is_empty() => return tell(0, LAST_KEY),
        Protocol::Any => &[TCP, UDP],
        Protocol::Tcp | Protocol::Number(TCP) => &[TCP],
        Protocol::Udp | Protocol::Number(UDP) => &[UDP],
        Protocol::Icmp => {
            tell(key(ICMP, 0), key(ICMP, 0))?;
            return tell(key(ICMPV6, 0), key(ICMPV6, 0));
        }
        Protocol::Number(number) => return tell(key(number, 0), key(number, 0)),
    };
    for transport in transports.iter().copied() {
        if rule.ports.is_empty() {
            tell(key(transport, 0), key(transport, u16::MAX))?;
        }
        for ports in &rule.ports {
            tell(key(transport, *ports.start()), key(transport, *ports.end()))?;
        }
    }
    Ok(())
}
