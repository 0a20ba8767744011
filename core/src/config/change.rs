//! The one door: a tunnel's first configuration and the changes to it.
#[cfg(feature = "control")]
use crate::config::access::{Access, ControlRole};
use crate::config::layout::Padding;
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
#[cfg(feature = "filter")]
use crate::filter::FilterConfig;
use crate::limits::{DEFAULT_MTU, Limits};
use crate::memory::{NoMemory, copy_text, list};
use crate::noise::Tai64N;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use ipnet::IpNet;

/// What a tunnel is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelConfig {
    /// Our private key; a tunnel without one drops everything until it gets one.
    pub private_key: Option<PrivateKey>,
    /// Largest inner packet in bytes.
    pub mtu: u16,
    /// How packets are padded.
    pub padding: Padding,
    /// Bounds on memory and work.
    pub limits: Limits,
    /// No initiation carries a timestamp at or before this: the [`timestamp_floor`](crate::Tunnel::timestamp_floor)
    /// that the host saved earlier, so that a clock set back does not lock us out.
    pub timestamp_floor: Tai64N,
    /// The peers. Of two with the same public key, the later one counts.
    pub peers: Vec<NewPeer>,
}

impl Default for TunnelConfig {
    fn default() -> Self {
        Self {
            private_key: None,
            mtu: DEFAULT_MTU,
            padding: Padding::default(),
            limits: Limits::default(),
            timestamp_floor: Tai64N::ZERO,
            peers: Vec::new(),
        }
    }
}

/// A peer as a tunnel's first configuration describes it: all that it is, so that nothing is taken away or left as it is.
/// [`PeerChange::from`] it is the change that makes a peer of a running tunnel the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// Which peer.
    pub public_key: PublicKey,
    /// The preshared key; `None` and all zero: none.
    pub preshared_key: Option<PresharedKey>,
    /// Where the peer is reached; `None`: from where it is heard first.
    pub endpoint: Option<Endpoint>,
    /// Whether the endpoint stays as configured although authenticated datagrams come from elsewhere.
    pub pin_endpoint: bool,
    /// Seconds between persistent keepalives; 0: none.
    pub persistent_keepalive: u16,
    /// A number of the host's own, which verdicts and events about the peer carry; 0 when there is no use for it.
    pub user: u64,
    /// No initiation of the peer with a timestamp at or before this is taken: what
    /// [`PeerView::timestamp_floor`](crate::tunnel::PeerView::timestamp_floor) said before the host was restarted. Zero:
    /// none was saved.
    pub timestamp_floor: Tai64N,
    /// What the peer may do. `None`: a peer that is there keeps its access; one that is added begins locked where the tunnel
    /// [is a gateway](ControlRole::Gateway), and open elsewhere.
    #[cfg(feature = "control")]
    pub access: Option<Access>,
    /// The networks that are routed to the peer, and from which its packets may come; host bits are ignored.
    pub allowed_ips: Vec<IpNet>,
}

impl NewPeer {
    /// The peer `public_key` with no preshared key, endpoint, keepalives or allowed IPs.
    #[must_use]
    pub const fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            preshared_key: None,
            endpoint: None,
            pin_endpoint: false,
            persistent_keepalive: 0,
            user: 0,
            timestamp_floor: Tai64N::ZERO,
            #[cfg(feature = "control")]
            access: None,
            allowed_ips: Vec::new(),
        }
    }
}

/// The change that makes a peer what `peer` says, added if absent: allowed IPs are replaced, and what `peer` does without
/// is removed. Two things stay: an endpoint where `peer` has none, and a timestamp floor that is higher.
impl From<NewPeer> for PeerChange {
    fn from(peer: NewPeer) -> Self {
        let mut peer = peer;
        let allowed_ips = core::mem::take(&mut peer.allowed_ips).into_iter().map(AllowedIp::from).collect();
        Self::describing(peer, allowed_ips)
    }
}

impl PeerChange {
    /// The same, with allowed IPs that stand in a list already: memory for that is asked for, not taken.
    pub(crate) fn made_from(mut peer: NewPeer) -> Result<Self, NoMemory> {
        let mut allowed_ips = list(peer.allowed_ips.len())?;
        allowed_ips.extend(core::mem::take(&mut peer.allowed_ips).into_iter().map(AllowedIp::from));
        Ok(Self::describing(peer, allowed_ips))
    }

    fn describing(peer: NewPeer, allowed_ips: Vec<AllowedIp>) -> Self {
        Self {
            public_key: peer.public_key,
            #[cfg(not(feature = "control"))]
            action: PeerAction::Set,
            #[cfg(feature = "control")]
            action: peer.access.map_or(PeerAction::Set, PeerAction::Admit),
            preshared_key: peer.preshared_key.or(Some(PresharedKey::from_bytes([0; 32]))),
            endpoint: peer.endpoint,
            pin_endpoint: Some(peer.pin_endpoint),
            persistent_keepalive: Some(peer.persistent_keepalive),
            user: Some(peer.user),
            timestamp_floor: Some(peer.timestamp_floor),
            replace_allowed_ips: true,
            allowed_ips,
        }
    }
}

