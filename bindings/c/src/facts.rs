//! B. Facts beside packets and datagrams.
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use core::time::Duration;
use underpass_core::{Instant, UnixTime};

/// Does what is due. To be called when the deadline of underpass_poll_timeout() has come; earlier or later does no harm.
///
/// now: as in underpass_tunnel_new(). One call on a tunnel at a time. Then poll.
///
/// - UNDERPASS_OK: done.
/// - UNDERPASS_E_NULL, UNDERPASS_E_BUSY: mend the call.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: free the tunnel.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_timeout(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_timeout(Instant::from_nanos(now));
        Ok(())
    })
}

/// The machine has other addresses or another way to the network: endpoints are asked for again, and peers are told where
/// we are. Parameters and statuses as those of underpass_handle_timeout().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_network_change(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_network_change(Instant::from_nanos(now));
        Ok(())
    })
}

/// The wall clock was set.
///
/// wall: nanoseconds since 1970 UTC. The rest as in underpass_handle_timeout().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_wall_clock(tunnel: *mut underpass_tunnel, now: u64, wall: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_wall_clock(Instant::from_nanos(now), UnixTime::from_duration(Duration::from_nanos(wall)));
        Ok(())
    })
}
