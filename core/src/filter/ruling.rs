//! The ruling of one packet: its flow passes, or its rules decide.
use super::events::{Cause, Contact, Event, FlowEnd};
use super::flows::Flow;
use super::flows::fragments::Name;
use super::flows::key::Tuple;
use super::flows::state::State;
use super::reject::Reject;
use super::rules::{Action, Way};
use super::sight::{Sight, look};
use super::{Filter, HOST, mss};
use crate::packet::inner::{self, Inner};
use crate::packet::tcp::{Flags, TCP};
use crate::stats::DropReason;
use crate::time::Instant;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a packet did not pass.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// The reason's name for statistics: lower case, words joined by underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// Not a packet, cut short, or one that no host sends: the same address at both ends, TCP flags that exclude each other.
    Malformed = "malformed",
    /// More than eight IPv6 extension headers, or headers in a wrong order.
    ExtensionChain = "extension_chain",
    /// The packet names more places to go to.
    SourceRoute = "source_route",
    /// The filter has no session for the peer.
    NoSession = "no_session",
    /// A rule denies it, or none allows it.
    Denied = "denied",
    /// It belongs to no flow, and none may begin with it: TCP other than SYN, an answer that nobody asked for.
    NoFlow = "no_flow",
    /// A fragment whose first fragment did not pass, is not remembered any more, or is overlapped by it.
    Fragment = "fragment",
    /// An ICMP error about nothing that was sent.
    UnknownError = "unknown_error",
    /// ICMP that has no place in a tunnel: redirects, discovery of routers and neighbours, unknown types.
    NotTracked = "not_tracked",
    /// Faster than the session may be.
    RateLimited = "rate_limited",
    /// The session's quota is used up.
    QuotaExceeded = "quota_exceeded",
    /// There is no memory for the flow.
    NoMemory = "no_memory",
}

impl From<Reason> for DropReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Malformed | Reason::ExtensionChain | Reason::SourceRoute => Self::MalformedPacket,
            Reason::NoSession | Reason::Denied => Self::Denied,
            Reason::NoFlow | Reason::Fragment | Reason::UnknownError | Reason::NotTracked => Self::NoFlow,
            Reason::RateLimited => Self::RateLimited,
            Reason::QuotaExceeded => Self::QuotaExceeded,
            Reason::NoMemory => Self::NoMemory,
        }
    }
}

/// What is to be done with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It goes on.
    Pass,
    /// It is dropped, and nobody is told.
    Drop(Reason),
    /// It is dropped, and its sender gets what [`Reject::write`] writes.
    Reject(Reject),
}

/// A packet's way through the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The peer whose session rules it.
    pub peer: u32,
    /// Whether it comes from that peer or goes to it.
    pub way: Way,
    /// The peer that owns the other address, if one does: the destination of a packet from the peer, the source of one to it.
    pub owner: Option<u32>,
}

impl Passage {
    /// The peers that own source and destination.
    const fn ends(&self) -> (u32, u32) {
        let other = match self.owner {
            Some(owner) => owner,
            None => HOST,
        };
        match self.way {
            Way::FromPeer => (self.peer, other),
            Way::ToPeer => (other, self.peer),
        }
    }
}

/// What was read ahead for a packet. It holds for the packet that it was read for; for others it is of no use, and does no harm.
#[derive(Clone, Copy, Debug)]
pub struct Ahead(u32);

impl Ahead {
    /// Nothing was read ahead.
    pub const NONE: Self = Self(u32::MAX);
}

/// The rule by which a flow passes.
struct Allowed {
    /// What the caller calls it.
    rule: u32,
    /// Whether events tell of the flow.
    log: bool,
}

/// A packet that does not pass.
struct Refusal {
    reason: Reason,
    reject: Option<Reject>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, reject: None }
    }
}

impl Filter {
    /// Rules a packet that `peer` sent, when its source is known to be the peer's own. `to` is the peer that owns the
    /// destination, if one does. The maximum segment size that a SYN announces is lowered in place when it passes.
    pub fn inbound(&mut self, now: Instant, peer: u32, to: Option<u32>, packet: &mut [u8]) -> Ruling {
        self.rule(now, Passage { peer, way: Way::FromPeer, owner: to }, Ahead::NONE, packet)
    }

    /// Rules a packet that is to be sent to `peer`. `from` is the peer that owns the source, if one does.
    pub fn outbound(&mut self, now: Instant, peer: u32, from: Option<u32>, packet: &mut [u8]) -> Ruling {
        self.rule(now, Passage { peer, way: Way::ToPeer, owner: from }, Ahead::NONE, packet)
    }

