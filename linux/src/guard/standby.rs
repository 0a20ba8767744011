//! The process that stands by whoever keeps a kill switch, and takes its place.
use super::own_table::{OwnTable, has_ended};
use super::rest::Rest;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the first process is told that it is, and what the second, followed by the number of the keeper's file.
const FIRST: &str = "keeper";
const SECOND: &str = "keeper:";
/// Who ends earlier than this did not stand by: the next one is started after a pause.
const EARLY: Duration = Duration::from_secs(1);

/// Which of the two a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It keeps the kill switch from its start.
    First,
    /// It stands by whoever has the keeper's file of this number locked.
    Second {
        /// The number of the file.
        file: u64,
    },
}

impl Role {
    /// What somebody was told by [`Display`](fmt::Display).
    #[must_use]
    pub fn told(said: &str) -> Option<Self> {
        let second = || said.strip_prefix(SECOND)?.parse().ok().map(|file| Self::Second { file });
        if said == FIRST { Some(Self::First) } else { second() }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str(FIRST),
            Self::Second { file } => write!(f, "{SECOND}{file}"),
        }
    }
}

/// Sees to it that there is somebody who stands by.
#[derive(Debug, Default)]
pub struct Standby {
    process: Option<Child>,
    started: Option<Instant>,
    /// The table that it was handed.
    generation: u32,
    rest: Rest,
}

impl Standby {
    /// What tells, when it is polled, that it has ended.
    pub fn lives(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref()?.stdout.as_ref().map(AsFd::as_fd)
    }

    /// How long to wait until it is tried again to start one.
    pub fn pause(&self) -> Option<Duration> {
        self.rest.left()
    }

    /// Starts `command` for the lock of `interface` if nobody stands by, or if `table` has another process now.
    pub fn see_to_it(&mut self, interface: &str, table: &OwnTable, command: impl FnOnce() -> Command) {
        let (input, generation) = table.legacy();
        if self.lives().is_some_and(has_ended) {
            self.bury(interface);
        } else if self.process.is_some() && generation != self.generation {
            self.end();
        }
        if self.process.is_some() || self.rest.left().is_some_and(|left| !left.is_zero()) {
            return;
        }
        let started = command().stdin(input).stdout(Stdio::piped()).spawn();
        self.rest.end();
        self.generation = generation;
        match started {
            Ok(process) => (self.process, self.started) = (Some(process), Some(Instant::now())),
            Err(error) => {
                tracing::error!("nobody stands by who keeps the kill switch of {interface}: {error}");
                self.rest.begin();
            }
        }
    }

    /// It has ended, by itself or by somebody else's hand.
    fn bury(&mut self, interface: &str) {
        tracing::warn!("who stands by for the kill switch of {interface} was ended: another one takes its place");
        match self.started.is_some_and(|started| started.elapsed() < EARLY) {
            true => self.rest.begin(),
            false => self.rest.forget(),
        }
        self.end();
    }

    /// Ends it: what it stands by for is over.
    pub fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_which_it_is() {
        assert_eq!(Role::told("keeper"), Some(Role::First));
        assert_eq!(Role::told("keeper:7"), Some(Role::Second { file: 7 }));
        for role in [Role::First, Role::Second { file: u64::MAX }] {
            assert_eq!(Role::told(&role.to_string()), Some(role));
        }
        for said in ["", "plain", "keeper:", "keeper:x", "keeper:-1"] {
            assert_eq!(Role::told(said), None, "{said}");
        }
    }

    #[test]
    fn who_ends_at_once_is_followed_ever_more_slowly() {
        let mut standby = Standby { started: Some(Instant::now()), ..Standby::default() };
        standby.bury("wg0");
        let first = standby.pause().expect("a pause");
        standby.bury("wg0");
        assert!(standby.pause().is_some_and(|second| second > first));
        standby.rest.end();
        standby.started = Instant::now().checked_sub(EARLY);
        standby.bury("wg0");
        assert_eq!(standby.pause(), None, "it stood by for a while");
    }
}
