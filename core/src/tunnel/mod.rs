//! The state machine: one virtual interface with its private key, peers and routes.
//!
//! A tunnel has four kinds of methods:
//!
//! - **A. configuration**: [`Tunnel::new`] and [`Tunnel::configure`].
//! - **B. `handle_*`**: facts from outside. They never fail; what nobody wants is an outcome with a reason.
//! - **C. `poll_*`**: what the tunnel wants. Drain all three, in the order [`poll_transmit`](Tunnel::poll_transmit),
//!   [`poll_event`](Tunnel::poll_event), [`poll_timeout`](Tunnel::poll_timeout), after every A, B and D.
//! - **D. commands and getters**.
//!
//! Time is the `now` of each call. A `now` earlier than the latest one is taken for the latest.
//!
//! A packet: route, then staged or sealed (`outbound`). A datagram: wire type, then a handshake message
//! (`handshakes`) or transport data (`inbound`). Handshakes, keepalives and replies are intents of a peer that become
//! bytes in `transmit`. Deadlines are the peers'; the earliest is known (`timeout`).
mod commands;
mod configure;
mod event;
mod handshakes;
mod inbound;
mod job;
mod outbound;
#[cfg(test)]
mod tests;
mod timeout;
mod transmit;
mod types;
mod view;

use crate::config::TunnelConfig;
use crate::cookie::bucket::Bucket;
use crate::cookie::load::Load;
use crate::cookie::{CookieJar, MacKeys};
use crate::crypto::Rng;
use crate::error::ConfigError;
use crate::limits::Limits;
use crate::noise::{Identity, Tai64N};
use crate::peer::staged::StagedTotal;
use crate::peer::{Peer, PeerId, PeerTable};
use crate::route::{Memo, RoutingTable};
use crate::session::IndexTable;
use crate::stats::{DropReason, TunnelStats};
use crate::time::{Instant, UnixTime};
use crate::timers::DeadlineQueue;
use alloc::boxed::Box;
use alloc::collections::VecDeque;

pub use crate::peer::{Health, Path};
pub use crate::stats::{DropCounts, PeerStats};
use event::EventQueue;
pub use event::{Event, EventKind};
pub use job::{OpenJob, SealJob};
pub use types::{Begin, DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot, Transmit, Verdict};
pub use view::{Footprint, PeerView};

/// One virtual interface: its private key, its peers, its routes. See the [module](self) for the order of calls.
pub struct Tunnel {
    /// The latest `now` of any call.
    now: Instant,
    wall: WallClock,
    rng: Box<dyn Rng>,
    limits: Limits,
    mtu: u16,
    local: Option<Local>,
    cookies: CookieJar,
    load: Load,
    peers: PeerTable,
    routes: RoutingTable,
    /// Where the last packet went.
    destination: Memo,
    indices: IndexTable,
    deadlines: DeadlineQueue,
    transmits: TransmitQueue,
    staged: StagedTotal,
    bounces: Bounces,
    events: EventQueue,
    stats: TunnelStats,
    /// The latest timestamp sent to any peer, by this tunnel or (the restored floor) one before it. Peers begin at it.
    timestamp_sent: Tai64N,
}

/// Our own static key and what is derived from it.
struct Local {
    identity: Identity,
    /// For the MACs of messages addressed to us.
    mac_keys: MacKeys,
}

/// What is left of the rate of ICMP errors.
#[derive(Debug, Default)]
struct Bounces {
    unreachable: Bucket,
    too_big: Bucket,
}

/// Wall time, carried on by the monotonic clock between two readings.
#[derive(Clone, Copy, Debug)]
struct WallClock {
    at: Instant,
    wall: UnixTime,
}

impl WallClock {
    fn read(self, now: Instant) -> UnixTime {
        self.wall + now.since(self.at)
    }
}

/// Peers with intents, each at most once.
#[derive(Debug, Default)]
struct TransmitQueue(VecDeque<PeerId>);

impl TransmitQueue {
    fn push(&mut self, peer: &mut Peer) {
        if !peer.queued && peer.intents.any() {
            peer.queued = true;
            self.0.push_back(peer.id);
        }
    }
}