    /// Looks up the flow of a packet and touches its memory, for [`rule`](Self::rule). Where the packets of a batch are of many
    /// flows, reading ahead for all of them before the first is ruled lets memory answer all questions at once.
    #[must_use]
    pub fn read_ahead(&self, passage: &Passage, packet: &[u8]) -> Ahead {
        let (from, to) = passage.ends();
        let Ok(inner) = inner::read(packet) else { return Ahead::NONE };
        let Ok(Sight::Flow { tuple, .. }) = look(&inner, from, to) else { return Ahead::NONE };
        self.flows.find(&tuple).map_or(Ahead::NONE, |found| Ahead(found.at))
    }

    /// Rules a packet for which something may have been [read ahead](Self::read_ahead): as [`inbound`](Self::inbound) and
    /// [`outbound`](Self::outbound) do.
    pub fn rule(&mut self, now: Instant, passage: Passage, ahead: Ahead, packet: &mut [u8]) -> Ruling {
        let refusal = match self.pass(now, &passage, ahead, packet) {
            Ok(opens_tcp) => {
                if let Some(mtu) = self.config.mtu.filter(|_| opens_tcp) {
                    let _ = mss::clamp(packet, mtu);
                }
                return Ruling::Pass;
            }
            Err(refusal) => refusal,
        };
        if let Some(count) = self.drops.get_mut(refusal.reason as usize) {
            *count = count.saturating_add(1);
        }
        if let Some(session) = self.session_mut(passage.peer) {
            session.account.dropped = session.account.dropped.saturating_add(1);
        }
        match refusal.reject {
            Some(reject) if self.rejects.holds(1, now) => {
                self.rejects.take(1);
                Ruling::Reject(reject)
            }
            _ => Ruling::Drop(refusal.reason),
        }
    }

    /// Lets a packet pass, or says why not. `true`: it is a SYN.
    #[inline]
    fn pass(&mut self, now: Instant, passage: &Passage, ahead: Ahead, packet: &[u8]) -> Result<bool, Refusal> {
        self.renew(passage.peer, now).ok_or(Reason::NoSession)?;
        let inner = inner::read(packet).map_err(Reason::from)?;
        let (from, to) = passage.ends();
        match look(&inner, from, to)? {
            Sight::Flow { tuple, opens, flags } => {
                let at = match self.flow_of(&tuple, ahead, opens, flags, now)? {
                    Some((at, by_beginner)) => {
                        self.may_use(passage, inner.total_len, now)?;
                        self.advance(at, by_beginner, flags, now);
                        self.count(passage, at, by_beginner, inner.total_len);
                        at
                    }
                    None if opens => {
                        let at = self.begin(passage, &tuple, inner.total_len, now)?;
                        self.count(passage, at, true, inner.total_len);
                        at
                    }
                    None => return Err(Reason::NoFlow.into()),
                };
                self.remember(passage, &inner, &tuple, at, now);
                Ok(flags.is_some_and(|flags| flags.has(Flags::SYN)))
            }
            Sight::Error { about } => {
                // An error ends no flow (RFC 5382, REQ-10; RFC 4787, REQ-12), keeps none alive, and begins none.
                let found = self.flow_of(&about, Ahead::NONE, false, None, now)?;
                let (at, by_beginner) = found.ok_or(Reason::UnknownError)?;
                self.may_use(passage, inner.total_len, now)?;
                self.count(passage, at, by_beginner, inner.total_len);
                Ok(false)
            }
            Sight::Rest { tuple, id, offset } => {
                let (at, by_beginner) = self.flow_of_rest(&tuple, id, offset, now)?.ok_or(Reason::Fragment)?;
                self.may_use(passage, inner.total_len, now)?;
                self.advance(at, by_beginner, None, now);
                self.count(passage, at, by_beginner, inner.total_len);
                Ok(false)
            }
        }
    }

    /// The flow of a packet that lives and that its rules still allow, and whether the packet is from who began it.
    #[inline]
    fn flow_of(
        &mut self,
        tuple: &Tuple,
        ahead: Ahead,
        opens: bool,
        flags: Option<Flags>,
        now: Instant,
    ) -> Result<Option<(u32, bool)>, Refusal> {
        let Some(found) = self.flows.find_at(tuple, ahead.0) else { return Ok(None) };
        let Some(flow) = self.flows.at(found.at) else { return Ok(None) };
        // A connection that is over may be followed by another between the same ports (RFC 9293 § 3.6.1).
        let is_over = opens && flags.is_some() && flow.state == State::Closing;
        if flow.is_spent(now) || is_over {
            let why = if flow.is_spent(now) { FlowEnd::Silent } else { FlowEnd::Replaced };
            self.end(found.at, why);
            return Ok(None);
        }
        self.ask_again(found.at, now)?;
        Ok(Some((found.at, found.by_beginner)))
    }

