//! How far a flow has come, and how long it lives without packets.
use crate::packet::tcp::{Flags, TCP};
use crate::packet::{ICMP, ICMPV6};
use core::time::Duration;

/// An established TCP connection: 2 h 4 min (RFC 5382 § 5, REQ-5).
const ESTABLISHED: Duration = Duration::from_secs(2 * 3600 + 4 * 60);
/// A TCP connection that is partially open or closing: 4 min (RFC 5382 § 5, REQ-5).
const TRANSITORY: Duration = Duration::from_secs(4 * 60);
/// UDP, and protocols of which nothing is known: 5 min (RFC 4787 § 4.3, REQ-5).
const DATAGRAMS: Duration = Duration::from_secs(5 * 60);
/// Questions of ICMP: 60 s (RFC 5508 § 3.2, REQ-2).
const QUERY: Duration = Duration::from_secs(60);

/// The state of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::filter) enum State {
    /// No flow: the place is free.
    Free,
    /// TCP: who began has sent a SYN.
    SynSent,
    /// TCP: the other end has sent one, too.
    SynReceived,
    /// TCP: who began has acknowledged it.
    Established,
    /// TCP: one end has sent FIN or RST.
    Closing,
    /// Other protocols: only who began has sent.
    Asked,
    /// Other protocols: both have.
    Answered,
}

/// Kinds of flows, in the order in which they give way when there are too many.
pub(super) const CLASSES: usize = 4;

impl State {
    /// The state of a flow whose first packet is of this protocol.
    pub(in crate::filter) const fn first(protocol: u8) -> Self {
        if protocol == TCP { Self::SynSent } else { Self::Asked }
    }

    /// The state after a packet; `flags` are those of a TCP segment.
    #[inline]
    pub(in crate::filter) const fn after(self, by_beginner: bool, flags: Option<Flags>) -> Self {
        let Some(flags) = flags else {
            return match self {
                Self::Asked if !by_beginner => Self::Answered,
                state => state,
            };
        };
        match self {
            Self::Free | Self::Asked | Self::Answered | Self::Closing => self,
            _ if flags.has(Flags::RST) || flags.has(Flags::FIN) => Self::Closing,
            // With or without ACK: both ends may begin at once (RFC 9293 § 3.5, figure 7).
            Self::SynSent if !by_beginner && flags.has(Flags::SYN) => Self::SynReceived,
            Self::SynReceived if by_beginner && flags.has(Flags::ACK) => Self::Established,
            _ => self,
        }
    }

    /// How long a flow of this state lives without packets.
    #[inline]
    pub(in crate::filter) const fn patience(self, protocol: u8) -> Duration {
        match self {
            Self::Free => Duration::ZERO,
            Self::SynSent | Self::SynReceived | Self::Closing => TRANSITORY,
            Self::Established => ESTABLISHED,
            Self::Asked | Self::Answered if protocol == ICMP || protocol == ICMPV6 => QUERY,
            Self::Asked | Self::Answered => DATAGRAMS,
        }
    }

    /// Its class: the lower, the sooner it gives way.
    pub(super) const fn class(self) -> usize {
        match self {
            Self::Free | Self::SynSent | Self::SynReceived | Self::Asked => 0,
            Self::Closing => 1,
            Self::Answered => 2,
            Self::Established => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Answered, Asked, Closing, Established, SynReceived, SynSent};
    use super::*;

    const SYN: u8 = Flags::SYN;
    const ACK: u8 = Flags::ACK;
    const FIN: u8 = Flags::FIN;
    const RST: u8 = Flags::RST;

    #[test]
    fn the_walk_of_tcp() {
        for (number, state, by_beginner, flags, after) in [
            (1, SynSent, true, SYN, SynSent),
            (2, SynSent, false, SYN | ACK, SynReceived),
            (3, SynSent, false, SYN, SynReceived),
            (4, SynSent, false, ACK, SynSent),
            (5, SynSent, true, ACK, SynSent),
            (6, SynSent, false, RST | ACK, Closing),
            (7, SynReceived, false, SYN | ACK, SynReceived),
            (8, SynReceived, false, ACK, SynReceived),
            (9, SynReceived, true, SYN, SynReceived),
            (10, SynReceived, true, ACK, Established),
            (11, SynReceived, true, SYN | ACK, Established),
            (12, SynReceived, true, FIN | ACK, Closing),
            (13, Established, true, ACK, Established),
            (14, Established, false, ACK, Established),
            (15, Established, true, SYN, Established),
            (16, Established, true, FIN | ACK, Closing),
            (17, Established, false, FIN | ACK, Closing),
            (18, Established, false, RST, Closing),
            (19, Closing, true, ACK, Closing),
            (20, Closing, false, SYN | ACK, Closing),
        ] {
            assert_eq!(state.after(by_beginner, Some(Flags(flags))), after, "row {number}");
        }
    }

    #[test]
    fn questions_are_answered_by_the_other_end() {
        assert_eq!(Asked.after(true, None), Asked);
        assert_eq!(Asked.after(false, None), Answered);
        assert_eq!(Answered.after(true, None), Answered);
    }
}
