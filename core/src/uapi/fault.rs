//! What can be wrong with a request, and the number by which its sender learns of it.
use crate::error::KeyError;
use crate::memory::NoMemory;
use core::fmt;

/// Reading or writing the control socket failed (Linux's number, as are those below).
pub const EIO: i32 = 5;
/// There is no memory for the request; nothing of it was applied.
pub const ENOMEM: i32 = 12;
/// A key of the request is unknown, or its value is wrong. Also the answer to a
/// [`ConfigError`](crate::ConfigError).
pub const EINVAL: i32 = 22;
/// The request is not of the protocol's form.
pub const EPROTO: i32 = 71;
/// The request is longer than the host allows.
pub const EMSGSIZE: i32 = 90;
/// The listen port is taken, or the firewall mark cannot be set.
pub const EADDRINUSE: i32 = 98;

/// Why a request was refused, and where. It repeats nothing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UapiError {
    /// The line, from 1 for the one after the operation; 0 for the operation itself.
    pub line: u32,
    /// The key of the line, if it is a known one.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub fault: Fault,
}

/// What a [`UapiError`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Neither `get=1` nor `set=1`.
    UnknownOperation,
    /// Something follows `get=1` that is not an empty line.
    TrailingText,
    /// The request is longer than the buffer's limit.
    TooLong,
    /// The request is not UTF-8.
    NotUtf8,
    /// The line is not `key=value`.
    NotKeyValue,
    /// No key of the protocol, or not one of the part (tunnel or peer) it stands in.
    UnknownKey,
    /// The value is no key.
    Key(KeyError),
    /// The value is no decimal number, or too large.
    Number,
    /// The value is not `true`.
    NotTrue,
    /// The value is not `IP:port`.
    Endpoint,
    /// The value is not `IP/length`.
    AllowedIp,
    /// A version of the protocol other than 1.
    Version,
    /// There is no memory for the request.
    NoMemory,
}

impl From<NoMemory> for Fault {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl UapiError {
    /// An error of the operation itself.
    pub(super) const fn of_operation(fault: Fault) -> Self {
        Self { line: 0, key: None, fault }
    }

    /// The number to answer with, by [`write_status`].
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self.fault {
            Fault::UnknownOperation | Fault::NotUtf8 | Fault::NotKeyValue => EPROTO,
            Fault::TooLong => EMSGSIZE,
            Fault::NoMemory => ENOMEM,
            _ => EINVAL,
        }
    }
}

/// Ends an answer: 0 for success, or one of the numbers above.
///
/// Errors go out with a minus sign, as `wg` and wireguard-go have it.
///
/// # Errors
/// Those of `out`.
pub fn write_status(errno: i32, out: &mut impl fmt::Write) -> fmt::Result {
    let sign = if errno == 0 { "" } else { "-" };
    write!(out, "errno={sign}{}\n\n", errno.unsigned_abs())
}

impl fmt::Display for UapiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if let Some(key) = self.key {
            write!(f, "{key}: ")?;
        }
        self.fault.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownOperation => "expected get=1 or set=1",
            Self::TrailingText => "expected an empty line after get=1",
            Self::TooLong => "request is too long",
            Self::NotUtf8 => "request is not UTF-8",
            Self::NotKeyValue => "expected key=value",
            Self::UnknownKey => "unknown key",
            Self::Key(error) => return error.fmt(f),
            Self::Number => "not a number in range",
            Self::NotTrue => "expected true",
            Self::Endpoint => "not an address and port",
            Self::AllowedIp => "not an address and prefix length",
            Self::Version => "unknown version of the protocol",
            Self::NoMemory => "no memory for the request",
        })
    }
}

impl core::error::Error for UapiError {}
