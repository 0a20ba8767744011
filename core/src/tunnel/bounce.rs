//! ICMP errors that answer packets, at a bounded rate.
use super::shared::Shared;
use super::{Outbound, PacketBuf, Span};
use crate::cookie::bucket::Rate;
use crate::limits::ICMP_ERRORS_PER_SECOND;
use crate::packet::icmp;
use crate::stats::DropReason;

impl Shared {
    /// Drops a packet of `len` bytes and, where the RFCs and the rate of errors allow, writes an ICMP error over it.
    pub(super) fn bounce(
        &mut self,
        packet: &mut PacketBuf<'_>,
        len: u32,
        reason: DropReason,
        error: icmp::Error,
    ) -> Outbound<Span> {
        let verdict = self.drop(reason);
        let rate = Rate::new(ICMP_ERRORS_PER_SECOND, ICMP_ERRORS_PER_SECOND);
        let now = self.clock.now();
        let bucket = match error {
            icmp::Error::TooBig { .. } => &mut self.bounces.too_big,
            _ => &mut self.bounces.unreachable,
        };
        if bucket.is_empty(now, rate) {
            return verdict;
        }
        // The packet moves to the front of the buffer: its headroom becomes room for the error's headers.
        let (buf, start, len) = (&mut *packet.buf, packet.packet.start, len as usize);
        if buf.get(start..).is_none_or(|rest| rest.len() < len) {
            return verdict;
        }
        buf.copy_within(start..start + len, 0);
        match icmp::write_error(buf, len, error).and_then(|len| u32::try_from(len).ok()) {
            Some(len) => {
                bucket.take(now, rate);
                Outbound::Bounce { reason, packet: Span { start: 0, len } }
            }
            None => verdict,
        }
    }
}
