//! Commands to a shell in a guest, over a port of the emulated machine.
use super::PATIENCE;
use anyhow::{Context as _, Result, bail, ensure};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit status.
    pub status: u8,
    /// What it printed and complained.
    pub output: String,
}

/// A shell that does one command after the other. The other end is `tests/interop/guest/init`.
#[derive(Debug)]
pub struct Console {
    /// `None` after a command to which no answer came: the next answer might be that one.
    line: Mutex<Option<BufReader<UnixStream>>>,
}

impl Console {
    /// Speaks over `stream`.
    ///
    /// # Errors
    /// When it cannot be told how long to wait.
    pub fn new(stream: UnixStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { line: Mutex::new(Some(BufReader::new(stream))) })
    }

    /// Runs one line of shell to its end.
    ///
    /// # Errors
    /// When no answer comes: the guest has ended, or is stuck.
    pub fn run(&self, command: &str) -> Result<Answer> {
        ensure!(!command.contains('\n'), "a command of more than one line: {command}");
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = line.take().context("this shell has not answered before")?;
        let answer = ask(&mut stream, command).with_context(|| format!("no answer from the guest to `{command}`"))?;
        *line = Some(stream);
        Ok(answer)
    }
}

fn ask(stream: &mut BufReader<UnixStream>, command: &str) -> Result<Answer> {
    stream.get_mut().write_all(format!("{command}\n").as_bytes())?;
    let mut head = String::new();
    if stream.read_line(&mut head)? == 0 {
        bail!("the guest has ended");
    }
    let (status, length) = head.trim().split_once(' ').with_context(|| format!("neither status nor length: {head}"))?;
    let mut output = vec![0; length.parse().with_context(|| format!("no length: {head}"))?];
    stream.read_exact(&mut output)?;
    let status = status.parse().with_context(|| format!("no status: {head}"))?;
    Ok(Answer { status, output: String::from_utf8_lossy(&output).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A console, and the other end of its line.
    fn console() -> (Console, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (Console::new(ours).expect("a console"), theirs)
    }

    #[test]
    fn an_answer_is_a_status_a_length_and_so_many_bytes() {
        let (console, mut guest) = console();
        guest.write_all(b"3 9\n1 2\nthree0 0\n").expect("room in the socket");
        assert_eq!(console.run("a").expect("an answer"), Answer { status: 3, output: "1 2\nthree".to_owned() });
        assert_eq!(console.run("b").expect("an answer"), Answer { status: 0, output: String::new() });
        let mut heard = [0; 4];
        guest.read_exact(&mut heard).expect("two commands");
        assert_eq!(&heard, b"a\nb\n");
    }

    #[test]
    fn a_guest_that_ends_is_an_error_and_so_is_everything_after_it() {
        let (console, mut guest) = console();
        guest.write_all(b"0 100\ncut").expect("room in the socket");
        drop(guest);
        assert!(console.run("a").is_err());
        assert!(console.run("b").is_err_and(|error| error.to_string().contains("not answered before")));
    }

    #[test]
    fn two_lines_are_not_one_command() {
        let (console, mut guest) = console();
        guest.write_all(b"0 0\n").expect("room in the socket");
        assert!(console.run("a\nb").is_err());
        assert!(console.run("a").is_ok());
    }
}
