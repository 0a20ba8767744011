//! Asks for a secret: on a terminal without showing what is typed, else the first line of standard input answers.
use super::answers::Answers;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::{pipe, unregister};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use zeroize::Zeroizing;

/// Whoever is asked.
#[derive(Default)]
pub(super) struct Asked {
    answers: Answers,
    /// The line of a script, which answers every question.
    line: Option<Zeroizing<String>>,
}

impl Asked {
    /// The answer to `question`.
    ///
    /// # Errors
    /// There is none: standard input has ended, what it has is no text, or somebody pressed Ctrl-C. The terminal is as before.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<Zeroizing<String>> {
        if let Some(line) = &self.line {
            return Ok(line.clone());
        }
        let (interrupted, interrupts) = UnixStream::pair()?;
        // While nothing is shown, Ctrl-C must not end the program before it is shown again.
        let registered = pipe::register(SIGINT, interrupts)?;
        self.answers.prompt(question, false);
        let line = self.next_line(&interrupted);
        self.answers.unhide();
        unregister(registered);
        let line = line?;
        if !self.answers.is_terminal() {
            self.line = Some(line.clone());
        }
        Ok(line)
    }

    fn next_line(&mut self, interrupted: &UnixStream) -> io::Result<Zeroizing<String>> {
        loop {
            if let Some(line) = self.answers.take() {
                let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("what was typed is not UTF-8"))?;
                return Ok(Zeroizing::new(text.to_owned()));
            }
            if self.answers.is_over() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "nothing was typed"));
            }
            let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut waited = [readable(self.answers.source()), readable(interrupted.as_fd())];
            match poll(&mut waited, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                outcome => outcome?,
            };
            if waited[1].any() == Some(true) {
                return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
            }
            self.answers.fill();
        }
    }
}
