//! What a call may be refused with.
use crate::diagnostic::Diagnostic;
use std::fmt;
use underpass_core::error::KeyError;
use underpass_core::{ConfigError, NoRandomness, Status};

/// Why a call was refused. Nothing was changed then, but for `Panic`.
///
/// Each has the code of the C interface, see [`code`](Self::code). No text in it repeats a key.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Error)]
#[uniffi::export(Display)]
pub enum TunnelError {
    /// The tunnel was shut down. Its code is that of C's missing pointer.
    Closed,
    /// A struct has a size that the library does not know. Only the data plane answers so.
    Size,
    /// An argument is out of its range.
    Argument {
        /// Which one.
        what: String,
    },
    /// The memory for an answer is too short. Only the data plane answers so.
    Buffer,
    /// Two buffers of a batch share memory. Only the data plane answers so.
    Overlap,
    /// A batch has more slots than it may have. Only the data plane answers so.
    Batch,
    /// The text or the bytes are no key.
    Key,
    /// The configuration has errors.
    Config {
        /// Errors and warnings, in the order of the text.
        diagnostics: Vec<Diagnostic>,
        /// How many more there are.
        more: u64,
    },
    /// A public key is a point of low order, which no peer can have.
    LowOrderKey {
        /// Which change or peer of the list, from 0, if it is known.
        index: Option<u32>,
    },
    /// There are more peers than `peers` of the limits.
    TooManyPeers {
        /// Which change or peer of the list, from 0, is one too many, if it is known.
        index: Option<u32>,
    },
    /// A prefix length is too long for its address.
    Prefix {
        /// Of which argument.
        what: String,
    },
    /// The MTU is outside 68 to 65535.
    Mtu,
    /// A limit is zero or too large.
    Limit,
    /// The tunnel has no such peer, or not any more.
    NoPeer,
    /// A job of the data plane is not one for this step. Only the data plane answers so.
    Job,
    /// The system gives no randomness.
    Random,
    /// The tunnel is in use by another call. Only the data plane answers so: calls of the control plane wait.
    Busy,
    /// A bug in the library stopped this call. The tunnel is of no use any more.
    Panic,
    /// A bug stopped an earlier call. The tunnel is of no use any more; shut it down.
    Poisoned,
    /// There is no memory for what was asked.
    Memory,
}

#[uniffi::export]
impl TunnelError {
    /// The code of the error: the number that the C interface has for it, below 0.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status().code()
    }
}

impl TunnelError {
    pub(crate) fn argument(what: &str) -> Self {
        Self::Argument { what: what.to_owned() }
    }

    pub(crate) fn prefix(what: &str) -> Self {
        Self::Prefix { what: what.to_owned() }
    }

    /// The status that C answers with.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Closed => Status::Null,
            Self::Size => Status::Size,
            Self::Argument { .. } => Status::Argument,
            Self::Buffer => Status::Buffer,
            Self::Overlap => Status::Overlap,
            Self::Batch => Status::Batch,
            Self::Key => Status::Key,
            Self::Config { .. } => Status::Config,
            Self::LowOrderKey { .. } => Status::LowOrderKey,
            Self::TooManyPeers { .. } => Status::TooManyPeers,
            Self::Prefix { .. } => Status::Prefix,
            Self::Mtu => Status::Mtu,
            Self::Limit => Status::Limit,
            Self::NoPeer => Status::NoPeer,
            Self::Job => Status::Job,
            Self::Random => Status::Random,
            Self::Busy => Status::Busy,
            Self::Panic => Status::Panic,
            Self::Poisoned => Status::Poisoned,
            Self::Memory => Status::Memory,
        }
    }

    /// The error for a status, with no more than that says; `None` for a status that is no error.
    #[must_use]
    pub fn of_status(status: Status) -> Option<Self> {
        Some(match status {
            Status::Null => Self::Closed,
            Status::Size => Self::Size,
            Status::Argument => Self::argument(""),
            Status::Buffer => Self::Buffer,
            Status::Overlap => Self::Overlap,
            Status::Batch => Self::Batch,
            Status::Key => Self::Key,
            Status::Config => Self::Config { diagnostics: Vec::new(), more: 0 },
            Status::LowOrderKey => Self::LowOrderKey { index: None },
            Status::TooManyPeers => Self::TooManyPeers { index: None },
            Status::Prefix => Self::prefix(""),
            Status::Mtu => Self::Mtu,
            Status::Limit => Self::Limit,
            Status::NoPeer => Self::NoPeer,
            Status::Job => Self::Job,
            Status::Random => Self::Random,
            Status::Busy => Self::Busy,
            Status::Panic => Self::Panic,
            Status::Poisoned => Self::Poisoned,
            Status::Memory => Self::Memory,
            _ => return None,
        })
    }
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the tunnel was shut down"),
            Self::Argument { what } if !what.is_empty() => write!(f, "out of its range: {what}"),
            Self::Prefix { what } if !what.is_empty() => write!(f, "a prefix length is too long: {what}"),
            Self::LowOrderKey { index: Some(index) } | Self::TooManyPeers { index: Some(index) } => {
                write!(f, "{} (number {index} of the list)", self.status().text())
            }
            Self::Config { diagnostics, .. } => match diagnostics.iter().find(|one| one.is_error()) {
                Some(first) => write!(f, "{first}"),
                None => f.write_str(Status::Config.text()),
            },
            _ => f.write_str(self.status().text()),
        }
    }
}

impl std::error::Error for TunnelError {}

impl From<KeyError> for TunnelError {
    fn from(_: KeyError) -> Self {
        Self::Key
    }
}

impl From<NoRandomness> for TunnelError {
    fn from(NoRandomness: NoRandomness) -> Self {
        Self::Random
    }
}

impl From<ConfigError> for TunnelError {
    fn from(error: ConfigError) -> Self {
        let index = error.change.and_then(|change| u32::try_from(change).ok());
        match Status::from(error) {
            Status::LowOrderKey => Self::LowOrderKey { index },
            Status::TooManyPeers => Self::TooManyPeers { index },
            Status::Argument => Self::argument("padding"),
            status => Self::of_status(status).unwrap_or(Self::Panic),
        }
    }
}

/// What an observer threw. Nobody is told; the tunnel tries it again.
impl From<uniffi::UnexpectedUniFFICallbackError> for TunnelError {
    fn from(_: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Panic
    }
}
