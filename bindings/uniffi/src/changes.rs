//! Changes of a running tunnel.
use crate::address::{Endpoint, Network};
use crate::error::TunnelError;
use crate::floors;
use crate::keys::{PresharedKey, PublicKey};
use std::sync::Arc;
use underpass_core as core;
use underpass_core::{Limits, config, tunnel};

/// What happens to the peer that a change names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum PeerAction {
    /// It is added if it is not there, then changed.
    Set,
    /// It is changed if it is there; else nothing happens.
    Update,
    /// It is removed if it is there.
    Remove,
}

/// What happens to the secret that we share with a peer. It counts from the next handshake on.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum PresharedKeyChange {
    /// It is set.
    Set {
        /// To this.
        key: Arc<PresharedKey>,
    },
    /// It is removed.
    Remove,
}

/// An allowed IP to add or take away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct AllowedIp {
    /// The network. Bits behind the prefix are ignored.
    pub network: Network,
    /// Take it away instead of adding it.
    #[uniffi(default = false)]
    pub remove: bool,
}

/// A change of one peer. What is not given stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PeerChange {
    /// Which peer.
    pub public_key: Arc<PublicKey>,
    /// What happens to it.
    pub action: PeerAction,
    /// The secret that we share with it.
    #[uniffi(default = None)]
    pub preshared_key: Option<PresharedKeyChange>,
    /// Where it is reached.
    #[uniffi(default = None)]
    pub endpoint: Option<Endpoint>,
    /// Whether the endpoint stays as configured although datagrams come from elsewhere.
    #[uniffi(default = None)]
    pub pin_endpoint: Option<bool>,
    /// Seconds between persistent keepalives; 0: none.
    #[uniffi(default = None)]
    pub persistent_keepalive: Option<u16>,
    /// A number of the application's own, which events about the peer carry; 0 at first.
    #[uniffi(default = None)]
    pub user: Option<u64>,
    /// The 12 bytes that the peer's record had as `timestamp_floor` in an earlier life. They never lower what is known.
    #[uniffi(default = None)]
    pub timestamp_floor: Option<Vec<u8>>,
    /// Whether the allowed IPs are emptied before those of this change are added.
    #[uniffi(default = false)]
    pub replace_allowed_ips: bool,
    /// Allowed IPs to add or take away.
    #[uniffi(default = [])]
    pub allowed_ips: Vec<AllowedIp>,
}

/// How packets are padded before they are sealed, so that lengths tell less to whoever watches the network. Every WireGuard
/// peer takes padded packets; nothing is padded beyond the MTU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Padding {
    /// To a multiple of 16 bytes, as every implementation does.
    Sixteen,
    /// To a multiple of so many bytes.
    Buckets {
        /// A power of two from 32 to 32768.
        size: u16,
    },
    /// To the MTU: every packet has the same length.
    Mtu,
}

/// Bounds on memory and work. What is not given is what suits a phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, uniffi::Record)]
pub struct TunnelLimits {
    /// Peers that the tunnel accepts; else 1000.
    #[uniffi(default = None)]
    pub peers: Option<u32>,
    /// Packets staged per peer while a handshake is under way, the oldest is dropped beyond it; else 128.
    #[uniffi(default = None)]
    pub staged_packets_per_peer: Option<u16>,
    /// Bytes staged per peer; else 256 KiB.
    #[uniffi(default = None)]
    pub staged_bytes_per_peer: Option<u32>,
    /// Bytes staged by the whole tunnel; else 1 MiB.
    #[uniffi(default = None)]
    pub staged_bytes: Option<u32>,
    /// Initiations per second answered without a cookie before the tunnel counts as under load; else 500.
    #[uniffi(default = None)]
    pub handshakes_per_second: Option<u32>,
    /// Cookie-verified initiations per second, a lane of their own; else 1000.
    #[uniffi(default = None)]
    pub verified_handshakes_per_second: Option<u32>,
    /// Handshakes per second from one source (IPv4 /32, IPv6 /64); else 20.
    #[uniffi(default = None)]
    pub handshakes_per_source: Option<u32>,
    /// Handshakes that one source may send at once; else 5.
    #[uniffi(default = None)]
    pub handshake_burst_per_source: Option<u32>,
}

/// Peers of a tunnel of a phone, and bytes that it stages: less than the core's defaults, which suit small gateways too.
const PHONE: (u32, u32) = (1000, 1024 * 1024);

impl TunnelLimits {
    pub(crate) fn to_core(&self) -> Limits {
        let (usual, (peers, staged_bytes)) = (Limits::default(), PHONE);
        Limits {
            peers: self.peers.unwrap_or(peers),
            staged_packets_per_peer: self.staged_packets_per_peer.unwrap_or(usual.staged_packets_per_peer),
            staged_bytes_per_peer: self.staged_bytes_per_peer.unwrap_or(usual.staged_bytes_per_peer),
            staged_bytes: self.staged_bytes.unwrap_or(staged_bytes),
            handshakes_per_second: self.handshakes_per_second.unwrap_or(usual.handshakes_per_second),
            verified_handshakes_per_second: self
                .verified_handshakes_per_second
                .unwrap_or(usual.verified_handshakes_per_second),
            handshakes_per_source: self.handshakes_per_source.unwrap_or(usual.handshakes_per_source),
            handshake_burst_per_source: self.handshake_burst_per_source.unwrap_or(usual.handshake_burst_per_source),
        }
    }
}

impl From<Padding> for tunnel::Padding {
    fn from(padding: Padding) -> Self {
        match padding {
            Padding::Sixteen => Self::Sixteen,
            Padding::Buckets { size } => Self::Buckets(size),
            Padding::Mtu => Self::Mtu,
        }
    }
}

impl AllowedIp {
    fn to_core(&self) -> Result<core::AllowedIp, TunnelError> {
        Ok(core::AllowedIp { network: self.network.to_core("allowed_ips")?, remove: self.remove })
    }
}

impl PeerChange {
    pub(crate) fn to_core(&self) -> Result<core::PeerChange, TunnelError> {
        Ok(core::PeerChange {
            public_key: self.public_key.0,
            action: match self.action {
                PeerAction::Set => config::PeerAction::Set,
                PeerAction::Update => config::PeerAction::Update,
                PeerAction::Remove => config::PeerAction::Remove,
            },
            preshared_key: self.preshared_key.as_ref().map(|change| match change {
                PresharedKeyChange::Set { key } => key.0.clone(),
                PresharedKeyChange::Remove => core::PresharedKey::from_bytes([0; 32]),
            }),
            endpoint: self.endpoint.as_ref().map(Endpoint::to_core).transpose()?,
            pin_endpoint: self.pin_endpoint,
            persistent_keepalive: self.persistent_keepalive,
            user: self.user,
            timestamp_floor: self.timestamp_floor.as_deref().map(floors::timestamp).transpose()?,
            replace_allowed_ips: self.replace_allowed_ips,
            allowed_ips: self.allowed_ips.iter().map(AllowedIp::to_core).collect::<Result<_, _>>()?,
        })
    }
}
