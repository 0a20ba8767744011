//! D. What is known of peers and of the tunnel.
use crate::address::{underpass_ip, underpass_path};
use crate::boundary::{enter_marked, enter_tunnel};
use crate::drain::health_code;
use crate::handle::underpass_tunnel;
use crate::words::underpass_peer_id;
use core::ffi::c_char;
use core::fmt::Write;
use underpass_core::tunnel::{DropCounts, PeerView};
use underpass_core::{DropReason, Endpoint, Instant, PeerId, PublicKey, Status, Tunnel};

/// The peer has a preshared key.
pub const UNDERPASS_INFO_PRESHARED_KEY: u32 = 1;
/// path is where the peer is reached.
pub const UNDERPASS_INFO_PATH: u32 = 2;
/// The endpoint stays as configured.
pub const UNDERPASS_INFO_PINNED: u32 = 4;
/// There was a handshake: latest_handshake is its time.
pub const UNDERPASS_INFO_HANDSHAKE: u32 = 8;
/// The endpoint was configured as a host name: see underpass_tunnel_peer_endpoint_name().
pub const UNDERPASS_INFO_NAMED: u32 = 16;

/// It was heard: last_heard is when.
pub const UNDERPASS_INFO_HEARD: u32 = 32;
/// Sending to it failed since it was heard last: last_send_error is why.
pub const UNDERPASS_INFO_SEND_ERROR: u32 = 64;
/// It is refused, see underpass_tunnel_set_refused().
pub const UNDERPASS_INFO_REFUSED: u32 = 128;

/// What is known of a peer. Counters are those since it was added.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_peer_info {
    /// sizeof(underpass_peer_info), set by the caller.
    pub size: u32,
    /// UNDERPASS_INFO_*.
    pub flags: u32,
    /// Its public key.
    pub public_key: [u8; 32],
    /// With UNDERPASS_INFO_PATH.
    pub path: underpass_path,
    /// UNDERPASS_HEALTH_*.
    pub health: u32,
    /// Seconds; 0: none.
    pub persistent_keepalive: u32,
    /// 0.
    pub reserved: u32,
    /// Nanoseconds since 1970 UTC, with UNDERPASS_INFO_HANDSHAKE.
    pub latest_handshake: u64,
    /// Bytes of datagrams sent to it, as wg counts them.
    pub tx_bytes: u64,
    /// Bytes of authenticated datagrams received from it.
    pub rx_bytes: u64,
    /// Packets sealed.
    pub tx_packets: u64,
    /// Packets delivered.
    pub rx_packets: u64,
    /// Handshakes completed.
    pub handshakes: u64,
    /// Drops of all reasons: see underpass_tunnel_peer_drops().
    pub drops: u64,
    /// What the host calls it, see underpass_peer_change.
    pub user: u64,
    /// When an authentic datagram of it came last, on the clock of the tunnel, with UNDERPASS_INFO_HEARD.
    pub last_heard: u64,
    /// Datagrams that could not be sent, see underpass_tunnel_handle_send_error().
    pub send_errors: u64,
    /// Why the last one could not: UNDERPASS_SEND_ERROR_*, with UNDERPASS_INFO_SEND_ERROR.
    pub last_send_error: u32,
    /// Save it, and give it to underpass_peer_change after a restart, so that no initiation from before is taken for a new one.
    pub timestamp_floor: [u8; 12],
}

/// Counters of a tunnel since it was made, and what it holds at present.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_stats {
    /// sizeof(underpass_stats), set by the caller.
    pub size: u32,
    /// 0.
    pub reserved: u32,
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
    /// Drops of all reasons: see underpass_tunnel_drops().
    pub drops: u64,
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
    /// Failures to send, as told by underpass_tunnel_handle_send_error().
    pub send_errors: u64,
}

