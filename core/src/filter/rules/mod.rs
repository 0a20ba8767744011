//! Rules: what a peer may reach, and who may reach it. The first that applies decides; where none does, nothing passes.
mod classify;
mod compile;
pub(super) mod hours;
mod steps;

pub(super) use compile::Compiled;
pub use hours::Hours;

use crate::packet::tcp::TCP;
use crate::packet::udp::UDP;
use crate::packet::{ICMP, ICMPV6};
use crate::time::UnixTime;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::ops::{Deref, RangeInclusive};
use ipnet::IpNet;

/// What a rule does with a first packet that it applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The packet passes, and so does its flow in both directions.
    Allow,
    /// The packet is dropped without a word.
    Deny,
    /// The packet is dropped, and its sender told: TCP by a reset, all else by an ICMP error.
    Reject,
}

/// Who sends the first packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The peer does: [`Rule::networks`] are where it goes to.
    FromPeer,
    /// The other end does: [`Rule::networks`] are where it comes from.
    ToPeer,
}

/// Protocols that a rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// All; with ports, TCP and UDP.
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6.
    Icmp,
    /// The protocol of this number.
    Number(u8),
}

impl Protocol {
    /// Whether packets of the protocol `number` are of this one.
    #[must_use]
    pub const fn has(self, number: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Tcp => number == TCP,
            Self::Udp => number == UDP,
            Self::Icmp => number == ICMP || number == ICMPV6,
            Self::Number(own) => number == own,
        }
    }

    /// Whether its packets have ports, some of them at least.
    pub(super) const fn has_ports(self) -> bool {
        matches!(self, Self::Any | Self::Tcp | Self::Udp | Self::Number(TCP | UDP))
    }
}

/// One rule of a peer, its subject being resolved: users and groups are no words of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What the caller calls it by, in events and explanations.
    pub number: u32,
    /// What it does.
    pub action: Action,
    /// Who begins.
    pub way: Way,
    /// Addresses of the other end, at least one network.
    pub networks: Vec<IpNet>,
    /// Protocols.
    pub protocol: Protocol,
    /// Destination ports, whoever begins. Empty: all of them.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Whether [`Action::Allow`] holds for addresses that belong to other peers, too. Other actions always do.
    pub peers: bool,
    /// When it applies: times of the week. Empty: always.
    pub hours: Vec<Hours>,
    /// The wall time from which it applies no more.
    pub not_after: Option<UnixTime>,
    /// Networks in one of which the peer's endpoint (the outer address) lies. Empty: any.
    pub outer: Vec<IpNet>,
    /// Whether an event tells of it: [`Action::Allow`] of the start and end of each flow, the others of what they denied.
    pub log: bool,
}

impl Rule {
    /// A rule that lets the peer reach `networks` at any time, by any protocol.
    #[must_use]
    pub const fn allow(number: u32, networks: Vec<IpNet>) -> Self {
        Self {
            number,
            action: Action::Allow,
            way: Way::FromPeer,
            networks,
            protocol: Protocol::Any,
            ports: Vec::new(),
            peers: false,
            hours: Vec::new(),
            not_after: None,
            outer: Vec::new(),
            log: false,
        }
    }

    /// Whether it applies at `wall` to a peer whose endpoint is `outer`. What is not known of the endpoint never opens:
    /// rules that allow do not apply then, the others do.
    #[must_use]
    pub(super) fn is_active(&self, wall: &hours::Wall, outer: Option<IpAddr>) -> bool {
        let at_home = match outer.map(|outer| outer.to_canonical()) {
            _ if self.outer.is_empty() => true,
            Some(outer) => self.outer.iter().any(|network| network.contains(&outer)),
            None => self.action != Action::Allow,
        };
        let in_time = self.hours.is_empty() || self.hours.iter().any(|hours| hours.contains(wall.minute_of_week()));
        at_home && in_time && self.not_after.is_none_or(|end| wall.unix < end)
    }

    /// Whether it makes sense.
    fn check(&self) -> Result<(), RuleFault> {
        if self.networks.is_empty() {
            return Err(RuleFault::NoNetworks);
        }
        if !self.ports.is_empty() && !self.protocol.has_ports() {
            return Err(RuleFault::PortsWithoutTransport);
        }
        if self.ports.iter().any(RangeInclusive::is_empty) {
            return Err(RuleFault::EmptyPortRange);
        }
        if !self.hours.iter().all(Hours::is_sound) {
            return Err(RuleFault::HoursOutOfRange);
        }
        Ok(())
    }
}

/// Rules in order, of which the first that applies decides. Copies are the same list: sessions that are given copies share it, and
/// it is compiled once for all of them. Two lists that only read the same are two.
///
/// To make one takes memory as Rust does: it ends the process where there is none. To copy one takes none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Option<Arc<Vec<Rule>>>);

impl Rules {
    /// Whether they make sense, each of them and all together: what [`Filter::open`](crate::filter::Filter::open) asks.
    ///
    /// # Errors
    /// [`RulesError::Rule`] or [`RulesError::TooMany`].
    pub fn check(&self) -> Result<(), RulesError> {
        Compiled::check(self)
    }

    /// Whether one is a copy of the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl From<Vec<Rule>> for Rules {
    fn from(rules: Vec<Rule>) -> Self {
        Self(if rules.is_empty() { None } else { Some(Arc::new(rules)) })
    }
}

impl Deref for Rules {
    type Target = [Rule];

    fn deref(&self) -> &[Rule] {
        self.0.as_ref().map_or(&[], |rules| rules.as_slice())
    }
}

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleFault {
    /// It names no network. One for everything names `0.0.0.0/0` and `::/0`.
    NoNetworks,
    /// It names ports of a protocol that has none.
    PortsWithoutTransport,
    /// A range of ports ends before it begins.
    EmptyPortRange,
    /// A time of the week is beyond its 10080 minutes, or begins when it ends.
    HoursOutOfRange,
}

/// Rules that were refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RulesError {
    /// The rule at this place of the list, counted from 0, makes no sense.
    Rule(usize, RuleFault),
    /// Networks times port ranges come to more than [`MAX_ENTRIES`](crate::filter::MAX_ENTRIES).
    TooMany,
    /// The peer's number is beyond [`MAX_PEER`](crate::filter::MAX_PEER).
    PeerOutOfRange,
    /// The filter has no session for the peer.
    NoSession,
    /// There is no memory for them.
    NoMemory,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(place, fault) => write!(f, "rule {}: {}", place.saturating_add(1), fault.text()),
            Self::TooMany => f.write_str("too many networks and port ranges"),
            Self::PeerOutOfRange => f.write_str("the number of the peer is too large"),
            Self::NoSession => f.write_str("the peer has no session"),
            Self::NoMemory => f.write_str("out of memory"),
        }
    }
}

impl core::error::Error for RulesError {}

impl From<crate::memory::NoMemory> for RulesError {
    fn from(_: crate::memory::NoMemory) -> Self {
        Self::NoMemory
    }
}

impl RuleFault {
    const fn text(self) -> &'static str {
        match self {
            Self::NoNetworks => "no networks",
            Self::PortsWithoutTransport => "ports of a protocol without ports",
            Self::EmptyPortRange => "an empty range of ports",
            Self::HoursOutOfRange => "a time of the week that does not exist",
        }
    }
}
