//! D. Commands.
use crate::address::{underpass_address, underpass_path};
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use crate::words::underpass_peer_id;
use underpass_core::tunnel::SendError;
use underpass_core::{Instant, PeerId, Status, Tunnel};

/// There is no route to the endpoint.
pub const UNDERPASS_SEND_ERROR_UNREACHABLE: u32 = 0;
/// There is no network of the endpoint's address family.
pub const UNDERPASS_SEND_ERROR_FAMILY_GONE: u32 = 1;
/// The local address of the path is no longer the machine's.
pub const UNDERPASS_SEND_ERROR_NO_SOURCE: u32 = 2;
/// The datagram is too long for the path.
pub const UNDERPASS_SEND_ERROR_TOO_BIG: u32 = 3;
/// The other side refuses: an ICMP error that anyone could have sent.
pub const UNDERPASS_SEND_ERROR_REFUSED: u32 = 4;
/// A firewall or the system does not allow it.
pub const UNDERPASS_SEND_ERROR_DENIED: u32 = 5;
/// Something else.
pub const UNDERPASS_SEND_ERROR_OTHER: u32 = 6;

const _: () = assert!(UNDERPASS_SEND_ERROR_OTHER == SendError::Other as u32);

/// Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
/// Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_set_endpoint(
    tunnel: *mut underpass_tunnel,
    now: u64,
    peer: underpass_peer_id,
    remote: *const underpass_address,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let remote = caller.read(remote)?.socket()?;
        tunnel.set_endpoint(Instant::from_nanos(now), known(tunnel, peer)?, remote);
        Ok(())
    })
}

/// Starts a handshake with a peer, unless a session is live or one is under way. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_connect(tunnel: *mut underpass_tunnel, now: u64, peer: underpass_peer_id) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.connect(Instant::from_nanos(now), known(tunnel, peer)?);
        Ok(())
    })
}

/// Tells that datagrams of a peer could not leave: they are counted apart from what was sent. An address of ours that
/// does not work is left to the host until the peer is heard from again; an endpoint that cannot be reached is looked
/// for elsewhere, if it has a name. Neither happens when the peer is reached over another path by now. Then poll.
/// - path: what the slot or the transmit said.
/// - len: how many bytes did not leave; 0: none, since you sent the datagrams from another address than that of the path.
/// - kind: UNDERPASS_SEND_ERROR_*.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_handle_send_error(
    tunnel: *mut underpass_tunnel,
    peer: underpass_peer_id,
    path: *const underpass_path,
    len: usize,
    kind: u32,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let path = caller.read(path)?.path()?;
        let kind = usize::try_from(kind).ok().and_then(|kind| SendError::ALL.get(kind)).ok_or(Status::Argument)?;
        tunnel.handle_send_error(known(tunnel, peer)?, path, len, *kind);
        Ok(())
    })
}

/// Ends the sessions and handshakes of a peer at once, wipes their keys and drops what is staged for it. The peer
/// stays; the next packet or initiation begins a new session, unless it is refused. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_end_sessions(
    tunnel: *mut underpass_tunnel,
    now: u64,
    peer: underpass_peer_id,
) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.end_sessions(Instant::from_nanos(now), known(tunnel, peer)?);
        Ok(())
    })
}

/// Refuses a peer, or no longer if refused is 0: a user who was suspended or logged out. Its sessions end; its
/// initiations and packets to it are dropped as UNDERPASS_DROP_REFUSED. Its configuration stays. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_set_refused(
    tunnel: *mut underpass_tunnel,
    now: u64,
    peer: underpass_peer_id,
    refused: u32,
) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.set_refused(Instant::from_nanos(now), known(tunnel, peer)?, refused != 0);
        Ok(())
    })
}

/// Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its next
/// handshake, an old initiation of its could be replayed; it reaches no session by that.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_reset_peer_timestamp(tunnel: *mut underpass_tunnel, peer: underpass_peer_id) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.reset_peer_timestamp(known(tunnel, peer)?);
        Ok(())
    })
}

/// The peer of this number.
pub(crate) fn known(tunnel: &Tunnel, peer: underpass_peer_id) -> Result<PeerId, Status> {
    let id = PeerId::from_u64(peer);
    tunnel.peer(id).map(|_| id).ok_or(Status::NoPeer)
}
