//! A terminal that does not show what is typed.
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use std::io;

/// What Ctrl-C types where it interrupts nothing.
pub const INTERRUPT: u8 = 3;

/// As long as it lasts, the terminal on standard input does not show what is typed.
#[derive(Debug)]
pub struct Silence(Termios);

impl Silence {
    /// Ctrl-C ends the line, so that the terminal is as before when the program ends.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn of_all_keys() -> io::Result<Self> {
        Self::with(|silent| {
            silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
            silent.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        })
    }

    /// For a program that hears signals, and restores the terminal. The end of the line is shown.
    ///
    /// # Errors
    /// Standard input is no terminal.
    pub fn of_letters() -> io::Result<Self> {
        Self::with(|silent| {
            silent.local_flags.remove(LocalFlags::ECHO);
            silent.local_flags.insert(LocalFlags::ECHONL);
        })
    }

    fn with(change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        change(&mut silent);
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
