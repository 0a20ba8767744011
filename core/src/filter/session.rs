//! The session of one peer: its rules, what it may use, what it has used, and its flows.
use super::events::{Event, Events};
use super::flows::{Share, Traffic};
use super::rate::{Bucket, Rate};
use super::rules::hours::Wall;
use super::rules::{Action, Compiled, Rule, RulesError, Way};
use super::ruling::Reason;
use crate::memory::NoMemory;
use crate::time::Instant;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

/// After so long, rules that could not be compiled for want of memory are compiled again. Nothing passes until then.
const AGAIN: Duration = Duration::from_secs(1);

/// What a peer may do from its login on. Made by `default`, it may do nothing.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Its rules; the first that applies decides.
    pub rules: Vec<Rule>,
    /// What becomes of packets that no rule applies to: [`Action::Deny`] or [`Action::Reject`]. [`Action::Allow`] counts as
    /// [`Action::Deny`].
    pub unmatched: Action,
    /// Whether events tell of those.
    pub log_unmatched: bool,
    /// The address of the peer's endpoint, for [`Rule::outer`].
    pub outer: Option<IpAddr>,
    /// How fast it may send; `None`: as fast as it can.
    pub from_peer: Option<Rate>,
    /// How fast it may be sent to.
    pub to_peer: Option<Rate>,
    /// Bytes in both directions after which nothing passes any more.
    pub quota: Option<u64>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            unmatched: Action::Deny,
            log_unmatched: false,
            outer: None,
            from_peer: None,
            to_peer: None,
            quota: None,
        }
    }
}

/// What a session has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What passed from the peer.
    pub from_peer: Traffic,
    /// What passed to it.
    pub to_peer: Traffic,
    /// Packets that did not pass, for whatever reason.
    pub dropped: u64,
    /// Flows that pass by its rules.
    pub flows: u32,
}

/// What the rules say of a first packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub action: Action,
    /// The place of the rule in the list; `None`: none applied.
    pub place: Option<u32>,
    /// What the caller calls it.
    pub number: Option<u32>,
    /// Whether an event is to tell of it.
    pub log: bool,
}

/// The session of a peer.
#[derive(Debug)]
pub(super) struct Session {
    config: SessionConfig,
    compiled: Compiled,
    /// Counts how often rules were compiled: a flow found by an older list is asked about again.
    pub generation: u32,
    /// When the list changes by itself, and to which revision of the wall clock that belongs.
    fresh_until: Instant,
    wall_revision: u32,
    /// Whether any rule asks for the time.
    is_timed: bool,
    buckets: [Option<Bucket>; 2],
    warned: bool,
    exceeded: bool,
    pub account: Account,
    pub share: Share,
}

impl Session {
    pub(super) fn new(config: SessionConfig, wall: &Wall, revision: u32, now: Instant) -> Result<Self, RulesError> {
        Compiled::check(&config.rules)?;
        let compiled = Compiled::new(&config.rules, wall, config.outer)?;
        let buckets = [config.from_peer, config.to_peer].map(|rate| rate.map(|rate| Bucket::new(rate, now)));
        let mut session = Self {
            config,
            compiled,
            generation: 0,
            fresh_until: Instant::MAX,
            wall_revision: revision,
            is_timed: false,
            buckets,
            warned: false,
            exceeded: false,
            account: Account::default(),
            share: Share::default(),
        };
        session.note_times(wall, revision);
        Ok(session)
    }

    /// Takes other rules, or none of them.
    pub(super) fn set_rules(&mut self, rules: Vec<Rule>, wall: &Wall, revision: u32) -> Result<(), RulesError> {
        Compiled::check(&rules)?;
        self.compiled = Compiled::new(&rules, wall, self.config.outer)?;
        self.config.rules = rules;
        self.generation = self.generation.wrapping_add(1);
        self.note_times(wall, revision);
        Ok(())
    }

    /// Notes where the peer's endpoint is.
    pub(super) fn set_outer(&mut self, outer: IpAddr, wall: &Wall, revision: u32) {
        if self.config.outer.replace(outer) != Some(outer)
            && self.config.rules.iter().any(|rule| !rule.outer.is_empty())
        {
            self.compile(wall, revision);
        }
    }

    /// Compiles the rules again when some began or ceased to apply by the clock.
    #[inline]
    pub(super) fn renew(&mut self, wall: &Wall, revision: u32, now: Instant) {
        if now >= self.fresh_until || (self.is_timed && revision != self.wall_revision) {
            self.compile(&wall.at(now), revision);
        }
    }

