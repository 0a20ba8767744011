//! Faults of sockets and of what else a loop waits for.
use nix::errno::Errno;
use std::io;

/// What failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Another program listens on the port.
    #[error("UDP port {port} is in use by another program")]
    PortInUse {
        /// The port.
        port: u16,
    },
    /// The process may not listen on the port or may not set the firewall mark.
    #[error("no permission to {doing}: run as root or with CAP_NET_ADMIN")]
    SocketPermission {
        /// What was being done.
        doing: &'static str,
    },
    /// The machine has neither IPv4 nor IPv6.
    #[error("neither IPv4 nor IPv6 is available on this machine")]
    NoAddressFamily,
    /// The socket was refused the protection that keeps its datagrams out of the tunnel.
    #[error("a UDP socket could not be protected: its datagrams would go into the tunnel")]
    NotProtected,
    /// Creating or configuring a socket failed otherwise.
    #[error("UDP socket: {doing} failed: {source}")]
    Socket {
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// The process, or the machine, has no file descriptor left.
    #[error("out of file descriptors while {doing}: raise the limit (ulimit -n)")]
    OutOfDescriptors {
        /// What was being done.
        doing: &'static str,
    },
    /// The kernel refused something every Linux since 3.0 has.
    #[error("{doing} failed: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl Fault {
    /// A fault of the system while `doing` something that is not about a socket.
    #[must_use]
    pub fn system(doing: &'static str, source: io::Error) -> Self {
        Self::out_of_descriptors(doing, &source).unwrap_or(Self::System { doing, source })
    }

    /// A fault while `doing` something with a socket.
    #[must_use]
    pub fn socket(doing: &'static str, source: io::Error) -> Self {
        Self::out_of_descriptors(doing, &source).unwrap_or(Self::Socket { doing, source })
    }

    /// The fault for want of a descriptor, if `source` is that.
    #[must_use]
    pub fn out_of_descriptors(doing: &'static str, source: &io::Error) -> Option<Self> {
        matches!(errno(source), Errno::EMFILE | Errno::ENFILE).then_some(Self::OutOfDescriptors { doing })
    }
}

/// The error's number; 0 when the system did not give one.
#[must_use]
pub fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