    /// The flow of a fragment other than the first.
    fn flow_of_rest(
        &mut self,
        tuple: &Tuple,
        id: u32,
        offset: usize,
        now: Instant,
    ) -> Result<Option<(u32, bool)>, Refusal> {
        let Some((at, number)) = self.fragments.flow(&Name::of(tuple, id), offset, now) else { return Ok(None) };
        let Some(flow) = self.flows.at(at).filter(|flow| flow.number == number) else { return Ok(None) };
        let by_beginner = flow.tuple().source.address == tuple.source.address;
        if flow.is_spent(now) {
            self.end(at, FlowEnd::Silent);
            return Ok(None);
        }
        self.ask_again(at, now)?;
        Ok(Some((at, by_beginner)))
    }

    /// Asks the rules of a flow's owner again when they have changed since it was last asked.
    #[inline]
    fn ask_again(&mut self, at: u32, now: Instant) -> Result<(), Refusal> {
        let Some(flow) = self.flows.at(at) else { return Ok(()) };
        let (owner, generation) = (flow.owner, flow.generation);
        match self.renew(owner, now) {
            Some(current) if current == generation => Ok(()),
            Some(current) => self.rule_again(at, current, now),
            None => Err(Reason::NoSession.into()),
        }
    }

    #[cold]
    fn rule_again(&mut self, at: u32, generation: u32, now: Instant) -> Result<(), Refusal> {
        let Some((owner, tuple)) = self.flows.at(at).map(|flow| (flow.owner, flow.tuple())) else { return Ok(()) };
        let way = if tuple.source.peer == owner { Way::FromPeer } else { Way::ToPeer };
        match self.decide(owner, way, &tuple, now) {
            Ok(allowed) => {
                if let Some(flow) = self.flows.at_mut(at) {
                    (flow.rule, flow.generation) = (allowed.rule, generation);
                }
                Ok(())
            }
            Err(refusal) => {
                self.end(at, FlowEnd::Denied);
                Err(refusal)
            }
        }
    }

    /// The rule that allows a flow, or the refusal.
    fn decide(&mut self, peer: u32, way: Way, tuple: &Tuple, now: Instant) -> Result<Allowed, Refusal> {
        let other = match way {
            Way::FromPeer => tuple.destination,
            Way::ToPeer => tuple.source,
        };
        let session = self.session(peer).ok_or(Reason::NoSession)?;
        let (compiled, end) = (self.lists.compiled(session.list), (other.address, other.is_peer()));
        let verdict = session.verdict(compiled, way, end, tuple.protocol, tuple.destination.port);
        if let (Action::Allow, Some(rule)) = (verdict.action, verdict.number) {
            return Ok(Allowed { rule, log: verdict.log });
        }
        if verdict.log {
            let cause = Cause::Rule(verdict.number, contact(way, tuple));
            self.events.add((peer, session.config.user), cause, now);
        }
        let reject = match verdict.action {
            Action::Reject if tuple.protocol == TCP => Some(Reject::Reset),
            Action::Reject => Some(Reject::Prohibited),
            _ => None,
        };
        Err(Refusal { reason: Reason::Denied, reject })
    }

    /// Begins a flow with its first packet.
    fn begin(&mut self, passage: &Passage, tuple: &Tuple, bytes: usize, now: Instant) -> Result<u32, Refusal> {
        let Allowed { rule, log } = self.decide(passage.peer, passage.way, tuple, now)?;
        self.may_use(passage, bytes, now)?;
        self.make_way(passage.peer, now)?;
        let generation = self.renew(passage.peer, now).ok_or(Reason::NoSession)?;
        let session = self.sessions.get_mut(passage.peer as usize).and_then(Option::as_mut).ok_or(Reason::NoSession)?;
        let at = self.flows.add(tuple, (passage.peer, &mut session.share), now);
        if let Some(flow) = self.flows.at_mut(at) {
            (flow.rule, flow.generation, flow.is_told) = (rule, generation, log);
        }
        if log {
            let (peer, user, contact) = (passage.peer, session.config.user, contact(passage.way, tuple));
            self.events.tell(Event::FlowStart { peer, user, rule, contact });
        }
        if let Some(other) = passage.owner {
            self.note_guest(at, other);
        }
        Ok(at)
    }

