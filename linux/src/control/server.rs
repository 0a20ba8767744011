//! Answers on the control socket: one thread, many clients, none of whom waits for another.
use super::connection::Connection;
use super::device::Device;
use super::socket::ControlSocket;
use crate::error::errno;
use crate::watched::{self, Died};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Clients served at once. One more, and the one who has been silent longest is let go; likewise when there is no descriptor
/// for a new one.
const MAX_CLIENTS: usize = 16;
/// How long to leave new clients waiting when there is no descriptor for them, and nobody to let go.
const OUT_OF_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(100);

/// A running control server. [`stop`](Self::stop) or drop ends it and removes the socket.
#[derive(Debug)]
pub struct ControlServer {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl ControlServer {
    /// Serves `device` on `socket`. When someone removes the socket's file, which is how `wg-quick` and others ask a
    /// userspace implementation to end, the server ends. Whatever it ends by, the socket is gone when `over` is told.
    ///
    /// # Errors
    /// The system lacks descriptors, memory or threads; the socket is removed.
    pub fn start(
        socket: ControlSocket,
        device: Arc<dyn Device>,
        over: impl FnOnce(Result<Over, Died>) + Send + 'static,
    ) -> io::Result<Self> {
        let removal = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        // A removed file is seen by its link count: it is not deleted while we hold the socket open.
        let flags = AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_DELETE_SELF;
        removal.add_watch(socket.path(), flags)?;
        let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let serving = Loop { socket, removal, stop: Arc::clone(&stop), device, clients: Vec::new() };
        let thread = watched::start("control", move || serving.run(), over)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends the server: the socket is gone when this returns.
    pub fn stop(self) {}
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// [`ControlServer::stop`] was called.
    Stopped,
    /// Someone removed its socket.
    SocketRemoved,
}

struct Loop {
    socket: ControlSocket,
    removal: Inotify,
    stop: Arc<EventFd>,
    device: Arc<dyn Device>,
    /// The one heard from most recently is last.
    clients: Vec<Client>,
}

struct Client {
    connection: Connection,
    has_more: bool,
}

impl Loop {
    fn run(mut self) -> Over {
        loop {
            if !self.socket.exists() {
                return Over::SocketRemoved;
            }
            let Ready { stop, listener, removal, clients } = self.wait();
            if stop {
                return Over::Stopped;
            }
            if removal {
                let _ = self.removal.read_events();
            }
            self.advance(&clients);
            if listener {
                self.accept();
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self) -> Ready {
        let mut fds = vec![
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.socket.listener().as_fd(), PollFlags::POLLIN),
            PollFd::new(self.removal.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.clients.iter().map(|client| {
            let wanted = if client.connection.is_answering() { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            PollFd::new(client.connection.stream().as_fd(), wanted)
        }));
        let busy = self.clients.iter().any(|client| client.has_more);
        while let Err(Errno::EINTR) = poll(&mut fds, if busy { PollTimeout::ZERO } else { PollTimeout::NONE }) {}
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        Ready {
            stop: ready.next().unwrap_or(false),
            listener: ready.next().unwrap_or(false),
            removal: ready.next().unwrap_or(false),
            clients: ready.collect(),
        }
    }

    /// Serves the clients that are ready, and lets go of those who are done or gone.
    fn advance(&mut self, ready: &[bool]) {
        let (mut silent, mut heard) = (Vec::new(), Vec::new());
        for (index, mut client) in std::mem::take(&mut self.clients).into_iter().enumerate() {
            if !client.has_more && !ready.get(index).copied().unwrap_or(false) {
                silent.push(client);
                continue;
            }
            let Ok(has_more) = client.connection.advance(&*self.device) else { continue };
            client.has_more = has_more;
            if !client.connection.is_over() {
                heard.push(client);
            }
        }
        silent.append(&mut heard);
        self.clients = silent;
    }

    /// Lets go of the client that has been silent longest, if possible one that is not in the middle of an answer. `false`:
    /// there is none.
    fn let_one_go(&mut self) -> bool {
        let idle = self.clients.iter().position(|client| !client.connection.is_answering());
        let one = idle.unwrap_or(0);
        if one < self.clients.len() {
            self.clients.remove(one);
            return true;
        }
        false
    }

    /// Takes in whoever waits at the door.
    fn accept(&mut self) {
        loop {
            match self.socket.listener().accept() {
                Ok((stream, _)) => {
                    if self.clients.len() == MAX_CLIENTS {
                        self.let_one_go();
                    }
                    if let Ok(connection) = Connection::new(stream) {
                        self.clients.push(Client { connection, has_more: true });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_for_want_of_descriptors(&error) && self.let_one_go() => {}
                Err(error) => {
                    tracing::warn!("control socket: {error}");
                    std::thread::sleep(OUT_OF_DESCRIPTORS_PAUSE);
                    return;
                }
            }
        }
    }
}

fn is_for_want_of_descriptors(error: &io::Error) -> bool {
    matches!(errno(error), Errno::EMFILE | Errno::ENFILE)
}

/// What there is to do.
struct Ready {
    stop: bool,
    listener: bool,
    removal: bool,
    clients: Vec<bool>,
}
