//! ICMP and ICMPv6 messages as rules see them: questions, answers, errors, and all else (RFC 792, RFC 4443).
use super::super::ICMPV6;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Icmp<'a> {
    /// A question or the answer to one: echo, and the timestamp of IPv4.
    Query {
        /// The type of the question, also of an answer to it.
        kind: u8,
        /// The identifier that question and answer have in common.
        id: u16,
        /// Whether it is the answer.
        is_answer: bool,
    },
    /// An error about a packet: unreachable, too big, time exceeded, parameter problem.
    Error {
        /// The first bytes of that packet.
        quoted: &'a [u8],
    },
    /// Redirects, discovery of routers and neighbours, and what is unknown. None of them has a place in a tunnel.
    Other,
}

impl<'a> Icmp<'a> {
    /// Reads a message, or the first fragment of one; `protocol` says of which family. `None`: its header is cut short.
    pub(crate) fn read(protocol: u8, message: &'a [u8]) -> Option<Self> {
        let ([kind, _, _, _, high, low, _, _], quoted) = message.split_first_chunk()?;
        let id = u16::from_be_bytes([*high, *low]);
        let (question, is_answer) = match (protocol == ICMPV6, *kind) {
            (false, 8 | 13) | (true, 128) => (*kind, false),
            (false, 0) => (8, true),
            (false, 14) => (13, true),
            (true, 129) => (128, true),
            (false, 3 | 11 | 12) | (true, 1..=4) => return Some(Self::Error { quoted }),
            _ => return Some(Self::Other),
        };
        Some(Self::Query { kind: question, id, is_answer })
    }
}
