//! `get=1`: writes the state of a tunnel, in the order and with the omissions of wireguard-go.
use crate::crypto::keys::InHex;
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
use crate::time::UnixTime;
use crate::tunnel::{PeerView, Tunnel};
use core::fmt::{self, Write};
use core::net::SocketAddr;
use ipnet::IpNet;

/// What the host knows and the tunnel does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    /// The UDP port it listens on; 0: none yet.
    pub listen_port: u16,
    /// The firewall mark of its sockets; 0: none.
    pub fwmark: u32,
}

/// Writes the answer to `get=1` without the status that ends it. It holds the private and the preshared keys.
///
/// # Errors
/// Those of `out`.
pub fn write_get(tunnel: &Tunnel, host: &HostState, out: &mut impl Write) -> fmt::Result {
    write_interface(tunnel.private_key(), host, out)?;
    for peer in tunnel.peers() {
        write_peer(&PeerFigures::of(&peer), out)?;
        // Not of the protocol, whose readers pass over what they do not know; most peers have none.
        if let Some(kind) = peer.last_send_error() {
            writeln!(out, "last_send_error={}", kind.name())?;
        }
        // The tunnel lists the latest first, `wg` in the order in which they were given.
        write_allowed_ips(peer.allowed_ips_as_given(), out)?;
    }
    Ok(())
}

/// What is written of a peer, but for its allowed IPs.
pub(super) struct PeerFigures<'a> {
    pub(super) public_key: &'a PublicKey,
    pub(super) preshared_key: Option<&'a PresharedKey>,
    pub(super) endpoint: Option<SocketAddr>,
    pub(super) latest_handshake: Option<UnixTime>,
    pub(super) tx_bytes: u64,
    pub(super) rx_bytes: u64,
    pub(super) persistent_keepalive: u16,
}

impl<'a> PeerFigures<'a> {
    fn of(peer: &PeerView<'a>) -> Self {
        let stats = peer.stats();
        Self {
            public_key: peer.public_key(),
            preshared_key: peer.preshared_key(),
            endpoint: peer.path().map(|path| path.remote),
            latest_handshake: peer.latest_handshake(),
            tx_bytes: stats.tx_bytes,
            rx_bytes: stats.rx_bytes,
            persistent_keepalive: peer.persistent_keepalive(),
        }
    }
}

/// What is not set is left out.
pub(super) fn write_interface(key: Option<&PrivateKey>, host: &HostState, out: &mut impl Write) -> fmt::Result {
    if let Some(key) = key {
        writeln!(out, "private_key={}", InHex(key.as_bytes()))?;
    }
    if host.listen_port != 0 {
        writeln!(out, "listen_port={}", host.listen_port)?;
    }
    if host.fwmark != 0 {
        writeln!(out, "fwmark={}", host.fwmark)?;
    }
    Ok(())
}

/// Only an unknown endpoint is left out: no preshared key and no handshake are written as zeros.
pub(super) fn write_peer(peer: &PeerFigures<'_>, out: &mut impl Write) -> fmt::Result {
    let no_preshared_key = PresharedKey::from_bytes([0; 32]);
    let preshared_key = peer.preshared_key.unwrap_or(&no_preshared_key);
    writeln!(out, "public_key={}", InHex(peer.public_key.as_bytes()))?;
    writeln!(out, "preshared_key={}", InHex(preshared_key.as_bytes()))?;
    writeln!(out, "protocol_version=1")?;
    if let Some(endpoint) = peer.endpoint {
        writeln!(out, "endpoint={endpoint}")?;
    }
    let handshake = peer.latest_handshake.unwrap_or_default().as_duration();
    writeln!(out, "last_handshake_time_sec={}", handshake.as_secs())?;
    writeln!(out, "last_handshake_time_nsec={}", handshake.subsec_nanos())?;
    writeln!(out, "tx_bytes={}", peer.tx_bytes)?;
    writeln!(out, "rx_bytes={}", peer.rx_bytes)?;
    writeln!(out, "persistent_keepalive_interval={}", peer.persistent_keepalive)
}

pub(super) fn write_allowed_ips(networks: impl Iterator<Item = IpNet>, out: &mut impl Write) -> fmt::Result {
    let mut networks = networks;
    networks.try_for_each(|network| writeln!(out, "allowed_ip={network}"))
}