impl Tunnel {
    /// A tunnel from its first configuration.
    ///
    /// `rng` must be cryptographically strong; `now` and `wall` are the clocks' present readings.
    ///
    /// # Errors
    /// [`ConfigError`]: what is wrong with the configuration.
    pub fn new(config: TunnelConfig, mut rng: Box<dyn Rng>, now: Instant, wall: UnixTime) -> Result<Self, ConfigError> {
        let mut secret = [0; 16];
        rng.fill(&mut secret);
        let mut tunnel = Self {
            now,
            wall: WallClock { at: now, wall },
            load: Load::new(&config.limits, secret),
            events: EventQueue::new(config.limits.events),
            limits: config.limits,
            mtu: config.mtu,
            rng,
            local: None,
            cookies: CookieJar::new(),
            peers: PeerTable::default(),
            routes: RoutingTable::new(),
            destination: Memo::default(),
            indices: IndexTable::new(),
            deadlines: DeadlineQueue::new(),
            transmits: TransmitQueue::default(),
            staged: StagedTotal::default(),
            bounces: Bounces::default(),
            stats: TunnelStats::default(),
            timestamp_sent: config.timestamp_floor,
        };
        tunnel.adopt(now, config.mtu, config.private_key, config.peers)?;
        Ok(tunnel)
    }

    /// The call's time: never earlier than that of the call before.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Counts a drop that belongs to no known peer.
    fn dropped(&mut self, reason: DropReason) -> Verdict {
        self.stats.drops.add(reason, 1);
        Verdict::Dropped(reason)
    }

    /// Counts a drop of the peer in `slot`.
    fn dropped_of(&mut self, slot: u32, reason: DropReason) -> Verdict {
        if let Some(peer) = self.peers.at_mut(slot) {
            peer.count_drops(reason, 1);
        }
        self.dropped(reason)
    }

    /// Makes the earliest deadline exact again; ends every call that may have moved one.
    #[inline]
    fn settle(&mut self) {
        if let Some((slot, bound)) = self.deadlines.top()
            && self.peers.at(slot).is_none_or(|peer| peer.timers.next() > bound)
        {
            self.settle_all();
        }
    }

    #[inline(never)]
    fn settle_all(&mut self) {
        while let Some((slot, bound)) = self.deadlines.top() {
            let actual = self.peers.at(slot).map_or(Instant::MAX, |peer| peer.timers.next());
            if actual <= bound {
                break;
            }
            self.raise_top(slot, actual);
        }
    }

    /// Makes the bound of the earliest deadline, which is that of the peer in `slot`, later.
    fn raise_top(&mut self, slot: u32, at: Instant) {
        self.deadlines.raise_top(at);
        if let Some(peer) = self.peers.at_mut(slot) {
            peer.bound = at;
        }
    }

    /// Tells the queue of deadlines that the peer may be due earlier. Nearly always it is not, and only the peer is read.
    #[inline]
    fn lower(peer: &mut Peer, deadlines: &mut DeadlineQueue) {
        let next = peer.timers.next();
        if next < peer.bound {
            peer.bound = next;
            deadlines.lower(peer.id.slot, next);
        }
    }

    /// Tells the host if the peer's health is no longer what it was told last.
    fn tell_health(peer: &mut Peer, events: &mut EventQueue, now: Instant) {
        let health = peer.health(now);
        if health != peer.told {
            peer.told = health;
            events.push(Event::HealthChanged { peer: peer.id, health });
        }
    }

    /// Starts a handshake with `peer` unless one is under way.
    fn want_handshake(peer: &mut Peer, transmits: &mut TransmitQueue, now: Instant) {
        if peer.intents.initiate || peer.timers.handshake_pending() {
            return;
        }
        if peer.timers.handshake_wanted(now) {
            peer.intents.initiate = true;
            transmits.push(peer);
        }
    }

    /// Asks the host to resolve the peer's endpoint name, not more often than every `pause`.
    fn ask_to_resolve(peer: &mut Peer, events: &mut EventQueue, now: Instant, pause: core::time::Duration) {
        if peer.endpoint.ask(now, pause) {
            events.push(Event::ResolveEndpoint { peer: peer.id });
        }
    }
}

impl core::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tunnel")
            .field("now", &self.now)
            .field("mtu", &self.mtu)
            .field("peers", &self.peers.len())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
