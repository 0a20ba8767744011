//! B. Facts beside packets and datagrams.
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use core::time::Duration;
use underpass_core::{Instant, UnixTime};

/// Does what is due. To be called when the deadline of underpass_poll_timeout() has come; earlier or later does no
/// harm. Then poll.
///
/// - tunnel: the tunnel; borrowed for the call.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_timeout(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_timeout(Instant::from_nanos(now));
        Ok(())
    })
}

/// Tells that the machine has other addresses, or another way to the network: endpoint names are asked for again, and
/// peers hear from us. Then poll.
///
/// - tunnel: the tunnel; borrowed for the call.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_network_change(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_network_change(Instant::from_nanos(now));
        Ok(())
    })
}

/// Tells that the wall clock was set.
///
/// - tunnel: the tunnel; borrowed for the call.
/// - now: nanoseconds on the clock of the tunnel, see the top of this file.
/// - wall: nanoseconds since 1970 UTC.
///
/// Threads: one call on a tunnel at a time.
///
/// Returns:
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NULL: tunnel is NULL. Mend the call.
/// - UNDERPASS_E_BUSY: another thread is inside the tunnel. Call again when it is out, and keep threads apart with a
///   lock.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: a bug in the library. Free the tunnel and make another.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_wall_clock(tunnel: *mut underpass_tunnel, now: u64, wall: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_wall_clock(Instant::from_nanos(now), UnixTime::from_duration(Duration::from_nanos(wall)));
        Ok(())
    })
}