    /// Makes room for one more flow of a peer: spent ones go, and when there are too many, one gives way.
    fn make_way(&mut self, peer: u32, now: Instant) -> Result<(), Refusal> {
        for spent in self.flows.sweep(now).into_iter().flatten() {
            self.end(spent, FlowEnd::Silent);
        }
        let share = &self.session(peer).ok_or(Reason::NoSession)?.share;
        let victim = if share.owned >= self.config.flows_per_peer {
            self.flows.victim_of(share, now)
        } else if self.flows.len() >= self.config.flows as usize {
            self.flows.victim(|owner| self.session(owner).map_or(0, |session| session.share.owned), now)
        } else {
            None
        };
        if let Some(victim) = victim {
            let is_spent = self.flows.at(victim).is_some_and(|flow| flow.is_spent(now));
            self.end(victim, if is_spent { FlowEnd::Silent } else { FlowEnd::Evicted });
        }
        Ok(self.flows.make_room().map_err(|_| Reason::NoMemory)?)
    }

    /// Takes a flow out of everything, and tells of it.
    pub(super) fn end(&mut self, at: u32, why: FlowEnd) {
        let Some((owner, guest)) = self.flows.peers(at) else { return };
        if let Some(guest) = guest.and_then(|guest| self.sessions.get_mut(guest as usize)?.as_mut()) {
            self.flows.take_guest(at, &mut guest.share);
        }
        let Some(session) = self.sessions.get_mut(owner as usize).and_then(Option::as_mut) else { return };
        let Some(flow) = self.flows.remove(at, &mut session.share) else { return };
        if flow.is_told {
            self.events.tell(ended(&flow, session.config.user, why));
        }
    }

    #[inline]
    fn may_use(&mut self, passage: &Passage, bytes: usize, now: Instant) -> Result<(), Reason> {
        let session = self.sessions.get_mut(passage.peer as usize).and_then(Option::as_mut).ok_or(Reason::NoSession)?;
        session.may_use((passage.peer, passage.way), bytes, now, &mut self.events)
    }

    /// A packet of a flow passes: its state goes on, and its time begins anew.
    #[inline]
    fn advance(&mut self, at: u32, by_beginner: bool, flags: Option<Flags>, now: Instant) {
        let Some(flow) = self.flows.at_mut(at) else { return };
        flow.used = now;
        let (state, owner) = (flow.state, flow.owner);
        let after = state.after(by_beginner, flags);
        if after != state
            && let Some(session) = self.sessions.get_mut(owner as usize).and_then(Option::as_mut)
        {
            self.flows.set_state(at, after, &mut session.share);
        }
    }

    /// Counts a packet that passes. One between two peers of this filter is ruled twice, and its flow counts it once.
    #[inline]
    fn count(&mut self, passage: &Passage, at: u32, by_beginner: bool, bytes: usize) {
        let is_again = passage.way == Way::ToPeer && passage.owner.is_some_and(|from| self.session(from).is_some());
        if let Some(flow) = self.flows.at_mut(at).filter(|_| !is_again) {
            let [sent, received] = &mut flow.traffic;
            if by_beginner { sent.count(bytes) } else { received.count(bytes) }
        }
        self.note_guest(at, passage.peer);
        if let Some(session) = self.sessions.get_mut(passage.peer as usize).and_then(Option::as_mut) {
            session.count((passage.peer, passage.way), bytes, &mut self.events);
        }
    }

    /// Lists a flow with a peer at which it ends, unless it passes by that peer's rules, or is listed.
    #[inline]
    fn note_guest(&mut self, at: u32, peer: u32) {
        let is_new = self.flows.at(at).is_some_and(|flow| flow.owner != peer && !flow.has_guest);
        if is_new && let Some(session) = self.sessions.get_mut(peer as usize).and_then(Option::as_mut) {
            self.flows.add_guest(at, &mut session.share);
        }
    }

    /// Remembers a first fragment that passes. Without memory for it, what follows does not pass.
    #[inline]
    fn remember(&mut self, passage: &Passage, inner: &Inner<'_>, tuple: &Tuple, at: u32, now: Instant) {
        if let Some(fragment) = inner.fragment
            && let Some(number) = self.flows.at(at).map(|flow| flow.number)
        {
            let name = Name::of(tuple, fragment.id);
            let _ = self.fragments.remember(name, passage.peer, inner.payload.len(), (at, number), now);
        }
    }
}

fn ended(flow: &Flow, user: u64, why: FlowEnd) -> Event {
    let tuple = flow.tuple();
    let way = if tuple.source.peer == flow.owner { Way::FromPeer } else { Way::ToPeer };
    let [sent, received] = flow.traffic;
    let lasted = flow.used.since(flow.began);
    let (peer, rule, contact) = (flow.owner, flow.rule, contact(way, &tuple));
    Event::FlowEnd { peer, user, rule, contact, sent, received, lasted, why }
}

fn contact(way: Way, tuple: &Tuple) -> Contact {
    Contact {
        way,
        source: tuple.source.address.into(),
        destination: tuple.destination.address.into(),
        protocol: tuple.protocol,
        source_port: tuple.source.port,
        destination_port: tuple.destination.port,
    }
}
