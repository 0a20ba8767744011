//! What a peer may reach: rules, the flows that they allow, and what is told of both.
//!
//! A [`Filter`] rules every packet of the peers that have a session in it, in both directions. The first packet of a flow is
//! decided by the peer's rules, of which the first that applies counts; where none does, nothing passes. Then the flow is known,
//! and its packets pass in both directions until it is silent for too long, its rules change, or it gives way to others.
//!
//! - **Who is asked.** A rule names who begins ([`Way`]) and the other end. A packet between two peers passes by the rules of the
//!   one that began; rules that allow networks do not allow other peers in them, unless they say so ([`Rule::peers`]).
//! - **Time** is an argument. Whether a flow still lives is asked when its next packet comes, and what nobody asks for is swept
//!   up when others are made: a filter that has nothing to tell has no deadline. Wall time, which rules with hours look at,
//!   comes by [`Filter::new`] and [`Filter::handle_wall_clock`].
//! - **Memory** is bounded: flows per peer and in all, first fragments, events. What is over the bound takes the place of something
//!   else: half-open flows first. What cannot be allocated is a drop with a reason.
//! - **What is not understood does not pass**: source routes, chains of more than eight extension headers, fragments without
//!   their first, ICMP errors about nothing that was sent.
//!
//! ```
//! use underpass_core::filter::{Filter, FilterConfig, Rule, Ruling, SessionConfig};
//! use underpass_core::{Instant, NoRandomness, Rng, UnixTime};
//!
//! # struct Host;
//! # impl Rng for Host { fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> { dest.fill(4); Ok(()) } }
//! let (now, wall) = (Instant::ZERO, UnixTime::from_secs(1_700_000_000));
//! let mut filter = Filter::new(FilterConfig::default(), &mut Host, now, wall)?;
//! let office = "10.1.0.0/16".parse().expect("a network");
//! let session = SessionConfig { rules: vec![Rule::allow(1, vec![office])].into(), ..SessionConfig::default() };
//! filter.open(now, 7, session).expect("rules that make sense");
//!
//! // A UDP datagram of peer 7 from 10.9.0.7 to 10.1.0.1, and the answer.
//! let mut packet = *b"\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\x0a\x09\0\x07\x0a\x01\0\x01\x10\x00\0\x35\0\x08\0\0";
//! let mut answer = *b"\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\x0a\x01\0\x01\x0a\x09\0\x07\0\x35\x10\x00\0\x08\0\0";
//! assert!(matches!(filter.outbound(now, 7, None, &mut answer), Ruling::Drop(_)));
//! assert_eq!(filter.inbound(now, 7, None, &mut packet), Ruling::Pass);
//! assert_eq!(filter.outbound(now, 7, None, &mut answer), Ruling::Pass);
//! # Ok::<(), NoRandomness>(())
//! ```
mod events;
mod explain;
mod flows;
mod lists;
pub mod mss;
mod rate;
mod reject;
mod rules;
mod ruling;
mod session;
mod sight;

pub use events::{Contact, Event, FlowEnd};
pub use explain::{Explanation, Question};
pub use flows::Traffic;
pub use rate::Rate;
pub use reject::Reject;
pub use rules::{Action, Hours, Protocol, Rule, RuleFault, Rules, RulesError, Way};
pub use ruling::{Ahead, Passage, Reason, Ruling};
pub use session::{Account, SessionConfig};

use crate::crypto::Rng;
use crate::error::NoRandomness;
use crate::memory::{Boxed, NoMemory};
use crate::time::{Instant, UnixTime};
use alloc::vec::Vec;
use core::net::IpAddr;
use events::Events;
use flows::Flows;
use flows::fragments::Fragments;
use lists::{AGAIN, List, Lists, NONE, asks_where};
use rate::Bucket;
use rules::hours::Wall;
use session::Session;

/// The most that networks times port ranges of a session may come to.
pub const MAX_ENTRIES: usize = 1 << 20;
/// The largest number of a peer. Numbers are to be small: 8 bytes are kept for each up to the largest in use.
pub const MAX_PEER: u32 = (1 << 24) - 1;
/// The owner of addresses that no peer owns.
const HOST: u32 = u32::MAX;
/// Rejections a second, and at once (RFC 1812 § 4.3.2.8).
const REJECTIONS: Rate = Rate { bytes_per_second: 100, burst: 100 };

