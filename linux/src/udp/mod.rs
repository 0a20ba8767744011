//! The sockets: datagrams in bundles, to and from both address families.
//!
//! - `Sockets` is a pair on one port; a machine that lacks one family has the other;
//! - `socket` is one of them: opened, and read in batches;
//! - `send` sends what the kernel takes at once, and copes with what it does not take;
//! - `options` are the knobs.
mod options;
mod send;
mod socket;

pub use send::{MAX_DATAGRAM, Run, Sent, meaning};
pub use socket::Socket;

use crate::error::HostError;
use nix::errno::Errno;
use std::net::SocketAddr;

/// How often the kernel may pick a port for IPv4 that is taken for IPv6.
const PORT_ATTEMPTS: u32 = 32;

/// A socket for each address family the machine has, on one port.
#[derive(Debug)]
pub struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
    port: u16,
    mark: u32,
    offload: bool,
}

impl Sockets {
    /// Binds to `port` on all addresses; 0: the kernel picks one. `mark` goes on every datagram; `offload`: whether
    /// datagrams cross in bundles.
    ///
    /// # Errors
    /// [`HostError`] when the port is taken in either family, or there is no family at all.
    pub fn bind(port: u16, mark: u32, offload: bool) -> Result<Self, HostError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::bind_once(port, mark, offload) {
                Err(HostError::PortInUse { .. }) if port == 0 && attempts < PORT_ATTEMPTS => {}
                other => return other,
            }
        }
    }

    fn bind_once(port: u16, mark: u32, offload: bool) -> Result<Self, HostError> {
        let v4 = Socket::open(false, port, mark, offload)?;
        let port = v4.as_ref().map_or(port, Socket::port);
        let v6 = Socket::open(true, port, mark, offload)?;
        let port = v6.as_ref().map_or(port, Socket::port);
        if v4.is_none() && v6.is_none() {
            return Err(HostError::NoAddressFamily);
        }
        Ok(Self { v4, v6, port, mark, offload })
    }

    /// The port of both sockets.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The mark of every datagram; 0: none.
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.mark
    }

    /// Changes the mark of every datagram.
    ///
    /// # Errors
    /// [`HostError`]; the mark is as it was, as far as the kernel let us put it back.
    pub fn set_mark(&mut self, mark: u32) -> Result<(), HostError> {
        let failed = self.each().find_map(|socket| socket.set_mark(mark).err());
        match failed {
            None => self.mark = mark,
            Some(_) => self.each().for_each(|socket| _ = socket.set_mark(self.mark)),
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
        self.each().for_each(|socket| socket.too_large.set(usize::MAX));
        let mut added = false;
        for (socket, is_v6) in [(&mut self.v4, false), (&mut self.v6, true)] {
            if socket.is_none() {
                *socket = Socket::open(is_v6, self.port, self.mark, self.offload).ok().flatten();
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
