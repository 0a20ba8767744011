//! Facts the host may want to show or act on. They wait with the peer that they are about, each at most once, and say when
//! they are polled what is so by then: none is lost, however late that is.
use crate::peer::facts::{Fact, Facts};
use crate::peer::queue::PeerQueue;
use crate::peer::{Health, Path, Peer, PeerId, PeerTable};
use crate::time::Instant;

/// A fact the host may want to show or act on.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A handshake completed: a new session is live.
    SessionEstablished {
        /// With whom.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
    },
    /// The handshake was given up after 90 s without an answer.
    HandshakeFailed {
        /// With whom.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
    },
    /// The last session ended without a successor and its keys were wiped.
    SessionExpired {
        /// With whom.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
    },
    /// An authenticated datagram came from elsewhere: the endpoint moved.
    EndpointMoved {
        /// Who moved.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
        /// Where to.
        path: Path,
    },
    /// Resolve the peer's endpoint name and answer with [`set_endpoint`](crate::Tunnel::set_endpoint).
    ResolveEndpoint {
        /// Whose.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
    },
    /// The peer's health changed.
    HealthChanged {
        /// Whose.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
        /// What it is.
        health: Health,
    },
    /// The peer's timestamp is more than a day ahead of our wall clock: if its clock is mended later, it will be
    /// refused until [`reset_peer_timestamp`](crate::Tunnel::reset_peer_timestamp).
    TimestampAhead {
        /// Whose.
        peer: PeerId,
        /// The host\'s own number for it.
        user: u64,
    },
    /// The host's clock leapt ahead by more than a day: every session has expired. If the machine has not slept for so
    /// long, a reading of the clock failed.
    ClockLeapt,
    /// Packets or datagrams need other room than before: see [`layout`](crate::Tunnel::layout).
    LayoutChanged,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What an [`Event`] is about, as a number for foreign interfaces. Numbers are given once and never again.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum EventKind { $($(#[$doc])* $name = $code,)* }

        impl EventKind {
            /// Every kind, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Its name in lower case, words joined by underscores.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    /// [`Event::SessionEstablished`].
    SessionEstablished = 1, "session_established";
    /// [`Event::HandshakeFailed`].
    HandshakeFailed = 2, "handshake_failed";
    /// [`Event::SessionExpired`].
    SessionExpired = 3, "session_expired";
    /// [`Event::EndpointMoved`].
    EndpointMoved = 4, "endpoint_moved";
    /// [`Event::ResolveEndpoint`].
    ResolveEndpoint = 5, "resolve_endpoint";
    /// [`Event::HealthChanged`].
    HealthChanged = 6, "health_changed";
    /// [`Event::TimestampAhead`].
    TimestampAhead = 7, "timestamp_ahead";
    /// Nothing any more: no event is lost. The number stays taken.
    Lost = 8, "lost";
    /// [`Event::ClockLeapt`].
    ClockLeapt = 9, "clock_leapt";
    /// [`Event::LayoutChanged`].
    LayoutChanged = 10, "layout_changed";
}

impl Event {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::SessionEstablished { .. } => EventKind::SessionEstablished,
            Self::HandshakeFailed { .. } => EventKind::HandshakeFailed,
            Self::SessionExpired { .. } => EventKind::SessionExpired,
            Self::EndpointMoved { .. } => EventKind::EndpointMoved,
            Self::ResolveEndpoint { .. } => EventKind::ResolveEndpoint,
            Self::HealthChanged { .. } => EventKind::HealthChanged,
            Self::TimestampAhead { .. } => EventKind::TimestampAhead,
            Self::ClockLeapt => EventKind::ClockLeapt,
            Self::LayoutChanged => EventKind::LayoutChanged,
        }
    }

    /// The host's own number of the peer that it is about ([`PeerChange::user`](crate::PeerChange::user)).
    #[must_use]
    pub const fn user(&self) -> Option<u64> {
        match self {
            Self::SessionEstablished { user, .. }
            | Self::HandshakeFailed { user, .. }
            | Self::SessionExpired { user, .. }
            | Self::EndpointMoved { user, .. }
            | Self::ResolveEndpoint { user, .. }
            | Self::HealthChanged { user, .. }
            | Self::TimestampAhead { user, .. } => Some(*user),
            Self::ClockLeapt | Self::LayoutChanged => None,
        }
    }

    /// Whom it is about; `None`: the whole tunnel.
    #[must_use]
    pub const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::SessionEstablished { peer, .. }
            | Self::HandshakeFailed { peer, .. }
            | Self::SessionExpired { peer, .. }
            | Self::EndpointMoved { peer, .. }
            | Self::ResolveEndpoint { peer, .. }
            | Self::HealthChanged { peer, .. }
            | Self::TimestampAhead { peer, .. } => Some(*peer),
            Self::ClockLeapt | Self::LayoutChanged => None,
        }
    }
}

