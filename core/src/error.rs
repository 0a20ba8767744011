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

/// Why a change of the configuration was refused; nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The public key is a point of low order: every secret shared with it would be zero. All zeros is taken, and nothing
    /// is ever sent to that peer.
    LowOrderPublicKey,
    /// More peers than [`Limits::peers`](crate::Limits::peers).
    TooManyPeers,
    /// The MTU is outside 68..=65535.
    MtuOutOfRange,
    /// A limit is zero or beyond what the core can count.
    LimitOutOfRange,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "key has the wrong length",
            Self::Encoding => "key is not correctly encoded",
        })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LowOrderPublicKey => "public key is a point of low order",
            Self::TooManyPeers => "too many peers",
            Self::MtuOutOfRange => "MTU is outside 68..=65535",
            Self::LimitOutOfRange => "a limit is out of range",
        })
    }
}

impl core::error::Error for KeyError {}
impl core::error::Error for ConfigError {}