/// Tells the number of the peer with a public key, or UNDERPASS_E_NO_PEER.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_peer_by_key(
    tunnel: *const underpass_tunnel,
    public_key: *const u8,
    peer: *mut underpass_peer_id,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.out(peer)?;
        let key = PublicKey::from_bytes(caller.read(public_key.cast())?);
        out.put(tunnel.peer_by_key(&key).ok_or(Status::NoPeer)?.to_u64());
        Ok(())
    })
}

/// Tells the numbers of all peers.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_peers(
    tunnel: *const underpass_tunnel,
    peers: *mut underpass_peer_id,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        caller.list_out(peers, cap, len)?.put(|| tunnel.peers().map(|peer| peer.id().to_u64()))
    })
}

/// Tells what is known of a peer.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_peer(
    tunnel: *const underpass_tunnel,
    now: u64,
    peer: underpass_peer_id,
    out: *mut underpass_peer_info,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.record_out(out)?;
        out.put(underpass_peer_info::of(&view(tunnel, peer)?, Instant::from_nanos(now)));
        Ok(())
    })
}

/// Tells the allowed IPs of a peer, each with its prefix.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_peer_allowed_ips(
    tunnel: *const underpass_tunnel,
    peer: underpass_peer_id,
    allowed_ips: *mut underpass_ip,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.list_out(allowed_ips, cap, len)?;
        let peer = view(tunnel, peer)?;
        out.put(|| peer.allowed_ips().map(Into::into))
    })
}

/// Tells the host name that a peer's endpoint was configured as, for underpass_tunnel_set_endpoint(). A cap of 256 is
/// always enough. UNDERPASS_NOTHING: it was configured as an address, or not at all.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_peer_endpoint_name(
    tunnel: *const underpass_tunnel,
    peer: underpass_peer_id,
    host: *mut c_char,
    cap: usize,
    len: *mut usize,
    port: *mut u16,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let (out, port_out) = (caller.text_out(host, cap, len)?, caller.out(port)?);
        let Some(Endpoint::Name { host, port }) = view(tunnel, peer)?.configured_endpoint() else {
            return Err(Status::Nothing);
        };
        out.put(|out| out.write_str(host))?;
        port_out.put(*port);
        Ok(())
    })
}

/// Tells how often packets and datagrams of a peer went no further: the count of UNDERPASS_DROP_* at its number.
/// - counts: out; what is beyond cap is left out, UNDERPASS_DROP_REASONS are all that this header knows.
/// - len: out, how many reasons the library knows; what is beyond it is not written.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_peer_drops(
    tunnel: *const underpass_tunnel,
    peer: underpass_peer_id,
    counts: *mut u64,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.list_out(counts, cap, len)?;
        let drops = view(tunnel, peer)?.drops();
        out.put_what_fits(|| by_number(&drops));
        Ok(())
    })
}

/// Tells the counters of the tunnel, and what it holds. It visits every peer.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_stats(tunnel: *const underpass_tunnel, out: *mut underpass_stats) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        caller.record_out(out)?.put(underpass_stats::of(tunnel));
        Ok(())
    })
}

/// Tells the same of the whole tunnel, datagrams of no known peer included, as underpass_tunnel_peer_drops() does.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_drops(
    tunnel: *const underpass_tunnel,
    counts: *mut u64,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        caller.list_out(counts, cap, len)?.put_what_fits(|| by_number(&tunnel.stats().drops));
        Ok(())
    })
}

/// Tells our public key, or UNDERPASS_NOTHING without a private key.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_public_key(tunnel: *const underpass_tunnel, public_key: *mut u8) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let out = caller.out(public_key.cast::<[u8; 32]>())?;
        out.put(*tunnel.public_key().ok_or(Status::Nothing)?.as_bytes());
        Ok(())
    })
}

/// Tells what the host calls the tunnel: user of the options that it was made from.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_user(tunnel: *const underpass_tunnel, user: *mut u64) -> i32 {
    enter_marked(tunnel, |caller, _, marks| {
        caller.out(user)?.put(marks.user);
        Ok(())
    })
}

