//! Any bytes at all, and a table of what is read of good ones. More is told by the stories of the filter.
use super::*;
use crate::packet::icmp::view::Icmp;
use crate::packet::tcp::{self, Flags, Tcp};
use crate::packet::{ICMP, ICMPV6, udp};
use proptest::prelude::*;
use std::vec::Vec;

/// An IPv4 packet of 10.0.0.1 to 10.0.0.2 with these bytes 4 to 7, and a payload.
fn ipv4(protocol: u8, fragment: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = fragment;
    let len = 20 + payload.len() as u8;
    let mut packet = Vec::from([0x45, 0, 0, len, a, b, c, d, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(payload);
    packet
}

#[test]
fn fragments_are_read() {
    let table: [(u32, [u8; 4], Option<Fragment>); 5] = [
        (1, [0x12, 0x34, 0, 0], None),
        (2, [0x12, 0x34, 0x40, 0], None),
        (3, [0x12, 0x34, 0x20, 0], Some(Fragment { id: 0x1234, offset: 0, more: true })),
        (4, [0, 1, 0x20, 2], Some(Fragment { id: 1, offset: 2, more: true })),
        (5, [0, 1, 0x1f, 0xf0], Some(Fragment { id: 1, offset: 0x1ff0, more: false })),
    ];
    for (number, bytes, fragment) in table {
        let packet = ipv4(17, bytes, &[7; 16]);
        let inner = read(&packet).unwrap_or_else(|fault| panic!("row {number}: {fault:?}"));
        assert_eq!((inner.fragment, inner.protocol, inner.payload), (fragment, 17, &[7; 16][..]), "row {number}");
        // Padding is no part of the payload.
        let padded = [packet, Vec::from([9; 5])].concat();
        assert_eq!(read(&padded).unwrap().payload, [7; 16], "row {number}");
    }
    assert_eq!(read(&ipv4(17, [0, 1, 0x20, 0], &[7; 15])).unwrap_err(), Fault::Malformed);
    assert_eq!(read(&ipv4(17, [0, 1, 0x1f, 0xff], &[7; 16])).unwrap_err(), Fault::Malformed);
}

#[test]
fn what_is_quoted_may_be_cut() {
    let packet = ipv4(17, [0; 4], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for len in 0..packet.len() {
        let quoted = quoted(&packet[..len]);
        assert_eq!(quoted.map(|inner| inner.payload.len()), len.checked_sub(20), "{len} bytes");
        assert!(read(&packet[..len]).is_err());
    }
}

#[test]
fn messages_of_icmp() {
    let message = |kind: u8| [kind, 0, 0, 0, 0x12, 0x34, 0, 0, 1, 2];
    let query = |kind, is_answer| Some(Icmp::Query { kind, id: 0x1234, is_answer });
    let error = Some(Icmp::Error { quoted: &[1, 2] });
    for (number, protocol, kind, expected) in [
        (1, ICMP, 8, query(8, false)),
        (2, ICMP, 0, query(8, true)),
        (3, ICMP, 13, query(13, false)),
        (4, ICMP, 14, query(13, true)),
        (5, ICMPV6, 128, query(128, false)),
        (6, ICMPV6, 129, query(128, true)),
        (7, ICMP, 3, error),
        (8, ICMP, 11, error),
        (9, ICMP, 12, error),
        (10, ICMPV6, 1, error),
        (11, ICMPV6, 4, error),
        (12, ICMP, 5, Some(Icmp::Other)),
        (13, ICMPV6, 8, Some(Icmp::Other)),
        (14, ICMPV6, 137, Some(Icmp::Other)),
    ] {
        assert_eq!(Icmp::read(protocol, &message(kind)), expected, "row {number}");
    }
    assert_eq!(Icmp::read(ICMP, &message(8)[..7]), None);
}

#[test]
fn headers_of_udp() {
    let datagram = |len: u16| [&[0, 1, 0, 2][..], &len.to_be_bytes(), &[0, 0, 5, 5]].concat();
    for (number, len, whole, part) in
        [(1, 7, false, false), (2, 8, true, true), (3, 10, true, true), (4, 11, false, true), (5, 0, false, false)]
    {
        assert_eq!(udp::ports(&datagram(len), true), whole.then_some((1, 2)), "row {number}");
        assert_eq!(udp::ports(&datagram(len), false), part.then_some((1, 2)), "row {number}");
    }
    assert_eq!(udp::ports(&datagram(8)[..7], false), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Nothing panics, and what was read lies in the slice.
    #[test]
    fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..120), version in 0..4u8, upper in 0..6usize) {
        let protocol = [1, 6, 17, 44, 58, 0][upper];
        if let Some([first, .., len, _, _, _, next]) = bytes.first_chunk_mut::<7>() {
            match version {
                0 => *first = 0x45,
                1 => (*first, *len, *next) = (0x60, 0, protocol),
                _ => {}
            }
        }
        if let (0, Some(place)) = (version, bytes.get_mut(9)) {
            *place = protocol;
        }
        if let (0 | 1, Some(header)) = (version, bytes.len().checked_sub(if version == 0 { 0 } else { 40 })) {
            let at = if version == 0 { 2 } else { 4 };
            bytes.get_mut(at..at + 2).into_iter().for_each(|len| len.copy_from_slice(&(header as u16).to_be_bytes()));
        }
        for inner in [read(&bytes).ok(), quoted(&bytes)].into_iter().flatten() {
            prop_assert!(inner.payload.len() <= bytes.len());
            let _ = (Tcp::read(inner.payload).map(|tcp| (tcp.mss(), tcp.data_len)), tcp::ports(inner.payload));
            let _ = (udp::ports(inner.payload, true), Icmp::read(inner.protocol, inner.payload));
        }
        if let Ok(inner) = read(&bytes) {
            let header = crate::packet::parse(&bytes).expect("what is read has a header");
            prop_assert_eq!((header.source, header.destination), (inner.source.into(), inner.destination.into()));
            prop_assert_eq!(header.total_len, inner.total_len);
        }
    }
}

#[test]
fn flags_that_a_tcp_sends() {
    let sound = (0..=255).filter(|bits| Flags(*bits & !0x20 & !8).is_sound()).count();
    // Six of the sixteen combinations of FIN, SYN, RST and ACK, whatever the other four bits are.
    assert_eq!(sound, 6 * 16);
    assert!(Flags(2).is_opening() && Flags(0xc2).is_opening() && !Flags(0x12).is_opening());
}