/// Bounds of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterConfig {
    /// Flows by the rules of one peer, at least one.
    pub flows_per_peer: u32,
    /// Flows of all peers, at least one.
    pub flows: u32,
    /// Events that wait to be polled.
    pub events: u32,
    /// The MTU to which the maximum segment size of TCP is lowered; `None`: it is not.
    pub mtu: Option<u16>,
    /// Seconds by which local time, which [`Rule::hours`] are in, is ahead of UTC.
    pub seconds_ahead: i32,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self { flows_per_peer: 4096, flows: 131_072, events: 1024, mtu: None, seconds_ahead: 0 }
    }
}

/// Memory of a filter, in bytes on the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilterFootprint {
    /// Flows and first fragments.
    pub flows: usize,
    /// Sessions and their rules.
    pub sessions: usize,
    /// Events that wait.
    pub events: usize,
}

/// A session that is to be opened, and all the memory that it needs.
#[derive(Debug)]
pub(crate) struct Prepared {
    session: Boxed<Session>,
    /// Its list of rules; `None`: a session has it already.
    list: Option<Boxed<List>>,
}

/// Rules and flows of all peers that have a session. See the [module](self).
#[derive(Debug)]
pub struct Filter {
    config: FilterConfig,
    wall: Wall,
    /// Counts the readings of the wall clock.
    revision: u32,
    sessions: Vec<Option<Boxed<Session>>>,
    lists: Lists,
    flows: Flows,
    fragments: Fragments,
    events: Events,
    rejects: Bucket,
    drops: [u64; Reason::ALL.len()],
}

impl Filter {
    /// A filter without sessions. Randomness keeps senders from aiming at places of the table of flows.
    ///
    /// # Errors
    /// [`NoRandomness`]: the source gave none.
    pub fn new(config: FilterConfig, rng: &mut dyn Rng, now: Instant, wall: UnixTime) -> Result<Self, NoRandomness> {
        let mut secrets = [0; 2];
        for secret in &mut secrets {
            let mut bytes = [0; 8];
            rng.fill(&mut bytes)?;
            *secret = u64::from_le_bytes(bytes);
        }
        let config =
            FilterConfig { flows_per_peer: config.flows_per_peer.max(1), flows: config.flows.max(1), ..config };
        Ok(Self {
            config,
            wall: Wall { read_at: now, unix: wall, ahead: config.seconds_ahead },
            revision: 0,
            sessions: Vec::new(),
            lists: Lists::default(),
            flows: Flows::new(secrets.into()),
            fragments: Fragments::default(),
            events: Events::new(config.events as usize),
            rejects: Bucket::new(REJECTIONS, now),
            drops: [0; Reason::ALL.len()],
        })
    }

    /// Opens the session of a peer, at its login. One that it had is closed before: its flows end, its account begins anew.
    ///
    /// # Errors
    /// What is wrong with the rules. The peer has the session then that it had before.
    pub fn open(&mut self, now: Instant, peer: u32, config: SessionConfig) -> Result<(), RulesError> {
        if peer > MAX_PEER {
            return Err(RulesError::PeerOutOfRange);
        }
        let prepared = self.prepare(now, config)?;
        self.make_room((peer as usize).saturating_add(1), 1)?;
        self.forget(peer);
        self.install(peer, prepared);
        self.lists.shrink();
        Ok(())
    }

    /// Makes a session with all the memory that it needs, but for [room](Self::make_room) in the lists of all.
    pub(crate) fn prepare(&self, now: Instant, config: SessionConfig) -> Result<Prepared, RulesError> {
        let list = match self.lists.find(&config.rules, config.outer) {
            Some(_) => None,
            None => Some(List::new(&config.rules, config.outer, &self.wall.at(now), self.revision)?),
        };
        Ok(Prepared { session: Boxed::new(Session::new(config, now))?, list })
    }

