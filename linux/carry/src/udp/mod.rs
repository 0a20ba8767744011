//! The sockets: datagrams in bundles, to and from both address families.
//!
//! - `Sockets` is a pair on one port; a machine that lacks one family has the other;
//! - `socket` is one of them: opened, and read in batches;
//! - `lane` is a queue of its own for handshake messages;
//! - `send` sends what the kernel takes at once, and copes with what it does not take;
//! - `many` sends them where the kernel takes no bundles, which `bundling` remembers;
//! - `patience` is how long they wait for room;
//! - `options` are the knobs.
mod bundling;
mod lane;
mod many;
mod options;
mod patience;
mod send;
mod socket;

pub use lane::Lane;
pub use send::{MAX_DATAGRAM, Run, Sent, meaning};
pub use socket::Socket;

use crate::fault::Fault;
use nix::errno::Errno;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// How often the kernel may pick a port for IPv4 that is taken for IPv6.
const PORT_ATTEMPTS: u32 = 32;

/// How sockets are made.
#[derive(Clone, Default)]
pub struct Options {
    /// The mark of every datagram; 0: none.
    pub mark: u32,
    /// Whether datagrams cross in bundles.
    pub offload: bool,
    /// Whether handshake messages have a queue of their own, where the kernel can.
    pub lane: bool,
    /// Asked about each socket before anything is done with it. `false`: it is not used.
    pub protect: Option<Protect>,
}

/// Keeps a socket's datagrams out of the tunnel; `false`: it could not.
pub type Protect = Arc<dyn Fn(BorrowedFd<'_>) -> bool + Send + Sync>;

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("mark", &self.mark).field("offload", &self.offload).finish_non_exhaustive()
    }
}

/// A socket for each address family the machine has, on one port.
#[derive(Debug)]
pub struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
    port: u16,
    options: Options,
}

impl Sockets {
    /// Binds to `port` on all addresses; 0: the kernel picks one.
    ///
    /// # Errors
    /// [`Fault`] when the port is taken in either family, or there is no family at all, or a socket is not protected.
    pub fn bind(port: u16, options: Options) -> Result<Self, Fault> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::bind_once(port, options.clone()) {
                Err(Fault::PortInUse { .. }) if port == 0 && attempts < PORT_ATTEMPTS => {}
                other => return other,
            }
        }
    }

    fn bind_once(port: u16, options: Options) -> Result<Self, Fault> {
        let v4 = Socket::open(false, port, &options)?;
        let port = v4.as_ref().map_or(port, Socket::port);
        let v6 = Socket::open(true, port, &options)?;
        let port = v6.as_ref().map_or(port, Socket::port);
        if v4.is_none() && v6.is_none() {
            return Err(Fault::NoAddressFamily);
        }
        Ok(Self { v4, v6, port, options })
    }

    /// The port of both sockets.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The mark of every datagram; 0: none.
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.options.mark
    }

    /// Changes the mark of every datagram.
    ///
    /// # Errors
    /// [`Fault`]; the mark is as it was, as far as the kernel let us put it back.
    pub fn set_mark(&mut self, mark: u32) -> Result<(), Fault> {
        let failed = self.each().find_map(|socket| socket.set_mark(mark).err());
        match failed {
            None => self.options.mark = mark,
            Some(_) => self.each().for_each(|socket| _ = socket.set_mark(self.options.mark)),
        }
        failed.map_or(Ok(()), Err)
    }

    /// The sockets there are.
    pub fn each(&self) -> impl Iterator<Item = &Socket> {
        self.v4.iter().chain(&self.v6)
    }

    /// Which families there are: IPv4, IPv6.
    #[must_use]
    pub fn families(&self) -> (bool, bool) {
        (self.v4.is_some(), self.v6.is_some())
    }

    fn of(&self, remote: &SocketAddr) -> Option<&Socket> {
        if remote.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    /// The network is another: tries again what failed before, and opens the socket of a family that was missing.
    /// Returns whether one was opened.
    pub fn refresh(&mut self) -> bool {
        self.each().for_each(|socket| socket.bundling.forget());
        let mut added = false;
        for (socket, is_v6) in [(&mut self.v4, false), (&mut self.v6, true)] {
            if socket.is_none() {
                *socket = Socket::open(is_v6, self.port, &self.options).ok().flatten();
                added |= socket.is_some();
            }
        }
        added
    }

    /// Sends a run of datagrams.
    pub fn send(&self, run: &Run<'_>) -> Sent {
        let lost = Sent::Failed(Errno::EAFNOSUPPORT, run.datagrams.len());
        self.of(&run.path.remote).map_or(lost, |socket| socket.send(run))
    }
}

#[cfg(test)]
mod tests;
