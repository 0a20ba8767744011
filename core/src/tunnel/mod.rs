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
mod ahead;
mod bounce;
mod call;
mod commands;
mod configure;
mod event;
mod handshakes;
mod inbound;
mod job;
mod network;
mod outbound;
mod own;
mod shared;
mod steps;
#[cfg(test)]
mod tests;
mod timeout;
mod transmit;
mod types;
mod view;

use crate::config::TunnelConfig;
use crate::cookie::CookieJar;
use crate::cookie::load::Load;
use crate::crypto::Rng;
use crate::error::ConfigError;
use crate::peer::PeerTable;
use crate::peer::staged::StagedTotal;
use crate::route::{Memo, RoutingTable};
use crate::session::IndexTable;
use crate::stats::TunnelStats;
use crate::time::{Instant, UnixTime};
use crate::timers::DeadlineQueue;
use alloc::boxed::Box;
use shared::{Bounces, Shared, TransmitQueue, WallClock};

pub use crate::peer::{Health, Path};
pub use crate::stats::{DropCounts, PeerStats, SendError};
use event::EventQueue;
pub use event::{Event, EventKind};
pub use job::{OpenJob, SealJob};
use network::Questions;
pub use types::{Begin, DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot, Transmit, Verdict};
pub use view::{Footprint, PeerView};

/// One virtual interface: its private key, its peers, its routes. See the [module](self) for the order of calls.
pub struct Tunnel {
    peers: PeerTable,
    shared: Shared,
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
        let shared = Shared {
            now,
            wall: WallClock { at: now, wall },
            load: Load::new(&config.limits, secret),
            events: EventQueue::new(config.limits.events),
            limits: config.limits,
            mtu: config.mtu,
            rng,
            local: None,
            cookies: CookieJar::new(),
            routes: RoutingTable::new(),
            destination: Memo::default(),
            indices: IndexTable::new(),
            deadlines: DeadlineQueue::new(),
            transmits: TransmitQueue::default(),
            staged: StagedTotal::default(),
            bounces: Bounces::default(),
            stats: TunnelStats::default(),
            questions: Questions::default(),
            timestamp_sent: config.timestamp_floor,
        };
        let mut tunnel = Self { peers: PeerTable::default(), shared };
        tunnel.configure_first(now, config.mtu, config.private_key, config.peers)?;
        Ok(tunnel)
    }
}

impl core::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tunnel")
            .field("now", &self.shared.now)
            .field("mtu", &self.shared.mtu)
            .field("peers", &self.peers.len())
            .field("stats", &self.shared.stats)
            .finish_non_exhaustive()
    }
}
