//! What is known of peers and of the tunnel.
use crate::address::{Endpoint, Network, Path};
use crate::keys::PublicKey;
use crate::words::{DropReason, Health, SendError};
use std::sync::Arc;
use underpass_core as core;
use underpass_core::tunnel::{DropCounts, Layout, PeerView};
use underpass_core::{Instant, Tunnel, UnixTime};

/// What is known of a peer. Counters are those since it was added.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PeerInfo {
    /// Its number, by which methods and events call it.
    pub peer: u64,
    /// Its public key.
    pub public_key: Arc<PublicKey>,
    /// What the application calls it.
    pub user: u64,
    /// What can be said of it from authenticated traffic.
    pub health: Health,
    /// Where it is reached at present.
    pub path: Option<Path>,
    /// Where it is reached, as configured.
    pub endpoint: Option<Endpoint>,
    /// Whether the endpoint stays as configured.
    pub is_pinned: bool,
    /// Whether it is refused, see `set_refused`.
    pub is_refused: bool,
    /// Whether we share a secret with it.
    pub has_preshared_key: bool,
    /// Seconds between persistent keepalives; 0: none.
    pub persistent_keepalive: u16,
    /// Its allowed IPs.
    pub allowed_ips: Vec<Network>,
    /// The time of the latest handshake, in milliseconds since 1970 UTC.
    pub latest_handshake_millis: Option<u64>,
    /// When an authentic datagram of it came last, in nanoseconds of the tunnel's clock.
    pub last_heard_nanos: Option<u64>,
    /// Bytes of datagrams sent to it.
    pub tx_bytes: u64,
    /// Bytes of authenticated datagrams received from it.
    pub rx_bytes: u64,
    /// Packets sealed.
    pub tx_packets: u64,
    /// Packets delivered.
    pub rx_packets: u64,
    /// Handshakes completed.
    pub handshakes: u64,
    /// Drops of all reasons, see `peer_drops`.
    pub drops: u64,
    /// Datagrams that could not be sent.
    pub send_errors: u64,
    /// Why the last one could not; none: it was heard since.
    pub last_send_error: Option<SendError>,
    /// 12 bytes to be kept where one peer is removed and added again later, see `PeerChange`. `saved_floors` has those of all peers.
    pub timestamp_floor: Vec<u8>,
}

/// Counters of a tunnel since it was made, and what it holds at present.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct TunnelStatistics {
    /// Bytes of datagrams sent.
    pub tx_bytes: u64,
    /// Bytes of authenticated datagrams received.
    pub rx_bytes: u64,
    /// Packets sealed.
    pub tx_packets: u64,
    /// Packets delivered.
    pub rx_packets: u64,
    /// Handshakes completed.
    pub handshakes: u64,
    /// Cookie replies written.
    pub cookie_replies: u64,
    /// Drops of all reasons, see `drops`.
    pub drops: u64,
    /// Datagrams that could not be sent.
    pub send_errors: u64,
    /// Held: peers.
    pub peers: u64,
    /// Held: prefixes in the routing table.
    pub allowed_ips: u64,
    /// Held: staged packets of all peers.
    pub staged_packets: u64,
    /// Held: their bytes.
    pub staged_bytes: u64,
    /// Held: session indices in use.
    pub session_indices: u64,
    /// Held: keypairs of all peers.
    pub keypairs: u64,
    /// Held: handshakes under way, ours and the peers'.
    pub handshakes_under_way: u64,
}

/// How often packets and datagrams went no further for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct DropCount {
    /// The reason.
    pub reason: DropReason,
    /// Its name: lower case, words joined by underscores.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// The room that packets and datagrams need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct TunnelLayout {
    /// Bytes of the largest packet.
    pub mtu: u32,
    /// Bytes that must be free before a packet, in its buffer.
    pub headroom: u32,
    /// Bytes that must be free behind a packet, in its buffer.
    pub tailroom: u32,
    /// Bytes of the buffer for a datagram that the tunnel writes of its own accord.
    pub transmit_buffer: u32,
}

/// Every reason with its count, in the order of the reasons' numbers.
pub(crate) fn counts(drops: &DropCounts) -> Vec<DropCount> {
    let listed = core::DropReason::ALL.iter().copied();
    let count = |reason: core::DropReason| DropCount {
        reason: reason.into(),
        name: reason.name().to_owned(),
        count: drops.of(reason),
    };
    listed.map(count).collect()
}

impl PeerInfo {
    pub(crate) fn of(peer: &PeerView<'_>, now: Instant) -> Self {
        let stats = peer.stats();
        Self {
            peer: peer.id().to_u64(),
            public_key: PublicKey::shared(peer.public_key()),
            user: peer.user(),
            health: peer.health(now).into(),
            path: peer.path().map(Path::from),
            endpoint: peer.configured_endpoint().map(Endpoint::from),
            is_pinned: peer.is_pinned(),
            is_refused: peer.is_refused(),
            has_preshared_key: peer.preshared_key().is_some(),
            persistent_keepalive: peer.persistent_keepalive(),
            allowed_ips: peer.allowed_ips().map(Network::from).collect(),
            latest_handshake_millis: peer.latest_handshake().map(millis),
            last_heard_nanos: peer.last_heard().map(Instant::as_nanos),
            tx_bytes: stats.tx_bytes,
            rx_bytes: stats.rx_bytes,
            tx_packets: stats.tx_packets,
            rx_packets: stats.rx_packets,
            handshakes: stats.handshakes,
            drops: peer.drops().total(),
            send_errors: peer.send_errors(),
            last_send_error: peer.last_send_error().map(SendError::from),
            timestamp_floor: peer.timestamp_floor().as_bytes().to_vec(),
        }
    }
}

fn millis(wall: UnixTime) -> u64 {
    u64::try_from(wall.as_duration().as_millis()).unwrap_or(u64::MAX)
}

impl TunnelStatistics {
    pub(crate) fn of(tunnel: &Tunnel) -> Self {
        let (stats, held) = (tunnel.stats(), tunnel.footprint());
        Self {
            tx_bytes: stats.tx_bytes,
            rx_bytes: stats.rx_bytes,
            tx_packets: stats.tx_packets,
            rx_packets: stats.rx_packets,
            handshakes: stats.handshakes,
            cookie_replies: stats.cookie_replies,
            drops: stats.drops.total(),
            send_errors: stats.send_errors,
            peers: held.peers as u64,
            allowed_ips: held.allowed_ips as u64,
            staged_packets: held.staged_packets as u64,
            staged_bytes: held.staged_bytes as u64,
            session_indices: held.session_indices as u64,
            keypairs: held.keypairs as u64,
            handshakes_under_way: held.handshakes as u64,
        }
    }
}

impl From<Layout> for TunnelLayout {
    fn from(layout: Layout) -> Self {
        Self {
            mtu: layout.mtu().into(),
            headroom: layout.headroom() as u32,
            tailroom: layout.tailroom() as u32,
            transmit_buffer: layout.transmit_buffer() as u32,
        }
    }
}
