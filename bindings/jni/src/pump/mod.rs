//! The pump: carries a tunnel by itself, given the descriptor of a virtual interface and a way to protect sockets.
//!
//! One thread waits for the interface, the sockets, an alarm at the tunnel's next deadline, and orders; between packets it sleeps.
//! What it does with packets and datagrams is the Linux host's, from `underpass_carry`.
//!
//! - `run` is the loop, `outgoing` and `incoming` its two ways, `tun` the interface;
//! - `shared` is what the loop shares with whoever holds a [`Pump`];
//! - `error` has the codes; `registry` knows the pumps by the numbers that Java has;
//! - `door` is what Java calls, `upcall` what it is called for.
pub(crate) mod door;
mod error;
mod incoming;
mod outgoing;
mod registry;
mod run;
mod shared;
#[cfg(test)]
mod tests;
mod tun;
mod upcall;

pub use error::PumpError;

use self::registry::Claim;
use self::run::Loop;
use self::shared::{Order, Shared};
use self::tun::Tun;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use underpass_carry::udp::{Options, Protect, Sockets};
use underpass_core::Status;
use underpass_uniffi::Tunnel;
use underpass_uniffi::logging::{LogLevel, say};

/// Told once, by the pump's own thread, when the pump ended by itself.
pub type OnStopped = Box<dyn FnOnce(PumpError) + Send>;

/// What a pump has carried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Packets from the interface, their bytes, and the batches they were sealed in.
    pub(crate) out: [u64; 3],
    /// Packets to the interface, their bytes, and the batches they were opened in.
    pub(crate) inward: [u64; 3],
    /// Packets that the interface did not take, and datagrams that could not be sent.
    pub(crate) drops: u64,
    /// How often the thread woke up.
    pub(crate) wakeups: u64,
}

/// A running pump. It stops when it is dropped.
pub struct Pump {
    shared: Arc<Shared>,
    options: Options,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pump {
    /// Starts a pump between `tun` and new sockets, each of which `protect` is asked about before it is used.
    ///
    /// # Errors
    /// [`PumpError`], with the interface, which is as it was.
    pub fn start(
        tunnel: Arc<Tunnel>,
        tun: OwnedFd,
        protect: Protect,
        on_stopped: Option<OnStopped>,
    ) -> Result<Self, (PumpError, OwnedFd)> {
        Self::start_by(tunnel, tun, Options { mark: 0, offload: true, lane: false, protect: Some(protect) }, on_stopped)
    }

    fn start_by(
        tunnel: Arc<Tunnel>,
        tun: OwnedFd,
        options: Options,
        on_stopped: Option<OnStopped>,
    ) -> Result<Self, (PumpError, OwnedFd)> {
        if !tunnel.clock().is_system() {
            return Err((PumpError::Status(Status::Argument), tun));
        }
        let claim = match Claim::on(tunnel.data_plane_id()) {
            Ok(claim) => claim,
            Err(error) => return Err((error, tun)),
        };
        let tun = Tun::new(tun)?;
        Self::start_with(tunnel, tun, options, on_stopped, claim).map_err(|(error, tun)| (error, tun.into_fd()))
    }

    fn start_with(
        tunnel: Arc<Tunnel>,
        tun: Tun,
        options: Options,
        on_stopped: Option<OnStopped>,
        claim: Claim,
    ) -> Result<Self, (PumpError, Tun)> {
        let sockets = match Sockets::bind(0, options.clone()) {
            Ok(sockets) => sockets,
            Err(fault) => return Err((fault.into(), tun)),
        };
        let shared = match Shared::new() {
            Ok(shared) => Arc::new(shared),
            Err(error) => return Err((error, tun)),
        };
        let carrier = Loop::new(tunnel, tun, sockets, Arc::clone(&shared), claim)?;
        // The thread takes the loop out of here; if there is none, it is still here.
        let place = Arc::new(Mutex::new(Some(carrier)));
        let (for_thread, in_thread) = (Arc::clone(&shared), Arc::clone(&place));
        let body = move || {
            if let Some(carrier) = in_thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
                carry(carrier, &for_thread, on_stopped);
            }
        };
        match std::thread::Builder::new().name("underpass".into()).spawn(body) {
            Ok(thread) => {
                say(LogLevel::Info, format_args!("the pump runs"));
                Ok(Self { shared, options, thread: Mutex::new(Some(thread)) })
            }
            Err(error) => {
                say(LogLevel::Error, format_args!("starting a thread failed: {error}"));
                let carrier = place.lock().unwrap_or_else(PoisonError::into_inner).take();
                match carrier {
                    Some(carrier) => Err((PumpError::System, carrier.into_tun())),
                    None => unreachable!("no thread has taken it"),
                }
            }
        }
    }