/// Peers with facts that the host was not told yet, each at most once. A turn tells one fact, so no peer keeps the others
/// from theirs.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    peers: PeerQueue,
    /// Of the whole tunnel: its clock leapt.
    pub(crate) clock_leapt: bool,
    /// Of the whole tunnel: its layout changed.
    pub(crate) layout_changed: bool,
    /// There was no memory for a peer, which has facts and does not stand in the queue.
    pub(crate) missed: bool,
}

impl EventQueue {
    /// The host is to be told this of the peer.
    pub(crate) fn push(&mut self, peer: &mut Peer, fact: Fact) {
        peer.facts.insert(fact);
        self.list(peer);
    }

    /// Puts the peer at the end, if it has facts and does not stand in the queue yet.
    pub(crate) fn list(&mut self, peer: &mut Peer) {
        if !peer.facts.is_empty() && !peer.facts.is_listed() {
            let listed = self.peers.push_back(peer.id);
            peer.facts.set_listed(listed);
            self.missed |= !listed;
        }
    }

    /// Events of the whole tunnel that wait.
    pub(crate) fn of_tunnel(&self) -> usize {
        usize::from(self.clock_leapt) + usize::from(self.layout_changed)
    }

    /// The next event at `now`.
    pub(crate) fn pop(&mut self, table: &mut PeerTable, now: Instant) -> Option<Event> {
        if core::mem::take(&mut self.clock_leapt) {
            return Some(Event::ClockLeapt);
        }
        if core::mem::take(&mut self.layout_changed) {
            return Some(Event::LayoutChanged);
        }
        loop {
            let id = self.peers.pop_front()?;
            let Some(peer) = table.find_mut(id) else {
                self.peers.met_removed();
                continue;
            };
            let event = tell(peer, now);
            peer.facts.set_listed(false);
            self.list(peer);
            if event.is_some() {
                return event;
            }
        }
    }

    /// `peer` was removed from the table.
    pub(crate) fn forget(&mut self, peer: &Peer, table: &PeerTable) {
        self.peers.forget(peer.facts.is_listed(), table);
    }

    /// The queue itself.
    #[cfg(test)]
    pub(crate) fn peers(&self) -> &PeerQueue {
        &self.peers
    }
}

/// Takes a fact of the peer and says what it is at `now`. `None`: nothing any more.
fn tell(peer: &mut Peer, now: Instant) -> Option<Event> {
    let (id, user, over) = (peer.id, peer.user, over(peer));
    match peer.facts.take(over)? {
        Fact::Established => Some(Event::SessionEstablished { peer: id, user }),
        Fact::Expired => Some(Event::SessionExpired { peer: id, user }),
        Fact::Failed => Some(Event::HandshakeFailed { peer: id, user }),
        Fact::Moved => peer.endpoint.path().map(|path| Event::EndpointMoved { peer: id, user, path }),
        Fact::Resolve => peer.endpoint.is_named().then_some(Event::ResolveEndpoint { peer: id, user }),
        Fact::TimestampAhead => Some(Event::TimestampAhead { peer: id, user }),
        Fact::Health => {
            let health = peer.health(now);
            let told = core::mem::replace(&mut peer.reported_health, health);
            (told != health).then_some(Event::HealthChanged { peer: id, user, health })
        }
    }
}

/// Facts of the peer that no longer hold, whether or not the host was told of them.
fn over(peer: &Peer) -> Facts {
    let mut over = Facts::default();
    over.insert(if peer.sessions.current().is_some() { Fact::Expired } else { Fact::Established });
    if !peer.handshake.has_failed() {
        over.insert(Fact::Failed);
    }
    over
}