    /// Makes room for the sessions of so many peers, and for so many lists of rules more.
    pub(crate) fn make_room(&mut self, peers: usize, lists: usize) -> Result<(), NoMemory> {
        self.sessions.try_reserve(peers.saturating_sub(self.sessions.len()))?;
        self.lists.make_room(lists)
    }

    /// Opens a session for which [room was made](Self::make_room). One that the peer has goes on as this one: its flows are asked
    /// about at their next packets, and what was used stays so.
    pub(crate) fn install(&mut self, peer: u32, Prepared { mut session, list }: Prepared) {
        // Another may have brought the list meanwhile, or taken it along: then it is compiled at the next packet.
        let shared = self.lists.find(&session.config.rules, session.config.outer);
        session.list = shared.or_else(|| list.map(|list| self.lists.add(list))).unwrap_or(NONE);
        self.lists.join(session.list);
        let places = (peer as usize).saturating_add(1);
        if self.sessions.len() < places {
            self.sessions.resize_with(places, || None);
        }
        let Some(place) = self.sessions.get_mut(peer as usize) else { return };
        if let Some(before) = place {
            session.follow(before);
            self.lists.leave(before.list);
        }
        *place = Some(session);
    }

    /// Gives a session other rules. Its flows go on if these allow them: each is asked about at its next packet.
    ///
    /// # Errors
    /// What is wrong with the rules, or that there is no session. Nothing was changed then.
    pub fn set_rules(&mut self, now: Instant, peer: u32, rules: Rules) -> Result<(), RulesError> {
        let outer = self.session(peer).ok_or(RulesError::NoSession)?.config.outer;
        let list = self.list_of(now, &rules, outer)?;
        self.lists.join(list);
        if let Some(session) = self.session_mut(peer) {
            session.config.rules = rules;
            let before = core::mem::replace(&mut session.list, list);
            self.lists.leave(before);
        }
        Ok(())
    }

    /// Says from which address a peer sends now, for [`Rule::outer`].
    pub fn handle_roaming(&mut self, now: Instant, peer: u32, outer: IpAddr) {
        let Some(session) = self.session_mut(peer) else { return };
        if session.config.outer.replace(outer) == Some(outer) || !asks_where(&session.config.rules) {
            return;
        }
        let before = core::mem::replace(&mut session.list, NONE);
        session.again = now;
        self.lists.leave(before);
        self.list_again(peer, now);
    }

    /// The list of these rules, compiled if no session has it.
    fn list_of(&mut self, now: Instant, rules: &Rules, outer: Option<IpAddr>) -> Result<u32, RulesError> {
        if let Some(at) = self.lists.find(rules, outer) {
            return Ok(at);
        }
        let list = List::new(rules, outer, &self.wall.at(now), self.revision)?;
        self.lists.make_room(1)?;
        Ok(self.lists.add(list))
    }

    /// Asks for the list of a session that has none. Without memory for it nothing is allowed, and it is tried again.
    #[cold]
    fn list_again(&mut self, peer: u32, now: Instant) {
        let Some(session) = self.session(peer).filter(|session| session.again <= now) else { return };
        let (rules, outer) = (session.config.rules.clone(), session.config.outer);
        let list = self.list_of(now, &rules, outer);
        if let Ok(list) = list {
            self.lists.join(list);
        }
        if let Some(session) = self.session_mut(peer) {
            (session.list, session.again) = (list.unwrap_or(NONE), now + AGAIN);
        }
    }

    /// Ends the flows of a peer, those of others to it among them.
    pub fn flush(&mut self, peer: u32) {
        while let Some(at) = self.session(peer).and_then(|session| session.share.any()) {
            self.end(at, FlowEnd::Flushed);
        }
        self.fragments.forget(peer);
    }

    /// Closes the session of a peer, at its logout: its flows end, and nothing passes. Returns what it has used.
    pub fn close(&mut self, peer: u32) -> Option<Account> {
        let account = self.forget(peer)?;
        self.give_back();
        Some(account)
    }

    /// The same, with the memory kept that others may need.
    pub(crate) fn forget(&mut self, peer: u32) -> Option<Account> {
        self.session(peer)?;
        self.flush(peer);
        self.events.forget(peer);
        let session = self.sessions.get_mut(peer as usize)?.take()?.into_inner();
        self.lists.leave(session.list);
        Some(session.account)
    }

