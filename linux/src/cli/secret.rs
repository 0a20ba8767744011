//! Asks for a secret: on a terminal without showing what is typed, else the first line of standard input.
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use zeroize::Zeroizing;

/// The longest line in bytes.
const LONGEST: usize = 1024;
/// What Ctrl-C types where it interrupts nothing.
const INTERRUPT: u8 = 3;

/// Whoever is asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The line of a script, which answers every question.
    line: Option<Zeroizing<String>>,
}

impl Asked {
    /// The answer to `question`.
    ///
    /// # Errors
    /// There is none: standard input has ended, is no text, or somebody pressed Ctrl-C.
    pub(super) fn ask(&mut self, question: &str) -> io::Result<Zeroizing<String>> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            let mut stderr = io::stderr();
            write!(stderr, "{question}")?;
            stderr.flush()?;
            let silence = Silence::begin()?;
            let line = read_line(&stdin);
            drop(silence);
            writeln!(stderr)?;
            return line;
        }
        if self.line.is_none() {
            self.line = Some(read_line(&stdin)?);
        }
        self.line.clone().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// As long as it lasts, the terminal does not show what is typed. Ctrl-C ends the line, so that the terminal is as before when
/// the program ends.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        silent.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone has nothing to be restored.
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

/// Reads a line without its end, byte by byte: what follows it is not touched, and no buffer keeps a copy.
fn read_line(input: &impl AsFd) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    while nix::unistd::read(input.as_fd(), &mut *byte)? > 0 {
        match byte[0] {
            b'\n' => return text(&mut line),
            INTERRUPT => return Err(io::ErrorKind::Interrupted.into()),
            _ if line.len() == LONGEST => return Err(io::Error::other("the line is too long")),
            byte => line.push(byte),
        }
    }
    if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { text(&mut line) }
}

/// The text of a line.
fn text(line: &mut Zeroizing<Vec<u8>>) -> io::Result<Zeroizing<String>> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let bytes = std::mem::take(&mut **line);
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        io::Error::other("what was typed is not UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Seek as _};

    fn with(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("writes");
        file.rewind().expect("rewinds");
        file
    }

    #[test]
    fn a_line_is_read_without_its_end_and_no_further() {
        for (number, (bytes, line, left)) in [
            (&b"secret\nrest"[..], "secret", &b"rest"[..]),
            (b"secret\r\n", "secret", b""),
            (b"without an end", "without an end", b""),
            (b"\n", "", b""),
            ("gr\u{fc}n\n".as_bytes(), "gr\u{fc}n", b""),
        ]
        .into_iter()
        .enumerate()
        {
            let mut file = with(bytes);
            assert_eq!(read_line(&file).expect("a line").as_str(), line, "case {number}");
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).expect("reads");
            assert_eq!(rest, left, "case {number}");
        }
    }

    #[test]
    fn what_is_no_line_is_an_error_that_repeats_nothing() {
        for bytes in [&b""[..], b"se\x03cret\n", b"se\xffcret\n", &[b'x'; LONGEST + 1]] {
            let error = read_line(&with(bytes)).expect_err("refused").to_string();
            assert!(!error.contains("cret") && !error.contains("xx"), "{error}");
        }
    }
}
