//! What a tunnel answers: where datagrams go, and what became of packets and datagrams.
use super::slots::Span;
use crate::packet::ecn::Ecn;
use crate::peer::{Path, PeerId};
use crate::stats::DropReason;

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The peer it goes to.
    pub peer: PeerId,
    /// The host's own number for the peer ([`PeerChange::user`](crate::PeerChange::user)).
    pub user: u64,
    /// Where it goes, and from where.
    pub path: Path,
    /// Bytes of the datagram.
    pub len: usize,
    /// The ECN bits of the outer header; its DSCP is 0.
    pub ecn: Ecn,
}

/// What became of a packet. `B` are the bytes in question: a [`Span`] of the packet's buffer, or a slice.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outbound<B> {
    /// Send this.
    Datagram {
        /// Where to.
        transmit: Transmit,
        /// The sealed bytes.
        datagram: B,
    },
    /// Copied to the peer's bounded queue; a handshake is needed first.
    Staged,
    /// An ICMP error, written over the packet: give it to the virtual interface.
    Bounce {
        /// Why.
        reason: DropReason,
        /// The ICMP packet.
        packet: B,
    },
    /// Gone, and counted.
    Dropped(DropReason),
}

impl Outbound<Span> {
    /// The same with the bytes themselves, out of the buffer that the packet is in; `Dropped(NoRoom)` when they do not lie
    /// within `buf`.
    #[inline]
    pub fn of(self, buf: &[u8]) -> Outbound<&[u8]> {
        let made = match self {
            Self::Datagram { transmit, datagram } => {
                datagram.of(buf).map(|datagram| Outbound::Datagram { transmit, datagram })
            }
            Self::Bounce { reason, packet } => packet.of(buf).map(|packet| Outbound::Bounce { reason, packet }),
            Self::Staged => return Outbound::Staged,
            Self::Dropped(reason) => return Outbound::Dropped(reason),
        };
        made.unwrap_or(Outbound::Dropped(DropReason::NoRoom))
    }
}

impl<B> From<DropReason> for Outbound<B> {
    #[inline]
    fn from(reason: DropReason) -> Self {
        Self::Dropped(reason)
    }
}

/// What became of a datagram. `B` are the bytes in question: a [`Span`] of the datagram, or a slice.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound<B> {
    /// A checked packet: give it to the virtual interface.
    Packet {
        /// Who sent it.
        peer: PeerId,
        /// The host's own number for the peer ([`PeerChange::user`](crate::PeerChange::user)).
        user: u64,
        /// The packet, without padding.
        packet: B,
    },
    /// A message of the control channel. It is not for the virtual interface.
    #[cfg(feature = "control")]
    Control {
        /// Who sent it.
        peer: PeerId,
        /// The host's own number for the peer ([`PeerChange::user`](crate::PeerChange::user)).
        user: u64,
        /// The message, without the headers of IP and UDP.
        message: B,
    },
    /// A cookie reply, written over the datagram: send it back where that came from.
    Reply(B),
    /// Taken in (handshake, keepalive): poll.
    Consumed,
    /// Gone, and counted; the sender learns nothing.
    Dropped(DropReason),
}

impl Inbound<Span> {
    /// The same with the bytes themselves, out of the datagram; `Dropped(NoRoom)` when they do not lie within `datagram`.
    #[inline]
    pub fn of_mut(self, datagram: &mut [u8]) -> Inbound<&mut [u8]> {
        let made = match self {
            Self::Packet { peer, user, packet } => {
                packet.of_mut(datagram).map(|packet| Inbound::Packet { peer, user, packet })
            }
            #[cfg(feature = "control")]
            Self::Control { peer, user, message } => {
                message.of_mut(datagram).map(|message| Inbound::Control { peer, user, message })
            }
            Self::Reply(reply) => reply.of_mut(datagram).map(Inbound::Reply),
            Self::Consumed => return Inbound::Consumed,
            Self::Dropped(reason) => return Inbound::Dropped(reason),
        };
        made.unwrap_or(Inbound::Dropped(DropReason::NoRoom))
    }
}

impl<B> From<DropReason> for Inbound<B> {
    #[inline]
    fn from(reason: DropReason) -> Self {
        Self::Dropped(reason)
    }
}

/// The outcome of a begin step.
#[must_use]
#[derive(Debug)]
pub enum Begin<Job, Verdict> {
    /// Run the job's crypt step on any thread, then finish in order.
    Crypt(Job),
    /// Nothing to crypt: this is what became of it.
    Done(Verdict),
}
