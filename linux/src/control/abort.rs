//! Removes the control socket when the program aborts: memory ran out, or a library gave up.
//!
//! What aborts runs no destructor, and its socket would stay until the next start. So a handler of SIGABRT removes it. Only
//! SIGKILL leaves it then.
use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::{CStr, CString, c_char};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The path of the socket, which is never freed; null: there is none.
static PATH: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
/// The device and the number of its file.
static DEVICE: AtomicU64 = AtomicU64::new(0);
static FILE: AtomicU64 = AtomicU64::new(0);

/// From here on, an abort removes the file at `path` if it is then still the file `number` of `device`. It is the one file
/// of this program. Allocates nothing.
///
/// # Errors
/// The system's.
pub fn remove_on_abort(path: CString, (device, number): (u64, u64)) -> nix::Result<()> {
    DEVICE.store(device, Ordering::Relaxed);
    FILE.store(number, Ordering::Relaxed);
    PATH.store(path.into_raw(), Ordering::Release);
    let action = SigAction::new(SigHandler::Handler(remove), SaFlags::SA_RESETHAND, SigSet::empty());
    // SAFETY: `remove` does what a signal handler may do, and nothing else.
    unsafe { sigaction(Signal::SIGABRT, &action) }.map(drop)
}

/// Nothing is removed any more.
pub fn keep() {
    PATH.store(ptr::null_mut(), Ordering::Release);
}

/// Runs in any thread, at any instruction: atomics, stat, unlink and raise only (signal-safety(7)).
extern "C" fn remove(signal: c_int) {
    let interrupted = Errno::last_raw();
    let path = PATH.load(Ordering::Acquire);
    if !path.is_null() {
        // SAFETY: it came from `CString::into_raw`, and nobody frees it.
        let path = unsafe { CStr::from_ptr(path) };
        if is_ours(path) {
            // SAFETY: it ends with a zero.
            unsafe { libc::unlink(path.as_ptr()) };
        }
    }
    Errno::set_raw(interrupted);
    // The handler was reset when it was called: it ends by this signal, whoever sent it.
    // SAFETY: the argument is a number.
    unsafe { libc::raise(signal) };
}

fn is_ours(path: &CStr) -> bool {
    let mut file = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends with a zero, and there is room for what is said of it.
    if unsafe { libc::lstat(path.as_ptr(), file.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: lstat succeeded, so it is filled.
    let file = unsafe { file.assume_init() };
    (file.st_dev, file.st_ino) == (DEVICE.load(Ordering::Relaxed), FILE.load(Ordering::Relaxed))
}
