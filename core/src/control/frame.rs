//! The packet around a control message: IPv6 (RFC 8200 § 3) and UDP (RFC 768), in place.
//!
//! Nothing of it is left to choice: addresses, ports, lengths and the checksum have one value each, and a packet in which one
//! of them is another is no control message. Traffic class, flow label and hop limit may be anything.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
use super::address::PORT;
use crate::packet::checksum::Sum;

/// Bytes before the message.
pub const HEADERS: usize = IPV6_HEADER + UDP_HEADER;

const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
/// The next header of IPv6 that is UDP.
const UDP: u8 = 17;
/// The hop limit of what we write.
const HOP_LIMIT: u8 = 64;

/// Who speaks to whom: the addresses of a control packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Where it comes from.
    pub from: u128,
    /// Where it goes.
    pub to: u128,
}

/// Writes the headers of `packet`, whose message stands behind [`HEADERS`] bytes of room. `None`: it is shorter than its
/// headers or longer than IPv6 can say, and nothing was written.
#[must_use]
pub fn write(packet: &mut [u8], ends: Ends) -> Option<()> {
    let (ip, udp) = packet.split_first_chunk_mut::<IPV6_HEADER>()?;
    let len = u16::try_from(udp.len()).ok()?;
    let [len_high, len_low] = len.to_be_bytes();
    let [port_high, port_low] = PORT.to_be_bytes();
    *udp.first_chunk_mut()? = [port_high, port_low, port_high, port_low, len_high, len_low, 0, 0];
    let (fixed, addresses) = ip.split_at_mut(IPV6_HEADER - 32);
    fixed.copy_from_slice(&[0x60, 0, 0, 0, len_high, len_low, UDP, HOP_LIMIT]);
    let (from, to) = addresses.split_at_mut(16);
    from.copy_from_slice(&ends.from.to_be_bytes());
    to.copy_from_slice(&ends.to.to_be_bytes());
    // Zero would mean that there is none (RFC 768), which IPv6 does not allow (RFC 8200 § 8.1).
    let checksum = match sum(addresses, udp).checksum() {
        0 => u16::MAX,
        checksum => checksum,
    };
    udp.get_mut(6..UDP_HEADER)?.copy_from_slice(&checksum.to_be_bytes());
    Some(())
}

/// Bytes of the message in `packet`, which stands behind [`HEADERS`] bytes; `None` when this is no control packet between these
/// ends. `packet` is the whole of an IPv6 packet, without padding.
#[must_use]
pub fn read(packet: &[u8], ends: Ends) -> Option<usize> {
    let (ip, udp) = packet.split_first_chunk::<IPV6_HEADER>()?;
    let (fixed, addresses) = ip.split_first_chunk::<8>()?;
    let [version, _, _, _, len_high, len_low, UDP, _] = *fixed else { return None };
    let [from, to] = addresses.as_chunks::<16>().0 else { return None };
    let [source_high, source_low, target_high, target_low, udp_high, udp_low, sum_high, sum_low] =
        *udp.first_chunk()?;
    let sound = version >> 4 == 6
        && (u128::from_be_bytes(*from), u128::from_be_bytes(*to)) == (ends.from, ends.to)
        && [[source_high, source_low], [target_high, target_low]] == [PORT.to_be_bytes(); 2]
        && usize::from(u16::from_be_bytes([len_high, len_low])) == udp.len()
        && [udp_high, udp_low] == [len_high, len_low]
        && [sum_high, sum_low] != [0, 0]
        && sum(addresses, udp).checksum() == 0;
    if sound { packet.len().checked_sub(HEADERS) } else { None }
}

/// The sum over the pseudo-header (RFC 8200 § 8.1: addresses, length, next header) and the UDP datagram.
fn sum(addresses: &[u8], udp: &[u8]) -> Sum {
    // A datagram is shorter than 2^16 bytes; one that is not has been refused.
    Sum::new().bytes(addresses).word(udp.len() as u16).word(UDP.into()).bytes(udp)
}

#[cfg(test)]
mod tests;
