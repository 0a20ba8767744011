//! Inner packets that say who they are: UDP in IPv4 or IPv6 whose every byte follows from flow, number and length.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use underpass_core::packet::ecn::Ecn;

const MAGIC: [u8; 8] = *b"inner\0\x07\x01";
const UDP: u8 = 17;
/// Bytes of an IPv4 header without options (RFC 791 § 3.1).
pub const IPV4_HEADER: usize = 20;
/// Bytes of an IPv6 header (RFC 8200 § 3).
pub const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const IDENTITY: usize = 8 + 4 + 8;
/// The shortest IPv4 packet that carries its identity.
pub const MIN_IPV4: usize = IPV4_HEADER + UDP_HEADER + IDENTITY;
/// The shortest IPv6 packet that carries its identity.
pub const MIN_IPV6: usize = IPV6_HEADER + UDP_HEADER + IDENTITY;

/// Which packet of which flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The flow, as the story numbers them.
    pub flow: u32,
    /// The packet's place in its flow, from 0.
    pub number: u64,
}

/// The packet of `len` bytes, no less than the family's minimum, between two addresses of one family.
#[must_use]
pub fn packet(source: IpAddr, destination: IpAddr, ecn: Ecn, identity: Identity, len: usize) -> Vec<u8> {
    let mut packet = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => ipv4_header(s, d, ecn, len.max(MIN_IPV4)),
        (IpAddr::V6(s), IpAddr::V6(d)) => ipv6_header(s, d, ecn, len.max(MIN_IPV6)),
        _ => panic!("{source} and {destination} are of two families"),
    };
    let header = packet.len();
    let total = len.max(if source.is_ipv4() { MIN_IPV4 } else { MIN_IPV6 });
    let udp_len = u16::try_from(total - header).expect("packets are under 64 KiB");
    for field in [4000, 5000, udp_len, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(MAGIC);
    packet.extend(identity.flow.to_be_bytes());
    packet.extend(identity.number.to_be_bytes());
    let salt = identity.number.wrapping_mul(31).wrapping_add(u64::from(identity.flow));
    let filled = packet.len();
    packet.extend((filled..total).map(|i| (i as u64).wrapping_mul(salt | 1) as u8));
    packet
}

/// Whose packet this is; `None` when it is not of our making.
///
/// # Panics
/// When it claims to be of our making but any byte differs from the packet that was made; the ECN bits may differ, with
/// a header checksum to match.
#[must_use]
pub fn identify(packet: &[u8]) -> Option<Identity> {
    let (source, destination, header) = addresses(packet)?;
    let body = packet.get(header + UDP_HEADER..)?;
    if body.get(..8)? != MAGIC {
        return None;
    }
    let identity = Identity {
        flow: u32::from_be_bytes(body.get(8..12)?.try_into().ok()?),
        number: u64::from_be_bytes(body.get(12..20)?.try_into().ok()?),
    };
    let made = self::packet(source, destination, ecn(packet), identity, packet.len());
    assert_eq!(made, packet, "packet {identity:?} was altered");
    Some(identity)
}

/// Source, destination and header length of an IP packet.
#[must_use]
pub fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr, usize)> {
    let quad = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let long = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
    match packet.first()? >> 4 {
        4 => Some((quad(12)?, quad(16)?, usize::from(packet[0] & 15) * 4)),
        6 => Some((long(8)?, long(24)?, IPV6_HEADER)),
        _ => None,
    }
}

/// The ECN bits of an IP packet.
#[must_use]
pub fn ecn(packet: &[u8]) -> Ecn {
    match packet {
        [first, second, ..] if first >> 4 == 6 => Ecn::from_bits(second >> 4),
        [_, second, ..] => Ecn::from_bits(*second),
        _ => Ecn::NotCapable,
    }
}

fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, ecn: Ecn, total: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(total).expect("packets are under 64 KiB").to_be_bytes();
    let mut header = vec![0x45, ecn as u8, high, low, 0, 0, 0x40, 0, 64, UDP, 0, 0];
    header.extend(source.octets());
    header.extend(destination.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

fn ipv6_header(source: Ipv6Addr, destination: Ipv6Addr, ecn: Ecn, total: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(total - IPV6_HEADER).expect("packets are under 64 KiB").to_be_bytes();
    let mut header = vec![0x60, (ecn as u8) << 4, 0, 0, high, low, UDP, 64];
    header.extend(source.octets());
    header.extend(destination.octets());
    header
}

/// The internet checksum (RFC 1071).
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: (&str, &str) = ("10.0.0.1", "10.0.0.2");
    const V6: (&str, &str) = ("fd00::1", "fd00::2");
    const IDENTITY: Identity = Identity { flow: 7, number: 9 };

    fn made((source, destination): (&str, &str), ecn: Ecn, len: usize) -> Vec<u8> {
        packet(source.parse().unwrap(), destination.parse().unwrap(), ecn, IDENTITY, len)
    }

    #[test]
    fn packets_are_recognised_in_both_families() {
        for (pair, len) in [(V4, 0), (V4, 100), (V4, 1420), (V6, 0), (V6, 101), (V6, 1420)] {
            let packet = made(pair, Ecn::Capable0, len);
            assert_eq!(identify(&packet), Some(IDENTITY));
            assert_eq!(ecn(&packet), Ecn::Capable0);
            assert!(packet.len() == len || len == 0);
        }
    }

    #[test]
    fn the_core_reads_the_same_addresses() {
        let packet = made(V4, Ecn::NotCapable, 64);
        assert_eq!(checksum(&packet[..IPV4_HEADER]), 0);
        let (source, destination, header) = addresses(&packet).unwrap();
        assert_eq!((source.to_string().as_str(), destination.to_string().as_str(), header), (V4.0, V4.1, 20));
    }

    #[test]
    fn foreign_packets_are_not_ours() {
        let mut packet = made(V6, Ecn::NotCapable, 100);
        packet[IPV6_HEADER + UDP_HEADER] ^= 1;
        assert_eq!(identify(&packet), None);
        assert_eq!(identify(&[]), None);
        assert_eq!(identify(&[0x45; 19]), None);
    }

    #[test]
    #[should_panic(expected = "was altered")]
    fn altered_packets_are_found_out() {
        let mut packet = made(V4, Ecn::NotCapable, 100);
        packet[99] ^= 1;
        let _ = identify(&packet);
    }
}
