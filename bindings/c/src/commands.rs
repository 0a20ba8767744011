//! D. Commands.
use crate::address::{underpass_address, underpass_path};
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use underpass_core::tunnel::SendError;
use underpass_core::{Instant, PeerId, Status, Tunnel};

/// Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
/// Then poll.
///
/// - tunnel: the tunnel; borrowed for the call.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
/// - peer: the number of the peer.
/// - remote: borrowed for the call.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: what waited for it goes out.
/// - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
/// - UNDERPASS_E_ARGUMENT: the address has no family. Mend the call.
/// - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_set_endpoint(
    tunnel: *mut underpass_tunnel,
    now: u64,
    peer: u64,
    remote: *const underpass_address,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let remote = caller.read(remote)?.socket()?;
        tunnel.set_endpoint(Instant::from_nanos(now), known(tunnel, peer)?, remote);
        Ok(())
    })
}

/// Starts a handshake with a peer, unless a session is live or one is under way. Then poll.
///
/// - tunnel: the tunnel; borrowed for the call.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
/// - peer: the number of the peer.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
/// - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_connect(tunnel: *mut underpass_tunnel, now: u64, peer: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.connect(Instant::from_nanos(now), known(tunnel, peer)?);
        Ok(())
    })
}

/// Tells that datagrams could not leave from the local address of a path: from now on the host picks one, until the
/// peer is heard from again. Nothing happens when the peer is reached over another path by now.
///
/// - tunnel: the tunnel; borrowed for the call.
/// - peer: the number of the peer.
/// - path: what the slot or the transmit said; borrowed for the call.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
/// - UNDERPASS_E_ARGUMENT: the path has no remote address. Mend the call.
/// - UNDERPASS_E_NULL: a pointer is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_forget_source(
    tunnel: *mut underpass_tunnel,
    peer: u64,
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
///
/// - tunnel: the tunnel; borrowed for the call.
/// - peer: the number of the peer.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NO_PEER: the peer was removed. Forget its number.
/// - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_reset_peer_timestamp(tunnel: *mut underpass_tunnel, peer: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.reset_peer_timestamp(known(tunnel, peer)?);
        Ok(())
    })
}

/// The peer of this number.
pub(crate) fn known(tunnel: &Tunnel, peer: u64) -> Result<PeerId, Status> {
    let id = PeerId::from_u64(peer);
    tunnel.peer(id).map(|_| id).ok_or(Status::NoPeer)
}
