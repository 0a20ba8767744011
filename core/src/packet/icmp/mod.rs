//! ICMP and ICMPv6 errors, written over the packet that caused them (RFC 792, RFC 4443, RFC 1812 § 4.3).
//!
//! The core has no address of its own. An error comes from the address the packet was sent to: it was routed to this
//! virtual interface, so a packet from it that arrives here passes every reverse-path filter (RFC 3704), which the dummy
//! address of RFC 7600 (192.0.0.8) does not. The socket is found by the packet quoted, not by who reports.
mod rules;
#[cfg(feature = "filter")]
pub(crate) mod view;

use super::checksum::Sum;
use super::{Address, ICMP, ICMPV6, IPV4_HEADER, IPV6_HEADER, Ipv4, Ipv6};

/// Which error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No peer owns the destination: host unreachable (IPv4), no route (IPv6).
    NoRoute,
    /// A peer owns it but has no endpoint: host unreachable (IPv4), address unreachable (IPv6).
    NoEndpoint,
    /// The packet exceeds this MTU: fragmentation needed (IPv4), packet too big (IPv6).
    TooBig {
        /// The MTU to announce. IPv6 hears of no less than 1280: a smaller one would be discarded (RFC 8201 § 4).
        mtu: u16,
    },
    /// A rule forbids it: communication administratively prohibited (RFC 1812 § 5.2.7.1, RFC 4443 § 3.1).
    #[cfg(feature = "filter")]
    Prohibited,
}

impl Error {
    /// Type, code, and the second word of the ICMP header (RFC 792, RFC 1191 § 4).
    const fn in_icmp(self) -> [u8; ICMP_HEADER] {
        let [high, low] = match self {
            Self::TooBig { mtu } => mtu.to_be_bytes(),
            _ => [0, 0],
        };
        let code = match self {
            Self::NoRoute | Self::NoEndpoint => 1,
            Self::TooBig { .. } => 4,
            #[cfg(feature = "filter")]
            Self::Prohibited => 13,
        };
        [3, code, 0, 0, 0, 0, high, low]
    }

    /// Type, code, and the second word of the ICMPv6 header (RFC 4443 § 3.1, § 3.2).
    fn in_icmpv6(self) -> [u8; ICMP_HEADER] {
        match self {
            Self::NoRoute => [1, 0, 0, 0, 0, 0, 0, 0],
            Self::NoEndpoint => [1, 3, 0, 0, 0, 0, 0, 0],
            #[cfg(feature = "filter")]
            Self::Prohibited => [1, 1, 0, 0, 0, 0, 0, 0],
            Self::TooBig { mtu } => {
                let [high, low] = mtu.max(IPV6_LIMIT as u16).to_be_bytes();
                [2, 0, 0, 0, 0, 0, high, low]
            }
        }
    }
}

/// Bytes of the ICMP and ICMPv6 headers of an error.
const ICMP_HEADER: usize = 8;
/// An ICMP error is not longer (RFC 1812 § 4.3.2.3).
const IPV4_LIMIT: usize = 576;
/// An ICMPv6 error is not longer: the least MTU of IPv6 (RFC 4443 § 2.4 (c)).
const IPV6_LIMIT: usize = 1280;
/// Bytes behind the quoted packet's IP header without which nobody finds the socket (RFC 792).
const QUOTED_PAYLOAD: usize = 8;
/// The hop limit of what we write.
const HOP_LIMIT: u8 = 64;
/// The TOS octet of an ICMP error: precedence "internetwork control" (RFC 1812 § 4.3.2.5).
const PRECEDENCE: u8 = 0xc0;

/// Writes the error over `buf`, whose first `packet_len` bytes are the packet; the rest is room.
/// Returns the error's length, or `None` when none may be sent (multicast, a fragment other than the first,
/// an ICMP error, an unspecified source, a broken IPv4 checksum …) or the room does not hold its headers, the packet's
/// own and 8 bytes more. `buf` is unchanged then.
/// As much of the packet is quoted as fits in `buf` and the RFC's limit (576 bytes, 1280 bytes).
///
/// A packet longer than an MTU is answered whether or not it forbids fragments: nobody here makes any.
#[must_use]
pub fn write_error(buf: &mut [u8], packet_len: usize, error: Error) -> Option<usize> {
    let packet = buf.get(..packet_len)?;
    let plan = Plan::of(packet, buf.len())?;
    buf.copy_within(..plan.quoted, plan.headers);
    plan.write(buf, error)
}

/// As [`write_error`], but into a buffer of its own, of which nothing is read.
#[cfg(feature = "filter")]
#[must_use]
pub(crate) fn write_error_about(packet: &[u8], out: &mut [u8], error: Error) -> Option<usize> {
    let plan = Plan::of(packet, out.len())?;
    let end = plan.headers.checked_add(plan.quoted)?;
    out.get_mut(plan.headers..end)?.copy_from_slice(packet.get(..plan.quoted)?);
    plan.write(out, error)
}

/// Whether the packet at the front of `packet` may be answered with an error, or another packet that nobody asked for.
#[cfg(feature = "filter")]
#[must_use]
pub(crate) fn may_answer(packet: &[u8]) -> bool {
    Ends::of(packet).is_some()
}

