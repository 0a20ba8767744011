//! Faults of the host: each says what failed and, where there is one, what to do about it.
use crate::watched::Died;
use nix::errno::Errno;
use std::io;
use underpass_carry::Fault;
pub(crate) use underpass_carry::fault::errno;
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
    /// The device for virtual interfaces may not be opened, whatever capabilities there are.
    #[error("no permission to open /dev/net/tun: run as root, or give this user access to the device")]
    TunClosed,
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
    /// A socket, or what else the loop waits for.
    #[error(transparent)]
    Carry(#[from] Fault),
    /// The tunnel refused its configuration.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// A thread of the engine panicked: a bug.
    #[error(transparent)]
    Died(#[from] Died),
    /// The engine has ended; what it ran is gone.
    #[error("the tunnel has ended")]
    Ended,
}

impl HostError {
    /// A fault of the system while `doing` something with neither the interface nor a socket.
    pub(crate) fn system(doing: &'static str, source: io::Error) -> Self {
        Fault::system(doing, source).into()
    }

    /// A fault while `doing` something with the interface `name`.
    pub(crate) fn tun(name: &str, doing: &'static str, source: io::Error) -> Self {
        if let Some(fault) = Fault::out_of_descriptors(doing, &source) {
            return fault.into();
        }
        match errno(&source) {
            Errno::EPERM | Errno::EACCES => Self::NoPermission { name: name.into() },
            _ => Self::Tun { name: name.into(), doing, source },
        }
    }
}
