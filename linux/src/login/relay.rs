//! The tunnel's end of the socket over which `underpass login` speaks with the gateway.
//!
//! It stands beside the control socket, as `IFNAME.control`, for its owner only (`SOCK_SEQPACKET`: packets keep their bounds).
//! The tunnel's control channel is open while a client is connected, for the gateway that it names, and for nobody else; there is
//! one client at a time. A packet is
//!
//! | from | first byte | what follows |
//! |---|---|---|
//! | client, the first | | the gateway's public key, 32 bytes |
//! | client | 0 | a message for the gateway, which begins no handshake |
//! | client | 1 | a message for the gateway |
//! | tunnel | 0 | a message of the gateway |
//! | tunnel | 2 | nothing: there is a new session with the gateway |
//!
//! What cannot be sent is lost, as a datagram may be. A client that sends anything else is let go.
use crate::control::socket;
use crate::engine::{Engine, HostEvent};
use crate::watched::{self, Died};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{MsgFlags, SockType, recv, send};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use underpass_core::tunnel::Event;
use underpass_core::{Change, ControlRole, PublicKey};
use zeroize::Zeroizing;

/// The first bytes of packets.
pub(super) const MESSAGE: u8 = 0;
pub(super) const WAKING: u8 = 1;
pub(super) const SESSION: u8 = 2;
/// Bytes of a packet at most. No message of a tunnel is longer than its MTU.
pub(super) const LONGEST: usize = 16 * 1024;
/// Messages of the gateway that wait for the client; further ones are lost.
const WAITING: usize = 32;
/// How long to leave a new client waiting when there is no descriptor for it.
const PAUSE: Duration = Duration::from_millis(100);
/// Packets that one client may send before others are looked at.
const ROUNDS: usize = 16;

/// Where the socket for interface `name` is.
#[must_use]
pub fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.control"))
}

/// The control channel of a tunnel, as its relay sees it.
pub trait Channel: Send {
    /// Opens it with the gateway of this key; `false`: there is no such peer.
    fn open(&self, gateway: PublicKey) -> bool;
    /// Sends a message, if it can be sent.
    fn send(&self, gateway: &PublicKey, message: &[u8], may_wake: bool);
    /// Closes it.
    fn close(&self);
}

/// The control channel of a running tunnel.
#[derive(Debug)]
pub struct EngineChannel(Arc<Engine>);

impl Channel for EngineChannel {
    fn open(&self, gateway: PublicKey) -> bool {
        self.0.with_tunnel(|tunnel, now| {
            let is_peer = tunnel.peer_by_key(&gateway).is_some();
            is_peer && tunnel.configure(now, &[Change::Control(ControlRole::Client { gateway })]).is_ok()
        })
    }

    fn send(&self, gateway: &PublicKey, message: &[u8], may_wake: bool) {
        let sent = self.0.with_tunnel(|tunnel, now| match tunnel.peer_by_key(gateway) {
            Some(peer) if may_wake => tunnel.send_control_waking(now, peer, message),
            Some(peer) => tunnel.send_control(now, peer, message),
            None => Ok(()),
        });
        if let Err(reason) = sent {
            tracing::debug!("a message for the gateway is lost: {reason}");
        }
    }

    fn close(&self) {
        let closed = self.0.with_tunnel(|tunnel, now| tunnel.configure(now, &[Change::Control(ControlRole::Off)]));
        if let Err(fault) = closed {
            tracing::error!("the control channel cannot be closed: {fault}");
        }
    }
}

/// What waits to be given to the client. It is put in by the tunnel's own threads, which never wait.
#[derive(Clone, Debug)]
pub struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<Waiting>,
    wake: EventFd,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whose messages are wanted.
    gateway: Option<PublicKey>,
    packets: VecDeque<Vec<u8>>,
}

