//! What is known of a peer, and what a tunnel holds.
use super::clock::Clock;
use super::snapshot::PeerSnapshot;
use crate::config::Endpoint;
use crate::crypto::{PresharedKey, PublicKey};
use crate::noise::Tai64N;
use crate::peer::{Health, Path, Peer, PeerId};
use crate::route::RoutingTable;
use crate::stats::{DropCounts, PeerStats, SendError};
use crate::time::{Instant, UnixTime};
use ipnet::IpNet;

/// What is known of a peer.
#[derive(Clone, Copy)]
pub struct PeerView<'a> {
    pub(super) peer: &'a Peer,
    pub(super) routes: &'a RoutingTable,
    pub(super) clock: Clock,
    #[cfg(feature = "filter")]
    pub(super) filter: Option<&'a crate::filter::Filter>,
}

impl<'a> PeerView<'a> {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.peer.id
    }

    /// Its public key.
    #[must_use]
    pub fn public_key(&self) -> &'a PublicKey {
        &self.peer.public_key
    }

    /// Its preshared key, if any.
    #[must_use]
    pub fn preshared_key(&self) -> Option<&'a PresharedKey> {
        Some(&self.peer.preshared_key).filter(|key| !key.is_zero())
    }

    /// Where it is reached at present.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.peer.endpoint.path()
    }

    /// The endpoint as it was configured.
    #[must_use]
    pub fn configured_endpoint(&self) -> Option<&'a Endpoint> {
        self.peer.endpoint.configured()
    }

    /// Whether the endpoint stays where it was configured.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.peer.endpoint.pinned
    }

    /// Whether the host keeps the peer out.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.peer.refused
    }

    /// What it may do.
    #[cfg(feature = "control")]
    #[must_use]
    pub fn access(&self) -> crate::config::Access {
        use crate::config::{Access, Gate};
        match self.peer.access {
            Gate::Open => Access::Open,
            Gate::Locked => Access::Locked,
            #[cfg(feature = "filter")]
            Gate::Ruled => {
                let config = self.filter.and_then(|filter| filter.session_config(self.peer.id.slot));
                Access::Ruled(config.cloned().unwrap_or_default())
            }
        }
    }

    /// What it has used since it is ruled; `None`: it is not.
    #[cfg(feature = "filter")]
    #[must_use]
    pub fn account(&self) -> Option<crate::filter::Account> {
        self.filter?.account(self.peer.id.slot)
    }

    /// What would become of a first packet of its flows at `wall`, and which of its rules decides; `None`: it is not ruled.
    #[cfg(feature = "filter")]
    #[must_use]
    pub fn explain(&self, wall: UnixTime, question: &crate::filter::Question) -> Option<crate::filter::Explanation> {
        self.filter?.explain(self.peer.id.slot, wall, question)
    }

    /// Seconds between persistent keepalives, 0 for none.
    #[must_use]
    pub fn persistent_keepalive(&self) -> u16 {
        self.peer.timers.persistent_interval
    }

    /// The host's own number for it.
    #[must_use]
    pub fn user(&self) -> u64 {
        self.peer.user
    }

    /// Its allowed IPs.
    pub fn allowed_ips(&self) -> impl Iterator<Item = IpNet> + use<'a> {
        self.routes.networks_of(self.peer.id.slot)
    }

    /// The same in the order in which they were given.
    pub(crate) fn allowed_ips_as_given(&self) -> impl Iterator<Item = IpNet> + use<'a> {
        self.routes.networks_as_given(self.peer.id.slot)
    }

    /// Wall time of the latest handshake.
    #[must_use]
    pub fn latest_handshake(&self) -> Option<UnixTime> {
        self.peer.latest_handshake
    }

    /// When, by the host's clock, the last authentic datagram came from it, a handshake message or data.
    #[must_use]
    pub fn last_heard(&self) -> Option<Instant> {
        Some(self.peer.last_heard).filter(|at| *at < Instant::MAX).map(|at| self.clock.was_on_host(at))
    }

    /// All of this at `now`, to be kept.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> PeerSnapshot {
        PeerSnapshot::of(self, now)
    }

    /// The latest timestamp accepted from it: none of its initiations at or before this is taken. Save it, and restore it by
    /// [`PeerChange::timestamp_floor`](crate::PeerChange::timestamp_floor), so that no old initiation is taken after a restart.
    #[must_use]
    pub fn timestamp_floor(&self) -> Tai64N {
        self.peer.timestamp_received
    }

    /// Its health when the host's clock shows `now`.
    #[must_use]
    pub fn health(&self, now: Instant) -> Health {
        self.peer.health(self.clock.at(now))
    }

    /// Its counters.
    #[must_use]
    pub fn stats(&self) -> PeerStats {
        self.peer.stats
    }

    /// Times that the host could not send to it.
    #[must_use]
    pub fn send_errors(&self) -> u64 {
        self.peer.send_errors()
    }

    /// Why the host could not send to it the last time; `None` when an authentic datagram came since.
    #[must_use]
    pub fn last_send_error(&self) -> Option<SendError> {
        self.peer.last_send_error()
    }

    /// Its drops by reason.
    #[must_use]
    pub fn drops(&self) -> DropCounts {
        self.peer.drops().cloned().unwrap_or_default()
    }
}

impl core::fmt::Debug for PeerView<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.peer.fmt(f)
    }
}

/// What a tunnel holds at present: bounds and leaks show here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Peers.
    pub peers: usize,
    /// Prefixes in the routing table.
    pub allowed_ips: usize,
    /// Staged packets of all peers.
    pub staged_packets: usize,
    /// Their bytes.
    pub staged_bytes: usize,
    /// Session indices in use.
    pub session_indices: usize,
    /// Keypairs of all peers.
    pub keypairs: usize,
    /// Handshakes under way, ours and the peers'.
    pub handshakes: usize,
    /// Peers with something to transmit.
    pub intents: usize,
    /// Events not yet polled; among them may be some that are no longer worth telling.
    pub events: usize,
    /// Control messages that wait for all peers.
    #[cfg(feature = "control")]
    pub control_messages: usize,
    /// Their bytes.
    #[cfg(feature = "control")]
    pub control_bytes: usize,
    /// Flows of ruled peers; among them may be some that are silent for too long.
    #[cfg(feature = "filter")]
    pub flows: usize,
}
