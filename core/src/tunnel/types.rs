//! What goes in and comes out of a tunnel, packet by packet.
use crate::packet::ecn::Ecn;
use crate::peer::{Path, PeerId};
use crate::stats::DropReason;
use core::ops::Range;

/// A datagram to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The peer it goes to; `None` for a cookie reply.
    pub peer: Option<PeerId>,
    /// Where it goes, and from where.
    pub path: Path,
    /// Bytes of the datagram.
    pub len: usize,
    /// The ECN bits of the outer header; its DSCP is 0.
    pub ecn: Ecn,
}

/// An inner packet with room around it, so that sealing never copies: `buf[packet]` is the packet, with
/// [`HEADROOM`](crate::limits::HEADROOM) bytes before it and [`TAILROOM`](crate::limits::TAILROOM) behind.
#[derive(Debug)]
pub struct PacketBuf<'b> {
    /// The memory.
    pub buf: &'b mut [u8],
    /// Where in it the packet is.
    pub packet: Range<usize>,
}

/// A packet of a batch.
#[derive(Debug)]
pub struct PacketSlot<'b> {
    /// The packet.
    pub packet: PacketBuf<'b>,
    /// What became of it; offsets are into `packet.buf`.
    pub verdict: Verdict,
}

/// A datagram of a batch.
#[derive(Debug)]
pub struct DatagramSlot<'b> {
    /// Where it came from and where it arrived.
    pub path: Path,
    /// The ECN bits of its outer header.
    pub ecn: Ecn,
    /// The datagram.
    pub datagram: &'b mut [u8],
    /// What became of it; offsets are into `datagram`.
    pub verdict: Verdict,
}

/// What became of a packet.
#[must_use]
#[derive(Debug)]
pub enum Outbound<'b> {
    /// Send this.
    Datagram {
        /// Where to.
        transmit: Transmit,
        /// The sealed bytes.
        datagram: &'b [u8],
    },
    /// Copied to the peer's bounded queue; a handshake is needed first.
    Staged,
    /// An ICMP error, written over the packet: give it to the virtual interface.
    Bounce {
        /// Why.
        reason: DropReason,
        /// The ICMP packet.
        packet: &'b [u8],
    },
    /// Gone, and counted.
    Dropped(DropReason),
}

/// What became of a datagram.
#[must_use]
#[derive(Debug)]
pub enum Inbound<'b> {
    /// A checked packet: give it to the virtual interface.
    Packet {
        /// Who sent it.
        peer: PeerId,
        /// The packet, without padding.
        packet: &'b mut [u8],
    },
    /// A cookie reply, written over the datagram: send it back where that came from.
    Reply(&'b [u8]),
    /// Taken in (handshake, keepalive): poll.
    Consumed,
    /// Gone, and counted; the sender learns nothing.
    Dropped(DropReason),
}

/// The same facts without a lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Not looked at yet.
    #[default]
    Pending,
    /// `buf[start..start + len]` is a packet for the virtual interface.
    Deliver {
        /// Who sent it.
        peer: PeerId,
        /// First byte.
        start: u32,
        /// Bytes.
        len: u32,
    },
    /// `buf[start..start + transmit.len]` is a datagram to send.
    Send {
        /// Where to.
        transmit: Transmit,
        /// First byte.
        start: u32,
    },
    /// `datagram[..len]` is a cookie reply: send it back where the datagram came from.
    Reply {
        /// Bytes.
        len: u32,
    },
    /// `buf[start..start + len]` is an ICMP error for the virtual interface.
    Bounce {
        /// Why.
        reason: DropReason,
        /// First byte.
        start: u32,
        /// Bytes.
        len: u32,
    },
    /// Taken in: poll.
    Consumed,
    /// Copied to the peer's bounded queue.
    Staged,
    /// Gone, and counted.
    Dropped(DropReason),
}

/// The outcome of a begin step.
#[must_use]
#[derive(Debug)]
pub enum Begin<Job> {
    /// Run the job's crypt step on any thread, then finish in order.
    Crypt(Job),
    /// Nothing to crypt: this is the verdict.
    Done(Verdict),
}
