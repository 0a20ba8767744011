//! System calls that nobody wraps.
use nix::libc::{self, c_int, c_long, c_ulong};
use std::io;

/// The capability sets of a thread, each a bit a capability (capabilities(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Those in force.
    pub effective: u64,
    /// Those that may be in force.
    pub permitted: u64,
    /// Those that a program may take over.
    pub inheritable: u64,
}

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits, in two halves.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Closes every descriptor from `first` on.
///
/// # Errors
/// The kernel knows no such call.
pub fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: the arguments are numbers. Nothing of this program owns one of these descriptors: it is called before anything
    // was opened.
    outcome(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// Locks all memory, present and future, as soon as it is touched.
///
/// # Errors
/// The system's.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: the argument is a number; no memory changes by it.
    outcome(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) }.into())
}

/// The capabilities of the calling thread.
///
/// # Errors
/// The system's.
pub fn capabilities() -> io::Result<Sets> {
    let header = CapHeader { version: VERSION_3, pid: 0 };
    let mut data = [CapData::default(); 2];
    // SAFETY: of this version, the kernel reads the header and writes two halves.
    outcome(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    let whole = |half: fn(&CapData) -> u32| u64::from(half(&data[0])) | u64::from(half(&data[1])) << 32;
    Ok(Sets {
        effective: whole(|data| data.effective),
        permitted: whole(|data| data.permitted),
        inheritable: whole(|data| data.inheritable),
    })
}

/// Sets the capabilities of the calling thread.
///
/// # Errors
/// The system's: a capability that it did not have.
pub fn set_capabilities(sets: Sets) -> io::Result<()> {
    let header = CapHeader { version: VERSION_3, pid: 0 };
    let half = |shift: u32| CapData {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: (sets.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: of this version, the kernel reads the header and two halves.
    outcome(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })
}

/// Takes `capability` from what programs can gain. `false`: the kernel knows none of this number.
///
/// # Errors
/// The thread may not do that.
pub fn drop_from_bounding_set(capability: u32) -> io::Result<bool> {
    // SAFETY: the arguments are numbers.
    let dropped = unsafe {
        libc::prctl(libc::PR_CAPBSET_DROP, c_ulong::from(capability), 0 as c_ulong, 0 as c_ulong, 0 as c_ulong)
    };
    match outcome(dropped.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        outcome => outcome.map(|()| true),
    }
}

/// Has the kernel ask `program` about each system call of the calling thread, and of those that it starts. What is refused is
/// in the kernel's log.
///
/// # Errors
/// The system's: it has no filters.
pub fn install_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads `len` instructions, which live until the end of this function, and checks them.
    let installed = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_LOG,
            &raw const program,
        )
    };
    outcome(installed)
}

fn outcome(returned: c_long) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
