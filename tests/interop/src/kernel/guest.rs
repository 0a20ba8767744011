//! An emulated machine with Debian's kernel.
use super::emulator::Emulator;
use super::{Console, Seat};
use crate::Folder;
use anyhow::{Context as _, Result, bail, ensure};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use underpass_linux::demo::stage::{Journal, Machine, Stage};

/// Seats in the guest that stories share: at least as many as there are such stories.
const SEATS: usize = 16;

/// A guest; it ends when this is dropped, and with this process at the latest.
#[derive(Debug)]
pub struct Guest {
    /// Where the emulator runs; a network card of the guest is a device `tapN` here.
    pub(super) host: Machine,
    consoles: Vec<Console>,
    /// Seats that have been taken.
    taken: AtomicUsize,
    stage: Stage,
    emulator: Emulator,
    /// Given back last.
    _turn: Option<Turn>,
}

impl Guest {
    /// Starts a guest and waits until a shell answers.
    fn boot(seats: usize, turn: Option<Turn>) -> Result<Arc<Self>> {
        let stage = Stage::new()?;
        let host = stage.machine("guest")?;
        let folder = Folder::new(&format!("guest-{}", next_number()))?;
        let ports = (0..seats).map(|seat| folder.path(&seat.to_string())).collect::<Vec<_>>();
        let listeners = ports.iter().map(UnixListener::bind).collect::<Result<Vec<_>, _>>()?;
        let emulator = Emulator::start(&host, &ports)?;
        let open = || -> Result<Vec<Console>> {
            let consoles = listeners.iter().map(|listener| Console::new(emulator.accept(listener)?));
            let consoles = consoles.collect::<Result<Vec<_>>>()?;
            consoles.first().context("a guest without seats")?.run("true")?;
            Ok(consoles)
        };
        let consoles = open().with_context(|| format!("the guest did not boot\n{}", stage.journal()))?;
        Ok(Arc::new(Self { host, consoles, taken: AtomicUsize::new(0), stage, emulator, _turn: turn }))
    }

    /// A guest with one seat for a story that needs it for itself. There is one such guest at a time: emulation takes what
    /// processor and memory it can get.
    ///
    /// # Errors
    /// When a piece of it is missing, or it does not come up.
    pub fn alone() -> Result<Arc<Self>> {
        let turn = Turn::take();
        Self::boot(1, Some(turn))
    }

    /// The guest that stories share: started for the first that asks, ended with the last that holds it.
    ///
    /// # Errors
    /// When it does not come up, or did not for somebody before.
    pub fn shared() -> Result<Arc<Self>> {
        /// The guest, or why there is none.
        static SHARED: Mutex<Result<Weak<Guest>, String>> = Mutex::new(Ok(Weak::new()));
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Ok(guest) => {
                if let Some(guest) = guest.upgrade() {
                    return Ok(guest);
                }
            }
            Err(reason) => bail!("{reason}"),
        }
        let booted = Self::boot(SEATS, None);
        *shared = booted.as_ref().map(Arc::downgrade).map_err(|error| format!("{error:#}"));
        booted
    }

    /// A seat that nobody had before.
    ///
    /// # Errors
    /// When all are taken.
    pub fn seat(self: &Arc<Self>) -> Result<Seat> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        ensure!(number < self.consoles.len(), "all {} seats of the guest are taken", self.consoles.len());
        // The first line only wakes the shell up.
        self.consoles[number].run("true")?;
        Ok(Seat::new(Arc::clone(self), number))
    }

    /// What the emulator and the kernel said so far.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        self.stage.journal()
    }

    /// The process of the emulator.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.emulator.pid
    }

    pub(super) fn console(&self, seat: usize) -> &Console {
        &self.consoles[seat]
    }
}

/// The turn of a guest that is alone.
#[derive(Debug)]
struct Turn;

/// Whether somebody has the turn.
static TAKEN: Mutex<bool> = Mutex::new(false);
/// Rung when the turn is given back.
static GIVEN_BACK: Condvar = Condvar::new();

impl Turn {
    /// Waits for it.
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        *GIVEN_BACK.wait_while(taken, |taken| *taken).unwrap_or_else(PoisonError::into_inner) = true;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = false;
        GIVEN_BACK.notify_one();
    }
}

fn next_number() -> usize {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}