    /// New sockets take the place of the old ones, which close; the peers hear from us. When it fails, those that were there
    /// stay.
    ///
    /// # Errors
    /// [`PumpError`].
    pub(crate) fn rebind(&self) -> Result<(), PumpError> {
        self.refuse_own_thread()?;
        // Here, not in the loop: what `protect` asks of Java may take its time.
        let sockets = Sockets::bind(0, self.options.clone()).inspect_err(|fault| {
            say(LogLevel::Error, format_args!("no new sockets: {fault}"));
        })?;
        self.shared.ask(|answer| Order::Rebind(sockets.into(), answer)).unwrap_or(Err(PumpError::Ended))
    }

    /// Goes on with another interface. The one that was there comes back.
    ///
    /// # Errors
    /// [`PumpError`], with the new one, unless a bug took it.
    pub(crate) fn replace_tun(&self, tun: OwnedFd) -> Result<OwnedFd, (PumpError, Option<OwnedFd>)> {
        if let Err(error) = self.refuse_own_thread() {
            return Err((error, Some(tun)));
        }
        let tun = Tun::new(tun).map_err(|(error, tun)| (error, Some(tun)))?;
        match self.shared.ask_with(tun, Order::ReplaceTun) {
            Ok(Ok(old)) => Ok(old.into_fd()),
            Ok(Err((error, tun))) => Err((error, Some(tun.into_fd()))),
            Err(tun) => Err((PumpError::Ended, tun.map(Tun::into_fd))),
        }
    }

    /// What was carried.
    pub(crate) fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// Stops and gives the interface back. `None`: it was given back before.
    ///
    /// # Errors
    /// `Busy` on the pump's own thread while it carries: nobody could wait for it there.
    pub(crate) fn stop(&self) -> Result<Option<OwnedFd>, PumpError> {
        self.refuse_own_thread()?;
        self.shared.order(Order::Stop);
        let tun = self.shared.wait();
        self.join();
        Ok(tun.map(Tun::into_fd))
    }

    /// Stops; the interface closes. On the pump's own thread, it stops when the call that it is in has ended.
    pub(crate) fn close(&self) {
        self.shared.order(Order::Stop);
        if self.shared.is_carrying_here() {
            return self.shared.discard();
        }
        drop(self.shared.wait());
        self.join();
    }

    /// Refuses what would wait for itself.
    fn refuse_own_thread(&self) -> Result<(), PumpError> {
        if self.shared.is_carrying_here() { Err(PumpError::Status(Status::Busy)) } else { Ok(()) }
    }

    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            // The body catches panics.
            _ = thread.join();
        }
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.close();
    }
}

/// The life of the pump's thread.
fn carry(mut carrier: Loop, shared: &Shared, on_stopped: Option<OnStopped>) {
    shared.begin();
    let attached = upcall::Attached::new();
    // Whatever happens in it, the interface goes back to its owner.
    let why = catch_unwind(AssertUnwindSafe(|| carrier.run())).unwrap_or(Some(PumpError::Status(Status::Panic)));
    let tun = carrier.into_tun();
    match why {
        None => say(LogLevel::Info, format_args!("the pump has stopped")),
        Some(error) => say(LogLevel::Error, format_args!("the pump has ended: {error}")),
    }
    shared.ended(tun);
    if let (Some(error), Some(tell)) = (why, on_stopped) {
        _ = catch_unwind(AssertUnwindSafe(|| tell(error)));
    }
    drop(attached);
}
