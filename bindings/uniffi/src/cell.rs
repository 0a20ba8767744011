//! The lock around the core: one call at a time, panics stay inside, and who is to be told afterwards.
use crate::error::TunnelError;
use crate::events::TunnelEvent;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use underpass_core::Tunnel;

/// A tunnel of the core behind its lock.
pub(crate) struct Cell(Mutex<Life>);

enum Life {
    Open(Box<Held>),
    /// A panic went by. The core is gone, and its keys are wiped.
    Poisoned,
    Closed,
}

struct Held {
    core: Tunnel,
    /// The process that it belongs to.
    process: u32,
    /// The next event, taken out of the core so that it is known whether there is one.
    event: Option<TunnelEvent>,
    /// The observer was woken, and has not asked for an event since.
    woken: bool,
}

/// What a call came to.
pub(crate) struct Outcome<R> {
    pub(crate) answer: R,
    /// Events wait that the observer does not know of.
    pub(crate) wake: bool,
}

impl Cell {
    pub(crate) fn new(core: Tunnel) -> Self {
        let held = Held { core, process: std::process::id(), event: None, woken: false };
        Self(Mutex::new(Life::Open(Box::new(held))))
    }

    /// One call of the core. A panic in it, which is a bug, becomes an error, and the core is dropped.
    pub(crate) fn enter<R>(&self, body: impl FnOnce(&mut Tunnel) -> R) -> Result<Outcome<R>, TunnelError> {
        self.guarded(|held| {
            let answer = body(&mut held.core);
            held.look();
            let wake = held.event.is_some() && !held.woken;
            held.woken |= wake;
            Outcome { answer, wake }
        })
    }

    /// The next event. Whoever asks is awake: the observer is woken for what follows by another call.
    pub(crate) fn take_event(&self) -> Result<Option<TunnelEvent>, TunnelError> {
        self.guarded(|held| {
            held.look();
            held.woken = false;
            held.event.take()
        })
    }

    /// The observer could not be woken.
    pub(crate) fn observer_sleeps(&self) {
        if let Life::Open(held) = &mut *self.lock() {
            held.woken = false;
        }
    }

    /// Drops the core; its keys are wiped. A call that is under way ends first. `false`: it was closed before.
    pub(crate) fn close(&self) -> bool {
        let life = mem::replace(&mut *self.lock(), Life::Closed);
        let was_open = !matches!(life, Life::Closed);
        discard(life);
        was_open
    }

    fn guarded<R>(&self, body: impl FnOnce(&mut Held) -> R) -> Result<R, TunnelError> {
        let mut life = self.lock();
        let held = match &mut *life {
            Life::Open(held) => held,
            Life::Poisoned => return Err(TunnelError::Poisoned),
            Life::Closed => return Err(TunnelError::Closed),
        };
        // What a panic leaves behind is not looked at again.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            held.follow_fork();
            body(held)
        }));
        outcome.map_err(|panic| {
            let broken = mem::replace(&mut *life, Life::Poisoned);
            drop(life);
            discard(broken);
            discard(panic);
            TunnelError::Panic
        })
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        // Panics are caught under the lock, so it is never poisoned.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what may be broken.
fn discard<T>(value: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

impl Held {
    /// In the child of a fork, sessions are the parent's: those of the copy end.
    fn follow_fork(&mut self) {
        let process = std::process::id();
        if mem::replace(&mut self.process, process) != process {
            self.core.handle_fork();
        }
    }

    fn look(&mut self) {
        if self.event.is_none() {
            self.event = self.core.poll_event().map(TunnelEvent::from);
        }
    }
}
