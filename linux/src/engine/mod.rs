//! One running tunnel: the virtual interface, the sockets, the clocks and the threads around a [`Tunnel`].
//!
//! - `run` is the loop that carries; `shared` is what it shares with whoever holds the [`Engine`];
//! - `yard` is where `train`s leave: packets read, sealed side by side and sent as one;
//! - `haul` is what comes: `bundle`s of datagrams, opened where they lie and written as one;
//! - `crew` are the threads that help to seal and open when there is much of it;
//! - `recycle` is why none of this allocates per packet;
//! - `alarm`, `network` and `resolve` are what else there is to wait for: clocks, the machine's network, names;
//! - `messages` hands on what peers send over the control channel;
//! - `namespace` is the interface where others have moved it;
//! - `journal` says in the log what happens.
mod crew;
mod haul;
pub mod journal;
mod messages;
mod namespace;
mod network;
mod resolve;
mod run;
mod shared;
mod yard;

use self::crew::Crew;
pub use self::messages::Messages;
pub use self::resolve::Names;
use self::run::Loop;
use self::shared::{Order, Shared};
use crate::clock;
use crate::error::HostError;
use crate::tun::device::Device;
use crate::udp::{Options, Sockets};
use crate::watched::{self, Died};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::num::NonZeroUsize;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use underpass_core::tunnel::Event;
use underpass_core::{Instant, Rng, Tunnel, TunnelConfig};
use underpass_core::{NoRandomness, PeerId};

/// What an engine is made from.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Name of the virtual interface, at most 15 bytes; a `%d` in it is a number the kernel picks.
    pub name: String,
    /// Largest inner packet in bytes; what the tunnel refuses is a [`HostError::Config`].
    pub mtu: u16,
    /// UDP port to listen on; 0: the kernel picks one.
    pub listen_port: u16,
    /// Mark of every datagram sent (SO_MARK); 0: none.
    pub fwmark: u32,
    /// The tunnel's first configuration; its MTU is taken from `mtu` above.
    pub tunnel: TunnelConfig,
    /// Who turns names of endpoints into addresses.
    pub names: Names,
    /// Threads that seal and open beside the loop's own.
    pub crypt_workers: Workers,
    /// Whether packets cross the virtual interface, and datagrams the sockets, in bundles (TSO, USO, GSO, GRO) where
    /// the kernel can.
    pub offload: bool,
    /// Who hears messages of the control channel; `None`: nobody, and they are lost. Whether there is a channel is said by
    /// [`Change::Control`](underpass_core::Change::Control).
    pub control: Option<Messages>,
}

impl EngineConfig {
    /// An interface `name` with the usual MTU, any port, offloads on, and a tunnel without key or peers.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let tunnel = TunnelConfig::default();
        Self {
            name: name.into(),
            mtu: tunnel.mtu,
            listen_port: 0,
            fwmark: 0,
            tunnel,
            names: Names::default(),
            crypt_workers: Workers::Auto,
            offload: true,
            control: None,
        }
    }
}

/// How many threads seal and open beside the loop's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// Two less than the machine has cores, at most 7.
    #[default]
    Auto,
    /// None: the loop does it all.
    None,
    /// This many.
    Count(NonZeroUsize),
}

/// A fact for whoever watches an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// What the tunnel reported.
    Tunnel(Event),
    /// A message of a handshake leaves for this peer. Told where the log is kept at level debug, so that a flood of them
    /// crowds nothing else out.
    Handshake {
        /// For whom.
        peer: PeerId,
        /// Which message.
        step: HandshakeStep,
    },
    /// The MTU of the virtual interface was changed by someone, and the tunnel followed.
    MtuChanged(u16),
    /// The virtual interface was set up (`true`) or down.
    LinkChanged(bool),
    /// The machine's addresses or routes changed.
    NetworkChanged,
    /// The sockets moved to this port.
    ListenPortChanged(u16),
    /// The engine has ended; nothing follows.
    Ended,
}

/// A message of a handshake that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeStep {
    /// The first: we begin.
    Initiation,
    /// The second: we answer.
    Response,
}

/// Why an engine ended.
#[derive(Debug)]
pub enum Ended {
    /// Someone deleted the virtual interface.
    InterfaceDeleted,
    /// [`Engine::stop`] was called.
    Stopped,
    /// A fault that the engine cannot outlive.
    Failed(HostError),
}

