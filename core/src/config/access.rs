//! What a peer may do, and which side of the control channel a tunnel is.
use crate::crypto::PublicKey;

/// What a peer may do. Users log in and out by this, never by adding and removing peers: the configuration of a peer, its
/// sessions and its endpoint stay as they are.
///
/// More is to come: rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Access {
    /// Packets pass as its allowed IPs say.
    #[default]
    Open,
    /// Handshakes, keepalives and the control channel pass, both ways. Every packet is dropped, as
    /// [`DropReason::Locked`](crate::DropReason::Locked). Without a channel, nothing of what the peer sends is seen.
    Locked,
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
