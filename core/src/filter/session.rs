//! The session of one peer: its rules, what it may use, what it has used, and its flows.
use super::events::{Cause, Event, Events};
use super::flows::{Share, Traffic};
use super::lists::NONE;
use super::rate::{Bucket, Rate};
use super::rules::{Action, Compiled, Rules, Way};
use super::ruling::Reason;
use crate::time::Instant;
use core::net::IpAddr;

/// What a peer may do from its login on. Made by `default`, it may do nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Its rules; the first that applies decides. Sessions that are given copies of one list share it.
    pub rules: Rules,
    /// A number of the caller's own, which events about the session carry.
    pub user: u64,
    /// What becomes of packets that no rule applies to: [`Action::Deny`] or [`Action::Reject`]. [`Action::Allow`] counts as
    /// [`Action::Deny`].
    pub unmatched: Action,
    /// Whether events tell of those.
    pub log_unmatched: bool,
    /// The address of the peer's endpoint, for [`Rule::outer`](super::Rule::outer).
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
            rules: Rules::default(),
            user: 0,
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
    /// What the caller calls the rule; `None`: none applied.
    pub number: Option<u32>,
    /// Whether an event is to tell of it.
    pub log: bool,
}

/// The session of a peer.
#[derive(Debug)]
pub(super) struct Session {
    pub config: SessionConfig,
    /// Where its list of rules is; [`NONE`]: there was no memory for it.
    pub list: u32,
    /// When there is no list: when to ask for it again.
    pub again: Instant,
    buckets: [Option<Bucket>; 2],
    warned: bool,
    exceeded: bool,
    pub account: Account,
    pub share: Share,
}

impl Session {
    /// One that has no list yet.
    pub(super) fn new(config: SessionConfig, now: Instant) -> Self {
        let buckets = [config.from_peer, config.to_peer].map(|rate| rate.map(|rate| Bucket::new(rate, now)));
        Self {
            config,
            list: NONE,
            again: now,
            buckets,
            warned: false,
            exceeded: false,
            account: Account::default(),
            share: Share::default(),
        }
    }

    /// Goes on where `before` was: its flows and what it has used are this one's.
    pub(super) fn follow(&mut self, before: &mut Self) {
        core::mem::swap(&mut self.share, &mut before.share);
        self.account = before.account;
        if self.config.quota == before.config.quota {
            (self.warned, self.exceeded) = (before.warned, before.exceeded);
        }
        let rates = |config: &SessionConfig| [config.from_peer, config.to_peer];
        let rates = rates(&self.config).into_iter().zip(rates(&before.config));
        for ((bucket, used), (rate, rate_before)) in self.buckets.iter_mut().zip(before.buckets).zip(rates) {
            if rate == rate_before {
                *bucket = used;
            }
        }
    }

    /// What the rules, compiled, say of a flow that begins so. `address` is the other end.
    pub(super) fn verdict(
        &self,
        compiled: Option<&Compiled>,
        way: Way,
        (address, is_peer): (crate::packet::Address, bool),
        protocol: u8,
        port: u16,
    ) -> Verdict {
        let place = compiled.and_then(|compiled| compiled.first(way, address, is_peer, protocol, port));
        match place.and_then(|place| self.config.rules.get(place as usize)) {
            Some(rule) => Verdict { action: rule.action, number: Some(rule.number), log: rule.log },
            None => Verdict { action: self.unmatched(), number: None, log: self.config.log_unmatched },
        }
    }

    /// What is done with packets that no rule applies to.
    pub(super) fn unmatched(&self) -> Action {
        if self.config.unmatched == Action::Reject { Action::Reject } else { Action::Deny }
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
                events.tell(Event::QuotaExceeded { peer, user: self.config.user });
            }
            return Err(Reason::QuotaExceeded);
        }
        if self.bucket(way).is_some_and(|bucket| !bucket.holds(bytes, now)) {
            events.add((peer, self.config.user), Cause::Rate, now);
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
            events.tell(Event::QuotaWarning { peer, user: self.config.user });
        }
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
}
