//! A table of the firewall that belongs to a process, and so to nobody else (Linux 5.12; older kernels have no such tables).
//!
//! The process is an nft(8) of ours that reads commands from a pipe, and whose table ends with it. It ends when nobody has the pipe
//! open for writing any more: who keeps the kill switch has it, and who stands by has it too, so that the table outlives either.
use super::Lock;
use super::nft;
use super::rest::Rest;
use crate::quick::machine::{find_program, output};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long the table may take to appear, or to go.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often to look whether it has.
const GLANCE: Duration = Duration::from_millis(5);
/// After how long to say it once more: another process may have had a table of that name, and is just ending.
const AGAIN: u32 = 20;

/// The table, and the process that it belongs to.
#[derive(Debug, Default)]
pub struct OwnTable {
    name: String,
    /// What the process reads.
    commands: Option<File>,
    /// The process, unless another of ours started it.
    nft: Option<Child>,
    /// Counts the processes.
    generation: u32,
    /// The kernel has such tables: there was one.
    is_proven: bool,
    /// When it is tried again to have a table, after that failed.
    rest: Rest,
}

impl OwnTable {
    /// The table of whoever started this process: standard input is what its nft reads, if it had one.
    pub fn inherited() -> Self {
        let input = io::stdin();
        let is_pipe =
            fstat(&input).is_ok_and(|status| SFlag::from_bits_truncate(status.st_mode).contains(SFlag::S_IFIFO));
        let commands = input.as_fd().try_clone_to_owned().ok().filter(|_| is_pipe).map(File::from);
        Self { is_proven: commands.is_some(), commands, ..Self::default() }
    }

    /// What the process that stands by reads as its standard input, so that the table outlives this one; and a number that is
    /// another one when that has to be handed on anew.
    pub fn legacy(&self) -> (Stdio, u32) {
        let copy = self.commands.as_ref().and_then(|commands| commands.as_fd().try_clone_to_owned().ok());
        (copy.map_or_else(Stdio::null, |copy: OwnedFd| copy.into()), self.generation)
    }

    /// What tells, when it is polled, that the process has ended.
    pub fn lives(&self) -> Option<BorrowedFd<'_>> {
        self.commands.as_ref().map(File::as_fd)
    }

    /// Whether there was a table, and it went with its process.
    pub fn is_lost(&self) -> bool {
        self.lives().is_some_and(has_ended)
    }

    /// Whether it is time to try again what failed.
    pub fn is_due(&self) -> bool {
        self.rest.is_over()
    }

    /// How long to wait until then.
    pub fn pause(&self) -> Option<Duration> {
        self.rest.left()
    }

    /// Makes it hold the rules of `locks` under the name `name`, and waits until it does. If that fails, it is due again after a
    /// pause, unless it has never succeeded: the kernel may be too old.
    pub fn hold(&mut self, name: &str, locks: &[Lock]) {
        name.clone_into(&mut self.name);
        if self.commands.is_none() || self.is_lost() {
            self.start();
        }
        let wanted = locks.last().map(|lock| format!("meta mark {:#010x} accept", lock.mark)).unwrap_or_default();
        // The kernel lists the table of a process for a moment after its end. The comment tells it from ours.
        let ours = format!("{}.{}", std::process::id(), self.generation);
        let line = nft::owned(name, locks, &ours);
        let has_it = || list(name).is_some_and(|text| text.contains(&wanted) && text.contains(&format!("\"{ours}\"")));
        let is_held =
            self.commands.as_mut().is_some_and(|commands| wait(has_it, || writeln!(commands, "{line}").is_ok()));
        if self.is_lost() {
            // It ended at once.
            self.commands = None;
        }
        if is_held {
            self.is_proven = true;
            self.rest.forget();
        } else if self.is_proven {
            self.rest.begin();
        }
    }

    /// Removes it, and waits until it is gone.
    pub fn remove(&mut self) {
        if let Some(mut commands) = self.commands.take() {
            let line = nft::removed(&self.name);
            wait(|| list(&self.name).is_none(), || writeln!(commands, "{line}").is_ok());
        }
    }

    fn start(&mut self) {
        self.commands = None;
        self.generation += 1;
        if let Some(mut ended) = self.nft.take() {
            let _ = ended.wait();
        }
        self.nft = find_program("nft").and_then(|program| {
            let mut command = Command::new(program);
            command.arg("-i").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            // What is sent to our group of processes is not meant for it.
            command.process_group(0).spawn().ok()
        });
        let input = self.nft.as_mut().and_then(|nft| nft.stdin.take());
        self.commands = input.map(|input| File::from(OwnedFd::from(input)));
    }
}

/// What the table has.
fn list(name: &str) -> Option<String> {
    output("nft", &["-n", "list", "table", "inet", name])
}

/// Says something, and once more now and then, until it is done; gives up after a while, and when nobody listens. Returns whether
/// it is done.
fn wait(is_done: impl Fn() -> bool, mut say: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    for glance in 0.. {
        if glance % AGAIN == 0 && !say() {
            return false;
        }
        if is_done() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(GLANCE);
    }
    false
}

/// Whether whoever has the other end of the pipe `end` has ended.
pub(super) fn has_ended(end: BorrowedFd<'_>) -> bool {
    let mut ends = [PollFd::new(end, PollFlags::empty())];
    matches!(poll(&mut ends, PollTimeout::ZERO), Ok(1..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen_from_both_ends_of_a_pipe() {
        let (reader, writer) = io::pipe().expect("a pipe");
        assert!(!has_ended(reader.as_fd()) && !has_ended(writer.as_fd()));
        let second = writer.try_clone().expect("a copy");
        drop(writer);
        assert!(!has_ended(reader.as_fd()), "somebody else has it");
        drop(second);
        assert!(has_ended(reader.as_fd()));
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        assert!(has_ended(writer.as_fd()));
    }
}