/// Tells the MTU of the virtual interface, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_mtu(tunnel: *const underpass_tunnel, mtu: *mut u32) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        caller.out(mtu)?.put(tunnel.mtu().into());
        Ok(())
    })
}

/// Tells a timestamp of UNDERPASS_TIMESTAMP_LEN bytes. Save it from time to time and when the tunnel ends, and give it to the
/// tunnel after a restart, as timestamp_floor of its options.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_timestamp_floor(tunnel: *const underpass_tunnel, floor: *mut u8) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        caller.out(floor.cast::<[u8; 12]>())?.put(*tunnel.timestamp_floor().as_bytes());
        Ok(())
    })
}

fn view(tunnel: &Tunnel, peer: underpass_peer_id) -> Result<PeerView<'_>, Status> {
    tunnel.peer(PeerId::from_u64(peer)).ok_or(Status::NoPeer)
}

/// Counts of all reasons, in the order of their numbers.
fn by_number(drops: &DropCounts) -> impl Iterator<Item = u64> + '_ {
    DropReason::ALL.iter().map(|reason| drops.of(*reason))
}

impl underpass_peer_info {
    fn of(peer: &PeerView<'_>, now: Instant) -> Self {
        let (stats, handshake) = (peer.stats(), peer.latest_handshake());
        let flags = [
            (peer.preshared_key().is_some(), UNDERPASS_INFO_PRESHARED_KEY),
            (peer.path().is_some(), UNDERPASS_INFO_PATH),
            (peer.is_pinned(), UNDERPASS_INFO_PINNED),
            (handshake.is_some(), UNDERPASS_INFO_HANDSHAKE),
            (matches!(peer.configured_endpoint(), Some(Endpoint::Name { .. })), UNDERPASS_INFO_NAMED),
            (peer.last_heard().is_some(), UNDERPASS_INFO_HEARD),
            (peer.last_send_error().is_some(), UNDERPASS_INFO_SEND_ERROR),
            (peer.is_refused(), UNDERPASS_INFO_REFUSED),
        ];
        let nanos = handshake.map_or(0, |wall| wall.as_duration().as_nanos());
        Self {
            size: 0,
            flags: flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum(),
            public_key: *peer.public_key().as_bytes(),
            path: peer.path().map(Into::into).unwrap_or_default(),
            health: health_code(peer.health(now)),
            persistent_keepalive: peer.persistent_keepalive().into(),
            reserved: 0,
            latest_handshake: u64::try_from(nanos).unwrap_or(u64::MAX),
            tx_bytes: stats.tx_bytes,
            rx_bytes: stats.rx_bytes,
            tx_packets: stats.tx_packets,
            rx_packets: stats.rx_packets,
            handshakes: stats.handshakes,
            drops: peer.drops().total(),
            user: peer.user(),
            last_heard: peer.last_heard().map_or(0, Instant::as_nanos),
            send_errors: peer.send_errors(),
            last_send_error: peer.last_send_error().map_or(0, |kind| kind as u32),
            timestamp_floor: *peer.timestamp_floor().as_bytes(),
        }
    }
}

impl underpass_stats {
    fn of(tunnel: &Tunnel) -> Self {
        let (stats, held) = (tunnel.stats(), tunnel.footprint());
        Self {
            size: 0,
            reserved: 0,
            tx_bytes: stats.tx_bytes,
            rx_bytes: stats.rx_bytes,
            tx_packets: stats.tx_packets,
            rx_packets: stats.rx_packets,
            handshakes: stats.handshakes,
            cookie_replies: stats.cookie_replies,
            drops: stats.drops.total(),
            peers: held.peers as u64,
            allowed_ips: held.allowed_ips as u64,
            staged_packets: held.staged_packets as u64,
            staged_bytes: held.staged_bytes as u64,
            session_indices: held.session_indices as u64,
            keypairs: held.keypairs as u64,
            handshakes_under_way: held.handshakes as u64,
            send_errors: stats.send_errors,
        }
    }
}
