//! Tables for the parser.
use super::ipv6::HOP_BY_HOP;
use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// An IPv4 packet of `len` bytes: 10.1.2.3 to 192.0.2.7, UDP, no options. The checksum is left out.
fn ipv4(len: usize) -> Vec<u8> {
    let mut packet = std::vec![0; len.max(20)];
    packet[..20].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1, 2, 3, 192, 0, 2, 7]);
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    packet
}

/// An IPv6 packet of `len` bytes: 2001:db8::1 to fd00::2, UDP.
fn ipv6(len: usize) -> Vec<u8> {
    let mut packet = std::vec![0; len.max(40)];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
    (packet[6], packet[7]) = (17, 64);
    packet[8..24].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet[24..40].copy_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet
}

/// `packet` with the byte at `at` replaced.
fn with(mut packet: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    packet[at] = byte;
    packet
}

/// `packet` with `more` bytes behind or, when negative, fewer.
fn resized(mut packet: Vec<u8>, more: isize) -> Vec<u8> {
    packet.resize(packet.len().checked_add_signed(more).unwrap(), 0xee);
    packet
}

#[test]
fn packets_that_are_read() {
    let table: [(u32, Vec<u8>, usize); 11] = [
        (1, ipv4(20), 20),
        (2, ipv4(21), 21),
        (3, ipv4(1420), 1420),
        (4, ipv4(65535), 65535),
        (5, resized(ipv4(33), 15), 33),
        (6, with(ipv4(24), 0, 0x46), 24),
        (7, with(ipv4(60), 0, 0x4f), 60),
        (8, ipv6(40), 40),
        (9, ipv6(65575), 65575),
        (10, resized(ipv6(41), 7), 41),
        (11, with(ipv6(48), 6, HOP_BY_HOP), 48),
    ];
    for (number, packet, total_len) in table {
        let header = parse(&packet).unwrap_or_else(|| panic!("packet {number}"));
        assert_eq!(header.total_len, total_len, "packet {number}");
        let expected = if packet[0] >> 4 == 4 { ["10.1.2.3", "192.0.2.7"] } else { ["2001:db8::1", "fd00::2"] };
        assert_eq!(
            [header.source, header.destination],
            expected.map(|text| text.parse::<IpAddr>().unwrap()),
            "packet {number}"
        );
    }
}

#[test]
fn packets_that_are_refused() {
    let table: [(u32, Vec<u8>, &str); 17] = [
        (1, Vec::new(), "nothing"),
        (2, Vec::from([0x45]), "one byte"),
        (3, Vec::from([0x60; 39]), "less than an IPv6 header"),
        (4, with(ipv4(40), 0, 0x55), "version 5"),
        (5, with(ipv6(80), 0, 0x00), "version 0"),
        (6, with(ipv6(80), 0, 0xf0), "version 15"),
        (7, with(ipv4(40), 0, 0x44), "a header of 16 bytes"),
        (8, with(ipv4(40), 0, 0x40), "a header of none"),
        (9, with(ipv4(40), 3, 19), "a total length below the header's"),
        (10, with(ipv4(20), 0, 0x46), "options beyond the total length"),
        (11, with(ipv4(40), 3, 0), "a total length of none"),
        (12, resized(ipv4(40), -1), "an IPv4 packet cut by one"),
        (13, resized(ipv4(20), -1), "an IPv4 header cut by one"),
        (14, resized(ipv6(80), -1), "an IPv6 packet cut by one"),
        (15, resized(ipv6(40), -1), "an IPv6 header cut by one"),
        (16, resized(with(ipv6(40), 6, HOP_BY_HOP), 2000), "a jumbogram"),
        (17, with(ipv6(40), 4, 1), "a payload that is not there"),
    ];
    for (number, packet, what) in table {
        assert_eq!(parse(&packet), None, "packet {number}: {what}");
        assert_eq!(destination(&packet), None, "packet {number}: {what}");
        assert_eq!(source(&packet), None, "packet {number}: {what}");
    }
}

#[test]
fn addresses_are_numbers_in_wire_order() {
    assert_eq!(source(&ipv4(20)), Some((Address::V4(0x0a01_0203), 20)));
    assert_eq!(destination(&ipv4(20)), Some((Address::V4(0xc000_0207), 20)));
    assert_eq!(source(&ipv6(44)), Some((Address::V6(0x2001_0db8 << 96 | 1), 44)));
    assert_eq!(destination(&ipv6(44)), Some((Address::V6(0xfd00 << 112 | 2), 44)));
    for text in ["10.1.2.3", "2001:db8::1"] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(IpAddr::from(Address::from(address)), address);
    }
}

proptest! {
    /// Any bytes at all: nothing panics, the quick readers agree with `parse`, and no length exceeds the slice.
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0..8u8, outer in 0..4u8) {
        if let (Some(first), 4..) = (bytes.first_mut(), version) {
            *first = *first & 0xf | (version & 6) << 4;
        }
        let header = parse(&bytes);
        prop_assert!(header.is_none_or(|header| (20..=bytes.len()).contains(&header.total_len)));
        let of = |read: Option<(Address, usize)>| read.map(|(address, len)| (IpAddr::from(address), len));
        prop_assert_eq!(of(source(&bytes)), header.map(|header| (header.source, header.total_len)));
        prop_assert_eq!(of(destination(&bytes)), header.map(|header| (header.destination, header.total_len)));
        let _ = ecn::decapsulate(ecn::Ecn::from_bits(outer), &mut bytes);
        for error in [icmp::Error::NoRoute, icmp::Error::TooBig { mtu: 1280 }] {
            let len = bytes.len();
            let room = bytes.len().min(48);
            bytes.resize(len + room, 0);
            let _ = icmp::write_error(&mut bytes, len, error);
            let _ = icmp::write_error(&mut bytes, usize::MAX, error);
        }
    }
}
