//! Faults of the host: each says what failed and, where there is one, what to do about it.
use nix::errno::Errno;
use std::io;
use underpass_core::ConfigError;

/// Why the engine could not start, or why it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The process may not create or change network interfaces.
    #[error("no permission to create interface `{name}`: run as root or with CAP_NET_ADMIN")]
    NoPermission {
        /// The interface.
        name: String,
    },
    /// The kernel has no TUN driver, or this container hides it.
    #[error("/dev/net/tun is missing: load the `tun` kernel module, or give the container access to the device")]
    TunMissing,
    /// Another program owns an interface of this name.
    #[error("interface `{name}` exists already and belongs to something else")]
    NameTaken {
        /// The interface.
        name: String,
    },
    /// No interface can have this name.
    #[error("`{name}` is no interface name: 1 to 15 characters, without `/`, `:` or white space, not `.` or `..`")]
    NameInvalid {
        /// What was asked for.
        name: String,
    },
    /// Creating or configuring the virtual interface failed otherwise.
    #[error("interface `{name}`: {doing} failed: {source}")]
    Tun {
        /// The interface.
        name: String,
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
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
    /// The tunnel refused its configuration.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The engine's thread panicked: a bug.
    #[error("internal error: the tunnel's thread panicked")]
    Panicked,
    /// The engine has ended; what it ran is gone.
    #[error("the tunnel has ended")]
    Ended,
}

impl HostError {
    /// A fault of the system while `doing` something with neither the interface nor a socket.
    pub(crate) fn system(doing: &'static str, source: io::Error) -> Self {
        Self::unless_out_of_descriptors(doing, source, |source| Self::System { doing, source })
    }

    /// A fault while `doing` something with a socket.
    pub(crate) fn socket(doing: &'static str, source: io::Error) -> Self {
        Self::unless_out_of_descriptors(doing, source, |source| Self::Socket { doing, source })
    }

    /// A fault while `doing` something with the interface `name`.
    pub(crate) fn tun(name: &str, doing: &'static str, source: io::Error) -> Self {
        Self::unless_out_of_descriptors(doing, source, |source| match errno(&source) {
            Errno::EPERM | Errno::EACCES => Self::NoPermission { name: name.into() },
            _ => Self::Tun { name: name.into(), doing, source },
        })
    }

    fn unless_out_of_descriptors(doing: &'static str, source: io::Error, or: impl FnOnce(io::Error) -> Self) -> Self {
        match errno(&source) {
            Errno::EMFILE | Errno::ENFILE => Self::OutOfDescriptors { doing },
            _ => or(source),
        }
    }
}

/// The error's number; 0 when the system did not give one.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
