//! B. Facts beside packets and datagrams.
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use core::time::Duration;
use underpass_core::{Instant, UnixTime};

/// Does what is due, when the deadline of underpass_tunnel_poll_timeout() has come; earlier or later does no harm. Then
/// poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_handle_timeout(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_timeout(Instant::from_nanos(now));
        Ok(())
    })
}

/// Tells that the machine has other addresses, or another way to the network: endpoint names are asked for again, and
/// peers hear from us. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_handle_network_change(tunnel: *mut underpass_tunnel, now: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_network_change(Instant::from_nanos(now));
        Ok(())
    })
}

/// Tells that the wall clock was set.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_handle_wall_clock(tunnel: *mut underpass_tunnel, now: u64, wall: u64) -> i32 {
    enter_tunnel(tunnel, |_, tunnel| {
        tunnel.handle_wall_clock(Instant::from_nanos(now), UnixTime::from_duration(Duration::from_nanos(wall)));
        Ok(())
    })
}
