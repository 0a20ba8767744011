//! The client's end of the [`relay`](super::relay).
use super::relay::{LONGEST, MESSAGE, SESSION, WAKING, path};
use anyhow::{anyhow, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, send, socket};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// A connection to the control channel of a tunnel.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A message of the gateway.
    Message(Vec<u8>),
    /// There is a new session with the gateway.
    Session,
    /// The tunnel has ended, or lets nobody in.
    Gone,
}

impl Link {
    /// Connects to the tunnel `name`, whose socket is in `directory`, and opens its control channel with `gateway`.
    ///
    /// # Errors
    /// There is no such socket.
    pub fn connect(directory: &Path, name: &str, gateway: &PublicKey) -> anyhow::Result<Self> {
        let link = Self::open(directory, name)?;
        // Who is not let in hears of it when it receives.
        let _ = link.send_raw(gateway.as_bytes());
        Ok(link)
    }

    pub(super) fn open(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        match connect(socket.as_raw_fd(), &UnixAddr::new(&path(directory, name))?) {
            Ok(()) => Ok(Self { socket, buffer: vec![0; LONGEST + 1] }),
            Err(Errno::ENOENT | Errno::ECONNREFUSED) => {
                bail!("interface `{name}` is not up, or was not brought up by `underpass login`")
            }
            Err(errno) => {
                Err(anyhow!("cannot use the control channel of interface `{name}`: {}", io::Error::from(errno)))
            }
        }
    }

    /// What to wait for.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a message to the gateway. If the tunnel does not take it now, it is lost, as a datagram may be.
    ///
    /// # Errors
    /// The tunnel has ended.
    pub fn send(&self, message: &[u8], may_wake: bool) -> io::Result<()> {
        // It may hold a password.
        let mut packet = Zeroizing::new(Vec::with_capacity(message.len() + 1));
        packet.push(if may_wake { WAKING } else { MESSAGE });
        packet.extend_from_slice(message);
        self.send_raw(&packet)
    }

    pub(super) fn send_raw(&self, packet: &[u8]) -> io::Result<()> {
        match send(self.socket.as_raw_fd(), packet, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes what has come; `None`: nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn receive(&mut self) -> io::Result<Option<Received>> {
        loop {
            return match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET) => Ok(Some(Received::Gone)),
                Ok(length) => match &self.buffer[..length] {
                    [MESSAGE, message @ ..] => Ok(Some(Received::Message(message.to_vec()))),
                    [SESSION] => Ok(Some(Received::Session)),
                    // A later version of the tunnel says more.
                    _ => continue,
                },
                Err(Errno::EAGAIN) => Ok(None),
                Err(Errno::EINTR) => continue,
                Err(errno) => Err(errno.into()),
            };
        }
    }

    /// Waits for so long at most, and takes what has come.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<Received>> {
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => self.receive(),
            Err(errno) => Err(errno.into()),
        }
    }
}