/// Between whom an error goes, and how long what it quotes is.
#[derive(Clone, Copy)]
struct Ends {
    from: Address,
    to: Address,
    total: usize,
    least: usize,
}

impl Ends {
    /// Those of the error that may answer `packet`.
    fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => {
                let ip = Ipv4::read(packet)?;
                let (from, to, total) = (ip.destination(), ip.source(), ip.total_len());
                let least = ip.header_len().saturating_add(QUOTED_PAYLOAD);
                let ends = Self { from: Address::V4(from), to: Address::V4(to), total, least };
                rules::may_answer_ipv4(ip, packet.get(..total)?).then_some(ends)
            }
            6 => {
                let ip = Ipv6::read(packet)?;
                let (from, to, total) = (ip.destination(), ip.source(), ip.total_len());
                let least = IPV6_HEADER + QUOTED_PAYLOAD;
                let ends = Self { from: Address::V6(from), to: Address::V6(to), total, least };
                rules::may_answer_ipv6(ip, packet.get(..total)?).then_some(ends)
            }
            _ => None,
        }
    }
}

/// An error before it is written: how much it quotes, and behind how many bytes of headers.
struct Plan {
    ends: Ends,
    headers: usize,
    quoted: usize,
}

impl Plan {
    /// That of the error about `packet` in a buffer of `room` bytes: as much is quoted as it and the RFC's limit leave.
    /// `None` when fewer than the least bytes of a longer packet would be left.
    fn of(packet: &[u8], room: usize) -> Option<Self> {
        let ends = Ends::of(packet)?;
        let (header, limit) = match ends.from {
            Address::V4(_) => (IPV4_HEADER, IPV4_LIMIT),
            Address::V6(_) => (IPV6_HEADER, IPV6_LIMIT),
        };
        let headers = header.checked_add(ICMP_HEADER)?;
        let quoted = ends.total.min(room.min(limit).checked_sub(headers)?);
        (quoted >= ends.total.min(ends.least)).then_some(Self { ends, headers, quoted })
    }

    /// Writes the headers at the front of `buf`, where the quotation is in place.
    fn write(&self, buf: &mut [u8], error: Error) -> Option<usize> {
        let message = buf.get_mut(..self.headers.checked_add(self.quoted)?)?;
        match (self.ends.from, self.ends.to) {
            (Address::V4(from), Address::V4(to)) => write_icmp(message, from, to, error),
            (Address::V6(from), Address::V6(to)) => write_icmpv6(message, from, to, error),
            _ => None,
        }
    }
}

/// Writes the IPv4 and ICMP headers of `message`, whose quotation is in place.
fn write_icmp(message: &mut [u8], from: u32, to: u32, error: Error) -> Option<usize> {
    let len = message.len();
    let (ip, body) = message.split_first_chunk_mut::<IPV4_HEADER>()?;
    write_checked(body, error.in_icmp(), Sum::new())?;
    let [len_high, len_low] = u16::try_from(len).ok()?.to_be_bytes();
    // Identification 0 with "don't fragment" set: an atomic datagram (RFC 6864 § 4.1).
    *ip = [0x45, PRECEDENCE, len_high, len_low, 0, 0, 0x40, 0, HOP_LIMIT, ICMP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (fixed, addresses) = ip.split_at_mut(12);
    put(addresses, &from.to_be_bytes(), &to.to_be_bytes());
    let checksum = Sum::new().bytes(fixed).bytes(addresses).checksum();
    fixed.get_mut(10..12)?.copy_from_slice(&checksum.to_be_bytes());
    Some(len)
}

/// Writes the IPv6 and ICMPv6 headers of `message`, whose quotation is in place.
fn write_icmpv6(message: &mut [u8], from: u128, to: u128, error: Error) -> Option<usize> {
    let len = message.len();
    let (ip, body) = message.split_first_chunk_mut::<IPV6_HEADER>()?;
    let payload = u16::try_from(body.len()).ok()?;
    let [len_high, len_low] = payload.to_be_bytes();
    let (fixed, addresses) = ip.split_at_mut(8);
    fixed.copy_from_slice(&[0x60, 0, 0, 0, len_high, len_low, ICMPV6, HOP_LIMIT]);
    put(addresses, &from.to_be_bytes(), &to.to_be_bytes());
    // The pseudo-header (RFC 8200 § 8.1) counts: addresses, length, next header.
    let pseudo = Sum::new().bytes(addresses).word(payload).word(ICMPV6.into());
    write_checked(body, error.in_icmpv6(), pseudo)?;
    Some(len)
}

/// Writes the ICMP header at the front of `body` with the checksum over `body` and `pseudo`.
fn write_checked(body: &mut [u8], header: [u8; ICMP_HEADER], pseudo: Sum) -> Option<()> {
    *body.first_chunk_mut()? = header;
    let checksum = pseudo.bytes(body).checksum();
    body.get_mut(2..4)?.copy_from_slice(&checksum.to_be_bytes());
    Some(())
}

/// Writes two addresses of half the length of `place` each.
fn put(place: &mut [u8], from: &[u8], to: &[u8]) {
    for (byte, value) in place.iter_mut().zip(from.iter().chain(to)) {
        *byte = *value;
    }
}

#[cfg(test)]
mod tests;
