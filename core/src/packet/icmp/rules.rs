//! Who may be answered with an ICMP error (RFC 1122 § 3.2.2, RFC 1812 § 4.3.2.7, RFC 4443 § 2.4 (e)).
//!
//! The rules about link-layer broadcast do not apply: a virtual interface has none. Broadcast addresses of subnets are
//! not known to the core.
use super::super::checksum::Sum;
use super::super::{ICMP, ICMPV6, IPV6_HEADER, Ipv4, Ipv6, extensions};

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
/// answered. `None` when the chain is cut short or too long.
fn may_answer_payload(ip: Ipv6<'_>, packet: &[u8]) -> Option<bool> {
    let chain = extensions::follow(ip.next_header(), packet.get(IPV6_HEADER..)?)?;
    if chain.fragment.is_some_and(|fragment| fragment.offset != 0) {
        return Some(false);
    }
    if chain.protocol != ICMPV6 {
        return Some(true);
    }
    let kind = *chain.payload.first()?;
    Some(kind >= ICMPV6_INFORMATIONAL && kind != ICMPV6_REDIRECT)
}
