//! What a peer may do, and which side of the control channel a tunnel is.
use crate::crypto::PublicKey;
#[cfg(feature = "filter")]
use crate::filter::SessionConfig;

/// What a peer may do. Users log in and out by this, never by adding and removing peers: the configuration of a peer, its
/// sessions and its endpoint stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Packets pass as its allowed IPs say.
    #[default]
    Open,
    /// Handshakes, keepalives and the control channel pass, both ways. Every packet is dropped, as
    /// [`DropReason::Locked`](crate::DropReason::Locked). Without a channel, nothing of what the peer sends is seen.
    Locked,
    /// Packets pass as its allowed IPs say and as these rules allow, both ways; the control channel passes in any case. See
    /// [`filter`](crate::filter). A packet between two peers is ruled for each of the two that is ruled.
    ///
    /// [`SessionConfig::outer`] is set to where the peer is heard from. A peer that is ruled already goes on under the new rules:
    /// its flows are asked about again, each at its next packet, and what it has used stays used. Any other access ends them.
    #[cfg(feature = "filter")]
    Ruled(SessionConfig),
}

/// The same in one byte, which stands in the first line of a peer's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Gate {
    /// [`Access::Open`].
    #[default]
    Open,
    /// [`Access::Locked`].
    Locked,
    /// [`Access::Ruled`]: the tunnel's filter has the rules.
    #[cfg(feature = "filter")]
    Ruled,
}

impl Access {
    /// The one byte of it.
    pub(crate) const fn gate(&self) -> Gate {
        match self {
            Self::Open => Gate::Open,
            Self::Locked => Gate::Locked,
            #[cfg(feature = "filter")]
            Self::Ruled(_) => Gate::Ruled,
        }
    }
}

/// Which side of the control channel a tunnel is.
///
/// While it is not `Off`, link-local addresses (fe80::/10) belong to the channel: packets to them or from them are no packets for
/// the virtual interface, nor are they taken from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlRole {
    /// There is no channel. Link-local addresses are routed as others are.
    #[default]
    Off,
    /// Every peer is a client, which may speak to us.
    ///
    /// A tunnel that becomes a gateway locks every peer that it has. Peers that are added to a gateway begin locked where nothing
    /// is said of their access, so that nobody gets in because a tool that knows nothing of logins replaces the peers.
    Gateway,
    /// One peer is the gateway, with which we speak. The others have no part in it.
    Client {
        /// Its key. There need not be such a peer yet.
        gateway: PublicKey,
    },
}
