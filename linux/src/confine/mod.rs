//! What a running tunnel gives up, so that whoever gets into it gets little: privileges, most system calls, and what it was
//! started with.
//!
//! - [`capabilities`] are dropped but for those that a tunnel needs, for good;
//! - [`filter`] refuses the system calls that are not in [`calls`];
//! - [`memory`] keeps keys out of swap space and core dumps;
//! - `kernel` asks the kernel for all of that.
//!
//! All of it concerns the calling thread and those that it starts: it is done before there are others.
pub mod calls;
pub mod capabilities;
pub mod filter;
pub mod memory;

mod kernel;

use memory::Unlimited;
use std::io;

/// The first descriptor that is no standard stream.
const FIRST: u32 = 3;

/// How much is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// Everything.
    #[default]
    Full,
    /// Everything but system calls.
    AllCalls,
    /// Nothing.
    Off,
}

/// Gives up what `confinement` says. What the kernel refuses is said, and the rest is done all the same.
#[must_use]
pub fn confine(confinement: Confinement) -> Vec<String> {
    let mut refused = Vec::new();
    let mut note = |what: &str, outcome: io::Result<()>| {
        refused.extend(outcome.err().map(|error| format!("{what}: {error}")));
    };
    if confinement == Confinement::Off {
        return refused;
    }
    // Before capabilities go, for the limit is raised by one of them.
    let locked = memory::lock();
    let needed = matches!(locked, Ok(Unlimited::ByCapability)).then_some(capabilities::IPC_LOCK);
    note("memory is not locked, so keys may get into swap space", locked.map(drop));
    note("core dumps are possible", nix::sys::prctl::set_dumpable(false).map_err(Into::into));
    note("privileges are kept", capabilities::keep_few(needed));
    note("programs could gain privileges", nix::sys::prctl::set_no_new_privs().map_err(Into::into));
    if confinement == Confinement::Full {
        note("all system calls are possible", filter::install());
    }
    refused
}

/// Closes what is open but for the standard streams: whoever started this process may hold locks by it.
///
/// # Errors
/// What is open cannot be told.
pub fn close_inherited() -> io::Result<()> {
    match kernel::close_from(FIRST) {
        // Linux before 5.9.
        Err(error) if error.raw_os_error() == Some(nix::libc::ENOSYS) => close_one_by_one(),
        outcome => outcome,
    }
}

fn close_one_by_one() -> io::Result<()> {
    let entries = std::fs::read_dir("/proc/self/fd")?.collect::<io::Result<Vec<_>>>()?;
    let numbers = entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.filter(|number| *number >= FIRST as i32) {
        // That of the folder is closed already.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}