/// A running tunnel. Share it in an `Arc`; dropping it stops it.
pub struct Engine {
    name: String,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Creates the virtual interface (down, without addresses), binds the sockets and starts the loop.
    ///
    /// # Errors
    /// [`HostError`]; nothing is left behind.
    pub fn start(config: EngineConfig) -> Result<Self, HostError> {
        let tunnel_config = TunnelConfig { mtu: config.mtu, ..config.tunnel };
        let tunnel = Tunnel::new(tunnel_config, Box::new(SystemRng), clock::now(), clock::wall())?;
        let device = Device::create(&config.name, config.mtu, config.offload)?;
        let options = Options { mark: config.fwmark, offload: config.offload, lane: true, protect: None };
        let sockets = Sockets::bind(config.listen_port, options)?;
        let system = |doing| move |source| HostError::system(doing, source);
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|errno| system("making an event descriptor")(errno.into()))?;
        let name = device.name().to_owned();
        let shared = Arc::new(Shared::new(tunnel, wake, config.control));
        let of_crew = Arc::clone(&shared);
        let crew = Crew::new(config.crypt_workers, move |died| of_crew.order(Order::Fail(died)))?;
        let carrier = Loop::new(Arc::clone(&shared), device, sockets, crew, config.offload, config.names)?;
        let for_end = Arc::clone(&shared);
        // The loop owns the interface: it is gone when the loop has ended.
        let over = move |ended: Result<Ended, Died>| {
            for_end.ended(ended.unwrap_or_else(|died| Ended::Failed(died.into())));
        };
        let thread = watched::start(format!("tunnel {name}"), move || carrier.run(), over)
            .map_err(system("starting a thread"))?;
        Ok(Self { name, shared, thread: Some(thread).into() })
    }

    /// The name of the virtual interface as the kernel knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `f` on the tunnel at the present time; the loop then sends what the tunnel wants sent. Packets wait
    /// meanwhile: `f` must not block, nor call the engine. Works after the end too, on a tunnel that nothing drives.
    pub fn with_tunnel<R>(&self, f: impl FnOnce(&mut Tunnel, Instant) -> R) -> R {
        self.shared.with_tunnel(f)
    }

    /// Runs `f` on the tunnel, to look at it: the loop is not woken. What holds for `f` in [`with_tunnel`](Self::with_tunnel) holds
    /// here too.
    pub fn look<R>(&self, f: impl FnOnce(&Tunnel) -> R) -> R {
        f(&self.shared.tunnel())
    }

    /// The UDP port the sockets are bound to.
    #[must_use]
    pub fn listen_port(&self) -> u16 {
        self.shared.port()
    }

    /// Moves the sockets to `port`; 0: the kernel picks one.
    ///
    /// # Errors
    /// [`HostError`]; the sockets stay where they were.
    pub fn set_listen_port(&self, port: u16) -> Result<(), HostError> {
        self.shared.ask(|answer| Order::ListenPort(port, answer))
    }

    /// The mark of every datagram sent; 0: none.
    #[must_use]
    pub fn fwmark(&self) -> u32 {
        self.shared.mark()
    }

    /// Sets the mark of every datagram sent; 0: none.
    ///
    /// # Errors
    /// [`HostError`]; the mark stays what it was.
    pub fn set_fwmark(&self, mark: u32) -> Result<(), HostError> {
        self.shared.ask(|answer| Order::Mark(mark, answer))
    }

    /// A new subscription to what happens from now on. Up to 1024 events wait to be received; further ones are lost.
    #[must_use]
    pub fn events(&self) -> Receiver<HostEvent> {
        self.shared.subscribe()
    }

    /// Blocks until the engine has ended, and says why. Only the first caller learns the error of [`Ended::Failed`];
    /// later ones get [`HostError::Ended`] in it.
    pub fn wait(&self) -> Ended {
        self.shared.wait()
    }

    /// Ends the engine: the interface is gone and the threads are joined when this returns. Harmless when it has ended
    /// already.
    pub fn stop(&self) {
        self.shared.order(Order::Stop);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The body catches panics: joining cannot fail.
            _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Randomness of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(dest).map_err(|_| NoRandomness)
    }
}
