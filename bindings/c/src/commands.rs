//! D. Commands.
use crate::address::{underpass_address, underpass_path};
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use crate::words::underpass_peer_id;
use underpass_core::tunnel::SendError;
use underpass_core::{Instant, PeerId, Status, Tunnel};

/// Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
/// Then poll.
///
/// - remote: borrowed for the call.
///
/// Returns:
/// - UNDERPASS_OK: what waited for it goes out.
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

/// Tells that datagrams could not leave from the local address of a path: from now on the host picks one, until the
/// peer is heard from again. Nothing happens when the peer is reached over another path by now.
///
/// - path: what the slot or the transmit said.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_forget_source(
    tunnel: *mut underpass_tunnel,
    peer: underpass_peer_id,
    path: *const underpass_path,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let path = caller.read(path)?.path()?;
        tunnel.handle_send_error(known(tunnel, peer)?, path, 0, SendError::NoSource);
        Ok(())
    })
}

/// Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its
/// next handshake, an old initiation of its could be replayed; it reaches no session by that.
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
