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
//! Time is the `now` of each call, a reading of the host's clock. Readings may come out of order by a second. A clock that
//! steps back by more does no harm: time goes on from where it was. One that leaps ahead by more than a day makes all
//! sessions expire, once, and is told as [`Event::ClockLeapt`].
//!
//! A packet: route, then staged or sealed (`outbound`). A datagram: wire type, then a handshake message
//! (`handshakes`) or transport data (`inbound`). Packets of peers that are ruled pass the filter on their way (`ruled`).
//! Handshakes, keepalives and replies are intents of a peer that become bytes in `transmit`. Deadlines are the peers'; the
//! earliest is known (`timeout`).
mod ahead;
mod bounce;
mod call;
#[cfg(feature = "control")]
mod channel;
mod check;
mod cipher;
pub(crate) mod clock;
mod commands;
mod configure;
mod event;
mod handshakes;
mod inbound;
mod job;
mod network;
mod outbound;
mod own;
mod refuse;
#[cfg(feature = "filter")]
mod ruled;
mod shared;
mod slots;
mod snapshot;
mod stage;
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
use crate::crypto::hash::mac;
use crate::error::{ConfigError, ConfigReason, NoRandomness};
use crate::peer::PeerTable;
use crate::peer::staged::StagedTotal;
use crate::route::{Memo, RoutingTable};
use crate::session::IndexTable;
use crate::stats::TunnelStats;
use crate::time::{Instant, UnixTime};
use crate::timers::DeadlineQueue;
use alloc::boxed::Box;
use clock::{Clock, WallClock};
use shared::{Bounces, Shared, TransmitQueue};

pub use crate::config::{Layout, Padding};
pub use crate::error::TransmitError;
pub use crate::peer::{Health, Path};
pub use crate::stats::{DropCounts, PeerStats, SendError};
#[cfg(feature = "control")]
pub use channel::Backpressure;
pub use cipher::{BuiltIn, CIPHER_BATCH, Cipher, Message};
use event::EventQueue;
pub use event::{Event, EventKind};
pub use job::{OpenJob, Opened, SealJob, Sealed};
use network::Questions;
pub use slots::{DatagramSlot, PacketBuf, PacketSlot, Span};
pub use snapshot::PeerSnapshot;
pub use types::{Begin, Inbound, Outbound, Transmit};
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
        rng.fill(&mut secret)
            .map_err(|NoRandomness| ConfigError { change: None, reason: ConfigReason::NoRandomness })?;
        // Two halves, for a MAC has 16 bytes.
        let mut keys = [0; 32];
        let (first, second) = keys.split_at_mut(16);
        first.copy_from_slice(&mac(&secret, &[b"peers, first half"]));
        second.copy_from_slice(&mac(&secret, &[b"peers, second half"]));
        let clock = Clock::new(now);
        let shared = Shared {
            clock,
            wall: WallClock::new(clock.now(), wall),
            load: Load::new(&config.limits, secret),
            events: EventQueue::default(),
            limits: config.limits,
            padding: config.padding,
            layout: Layout::new(config.mtu, config.padding),
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
            unscheduled: false,
            look_again: Instant::ZERO,
            timestamp_sent: config.timestamp_floor,
            #[cfg(feature = "control")]
            control: channel::Control::default(),
            #[cfg(feature = "filter")]
            filter: None,
            #[cfg(feature = "filter")]
            filter_config: crate::filter::FilterConfig::default(),
        };
        let mut tunnel = Self { peers: PeerTable::new(&keys), shared };
        tunnel.configure_first(now, config.private_key, config.peers)?;
        Ok(tunnel)
    }
}

impl core::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tunnel")
            .field("now", &self.shared.clock.now())
            .field("mtu", &self.shared.layout.mtu())
            .field("peers", &self.peers.len())
            .field("stats", &self.shared.stats)
            .finish_non_exhaustive()
    }
}
