//! Who may be answered with an ICMP error (RFC 1122 § 3.2.2, RFC 1812 § 4.3.2.7, RFC 4443 § 2.4 (e)).
//!
//! The rules about link-layer broadcast do not apply: a virtual interface has none. Broadcast addresses of subnets are
//! not known to the core.
use super::super::checksum::Sum;
use super::super::{Ipv4, Ipv6};

/// The protocol number of ICMP.
pub(super) const ICMP: u8 = 1;
/// The next header of ICMPv6.
pub(super) const ICMPV6: u8 = 58;

/// ICMP types that ask or answer: echo, router discovery, timestamp, information, address mask. Whatever is not among
/// them is an error, or unknown and possibly one.
const ICMP_QUERIES: [u8; 10] = [0, 8, 9, 10, 13, 14, 15, 16, 17, 18];
/// The smallest ICMPv6 type that is no error (RFC 4443 § 2.1).
const ICMPV6_INFORMATIONAL: u8 = 128;
/// The ICMPv6 type of a redirect (RFC 4861 § 4.5), never answered though informational.
const ICMPV6_REDIRECT: u8 = 137;

/// Whether the IPv4 packet at the front of `packet` may be answered with an error.
pub(super) fn may_answer_ipv4(ip: Ipv4<'_>, packet: &[u8]) -> bool {
    let intact = packet.get(..ip.header_len()).is_some_and(|header| Sum::new().bytes(header).checksum() == 0);
    intact
        && ip.fragment_offset() == 0
        && is_host_v4(ip.source())
        && is_host_v4(ip.destination())
        && (ip.protocol() != ICMP || packet.get(ip.header_len()).is_some_and(|kind| ICMP_QUERIES.contains(kind)))
}

/// Whether the IPv6 packet at the front of `packet` may be answered with an error.
///
/// RFC 4443 lets "packet too big" answer a multicast packet; the core cannot, having no unicast address of its own to
/// answer from.
pub(super) fn may_answer_ipv6(ip: Ipv6<'_>, packet: &[u8]) -> bool {
    is_host_v6(ip.source()) && is_host_v6(ip.destination()) && may_answer_payload(ip, packet).unwrap_or(false)
}

/// Whether an IPv4 address can be that of a single host: not "this network", loopback, multicast, reserved or broadcast.
const fn is_host_v4(address: u32) -> bool {
    !matches!(address >> 24, 0 | 127 | 224..)
}

/// Whether an IPv6 address can be that of a single host beyond this one: not unspecified, loopback or multicast.
const fn is_host_v6(address: u128) -> bool {
    address > 1 && address >> 120 != 0xff
}

/// Follows the extension headers to what may be ICMPv6: an error, a redirect and a fragment that hides its type are not
/// answered. `None` when the chain is cut short.
fn may_answer_payload(ip: Ipv6<'_>, packet: &[u8]) -> Option<bool> {
    let (mut header, mut rest) = (ip.next_header(), packet.get(super::super::IPV6_HEADER..)?);
    loop {
        let length = match header {
            // Hop-by-hop, routing, destination options, mobility, host identity, shim6: in units of 8 bytes after the
            // first 8 (RFC 6564 § 4).
            0 | 43 | 60 | 135 | 139 | 140 => usize::from(*rest.get(1)?).saturating_add(1).saturating_mul(8),
            // Authentication: in units of 4 bytes, less two (RFC 4302 § 2.2).
            51 => usize::from(*rest.get(1)?).saturating_add(2).saturating_mul(4),
            // A fragment (RFC 8200 § 4.5): only the first one says what it is part of.
            44 if rest.get(2..4)? >= &[0, 8] => return Some(false),
            44 => 8,
            ICMPV6 => {
                let kind = *rest.first()?;
                return Some(kind >= ICMPV6_INFORMATIONAL && kind != ICMPV6_REDIRECT);
            }
            _ => return Some(true),
        };
        (header, rest) = (*rest.first()?, rest.get(length..)?);
    }
}
