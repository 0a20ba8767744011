//! Errors: misuse and configuration. What the network or the virtual interface sends is never an
//! error but an outcome with a [`DropReason`](crate::DropReason).
use core::fmt;

/// Why a key could not be read. Never carries the text that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 44 base64 characters (or 64 hexadecimal digits where hex is expected).
    Length,
    /// A character outside the alphabet, or padding in the wrong place.
    Encoding,
}

/// A configuration that was refused; nothing of it was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Which change is wrong, counted from 0: of the list given to [`configure`](crate::Tunnel::configure), or of
    /// [`TunnelConfig::peers`](crate::TunnelConfig::peers) given to [`new`](crate::Tunnel::new). `None`: something else of
    /// that `TunnelConfig`, or memory for the whole list.
    pub change: Option<usize>,
    /// What is wrong with it.
    pub reason: ConfigReason,
}

/// Why a change of the configuration was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigReason {
    /// The public key is a point of low order: every secret shared with it would be zero. All zeros is taken, and nothing
    /// is ever sent to that peer.
    LowOrderPublicKey,
    /// More peers than [`Limits::peers`](crate::Limits::peers).
    TooManyPeers,
    /// The MTU is outside 68..=65535.
    MtuOutOfRange,
    /// A limit is zero or beyond what the core can count.
    LimitOutOfRange,
    /// Padding goes to a multiple that is no power of two from 32 to 32768.
    PaddingOutOfRange,
    /// A tunnel cannot begin without randomness, nor can the first peer be ruled.
    NoRandomness,
    /// There is no memory for what the change needs.
    NoMemory,
    /// Rules make no sense, or are too many: [`Rules::check`](crate::filter::Rules::check) says which.
    #[cfg(feature = "filter")]
    BadRules,
}

/// A source of randomness gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRandomness;

/// Why [`poll_transmit`](crate::Tunnel::poll_transmit) gave no datagram although there is something to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransmitError {
    /// The buffer is too short for what is left to send. That stays, and leaves when a call brings more room.
    ShortBuffer {
        /// Bytes that the buffer must have at least.
        needed: usize,
    },
    /// A handshake message could not be made. Our initiation is tried again after 5 s; for our response, the peer has to
    /// initiate again.
    NoRandomness,
}

impl fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source of randomness gives none")
    }
}

impl core::error::Error for NoRandomness {}

impl fmt::Display for TransmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortBuffer { needed } => write!(f, "the buffer is too short: {needed} bytes are needed"),
            Self::NoRandomness => NoRandomness.fmt(f),
        }
    }
}

impl core::error::Error for TransmitError {}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "key has the wrong length",
            Self::Encoding => "key is not correctly encoded",
        })
    }
}

impl fmt::Display for ConfigReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LowOrderPublicKey => "public key is a point of low order",
            Self::TooManyPeers => "too many peers",
            Self::MtuOutOfRange => "MTU is outside 68..=65535",
            Self::LimitOutOfRange => "a limit is out of range",
            Self::PaddingOutOfRange => "padding is not a power of two from 32 to 32768",
            Self::NoRandomness => "the source of randomness gives none",
            Self::NoMemory => "there is no memory for it",
            #[cfg(feature = "filter")]
            Self::BadRules => "rules that make no sense, or too many",
        })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            Some(number) => write!(f, "change {}: {}", number.saturating_add(1), self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl core::error::Error for KeyError {}
impl core::error::Error for ConfigReason {}
impl core::error::Error for ConfigError {}
