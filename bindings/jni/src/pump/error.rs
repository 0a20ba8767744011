//! Why a pump refuses or ends, and the codes of it.
use std::fmt;
use underpass_carry::Fault;
use underpass_core::Status;

/// Why a call was refused, or why a pump ended. The codes below -100 are the pump's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PumpError {
    /// What other calls answer too: closed (-1), an argument (-3), busy (-17), a bug (-18, -19).
    Status(Status),
    /// A socket was refused protection. Nothing was sent by it.
    NotProtected,
    /// The virtual interface is gone, or cannot be read.
    TunGone,
    /// A socket could not be made or set up.
    Socket,
    /// There is neither IPv4 nor IPv6.
    NoFamily,
    /// There is no descriptor left.
    Descriptors,
    /// The system refused something else: a thread, a timer.
    System,
    /// The pump has ended by itself.
    Ended,
}

impl PumpError {
    pub(crate) const NOT_PROTECTED: i32 = -101;
    pub(crate) const TUN_GONE: i32 = -102;
    pub(crate) const SOCKET: i32 = -103;
    pub(crate) const NO_FAMILY: i32 = -104;
    pub(crate) const DESCRIPTORS: i32 = -105;
    pub(crate) const SYSTEM: i32 = -106;
    pub(crate) const ENDED: i32 = -107;

    /// The number that Java has for it.
    pub(crate) const fn code(self) -> i32 {
        match self {
            Self::Status(status) => status.code(),
            Self::NotProtected => Self::NOT_PROTECTED,
            Self::TunGone => Self::TUN_GONE,
            Self::Socket => Self::SOCKET,
            Self::NoFamily => Self::NO_FAMILY,
            Self::Descriptors => Self::DESCRIPTORS,
            Self::System => Self::SYSTEM,
            Self::Ended => Self::ENDED,
        }
    }
}

impl From<Fault> for PumpError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotProtected => Self::NotProtected,
            Fault::NoAddressFamily => Self::NoFamily,
            Fault::OutOfDescriptors { .. } => Self::Descriptors,
            Fault::System { .. } => Self::System,
            _ => Self::Socket,
        }
    }
}

impl fmt::Display for PumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => status.text(),
            Self::NotProtected => "a socket was not protected",
            Self::TunGone => "the virtual interface is gone",
            Self::Socket => "a UDP socket could not be made",
            Self::NoFamily => "there is neither IPv4 nor IPv6",
            Self::Descriptors => "there is no file descriptor left",
            Self::System => "the system refused a thread or a timer",
            Self::Ended => "the pump has ended",
        })
    }
}
