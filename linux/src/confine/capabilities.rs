//! Capabilities: a tunnel keeps those that its sockets and its interface need.
use super::kernel::{self, Sets};
use std::io;

/// A port below 1024, should the tunnel be told to move there (capabilities(7)).
const NET_BIND_SERVICE: u32 = 10;
/// Messages of netlink about other network namespaces, should the interface be moved to one.
const NET_BROADCAST: u32 = 11;
/// The interface, marks, large buffers, routes and rules.
pub const NET_ADMIN: u32 = 12;
/// Locked memory without a limit.
pub const IPC_LOCK: u32 = 14;
/// What is kept, of what there is.
const KEPT: u64 = 1 << NET_BIND_SERVICE | 1 << NET_BROADCAST | 1 << NET_ADMIN;
/// More capabilities than any kernel knows.
const END: u32 = 64;

/// Whether this thread may make use of `capability`.
///
/// # Errors
/// The system's.
pub fn has(capability: u32) -> io::Result<bool> {
    Ok(kernel::capabilities()?.effective & 1 << capability != 0)
}

/// Drops all but few capabilities, and but for `one`, for good: no program that this process could run gains them either.
///
/// # Errors
/// The system's.
pub fn keep_few(one: Option<u32>) -> io::Result<()> {
    let kept = KEPT | one.map_or(0, |one| 1 << one);
    for capability in (0..END).filter(|capability| kept & 1 << capability == 0) {
        match kernel::drop_from_bounding_set(capability) {
            Ok(true) => {}
            Ok(false) => break,
            // Who may not change this set, may not gain by it either: no new privileges come with a program.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            Err(error) => return Err(error),
        }
    }
    let had = kernel::capabilities()?;
    kernel::set_capabilities(Sets {
        effective: had.effective & kept,
        permitted: had.permitted & kept,
        inheritable: had.inheritable & kept,
    })
}