    /// Gives memory back that nobody needs.
    pub(crate) fn give_back(&mut self) {
        let used = self.sessions.iter().rposition(Option::is_some).map_or(0, |last| last.saturating_add(1));
        self.sessions.truncate(used);
        if used == 0 {
            self.sessions = Vec::new();
        }
        self.lists.shrink();
    }

    /// Sets bounds, which hold for flows and events that begin from here on, and the rest of what `new` was told.
    pub fn configure(&mut self, now: Instant, config: FilterConfig) {
        self.config =
            FilterConfig { flows_per_peer: config.flows_per_peer.max(1), flows: config.flows.max(1), ..config };
        self.events.set_most(config.events as usize);
        if config.seconds_ahead != self.wall.ahead {
            let unix = self.wall.at(now).unix;
            self.handle_wall_clock(now, unix, config.seconds_ahead);
        }
    }

    /// Takes a reading of the wall clock, and how many seconds local time is ahead of UTC. Rules with hours follow at their
    /// sessions' next packet.
    pub fn handle_wall_clock(&mut self, now: Instant, wall: UnixTime, seconds_ahead: i32) {
        self.wall = Wall { read_at: now, unix: wall, ahead: seconds_ahead };
        self.revision = self.revision.wrapping_add(1);
    }

    /// What was due is made an event.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.events.handle_timeout(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None`: nothing is. Denials that are being added up are what it is
    /// for; flows have no deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.events.deadline()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.poll()
    }

    /// What would become of a first packet of a peer's at `wall`, and which rule decides; `None`: it has no session.
    #[must_use]
    pub fn explain(&self, peer: u32, wall: UnixTime, question: &Question) -> Option<Explanation> {
        let session = self.session(peer)?;
        let wall = Wall { unix: wall, ..self.wall };
        Some(explain::explain(&session.config.rules, &wall, session.config.outer, session.unmatched(), question))
    }

    /// What a session was opened with, and where its peer is now.
    #[must_use]
    pub fn session_config(&self, peer: u32) -> Option<&SessionConfig> {
        self.session(peer).map(|session| &session.config)
    }

    /// What a session has used so far.
    #[must_use]
    pub fn account(&self, peer: u32) -> Option<Account> {
        self.session(peer).map(|session| Account { flows: session.share.owned, ..session.account })
    }

    /// Flows that the table holds, spent ones that were not swept up yet among them.
    #[must_use]
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// How many packets did not pass for `reason`, rejected ones among them.
    #[must_use]
    pub fn drops(&self, reason: Reason) -> u64 {
        self.drops.get(reason as usize).copied().unwrap_or(0)
    }

    /// The memory it holds.
    #[must_use]
    pub fn footprint(&self) -> FilterFootprint {
        let places = self.sessions.capacity().saturating_mul(size_of::<Option<Boxed<Session>>>());
        let sessions = self.sessions.iter().flatten().count().saturating_mul(size_of::<Session>());
        FilterFootprint {
            flows: self.flows.heap_bytes().saturating_add(self.fragments.heap_bytes()),
            sessions: places.saturating_add(sessions).saturating_add(self.lists.heap_bytes()),
            events: self.events.heap_bytes(),
        }
    }

    #[inline]
    fn session(&self, peer: u32) -> Option<&Session> {
        self.sessions.get(peer as usize)?.as_deref()
    }

    #[inline]
    fn session_mut(&mut self, peer: u32) -> Option<&mut Session> {
        self.sessions.get_mut(peer as usize)?.as_deref_mut()
    }

    /// Brings the rules of a session up to the time. Returns their generation; `None`: there is no session.
    #[inline]
    fn renew(&mut self, peer: u32, now: Instant) -> Option<u32> {
        let mut list = self.session(peer)?.list;
        if list == NONE {
            self.list_again(peer, now);
            list = self.session(peer)?.list;
        }
        Some(self.lists.renew(list, &self.wall, self.revision, now))
    }
}

#[cfg(test)]
mod tests;
