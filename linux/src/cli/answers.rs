//! What somebody types: line by line from standard input, without echo on a terminal where it is a secret.
use super::silence::Silence;
use nix::errno::Errno;
use nix::unistd::read;
use std::io::{self, IsTerminal, Stdin, Write};
use std::os::fd::{AsFd, BorrowedFd};
use underpass_core::control::Wiped;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a line at most, and of what waits to be taken.
const LONGEST: usize = 16 * 1024;

/// Lines from standard input.
pub struct Answers {
    stdin: Stdin,
    is_terminal: bool,
    /// What was read and not taken. Its memory never moves.
    read: Zeroizing<Vec<u8>>,
    /// Nothing more comes.
    is_over: bool,
    /// While a secret is typed.
    silence: Option<Silence>,
}

impl Default for Answers {
    /// Nothing is read yet.
    fn default() -> Self {
        let stdin = io::stdin();
        let is_terminal = stdin.is_terminal();
        let read = Zeroizing::new(Vec::with_capacity(LONGEST));
        Self { stdin, is_terminal, read, is_over: false, silence: None }
    }
}

impl Answers {
    /// Whether there is somebody at a terminal.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Nobody is at the terminal any more.
    pub fn leave(&mut self) {
        self.unhide();
        (self.is_terminal, self.is_over) = (false, true);
        self.read.zeroize();
    }

    /// What to wait for when a line is wanted and none is there.
    #[must_use]
    pub fn source(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }

    /// Shows `prompt` to somebody at a terminal, who is about to type a line, which is seen where there is an `echo`.
    pub fn prompt(&mut self, prompt: &str, echo: bool) {
        if !self.is_terminal {
            return;
        }
        // An end of input that was typed at an earlier question does not count for this one.
        self.is_over = false;
        // The echo is off before the prompt is seen.
        if !echo {
            // A terminal that is gone shows nothing anyway.
            self.silence = Silence::begin().ok();
        }
        let mut stderr = io::stderr();
        let _ = write!(stderr, "{prompt}");
        let _ = stderr.flush();
    }

    /// The next line without its line feed; `None`: there is none. [`is_over`](Self::is_over) says whether one can still come.
    pub fn take(&mut self) -> Option<Wiped> {
        let end = self.read.iter().position(|byte| *byte == b'\n');
        let length = end.or((self.is_over && !self.read.is_empty()).then_some(self.read.len()))?;
        let line = self.read[..length].strip_suffix(b"\r").unwrap_or(&self.read[..length]).to_vec();
        let rest = (length + 1).min(self.read.len());
        self.read.copy_within(rest.., 0);
        let left = self.read.len() - rest;
        self.read[left..].zeroize();
        self.read.truncate(left);
        self.unhide();
        Some(Wiped::from(line))
    }

    /// Whether no line will come any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Reads what is there. It waits where nothing is.
    pub fn fill(&mut self) {
        let mut chunk = Zeroizing::new([0; 1024]);
        let room = LONGEST - self.read.len();
        match read(&self.stdin, &mut chunk[..]) {
            Ok(length) if length > 0 && length <= room => self.read.extend_from_slice(&chunk[..length]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            // The end, or more than anybody types.
            _ => {
                self.is_over = true;
                self.unhide();
            }
        }
    }

    /// Lets what is typed be seen again.
    pub fn unhide(&mut self) {
        self.silence = None;
    }
}
