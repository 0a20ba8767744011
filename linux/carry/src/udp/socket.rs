//! One socket: opening it, and receiving in batches.
use super::bundling::Bundling;
use super::lane::Lane;
use super::patience::Patience;
use super::{Options, options};
use crate::fault::{Fault, errno};
use nix::errno::Errno;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, Type};
use std::cell::RefCell;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// A UDP socket of one address family, bound to all addresses.
#[derive(Debug)]
pub struct Socket {
    pub(super) io: socket2::Socket,
    pub(super) state: RefCell<UdpSocketState>,
    pub(super) bundling: Bundling,
    pub(super) patience: Patience,
    port: u16,
    is_v6: bool,
    pub(super) offload: bool,
    lane: Option<Lane>,
}

impl Socket {
    /// Opens and binds a socket. `None`: the machine lacks the family.
    ///
    /// # Errors
    /// [`Fault`]: it is not protected, the port is taken, the mark is not allowed, and the like.
    pub fn open(is_v6: bool, port: u16, options: &Options) -> Result<Option<Self>, Fault> {
        let failed = |doing| move |source| Fault::socket(doing, source);
        let domain = if is_v6 { Domain::IPV6 } else { Domain::IPV4 };
        let io = match socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)) {
            Ok(io) => io,
            Err(error) => return why_not_opened(error),
        };
        // Before it is bound: what is bound may already be spoken to.
        if options.protect.as_ref().is_some_and(|protect| !protect(io.as_fd())) {
            return Err(Fault::NotProtected);
        }
        let address = if is_v6 {
            io.set_only_v6(true).map_err(failed("keeping IPv4 out of the IPv6 socket"))?;
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
        } else {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
        };
        if let Err(error) = io.bind(&SockAddr::from(address)) {
            return why_not_bound(error, port);
        }
        let bound = io.local_addr().map_err(failed("reading the port"))?;
        let state = UdpSocketState::new(UdpSockRef::from(&io)).map_err(failed("setting its options"))?;
        options::set_helpful(&io, is_v6);
        if !options.offload {
            options::set_bundling(&io, false);
        }
        let port = bound.as_socket().map_or(port, |address| address.port());
        let (bundling, patience) = (Bundling::new(), Patience::new(Instant::now()));
        let lane = if options.lane { Lane::beside(&io, is_v6).ok() } else { None };
        let state = state.into();
        let socket = Self { io, state, bundling, patience, port, is_v6, offload: options.offload, lane };
        if options.mark != 0 {
            socket.set_mark(options.mark)?;
        }
        Ok(Some(socket))
    }

    /// The port it is bound to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether its family is IPv6.
    #[must_use]
    pub fn is_v6(&self) -> bool {
        self.is_v6
    }

    /// Changes the mark of every datagram; 0: none.
    ///
    /// # Errors
    /// [`Fault`]: usually that it is not allowed.
    pub fn set_mark(&self, mark: u32) -> Result<(), Fault> {
        self.io.set_mark(mark).map_err(|source| match errno(&source) {
            Errno::EPERM => Fault::SocketPermission { doing: "set the firewall mark" },
            _ => Fault::socket("setting the firewall mark", source),
        })
    }

    /// Receives what waits: a bundle of datagrams from one sender into each of `bufs`, described by `meta`. Returns how
    /// many were filled.
    ///
    /// # Errors
    /// `WouldBlock` when nothing waits; otherwise the system's.
    pub fn receive(&self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> io::Result<usize> {
        self.state.borrow().recv(UdpSockRef::from(&self.io), bufs, meta)
    }

    /// Where handshake messages arrive, if they have a queue of their own.
    #[must_use]
    pub fn lane(&self) -> Option<&Lane> {
        self.lane.as_ref()
    }

    /// How many datagrams the kernel may receive as one bundle; 1: it does not gather them.
    #[must_use]
    pub fn most_in_a_bundle(&self) -> usize {
        if self.offload { self.state.borrow().gro_segments() } else { 1 }
    }

    /// Forgets what earlier errors made of the socket's abilities, which may have had other causes.
    pub(super) fn renew_state(&self) {
        if let Ok(state) = UdpSocketState::new(UdpSockRef::from(&self.io)) {
            self.state.replace(state);
            options::set_helpful(&self.io, self.is_v6);
            options::set_bundling(&self.io, self.offload);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

fn why_not_opened(source: io::Error) -> Result<Option<Socket>, Fault> {
    match errno(&source) {
        Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT => Ok(None),
        Errno::EPERM | Errno::EACCES => Err(Fault::SocketPermission { doing: "open a UDP socket" }),
        _ => Err(Fault::socket("opening a UDP socket", source)),
    }
}

fn why_not_bound(source: io::Error, port: u16) -> Result<Option<Socket>, Fault> {
    match errno(&source) {
        Errno::EADDRNOTAVAIL => Ok(None),
        Errno::EADDRINUSE => Err(Fault::PortInUse { port }),
        Errno::EACCES | Errno::EPERM => Err(Fault::SocketPermission { doing: "listen on a port below 1024" }),
        _ => Err(Fault::socket("binding it", source)),
    }
}
