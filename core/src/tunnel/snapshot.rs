//! What was known of a peer at one moment, to be kept.
use super::PeerView;
use crate::config::Endpoint;
use crate::crypto::PublicKey;
use crate::peer::{Health, Path, PeerId};
use crate::stats::{DropCounts, PeerStats};
use crate::time::{Instant, UnixTime};
use alloc::vec::Vec;
use ipnet::IpNet;

/// What was known of a peer at one moment: a [`PeerView`] that outlives the next call of the tunnel, and may be shown or
/// handed to another thread. There is no secret in it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSnapshot {
    /// When it was taken.
    pub at: Instant,
    /// Its name.
    pub id: PeerId,
    /// Its public key.
    pub public_key: PublicKey,
    /// Whether it has a preshared key.
    pub has_preshared_key: bool,
    /// Where it is reached.
    pub path: Option<Path>,
    /// The endpoint as it was configured.
    pub configured_endpoint: Option<Endpoint>,
    /// Whether the endpoint stays where it was configured.
    pub is_pinned: bool,
    /// Seconds between persistent keepalives, 0 for none.
    pub persistent_keepalive: u16,
    /// Its allowed IPs.
    pub allowed_ips: Vec<IpNet>,
    /// Wall time of the latest handshake.
    pub latest_handshake: Option<UnixTime>,
    /// When the last authentic datagram came from it.
    pub last_heard: Option<Instant>,
    /// Its health.
    pub health: Health,
    /// Its counters.
    pub stats: PeerStats,
    /// Its drops by reason.
    pub drops: DropCounts,
}

impl PeerSnapshot {
    pub(super) fn of(view: &PeerView<'_>, now: Instant) -> Self {
        Self {
            at: now,
            id: view.id(),
            public_key: *view.public_key(),
            has_preshared_key: view.preshared_key().is_some(),
            path: view.path(),
            configured_endpoint: view.configured_endpoint().cloned(),
            is_pinned: view.is_pinned(),
            persistent_keepalive: view.persistent_keepalive(),
            allowed_ips: view.allowed_ips().collect(),
            latest_handshake: view.latest_handshake(),
            last_heard: view.last_heard(),
            health: view.health(now),
            stats: view.stats(),
            drops: view.drops(),
        }
    }
}
