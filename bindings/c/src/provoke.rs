//! Entries that fail on purpose, for tests of the boundary from C. In no header, and in no library that is installed.
#![allow(clippy::panic, reason = "it is what they are for")]
use crate::boundary::{enter, enter_tunnel};
use crate::handle::underpass_tunnel;

/// Panics inside the tunnel; NULL: without one.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_provoke_panic(tunnel: *mut underpass_tunnel) -> i32 {
    if tunnel.is_null() {
        return enter(|_| panic!("provoked without a handle"));
    }
    enter_tunnel(tunnel, |_, _| panic!("provoked inside a tunnel"))
}

/// Panics with a text that has a value in it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_provoke_panic_with(value: u32) -> i32 {
    enter(|_| panic!("provoked with {value}"))
}

/// Stays inside the tunnel while `call` runs, which may try to use it.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_provoke_busy(
    tunnel: *mut underpass_tunnel,
    call: extern "C" fn(*mut core::ffi::c_void),
    user: *mut core::ffi::c_void,
) -> i32 {
    enter_tunnel(tunnel, |_, _| {
        call(user);
        Ok(())
    })
}
