//! The four messages of WireGuard as checked views of bytes (paper § 5.4).
//!
//! Type and length are tested once, in [`Message::parse`]; from then on a message has all its fields. Nothing here
//! panics on any input. A view reads; the `…Fields` of a message write it, so that the layout stands in one file
//! per message and nowhere else.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod cookie_reply;
pub mod field;
pub mod initiation;
pub mod response;
pub mod transport;

pub use cookie_reply::{COOKIE_REPLY_LEN, CookieReply, CookieReplyFields};
pub use field::Field;
pub use initiation::{INITIATION_LEN, Initiation, InitiationFields};
pub use response::{RESPONSE_LEN, Response, ResponseFields};
pub use transport::{TRANSPORT_HEADER_LEN, TRANSPORT_MIN_LEN, Transport};

/// What a datagram claims to be, after type, reserved bytes and length were checked exactly.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// Type 1.
    Initiation(Initiation<'a>),
    /// Type 2.
    Response(Response<'a>),
    /// Type 3.
    CookieReply(CookieReply<'a>),
    /// Type 4.
    Transport(Transport),
}

impl<'a> Message<'a> {
    /// Reads the type word and checks the length: exact for handshake messages, at least 32 for data.
    /// `None` for anything else.
    #[inline]
    #[must_use]
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let word = u32::from_le_bytes(*datagram.first_chunk()?);
        // Nearly every datagram is data: one comparison of the word and one of the length.
        if word == transport::TYPE {
            return Transport::read(datagram).map(Self::Transport);
        }
        Self::parse_handshake(word, datagram)
    }

    #[cold]
    fn parse_handshake(word: u32, datagram: &'a [u8]) -> Option<Self> {
        match word {
            initiation::TYPE => Initiation::view(datagram).map(Self::Initiation),
            response::TYPE => Response::view(datagram).map(Self::Response),
            cookie_reply::TYPE => CookieReply::view(datagram).map(Self::CookieReply),
            _ => None,
        }
    }
}

/// Bytes of mac1 and mac2 together, the end of an initiation and of a response.
pub const MACS_LEN: usize = 32;

/// An initiation or a response taken apart at its MACs (paper § 5.4.4).
#[derive(Clone, Copy, Debug)]
pub struct Macs<'a> {
    /// What mac1 covers.
    pub before_mac1: &'a [u8],
    /// The first MAC.
    pub mac1: &'a [u8; 16],
    /// What mac2 covers: all of the above.
    pub before_mac2: &'a [u8],
    /// The second MAC.
    pub mac2: &'a [u8; 16],
}

impl<'a> Macs<'a> {
    /// Takes a handshake message apart; `None` when it is shorter than its two MACs.
    #[must_use]
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let (before_mac2, mac2) = message.split_last_chunk()?;
        let (before_mac1, mac1) = before_mac2.split_last_chunk()?;
        Some(Self { before_mac1, mac1, before_mac2, mac2 })
    }
}

#[cfg(test)]
mod tests;
