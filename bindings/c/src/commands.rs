//! D. Commands.
use crate::address::{underpass_address, underpass_path};
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use underpass_core::{Instant, PeerId, Status, Tunnel};

/// Tells where a peer is reached: the answer to UNDERPASS_EVENT_RESOLVE_ENDPOINT, or what the host knows otherwise.
///
/// now: as in underpass_tunnel_new(). remote: borrowed for the call. One call on a tunnel at a time. Then poll.
///
/// - UNDERPASS_OK: what waited for it goes out.
/// - UNDERPASS_E_NO_PEER: the peer was removed meanwhile; forget it.
/// - UNDERPASS_E_ARGUMENT: the address has no family. UNDERPASS_E_NULL, UNDERPASS_E_BUSY: mend the call.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: free the tunnel.
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

/// Starts a handshake with a peer unless a session is live or one is under way.
///
/// now: as in underpass_tunnel_new(). One call on a tunnel at a time. Then poll.
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NO_PEER: the peer was removed; forget it.
/// - UNDERPASS_E_NULL, UNDERPASS_E_BUSY: mend the call.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: free the tunnel.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_connect(tunnel: *mut underpass_tunnel, now: u64, peer: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.connect(Instant::from_nanos(now), known(tunnel, peer)?);
        Ok(())
    })
}

/// Datagrams to a peer could not leave from the local address of this path: from now on the host picks one, until the peer
/// is heard from again. Nothing happens when the peer is reached over another path by now.
///
/// path: borrowed for the call. One call on a tunnel at a time. Statuses as those of underpass_set_endpoint().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_forget_source(
    tunnel: *mut underpass_tunnel,
    peer: u64,
    path: *const underpass_path,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let path = caller.read(path)?.path()?;
        tunnel.forget_source(known(tunnel, peer)?, path);
        Ok(())
    })
}

/// Forgets the last timestamp accepted from a peer, whose clock was once far ahead and has been mended. Until its next
/// handshake, an old initiation of its could be replayed; it reaches no session by that.
///
/// One call on a tunnel at a time. Statuses as those of underpass_connect().
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
