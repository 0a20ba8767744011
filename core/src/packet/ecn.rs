//! Explicit congestion notification across the tunnel (RFC 6040, normal mode).
use super::checksum;

/// The two ECN bits of an IP header (RFC 3168 § 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Ecn {
    /// 00.
    #[default]
    NotCapable = 0,
    /// 01: ECT(1).
    Capable1 = 1,
    /// 10: ECT(0).
    Capable0 = 2,
    /// 11: CE.
    Congested = 3,
}

impl Ecn {
    /// From the two low bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            1 => Self::Capable1,
            2 => Self::Capable0,
            3 => Self::Congested,
            _ => Self::NotCapable,
        }
    }
}

/// The outer ECN for an inner packet (RFC 6040 § 4.1): a copy of the inner one; [`Ecn::NotCapable`] for what is not IP.
#[must_use]
#[inline]
pub fn encapsulate(packet: &[u8]) -> Ecn {
    read(packet).unwrap_or_default()
}

/// Applies the outer ECN to the inner packet (RFC 6040 § 4.2, figure 4), mending the IPv4 checksum
/// (RFC 1624). `false`: the packet must be dropped. What is not IP is left as it is.
#[must_use]
#[inline]
pub fn decapsulate(outer: Ecn, packet: &mut [u8]) -> bool {
    // What the network did not touch says nothing new.
    outer == Ecn::NotCapable || carry_inward(outer, packet)
}

#[inline(never)]
fn carry_inward(outer: Ecn, packet: &mut [u8]) -> bool {
    let Some(inner) = read(packet) else { return true };
    match (inner, outer) {
        (Ecn::NotCapable, Ecn::Congested) => return false,
        (Ecn::Capable0, Ecn::Capable1) => write(packet, Ecn::Capable1),
        (Ecn::Capable0 | Ecn::Capable1, Ecn::Congested) => write(packet, Ecn::Congested),
        _ => {}
    }
    true
}

/// The ECN bits of a packet: the low ones of the IPv4 TOS octet, or of the IPv6 traffic class, which straddles two bytes.
#[inline]
fn read(packet: &[u8]) -> Option<Ecn> {
    match packet {
        [first, tos, ..] if first >> 4 == 4 => Some(Ecn::from_bits(*tos)),
        [first, second, ..] if first >> 4 == 6 => Some(Ecn::from_bits(second >> 4)),
        _ => None,
    }
}

/// Writes the ECN bits of an IP packet. An IPv4 header that is cut short stays as it is.
fn write(packet: &mut [u8], ecn: Ecn) {
    let bits = ecn as u8;
    match packet {
        [first, tos, _, _, _, _, _, _, _, _, high, low, ..] if *first >> 4 == 4 => {
            let old = u16::from_be_bytes([*first, *tos]);
            *tos = *tos & !3 | bits;
            let new = u16::from_be_bytes([*first, *tos]);
            [*high, *low] = checksum::mend(u16::from_be_bytes([*high, *low]), old, new).to_be_bytes();
        }
        [first, second, ..] if *first >> 4 == 6 => *second = *second & !0x30 | bits << 4,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Ecn::{Capable0, Capable1, Congested, NotCapable};
    use super::*;
    use crate::packet::checksum::Sum;
    use std::vec::Vec;

    /// Inner, outer, and what leaves the tunnel: RFC 6040, figure 4, row by row. `None` is a drop.
    const FIGURE_4: [(Ecn, Ecn, Option<Ecn>); 16] = [
        (NotCapable, NotCapable, Some(NotCapable)),
        (NotCapable, Capable0, Some(NotCapable)),
        (NotCapable, Capable1, Some(NotCapable)),
        (NotCapable, Congested, None),
        (Capable0, NotCapable, Some(Capable0)),
        (Capable0, Capable0, Some(Capable0)),
        (Capable0, Capable1, Some(Capable1)),
        (Capable0, Congested, Some(Congested)),
        (Capable1, NotCapable, Some(Capable1)),
        (Capable1, Capable0, Some(Capable1)),
        (Capable1, Capable1, Some(Capable1)),
        (Capable1, Congested, Some(Congested)),
        (Congested, NotCapable, Some(Congested)),
        (Congested, Capable0, Some(Congested)),
        (Congested, Capable1, Some(Congested)),
        (Congested, Congested, Some(Congested)),
    ];

    /// An IPv4 header with `dscp` and `ecn`, its checksum correct.
    fn ipv4(dscp: u8, ecn: Ecn) -> Vec<u8> {
        let mut packet = Vec::from([
            0x45,
            dscp << 2 | ecn as u8,
            0,
            20,
            0xbe,
            0xef,
            0x40,
            0,
            64,
            17,
            0,
            0,
            10,
            0,
            0,
            1,
            10,
            0,
            0,
            2,
        ]);
        let checksum = Sum::new().bytes(&packet).checksum();
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    /// An IPv6 header with `dscp` and `ecn` and a flow label.
    fn ipv6(dscp: u8, ecn: Ecn) -> Vec<u8> {
        let mut packet = std::vec![0; 40];
        let class = dscp << 2 | ecn as u8;
        packet[..4].copy_from_slice(&[0x60 | class >> 4, class << 4 | 0xa, 0xbc, 0xde]);
        packet
    }

    #[test]
    fn figure_4_of_rfc_6040() {
        for (row, (inner, outer, expected)) in FIGURE_4.into_iter().enumerate() {
            for make in [ipv4, ipv6] {
                for dscp in [0, 0x2a, 0x3f] {
                    let mut packet = make(dscp, inner);
                    let kept = decapsulate(outer, &mut packet);
                    assert_eq!(kept, expected.is_some(), "row {row}");
                    // Byte for byte what a sender of these bits would have written, checksum, DSCP and flow label included.
                    assert_eq!(packet, make(dscp, expected.unwrap_or(inner)), "row {row}");
                }
            }
        }
    }

    #[test]
    fn the_outer_header_copies_the_inner_one() {
        for ecn in [NotCapable, Capable1, Capable0, Congested] {
            assert_eq!(Ecn::from_bits(ecn as u8 | 0xfc), ecn);
            for dscp in [0, 0x15, 0x3f] {
                assert_eq!(encapsulate(&ipv4(dscp, ecn)), ecn);
                assert_eq!(encapsulate(&ipv6(dscp, ecn)), ecn);
            }
        }
    }

    #[test]
    fn what_is_no_ip_is_left_alone() {
        for bytes in [&[][..], &[0x45], &[0x60], &[0x52, 0xff, 0], &[0xff; 40]] {
            for outer in [NotCapable, Capable1, Capable0, Congested] {
                let mut packet = bytes.to_vec();
                assert!(decapsulate(outer, &mut packet));
                assert_eq!((&packet[..], encapsulate(&packet)), (bytes, NotCapable));
            }
        }
        let mut cut = ipv4(0, Capable0);
        cut.truncate(11);
        assert!(decapsulate(Congested, &mut cut));
        assert_eq!(cut, ipv4(0, Capable0)[..11]);
    }
}