    /// What the rules say of a flow that begins so. `address` is the other end.
    pub(super) fn verdict(
        &self,
        way: Way,
        (address, is_peer): (crate::packet::Address, bool),
        protocol: u8,
        port: u16,
    ) -> Verdict {
        let place = self.compiled.first(way, address, is_peer, protocol, port);
        match place.and_then(|place| self.config.rules.get(place as usize)) {
            Some(rule) => Verdict { action: rule.action, place, number: Some(rule.number), log: rule.log },
            None => Verdict { action: self.unmatched(), place: None, number: None, log: self.config.log_unmatched },
        }
    }

    /// What the caller calls the rule at a place of the list.
    pub(super) fn rule_number(&self, place: u32) -> u32 {
        self.config.rules.get(place as usize).map_or(place, |rule| rule.number)
    }

    /// What is done with packets that no rule applies to.
    pub(super) fn unmatched(&self) -> Action {
        if self.config.unmatched == Action::Reject { Action::Reject } else { Action::Deny }
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.config.rules
    }

    pub(super) fn outer(&self) -> Option<IpAddr> {
        self.config.outer
    }

    /// Whether rate and quota leave room for `bytes` more.
    #[inline]
    pub(super) fn may_use(
        &mut self,
        (peer, way): (u32, Way),
        bytes: usize,
        now: Instant,
        events: &mut Events,
    ) -> Result<(), Reason> {
        if self.config.quota.is_some_and(|quota| self.used().saturating_add(bytes as u64) > quota) {
            if !core::mem::replace(&mut self.exceeded, true) {
                events.tell(Event::QuotaExceeded { peer });
            }
            return Err(Reason::QuotaExceeded);
        }
        if self.bucket(way).is_some_and(|bucket| !bucket.holds(bytes, now)) {
            return Err(Reason::RateLimited);
        }
        Ok(())
    }

    /// Counts `bytes` that passed.
    #[inline]
    pub(super) fn count(&mut self, (peer, way): (u32, Way), bytes: usize, events: &mut Events) {
        if let Some(bucket) = self.bucket(way) {
            bucket.take(bytes);
        }
        match way {
            Way::FromPeer => self.account.from_peer.count(bytes),
            Way::ToPeer => self.account.to_peer.count(bytes),
        }
        if let Some(quota) = self.config.quota
            && !self.warned
            && self.used() >= quota.saturating_sub(quota / 10)
        {
            self.warned = true;
            events.tell(Event::QuotaWarning { peer });
        }
    }

    /// Bytes on the heap, flows aside.
    pub(super) fn heap_bytes(&self) -> usize {
        let rules = &self.config.rules;
        let of_rule = |rule: &Rule| {
            let networks = rule.networks.capacity().saturating_add(rule.outer.capacity());
            let networks = networks.saturating_mul(size_of::<ipnet::IpNet>());
            let pairs = rule.ports.capacity().saturating_mul(6).saturating_add(rule.hours.capacity().saturating_mul(4));
            networks.saturating_add(pairs)
        };
        let lists = rules.iter().map(of_rule).fold(0, usize::saturating_add);
        let own = rules.capacity().saturating_mul(size_of::<Rule>()).saturating_add(size_of::<Self>());
        own.saturating_add(lists).saturating_add(self.compiled.heap_bytes())
    }

    fn used(&self) -> u64 {
        self.account.from_peer.bytes.saturating_add(self.account.to_peer.bytes)
    }

    fn bucket(&mut self, way: Way) -> Option<&mut Bucket> {
        let [from, to] = &mut self.buckets;
        match way {
            Way::FromPeer => from.as_mut(),
            Way::ToPeer => to.as_mut(),
        }
    }

    /// Compiles the rules as they apply now. Without memory for it nothing is allowed, and it is tried again.
    fn compile(&mut self, wall: &Wall, revision: u32) {
        self.generation = self.generation.wrapping_add(1);
        match Compiled::new(&self.config.rules, wall, self.config.outer) {
            Ok(compiled) => {
                self.compiled = compiled;
                self.note_times(wall, revision);
            }
            Err(NoMemory) => {
                self.compiled = Compiled::default();
                (self.fresh_until, self.wall_revision) = (wall.read_at + AGAIN, revision);
            }
        }
    }

    fn note_times(&mut self, wall: &Wall, revision: u32) {
        self.is_timed = self.config.rules.iter().any(|rule| !rule.hours.is_empty() || rule.not_after.is_some());
        self.fresh_until = wall.next_change(&self.config.rules).unwrap_or(Instant::MAX);
        self.wall_revision = revision;
    }
}