/// One change of a running tunnel. A list of them is applied all or nothing, in order. A peer that a list removes and adds
/// again keeps its timestamp floor, so that none of its old initiations is taken for a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets (clamped, as RFC 7748 § 5 says) or removes our private key. Sessions end; a peer with our own public key is
    /// removed. The key we have already, clamped or not, changes nothing.
    PrivateKey(Option<PrivateKey>),
    /// Removes every peer.
    RemoveAllPeers,
    /// Sets the MTU.
    Mtu(u16),
    /// Sets how packets are padded.
    Padding(Padding),
    /// Raises or lowers the bounds on memory and work. What is staged beyond the new ones is dropped, the oldest first, so
    /// that a phone can give memory back.
    Limits(Limits),
    /// Adds, changes or removes one peer.
    Peer(PeerChange),
    /// Says what a peer may do from here on. Its sessions go on; packets that are staged for a peer that is locked are dropped.
    /// Where there is no such peer, nothing happens.
    #[cfg(feature = "control")]
    Access {
        /// Its public key.
        peer: PublicKey,
        /// What it may do.
        access: Access,
    },
    /// Sets which side of the control channel we are. A tunnel that becomes a gateway locks all of its peers.
    #[cfg(feature = "control")]
    Control(ControlRole),
    /// Sets the bounds of flows and events of peers that are [ruled](Access::Ruled), the MTU to which their segments are lowered, and
    /// how far local time is ahead of UTC. Bounds hold for what begins from here on.
    #[cfg(feature = "filter")]
    Filter(FilterConfig),
}

/// What happens to the peer a [`PeerChange`] names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PeerAction {
    /// It is added if absent, then changed.
    #[default]
    Set,
    /// The same, and this is what it may do.
    #[cfg(feature = "control")]
    Admit(Access),
    /// It is changed if present, else nothing happens.
    Update,
    /// It is removed if present.
    Remove,
}

impl PeerAction {
    /// What happens to the peer, without what it may do.
    #[inline(always)]
    pub(crate) const fn plain(&self) -> Self {
        match self {
            Self::Set => Self::Set,
            #[cfg(feature = "control")]
            Self::Admit(_) => Self::Set,
            Self::Update => Self::Update,
            Self::Remove => Self::Remove,
        }
    }
}

/// A change of one peer; `None` leaves a property as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerChange {
    /// Which peer.
    pub public_key: PublicKey,
    /// What happens to it.
    pub action: PeerAction,
    /// The preshared key; all zero removes it. Used from the next handshake on.
    pub preshared_key: Option<PresharedKey>,
    /// Where the peer is reached.
    pub endpoint: Option<Endpoint>,
    /// Whether the endpoint stays as configured although authenticated datagrams come from elsewhere.
    pub pin_endpoint: Option<bool>,
    /// Seconds between persistent keepalives; 0 turns them off.
    pub persistent_keepalive: Option<u16>,
    /// A number of the host's own, which verdicts and events about the peer carry; 0 at first.
    pub user: Option<u64>,
    /// No initiation of the peer with a timestamp at or before this is taken: what
    /// [`PeerView::timestamp_floor`](crate::tunnel::PeerView::timestamp_floor) said before the peer was removed or the host
    /// was restarted. It never lowers what is known already.
    pub timestamp_floor: Option<Tai64N>,
    /// Whether the allowed IPs are emptied before those below are added.
    pub replace_allowed_ips: bool,
    /// Allowed IPs to add or take away.
    pub allowed_ips: Vec<AllowedIp>,
}

impl PeerChange {
    /// A change that adds the peer `public_key` and sets nothing.
    #[must_use]
    pub const fn new(public_key: PublicKey) -> Self {
        Self {
            public_key,
            action: PeerAction::Set,
            preshared_key: None,
            endpoint: None,
            pin_endpoint: None,
            persistent_keepalive: None,
            user: None,
            timestamp_floor: None,
            replace_allowed_ips: false,
            allowed_ips: Vec::new(),
        }
    }
}

/// One allowed IP to add or take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedIp {
    /// The network; host bits are ignored.
    pub network: IpNet,
    /// Take it away instead of adding it.
    pub remove: bool,
}

impl From<IpNet> for AllowedIp {
    fn from(network: IpNet) -> Self {
        Self { network, remove: false }
    }
}

/// Where a peer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// An address and port.
    Address(SocketAddr),
    /// A name the host must resolve: the tunnel asks with `Event::ResolveEndpoint`.
    Name {
        /// The host name.
        host: String,
        /// The UDP port.
        port: u16,
    },
}

impl Endpoint {
    /// A copy, if there is memory for the name.
    pub(crate) fn copy(&self) -> Result<Self, NoMemory> {
        Ok(match self {
            Self::Address(address) => Self::Address(*address),
            Self::Name { host, port } => Self::Name { host: copy_text(host)?, port: *port },
        })
    }
}