impl Inbox {
    /// An empty one.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn new() -> io::Result<Self> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { shared: Arc::new(Shared { state: Mutex::default(), wake }) })
    }

    /// A peer sent this over the control channel.
    pub fn put(&self, from: PublicKey, message: &[u8]) {
        self.add(|gateway| *gateway == from, || [&[MESSAGE], message].concat());
    }

    /// There is a new session with a peer.
    fn session_began(&self) {
        self.add(|_| true, || vec![SESSION]);
    }

    fn add(&self, is_wanted: impl FnOnce(&PublicKey) -> bool, packet: impl FnOnce() -> Vec<u8>) {
        let mut state = self.state();
        let has_room = state.packets.len() < WAITING;
        if has_room && state.gateway.as_ref().is_some_and(is_wanted) {
            state.packets.push_back(packet());
            drop(state);
            let _ = self.shared.wake.write(1);
        }
    }

    /// From here on, messages of this peer are wanted, and none that came before.
    fn want(&self, gateway: Option<PublicKey>) {
        let mut state = self.state();
        state.gateway = gateway;
        state.packets.clear();
    }

    fn take(&self) -> VecDeque<Vec<u8>> {
        let _ = self.shared.wake.read();
        std::mem::take(&mut self.state().packets)
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running relay. Dropping it ends it and removes its socket.
#[derive(Debug)]
pub struct Relay {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Relay {
    /// Offers the control channel of `engine`, whose messages come into `inbox`; `over` is told when a thread of it died.
    ///
    /// # Errors
    /// The socket cannot be made, or the system lacks descriptors or threads.
    pub fn start(
        directory: &Path,
        engine: &Arc<Engine>,
        inbox: Inbox,
        over: impl Fn(Result<(), Died>) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (events, told) = (engine.events(), inbox.clone());
        let listen = move || {
            for event in events {
                if matches!(event, HostEvent::Tunnel(Event::SessionEstablished { .. })) {
                    told.session_began();
                }
            }
        };
        watched::start("relay events", listen, over.clone())?;
        Self::serve(&path(directory, engine.name()), EngineChannel(Arc::clone(engine)), inbox, over)
    }

    fn serve(
        path: &Path,
        channel: impl Channel + 'static,
        inbox: Inbox,
        over: impl FnOnce(Result<(), Died>) + Send + 'static,
    ) -> io::Result<Self> {
        let listener = socket::listen_at(path, SockType::SeqPacket)?.into();
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let serving = Loop { listener, stop: Arc::clone(&stop), channel, inbox, client: None };
        let thread =
            watched::start("relay", move || serving.run(), over).inspect_err(|_| drop(fs::remove_file(path)))?;
        Ok(Self { stop, thread: Some(thread), path: path.to_owned() })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

struct Loop<C> {
    listener: UnixListener,
    stop: Arc<EventFd>,
    channel: C,
    inbox: Inbox,
    client: Option<Client>,
}

struct Client {
    socket: OwnedFd,
    /// Once it has said which.
    gateway: Option<PublicKey>,
}

/// The client is to be let go.
struct Gone;

impl<C: Channel> Loop<C> {
    fn run(mut self) {
        loop {
            let [stop, listener, inbox, client] = self.wait();
            if stop {
                return self.let_go();
            }
            if client && self.hear().is_err() {
                self.let_go();
            }
            if inbox && self.forward().is_err() {
                self.let_go();
            }
            if listener {
                self.accept();
            }
        }
    }

    fn wait(&self) -> [bool; 4] {
        let mut fds = vec![
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.inbox.shared.wake.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.client.as_ref().map(|client| PollFd::new(client.socket.as_fd(), PollFlags::POLLIN)));
        while let Err(Errno::EINTR) = poll(&mut fds, PollTimeout::NONE) {}
        let mut ready = [false; 4];
        ready.iter_mut().zip(&fds).for_each(|(ready, fd)| *ready = fd.any().unwrap_or(false));
        ready
    }

    /// Takes in a client. While there is one, others find the door shut.
    fn accept(&mut self) {
        match self.listener.accept() {
            Ok((socket, _)) if self.client.is_none() => {
                self.client = Some(Client { socket: socket.into(), gateway: None });
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::warn!("control channel: {error}");
                thread::sleep(PAUSE);
            }
        }
    }

    /// Takes what the client sends.
    fn hear(&mut self) -> Result<(), Gone> {
        // Passwords pass through here.
        let mut packet = Zeroizing::new(vec![0; LONGEST + 1]);
        for _ in 0..ROUNDS {
            let Some(client) = &self.client else { return Ok(()) };
            let length = match recv(client.socket.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(Gone),
                Ok(length) => length,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                Err(_) => return Err(Gone),
            };
            self.take(&packet[..length])?;
        }
        Ok(())
    }

    fn take(&mut self, packet: &[u8]) -> Result<(), Gone> {
        let Some(client) = &mut self.client else { return Err(Gone) };
        let refused = |why: &str| {
            tracing::warn!("the client of the control channel is let go: {why}");
            Err(Gone)
        };
        match (client.gateway, packet) {
            (None, key) => {
                let Ok(bytes) = <[u8; 32]>::try_from(key) else { return refused("it does not begin with a key") };
                let gateway = PublicKey::from_bytes(bytes);
                // Before the first answer can come.
                self.inbox.want(Some(gateway));
                if !self.channel.open(gateway) {
                    return refused("the gateway that it names is no peer");
                }
                client.gateway = Some(gateway);
                Ok(())
            }
            (Some(_), packet) if packet.len() > LONGEST => refused("its packet is too long"),
            (Some(gateway), [kind @ (MESSAGE | WAKING), message @ ..]) => {
                self.channel.send(&gateway, message, *kind == WAKING);
                Ok(())
            }
            _ => refused("its packet is of no known kind"),
        }
    }

    /// Gives the client what has come for it.
    fn forward(&mut self) -> Result<(), Gone> {
        for packet in self.inbox.take() {
            let Some(client) = &self.client else { return Ok(()) };
            match send(client.socket.as_raw_fd(), &packet, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                // A client that does not take its packets loses them.
                Ok(_) | Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => {}
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }

    /// The client has gone: the channel is closed.
    fn let_go(&mut self) {
        if self.client.take().is_some() {
            self.inbox.want(None);
            self.channel.close();
        }
    }
}

#[cfg(test)]
mod tests;
