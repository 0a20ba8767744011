//! Packets and datagrams in the caller's memory, and what became of each.
use super::types::{Inbound, Outbound};
use crate::packet::ecn::Ecn;
use crate::peer::Path;
use crate::stats::DropReason;
use core::ops::Range;

/// A stretch of a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: u32,
    /// Its bytes.
    pub len: u32,
}

impl Span {
    /// Its bytes in `buf`; `None` when it does not lie within.
    #[must_use]
    #[inline]
    pub fn of(self, buf: &[u8]) -> Option<&[u8]> {
        buf.get(self.start as usize..)?.get(..self.len as usize)
    }

    /// Its bytes in `buf`, to be written to; `None` when it does not lie within.
    #[must_use]
    #[inline]
    pub fn of_mut(self, buf: &mut [u8]) -> Option<&mut [u8]> {
        buf.get_mut(self.start as usize..)?.get_mut(..self.len as usize)
    }
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

/// A packet of a batch. It may be filled again and handed to another call.
#[derive(Debug)]
#[non_exhaustive]
pub struct PacketSlot<'b> {
    /// The packet.
    pub packet: PacketBuf<'b>,
    /// What became of it; spans are of `packet.buf`. Before the call: `Dropped(NoRoom)`, counted nowhere.
    pub verdict: Outbound<Span>,
}

impl<'b> PacketSlot<'b> {
    /// A packet to be sealed.
    #[must_use]
    #[inline]
    pub const fn new(packet: PacketBuf<'b>) -> Self {
        Self { packet, verdict: Outbound::Dropped(DropReason::NoRoom) }
    }

    /// What became of the packet, with the bytes.
    #[inline]
    pub fn outcome(&self) -> Outbound<&[u8]> {
        self.verdict.of(self.packet.buf)
    }

    /// The same for as long as the memory lasts.
    #[inline]
    pub fn into_outcome(self) -> Outbound<&'b [u8]> {
        self.verdict.of(self.packet.buf)
    }
}

/// A datagram of a batch. It may be filled again and handed to another call.
#[derive(Debug)]
#[non_exhaustive]
pub struct DatagramSlot<'b> {
    /// Where it came from and where it arrived.
    pub path: Path,
    /// The ECN bits of its outer header.
    pub ecn: Ecn,
    /// The datagram.
    pub datagram: &'b mut [u8],
    /// What became of it; spans are of `datagram`. Before the call: `Dropped(NoRoom)`, counted nowhere.
    pub verdict: Inbound<Span>,
}

impl<'b> DatagramSlot<'b> {
    /// A datagram to be opened.
    #[must_use]
    #[inline]
    pub const fn new(path: Path, ecn: Ecn, datagram: &'b mut [u8]) -> Self {
        Self { path, ecn, datagram, verdict: Inbound::Dropped(DropReason::NoRoom) }
    }

    /// What became of the datagram, with the bytes.
    #[inline]
    pub fn outcome(&mut self) -> Inbound<&mut [u8]> {
        self.verdict.of_mut(self.datagram)
    }

    /// The same for as long as the memory lasts.
    #[inline]
    pub fn into_outcome(self) -> Inbound<&'b mut [u8]> {
        self.verdict.of_mut(self.datagram)
    }
}
