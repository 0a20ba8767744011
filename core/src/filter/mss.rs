//! The maximum segment size that TCP ends announce, made to fit the tunnel (RFC 9293 § 3.7.1, RFC 4459 § 3.2).
use crate::packet::checksum::mend;
use crate::packet::tcp::{CHECKSUM_AT, Flags, HEADER, TCP, Tcp};
use crate::packet::{Address, inner};

/// Bytes of the headers of IPv4 and IPv6 without options.
const IPV4: u16 = 20;
const IPV6: u16 = 40;

/// Lowers the maximum segment size that a SYN announces so that segments fit packets of `mtu` bytes, and mends its checksum
/// (RFC 1624). Returns whether it did. What is no SYN, announces none, or fits already, stays as it is.
#[must_use]
pub fn clamp(packet: &mut [u8], mtu: u16) -> bool {
    lower(packet, mtu).is_some()
}

fn lower(packet: &mut [u8], mtu: u16) -> Option<()> {
    let inner = inner::read(packet).ok()?;
    if inner.protocol != TCP || inner.fragment.is_some_and(|fragment| fragment.offset != 0) {
        return None;
    }
    let segment = Tcp::read(inner.payload)?;
    let (at, old) = segment.mss().filter(|_| segment.flags().has(Flags::SYN))?;
    let header = match inner.source {
        Address::V4(_) => IPV4,
        Address::V6(_) => IPV6,
    };
    let new = mtu.saturating_sub(header).saturating_sub(HEADER as u16);
    if old <= new {
        return None;
    }
    let behind = inner.total_len.checked_sub(inner.payload.len())?;
    let segment = packet.get_mut(behind..)?;
    segment.get_mut(at..)?.first_chunk_mut::<2>().map(|value| *value = new.to_be_bytes())?;
    let checksum = segment.get_mut(CHECKSUM_AT..)?.first_chunk_mut::<2>()?;
    // Behind an odd number of bytes the value lies across two words of the sum: the lower half of one and the upper half
    // of the next, which is the same as both halves exchanged in one word (RFC 1071 § 2 (B)).
    let (old, new) = if at.is_multiple_of(2) { (old, new) } else { (old.swap_bytes(), new.swap_bytes()) };
    *checksum = mend(u16::from_be_bytes(*checksum), old, new).to_be_bytes();
    Some(())
}
