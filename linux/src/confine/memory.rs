//! Memory that is not written to a disk.
use super::capabilities::{IPC_LOCK, has};
use super::kernel;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use std::io;

/// Why as much memory may be locked as there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlimited {
    /// The limit is raised.
    ForGood,
    /// This process has the capability for it, and must keep it.
    ByCapability,
}

/// Locks all memory as it is touched, if as much may be locked as there is: under a limit, memory that is asked for later would
/// be refused.
///
/// # Errors
/// There is a limit, or the system refuses.
pub fn lock() -> io::Result<Unlimited> {
    let unlimited = match raise_limit() {
        Ok(()) => Unlimited::ForGood,
        Err(_) if has(IPC_LOCK)? => Unlimited::ByCapability,
        Err(error) => return Err(error),
    };
    kernel::lock_memory().map(|()| unlimited)
}

fn raise_limit() -> io::Result<()> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if soft != RLIM_INFINITY {
        setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)?;
    }
    Ok(())
}
