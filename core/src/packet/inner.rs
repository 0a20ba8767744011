//! An inner packet, read as far as rules go: addresses, protocol, fragment, and what stands behind the IP headers.
use super::extensions::{self, Chain, Fragment};
use super::{Address, IPV6_HEADER, Ipv4, Ipv6, ipv4};

/// A packet whose headers are there and whose length field fits the slice it was read from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner<'a> {
    /// The source address.
    pub source: Address,
    /// The destination address.
    pub destination: Address,
    /// Bytes of the packet by its own length field.
    pub total_len: usize,
    /// The protocol number of `payload` (IPv4: protocol, IPv6: the next header of the last extension).
    pub protocol: u8,
    /// Which part of a packet this is; `None` for a whole one. A fragment that is first and last at once (RFC 6946) is
    /// a whole packet.
    pub fragment: Option<Fragment>,
    /// What stands behind the IP headers, without padding. Of a fragment other than the first, data from the middle.
    pub payload: &'a [u8],
}

/// Why a packet cannot be ruled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not IP, cut short, longer than it says, or a fragment that fits no packet.
    Malformed,
    /// More than eight IPv6 extension headers, or a chain that is cut short or in a wrong order.
    Chain,
    /// It names more places to go to, so that its destination is not the last (RFC 791 § 3.1, RFC 5095).
    Routed,
}

/// Reads a packet. The slice may be longer than the packet (padding).
#[inline]
pub(crate) fn read(packet: &[u8]) -> Result<Inner<'_>, Fault> {
    let inner = match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let ip = Ipv4::read(packet).ok_or(Fault::Malformed)?;
            let options = packet.get(super::IPV4_HEADER..ip.header_len()).ok_or(Fault::Malformed)?;
            if ipv4::is_source_routed(options) {
                return Err(Fault::Routed);
            }
            of_ipv4(ip, packet).ok_or(Fault::Malformed)?
        }
        Some(6) => {
            let ip = Ipv6::read(packet).ok_or(Fault::Malformed)?;
            let rest = packet.get(IPV6_HEADER..ip.total_len()).ok_or(Fault::Malformed)?;
            let chain = extensions::follow(ip.next_header(), rest).ok_or(Fault::Chain)?;
            if chain.is_routed {
                return Err(Fault::Routed);
            }
            of_ipv6(ip, chain)
        }
        _ => return Err(Fault::Malformed),
    };
    if inner.fragment.is_some_and(|fragment| !fits(fragment, inner.payload.len())) {
        return Err(Fault::Malformed);
    }
    Ok(inner)
}

/// Reads the packet that an ICMP error quotes: the first bytes of one, perhaps all.
pub(crate) fn quoted(bytes: &[u8]) -> Option<Inner<'_>> {
    match bytes.first()? >> 4 {
        4 => of_ipv4(Ipv4::quoted(bytes)?, bytes),
        6 => {
            let ip = Ipv6::quoted(bytes)?;
            Some(of_ipv6(ip, extensions::follow(ip.next_header(), bytes.get(IPV6_HEADER..)?)?))
        }
        _ => None,
    }
}

fn of_ipv4<'a>(ip: Ipv4<'_>, packet: &'a [u8]) -> Option<Inner<'a>> {
    Some(Inner {
        source: Address::V4(ip.source()),
        destination: Address::V4(ip.destination()),
        total_len: ip.total_len(),
        protocol: ip.protocol(),
        fragment: ip.fragment(),
        payload: packet.get(ip.header_len()..ip.total_len().min(packet.len()))?,
    })
}

fn of_ipv6<'a>(ip: Ipv6<'_>, chain: Chain<'a>) -> Inner<'a> {
    Inner {
        source: Address::V6(ip.source()),
        destination: Address::V6(ip.destination()),
        total_len: ip.total_len(),
        protocol: chain.protocol,
        fragment: chain.fragment.filter(|fragment| fragment.more || fragment.offset != 0),
        payload: chain.payload,
    }
}

/// Whether a fragment of `len` bytes can be part of a packet: all but the last are multiples of 8 bytes (RFC 791 § 3.2,
/// RFC 8200 § 4.5), and the whole is no longer than 65535 bytes.
fn fits(fragment: Fragment, len: usize) -> bool {
    let end = usize::from(fragment.offset).saturating_mul(8).saturating_add(len);
    (!fragment.more || len.is_multiple_of(8)) && len > 0 && end <= usize::from(u16::MAX)
}

#[cfg(test)]
mod tests;
