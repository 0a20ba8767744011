//! Tables for the errors, and a second opinion on their checksums.
use super::super::parse;
use super::*;
use core::net::{IpAddr, Ipv6Addr};
use std::vec::Vec;

const NO_ROUTE: Error = Error::NoRoute;
const NO_ENDPOINT: Error = Error::NoEndpoint;
const TOO_BIG: Error = Error::TooBig { mtu: 1280 };

/// An IPv4 packet with a correct checksum.
fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::from([0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, protocol, 0, 0]);
    packet[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    packet[6..8].copy_from_slice(&fragment.to_be_bytes());
    packet.extend(from.into_iter().chain(to));
    let sum = remainder(&packet);
    packet[10..12].copy_from_slice(&(0xffff - sum as u16).to_be_bytes());
    packet.extend(payload);
    packet
}

/// An IPv6 packet.
fn ipv6(from: &str, to: &str, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::from([0x60, 0, 0, 0, 0, 0, next_header, 64]);
    packet[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    for address in [from, to] {
        packet.extend(address.parse::<Ipv6Addr>().unwrap().octets());
    }
    packet.extend(payload);
    packet
}

/// `bytes` as one long number, modulo ffff: zero when they hold a correct Internet checksum.
fn remainder(bytes: &[u8]) -> u32 {
    let even = bytes.iter().copied().chain((bytes.len() % 2 == 1).then_some(0));
    even.fold(0, |rest, byte| (rest * 256 + u32::from(byte)) % 0xffff)
}

/// The error for `packet` in a buffer with `room` more bytes.
fn answer(packet: &[u8], room: usize, error: Error) -> Option<Vec<u8>> {
    let mut buf = packet.to_vec();
    buf.resize(packet.len() + room, 0xee);
    let before = buf.clone();
    let len = write_error(&mut buf, packet.len(), error);
    if len.is_none() {
        assert_eq!(buf, before, "nothing may be written when nothing is sent");
    }
    len.map(|len| buf[..len].to_vec())
}

/// What must be true of every ICMP error: addresses turned round, hop limit, checksums, the quoted bytes.
fn assert_sound(message: &[u8], packet: &[u8], expected: [u8; 8]) {
    let (header, quoted) = (parse(message).unwrap(), parse(packet).unwrap());
    assert_eq!(header.total_len, message.len());
    assert_eq!((header.source, header.destination), (quoted.destination, quoted.source));
    let ip_len = if message[0] >> 4 == 4 {
        assert_eq!((message[8], message[9], remainder(&message[..20])), (64, 1, 0));
        assert_eq!(remainder(&message[20..]), 0);
        20
    } else {
        assert_eq!((message[6], message[7]), (58, 64));
        let mut pseudo = message[8..40].to_vec();
        pseudo.extend((message.len() as u32 - 40).to_be_bytes());
        pseudo.extend([0, 0, 0, 58]);
        pseudo.extend(&message[40..]);
        assert_eq!(remainder(&pseudo), 0);
        40
    };
    let mut icmp = message[ip_len..ip_len + 8].to_vec();
    icmp[2..4].fill(0);
    assert_eq!(icmp, expected);
    assert!(packet.starts_with(&message[ip_len + 8..]), "the quoted bytes are the packet's first");
}

const ALICE: [u8; 4] = [10, 0, 0, 1];
const BOB: [u8; 4] = [192, 0, 2, 9];
const A6: &str = "fd00::1";
const B6: &str = "2001:db8::9";

#[test]
fn types_codes_and_mtu() {
    let v4 = ipv4(ALICE, BOB, 17, 0, &[7; 33]);
    let v6 = ipv6(A6, B6, 17, &[7; 33]);
    let table: [(u32, &[u8], Error, [u8; 8]); 8] = [
        (1, &v4, NO_ROUTE, [3, 1, 0, 0, 0, 0, 0, 0]),
        (2, &v4, NO_ENDPOINT, [3, 1, 0, 0, 0, 0, 0, 0]),
        (3, &v4, Error::TooBig { mtu: 1420 }, [3, 4, 0, 0, 0, 0, 0x05, 0x8c]),
        (4, &v4, Error::TooBig { mtu: 576 }, [3, 4, 0, 0, 0, 0, 0x02, 0x40]),
        (5, &v6, NO_ROUTE, [1, 0, 0, 0, 0, 0, 0, 0]),
        (6, &v6, NO_ENDPOINT, [1, 3, 0, 0, 0, 0, 0, 0]),
        (7, &v6, Error::TooBig { mtu: 1420 }, [2, 0, 0, 0, 0, 0, 0x05, 0x8c]),
        (8, &v6, Error::TooBig { mtu: 576 }, [2, 0, 0, 0, 0, 0, 0x05, 0x00]),
    ];
    for (number, packet, error, expected) in table {
        let message = answer(packet, 100, error).unwrap_or_else(|| panic!("error {number}"));
        assert_sound(&message, packet, expected);
    }
}

#[test]
fn as_much_is_quoted_as_fits() {
    let icmp = [3, 1, 0, 0, 0, 0, 0, 0];
    let icmpv6 = [1, 0, 0, 0, 0, 0, 0, 0];
    // Length of the packet, room behind it, length of the error.
    for (packet_len, room, expected) in [
        (20, 28, Some(48)),
        (20, 27, None),
        (21, 28, Some(49)),
        (28, 28, Some(56)),
        (28, 27, None),
        (29, 27, Some(56)),
        (29, 1000, Some(57)),
        (56, 0, Some(56)),
        (55, 0, None),
        (100, 0, Some(100)),
        (548, 1000, Some(576)),
        (549, 1000, Some(576)),
        (1501, 0, Some(576)),
        (1501, 1000, Some(576)),
    ] {
        let packet = ipv4(ALICE, BOB, 17, 0, &std::vec![5; packet_len - 20]);
        let message = answer(&packet, room, NO_ROUTE);
        assert_eq!(message.as_ref().map(Vec::len), expected, "{packet_len} bytes, {room} more");
        message.iter().for_each(|message| assert_sound(message, &packet, icmp));
    }
    for (packet_len, room, expected) in [
        (40, 48, Some(88)),
        (40, 47, None),
        (48, 48, Some(96)),
        (48, 47, None),
        (49, 47, Some(96)),
        (96, 0, Some(96)),
        (95, 0, None),
        (1232, 48, Some(1280)),
        (1233, 1000, Some(1280)),
        (1501, 0, Some(1280)),
    ] {
        let packet = ipv6(A6, B6, 17, &std::vec![5; packet_len - 40]);
        let message = answer(&packet, room, NO_ROUTE);
        assert_eq!(message.as_ref().map(Vec::len), expected, "{packet_len} bytes, {room} more");
        message.iter().for_each(|message| assert_sound(message, &packet, icmpv6));
    }
}

#[test]
fn headroom_and_tailroom_hold_every_error() {
    use crate::limits::{HEADROOM, TAILROOM};
    for payload in 0..64 {
        let packet = ipv6(A6, B6, 17, &std::vec![5; payload]);
        let message = answer(&packet, HEADROOM + TAILROOM, NO_ROUTE);
        assert_eq!(message.map(|message| message.len()), Some(packet.len() + 48), "the whole packet is quoted");
    }
}

#[test]
fn options_are_quoted_and_padding_is_not() {
    let mut packet = ipv4(ALICE, BOB, 17, 0, &[7; 44]);
    // Four bytes of the payload become options: an end-of-list octet and three of padding, all zero.
    packet[0] = 0x46;
    packet[20..24].fill(0);
    packet[10..12].fill(0);
    let sum = remainder(&packet[..24]);
    packet[10..12].copy_from_slice(&(0xffff - sum as u16).to_be_bytes());
    let total = packet.len();
    packet.extend([0xaa; 9]);
    let message = answer(&packet, 50, NO_ROUTE).unwrap();
    assert_eq!(message.len(), 28 + total);
    assert_sound(&message, &packet, [3, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answer(&packet[..total], 24, NO_ROUTE).map(|message| message.len()), Some(total + 24));
}

#[test]
fn ipv4_packets_that_are_not_answered() {
    let (udp, echo) = ([0; 16], [8, 0, 0, 0, 0, 0, 0, 0]);
    let icmp = |kind: u8| ipv4(ALICE, BOB, 1, 0, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let mut broken = ipv4(ALICE, BOB, 17, 0, &udp);
    broken[8] ^= 1;
    let table = [
        (1, ipv4([0, 0, 0, 0], BOB, 17, 0, &udp), "unspecified source"),
        (2, ipv4([0, 1, 2, 3], BOB, 17, 0, &udp), "source in network zero"),
        (3, ipv4([127, 0, 0, 1], BOB, 17, 0, &udp), "loopback source"),
        (4, ipv4([224, 0, 0, 1], BOB, 17, 0, &udp), "multicast source"),
        (5, ipv4([239, 255, 255, 255], BOB, 17, 0, &udp), "multicast source"),
        (6, ipv4([240, 0, 0, 1], BOB, 17, 0, &udp), "class E source"),
        (7, ipv4([255, 255, 255, 255], BOB, 17, 0, &udp), "broadcast source"),
        (8, ipv4(ALICE, [224, 0, 0, 251], 17, 0, &udp), "multicast destination"),
        (9, ipv4(ALICE, [239, 255, 255, 250], 17, 0, &udp), "multicast destination"),
        (10, ipv4(ALICE, [255, 255, 255, 255], 17, 0, &udp), "broadcast destination"),
        (11, ipv4(ALICE, [0, 0, 0, 0], 17, 0, &udp), "unspecified destination"),
        (12, ipv4(ALICE, [127, 0, 0, 1], 17, 0, &udp), "loopback destination"),
        (13, ipv4(ALICE, BOB, 17, 1, &udp), "second fragment"),
        (14, ipv4(ALICE, BOB, 17, 0x1fff, &udp), "last possible fragment"),
        (15, ipv4(ALICE, BOB, 17, 0x2000 | 100, &udp), "fragment in the middle"),
        (16, ipv4(ALICE, BOB, 1, 185, &echo), "fragment of an echo request"),
        (17, icmp(3), "destination unreachable"),
        (18, icmp(4), "source quench"),
        (19, icmp(5), "redirect"),
        (20, icmp(11), "time exceeded"),
        (21, icmp(12), "parameter problem"),
        (22, icmp(40), "Photuris, an error by RFC 2521"),
        (23, icmp(255), "unknown type"),
        (24, ipv4(ALICE, BOB, 1, 0, &[]), "ICMP without a type"),
        (25, broken, "broken header checksum"),
    ];
    for (number, packet, what) in table {
        for error in [NO_ROUTE, NO_ENDPOINT, TOO_BIG] {
            assert_eq!(answer(&packet, 100, error), None, "packet {number}: {what}");
        }
    }
}

#[test]
fn ipv4_packets_that_are_answered() {
    let udp = [0; 16];
    let mut table = Vec::from([
        (1, ipv4(ALICE, BOB, 6, 0, &udp)),
        (2, ipv4(ALICE, BOB, 17, 0x4000, &udp)),
        (3, ipv4(ALICE, BOB, 17, 0x2000, &udp)),
        (4, ipv4([126, 255, 255, 255], [128, 0, 0, 0], 50, 0, &udp)),
        (5, ipv4([1, 0, 0, 0], [223, 255, 255, 255], 255, 0, &[])),
        // The protocol of ICMPv6 means nothing here.
        (6, ipv4(ALICE, BOB, 58, 0, &[1, 0, 0, 0])),
    ]);
    for (number, kind) in (7..).zip([0, 8, 9, 10, 13, 14, 15, 16, 17, 18]) {
        table.push((number, ipv4(ALICE, BOB, 1, 0, &[kind, 0, 0, 0, 0, 0, 0, 0])));
    }
    for (number, packet) in table {
        let message = answer(&packet, 100, NO_ROUTE).unwrap_or_else(|| panic!("packet {number}"));
        assert_sound(&message, &packet, [3, 1, 0, 0, 0, 0, 0, 0]);
    }
}

/// An extension header of 8 bytes, or `more` times 8 beyond, followed by `next`.
fn extension(next: u8, more: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = std::vec![0; 8 + 8 * usize::from(more)];
    (bytes[0], bytes[1]) = (next, more);
    bytes.extend(rest);
    bytes
}

/// A fragment header at `offset` units of 8 bytes, more to come.
fn fragment(next: u8, offset: u16, rest: &[u8]) -> Vec<u8> {
    let [high, low] = (offset << 3 | 1).to_be_bytes();
    let mut bytes = Vec::from([next, 0, high, low, 0, 0, 0, 1]);
    bytes.extend(rest);
    bytes
}

#[test]
fn ipv6_packets_that_are_not_answered() {
    let udp = [0; 16];
    let unreachable = [1, 0, 0, 0, 0, 0, 0, 0];
    let icmp = |kind: u8| ipv6(A6, B6, 58, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    let table = [
        (1, ipv6("::", B6, 17, &udp), "unspecified source"),
        (2, ipv6("::1", B6, 17, &udp), "loopback source"),
        (3, ipv6("ff02::1", B6, 17, &udp), "multicast source"),
        (4, ipv6(A6, "ff02::fb", 17, &udp), "multicast destination"),
        (5, ipv6(A6, "ff0e::1", 17, &udp), "multicast destination"),
        (6, ipv6(A6, "::", 17, &udp), "unspecified destination"),
        (7, ipv6(A6, "::1", 17, &udp), "loopback destination"),
        (8, icmp(1), "destination unreachable"),
        (9, icmp(2), "packet too big"),
        (10, icmp(3), "time exceeded"),
        (11, icmp(4), "parameter problem"),
        (12, icmp(100), "private experiment among the errors"),
        (13, icmp(127), "reserved among the errors"),
        (14, icmp(137), "redirect"),
        (15, ipv6(A6, B6, 58, &[]), "ICMPv6 without a type"),
        (16, ipv6(A6, B6, 0, &extension(58, 0, &unreachable)), "error behind hop-by-hop options"),
        (17, ipv6(A6, B6, 43, &extension(60, 1, &extension(58, 2, &unreachable))), "error behind two headers"),
        (18, ipv6(A6, B6, 51, &extension(58, 0, &unreachable)), "error behind 8 bytes of authentication"),
        (
            19,
            ipv6(A6, B6, 51, &{
                let mut ah = extension(58, 1, &[]);
                ah[1] = 2;
                ah.extend(unreachable);
                ah
            }),
            "behind 16",
        ),
        (20, ipv6(A6, B6, 44, &fragment(58, 0, &unreachable)), "error in a first fragment"),
        (21, ipv6(A6, B6, 44, &fragment(17, 1, &udp)), "second fragment"),
        (22, ipv6(A6, B6, 44, &fragment(17, 0x1fff, &udp)), "last possible fragment"),
        (23, ipv6(A6, B6, 60, &extension(44, 0, &fragment(58, 181, &udp))), "fragment behind options"),
        (24, ipv6(A6, B6, 0, &[58]), "a chain cut in a header"),
        (25, ipv6(A6, B6, 0, &extension(58, 1, &[])[..8]), "a chain cut before its end"),
        (26, ipv6(A6, B6, 44, &[58, 0, 0]), "a fragment header cut"),
    ];
    for (number, packet, what) in table {
        for error in [NO_ROUTE, NO_ENDPOINT, TOO_BIG] {
            assert_eq!(answer(&packet, 100, error), None, "packet {number}: {what}");
        }
    }
}

#[test]
fn ipv6_packets_that_are_answered() {
    let udp = [0; 16];
    let echo = [128, 0, 0, 0, 0, 0, 0, 0];
    let table = [
        (1, ipv6(A6, B6, 6, &udp)),
        (2, ipv6(A6, B6, 58, &echo)),
        (3, ipv6(A6, B6, 58, &[129, 0, 0, 0])),
        (4, ipv6(A6, B6, 58, &[255, 0, 0, 0])),
        (5, ipv6(A6, B6, 0, &extension(58, 3, &echo))),
        (6, ipv6(A6, B6, 44, &fragment(17, 0, &udp))),
        (7, ipv6(A6, B6, 44, &fragment(58, 0, &echo))),
        (8, ipv6(A6, B6, 51, &extension(58, 0, &echo))),
        (9, ipv6(A6, B6, 59, &[])),
        (10, ipv6(A6, B6, 50, &udp)),
        (11, ipv6("::2", "fe80::1", 17, &udp)),
        // The protocol of ICMP means nothing here.
        (12, ipv6(A6, B6, 1, &[3, 0, 0, 0])),
    ];
    for (number, packet) in table {
        let message = answer(&packet, 100, NO_ROUTE).unwrap_or_else(|| panic!("packet {number}"));
        assert_sound(&message, &packet, [1, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn the_answer_is_not_answered() {
    for packet in [ipv4(ALICE, BOB, 17, 0, &[1; 40]), ipv6(A6, B6, 17, &[1; 40])] {
        let message = answer(&packet, 100, NO_ROUTE).unwrap();
        assert_eq!(answer(&message, 100, NO_ROUTE), None);
    }
}

#[test]
fn what_is_no_packet_is_not_answered() {
    let whole = ipv4(ALICE, BOB, 17, 0, &[1; 40]);
    let mut buf = whole.clone();
    for len in [0, 1, 19, 20, 59, 61, usize::MAX] {
        assert_eq!(write_error(&mut buf, len, NO_ROUTE), None, "{len} bytes");
    }
    assert_eq!(buf, whole);
    assert!(matches!(parse(&whole), Some(header) if header.source == IpAddr::from(ALICE)));
}
