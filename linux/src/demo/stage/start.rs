//! How programs start: as on a machine that was just set up, whatever this process was started with.
use super::search_path;
use nix::libc;
use nix::sys::signal::SigSet;
use nix::sys::stat::{Mode, umask};
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// All that a program finds in its environment beside `PATH`.
const ENVIRONMENT: [(&str, &str); 3] = [("HOME", "/nonexistent"), ("LC_ALL", "C"), ("TERM", "dumb")];
/// What a program creates is for everybody to read and for its owner to change.
const MASK: Mode = Mode::from_bits_truncate(0o022);
/// The first descriptor that is no standard stream.
const FIRST: libc::c_uint = 3;

/// A command that takes over nothing of how this process was started: signals act by default and none is blocked, the
/// umask is 022, the standard streams are the only descriptors, standard input is empty, and the environment is `PATH`
/// and three words that are always the same.
///
/// What a program is to have beyond that, the caller adds.
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", search_path()).envs(ENVIRONMENT).stdin(Stdio::null());
    // SAFETY: between fork and exec only sigaction, sigprocmask, umask and close_range are called, directly: no allocation,
    // no lock.
    unsafe { command.pre_exec(start_afresh) };
    command
}

fn start_afresh() -> io::Result<()> {
    for number in 1..=libc::SIGRTMAX() {
        // Refused for SIGKILL and SIGSTOP, which are never ignored, and for two that the C library keeps to itself.
        // SAFETY: the default action is no function of ours, and the handler that it replaces, if any, ends with the exec.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    SigSet::empty().thread_set_mask()?;
    umask(MASK);
    // Not closed here, for one of them tells our parent whether the exec succeeded. A kernel before 5.11 knows no such flag;
    // there they stay, as they always did.
    // SAFETY: the arguments are numbers; no descriptor changes before the exec.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Ok(())
}
