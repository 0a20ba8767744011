//! A tunnel: made, used by both planes, closed.
use crate::cell::Cell;
use crate::clock::Clock;
use crate::error::TunnelError;
use crate::events::TunnelObserver;
use crate::keys::System;
use crate::logging::{LogLevel, say};
use crate::options::TunnelOptions;
use crate::registry;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use underpass_core as core;
use underpass_core::Instant;

/// One tunnel: a virtual interface with its key and its peers. Any thread may call any method at any time; calls wait for each
/// other.
///
/// Shut it down when it is no longer needed: its keys are wiped then, and not only when the last reference to it is gone.
#[derive(uniffi::Object)]
#[uniffi::export(Debug)]
pub struct Tunnel {
    cell: Cell,
    clock: Arc<Clock>,
    observer: Slot<dyn TunnelObserver>,
    data_plane: Slot<dyn Fn() + Send + Sync>,
    data_plane_id: u64,
}

/// Somebody to call, until the tunnel is closed.
struct Slot<T: ?Sized>(Mutex<Option<Arc<T>>>);

#[uniffi::export]
impl Tunnel {
    /// A tunnel from its options. `observer` is told when events wait, which may be before this returns.
    ///
    /// # Errors
    /// `Random`, `Mtu`, `Limit`, `TooManyPeers`, `LowOrderKey`; `Argument` for padding or saved floors that are none.
    #[uniffi::constructor]
    pub fn new(options: TunnelOptions, observer: Option<Arc<dyn TunnelObserver>>) -> Result<Arc<Self>, TunnelError> {
        let config = options.to_core()?;
        let clock = options.clock.unwrap_or_else(Clock::system);
        let core = core::Tunnel::new(config, Box::new(System), clock.now(), clock.wall())?;
        let data_plane_id = registry::reserve()?;
        let tunnel = Arc::new(Self {
            cell: Cell::new(core),
            clock,
            observer: Slot::new(observer),
            data_plane: Slot::new(None),
            data_plane_id,
        });
        registry::list(data_plane_id, &tunnel);
        // A configuration may have names to resolve at once.
        tunnel.with_core(|_| ())?;
        say(LogLevel::Info, format_args!("a tunnel was made"));
        Ok(tunnel)
    }

    /// Ends the tunnel and wipes its keys. A call of another thread that is under way ends first; later calls are refused as
    /// `Closed`. Doing it again does nothing.
    ///
    /// In Kotlin and Swift it is `shutDown`, for `close` of Kotlin's objects gives up the reference.
    #[uniffi::method(name = "shut_down")]
    pub fn close(&self) {
        registry::unlist(self.data_plane_id);
        if self.cell.close() {
            say(LogLevel::Info, format_args!("a tunnel was shut down"));
        }
        self.observer.take();
        // So that the data plane sees it and stops.
        if let Some(wake) = self.data_plane.take() {
            call(|| wake());
        }
    }

    /// The number by which the data plane of this library finds the tunnel: a random one, no address. It stands for nothing
    /// once the tunnel is closed.
    #[must_use]
    pub fn data_plane_id(&self) -> u64 {
        self.data_plane_id
    }

    /// The tunnel's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<Clock> {
        Arc::clone(&self.clock)
    }
}

/// The seam for the data plane, which is Rust in the same library.
impl Tunnel {
    /// Hands the core to `body`, for packets, datagrams, deadlines and what is to be transmitted. The observer is woken
    /// afterwards if events wait, and if `body` panicked.
    ///
    /// All else waits meanwhile: one batch is a good measure. `body` calls no method of this tunnel, which would wait for
    /// itself, and nothing that may wait for another thread that does. It leaves `poll_event` alone: events go to the
    /// application by `next_event`.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`; `Panic` when `body` panics, and the tunnel is poisoned from then on.
    pub fn with_core<R>(&self, body: impl FnOnce(&mut core::Tunnel) -> R) -> Result<R, TunnelError> {
        let outcome = self.cell.enter(body);
        match &outcome {
            Ok(outcome) if outcome.wake => self.wake_observer(),
            Err(TunnelError::Panic) => {
                say(LogLevel::Error, format_args!("a bug has stopped a tunnel"));
                // Neither plane is to wait for a tunnel that is no more.
                self.wake_observer();
                self.wake_data_plane();
            }
            _ => {}
        }
        outcome.map(|outcome| outcome.answer)
    }

    /// Has `wake` called after each call of the control plane that may give the data plane something to do: then drain
    /// `poll_transmit` and ask `poll_timeout` again. It is called too when the tunnel was closed or poisoned: then the next
    /// [`with_core`](Self::with_core) says so. No lock is held meanwhile. It takes the place of an earlier one. A reference to the tunnel in it
    /// keeps the tunnel from ending by itself when the application lets go of it.
    pub fn set_data_plane(&self, wake: Option<Arc<dyn Fn() + Send + Sync>>) {
        self.data_plane.set(wake);
    }

    /// The time on the tunnel's clock, which is the `now` of every call of the core.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// A call that may give the data plane something to do.
    pub(crate) fn command<R>(
        &self,
        body: impl FnOnce(&mut core::Tunnel, Instant) -> Result<R, TunnelError>,
    ) -> Result<R, TunnelError> {
        let answer = self.ask(body)?;
        self.wake_data_plane();
        Ok(answer)
    }

    /// A call that only looks.
    pub(crate) fn ask<R>(
        &self,
        body: impl FnOnce(&mut core::Tunnel, Instant) -> Result<R, TunnelError>,
    ) -> Result<R, TunnelError> {
        // The clock is read under the lock, so that the readings of all calls rise.
        self.with_core(|core| body(core, self.clock.now()))?
    }

    pub(crate) fn cell(&self) -> &Cell {
        &self.cell
    }

    fn wake_data_plane(&self) {
        if let Some(wake) = self.data_plane.copy() {
            call(|| wake());
        }
    }

    fn wake_observer(&self) {
        if let Some(observer) = self.observer.copy()
            && !matches!(catch_unwind(AssertUnwindSafe(|| observer.wake())), Ok(Ok(())))
        {
            self.cell.observer_sleeps();
        }
    }
}

/// Calls somebody else's code, whose panics are its own.
fn call(body: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(body));
}

impl<T: ?Sized> Slot<T> {
    fn new(somebody: Option<Arc<T>>) -> Self {
        Self(Mutex::new(somebody))
    }

    fn copy(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, somebody: Option<Arc<T>>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), somebody);
        // Not under the lock: it may be the last reference.
        drop(before);
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.close();
    }
}

/// Without keys, peers and addresses.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}
