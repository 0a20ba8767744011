//! CoAP messages (RFC 7252 § 3) as checked views, and their making.
//!
//! No bytes make anything here panic. A view borrows the bytes that it was read from.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
mod block;
mod builder;
mod code;
mod options;
#[cfg(test)]
mod tests;
mod view;

pub use block::{Block, LARGE_BLOCK, SMALL_BLOCK};
pub use builder::Builder;
pub use code::Code;
pub use options::{Options, number, uint};
pub use view::{Broken, View};

/// The version of the protocol (RFC 7252 § 3).
const VERSION: u8 = 1;
/// Bytes of the header.
const HEADER_LEN: usize = 4;
/// Bytes of a token at most.
const MAX_TOKEN: usize = 8;
/// What stands before a payload.
const PAYLOAD_MARKER: u8 = 0xff;
/// Bytes of a message that one datagram is sure to carry (RFC 7252 § 4.6).
pub const MESSAGE_LEN: usize = 1152;

/// What becomes of a message when it is lost (RFC 7252 § 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Repeated until it is acknowledged.
    Confirmable,
    /// Sent once.
    NonConfirmable,
    /// Says that a confirmable message has come, perhaps with the response to it.
    Acknowledgement,
    /// Says that a message was of no use.
    Reset,
}

impl Kind {
    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Confirmable,
            1 => Self::NonConfirmable,
            2 => Self::Acknowledgement,
            _ => Self::Reset,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Confirmable => 0,
            Self::NonConfirmable => 1,
            Self::Acknowledgement => 2,
            Self::Reset => 3,
        }
    }
}

/// The token by which a client knows a response (RFC 7252 § 5.3.1): 0 to 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Token {
    bytes: [u8; MAX_TOKEN],
    len: u8,
}

impl Token {
    /// A token of these bytes; `None`: more than 8.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut token = Self { bytes: [0; MAX_TOKEN], len: bytes.len().try_into().ok()? };
        token.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(token)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}
