//! Control packets: against bytes that were made elsewhere, and with each of their fields changed.
use super::*;
use crate::control::address::GATEWAY;
use crate::packet;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

const CLIENT: u128 = 0xfe80_0000_0000_0000_0123_4567_89ab_cdef;

fn ends() -> Ends {
    Ends { from: CLIENT, to: GATEWAY.to_bits() }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xa5; HEADERS];
    packet.extend_from_slice(message);
    write(&mut packet, ends()).expect("room");
    packet
}

/// A ping of CoAP (RFC 7252 § 4.3) from the client to the gateway. The checksum is the one that a kernel computes.
#[test]
fn a_ping_byte_for_byte() {
    let want = hex::decode(
        "60000000000c1140fe800000000000000123456789abcdeffe8000000000000000000000000000011633163\
         3000cf84640000001"
            .replace(char::is_whitespace, ""),
    )
    .expect("hexadecimal digits");
    let packet = framed(&[0x40, 0, 0, 1]);
    assert_eq!(packet, want);
    assert_eq!(read(&packet, ends()), Some(4));
    let header = packet::parse(&packet).expect("an IPv6 packet");
    assert_eq!((header.total_len, header.destination), (packet.len(), GATEWAY.into()));
}

/// Every bit that means anything is looked at.
#[test]
fn every_flipped_bit_is_seen() {
    let packet = framed(b"a message");
    for bit in 0..packet.len() * 8 {
        let mut other = packet.clone();
        other[bit / 8] ^= 0x80 >> (bit % 8);
        // Traffic class and flow label; hop limit.
        let free = (4..32).contains(&bit) || (56..64).contains(&bit);
        assert_eq!(read(&other, ends()).is_some(), free, "bit {bit}");
    }
}

#[test]
fn what_is_no_control_packet_is_none() {
    let packet = framed(b"a message");
    let reversed = Ends { from: ends().to, to: ends().from };
    assert_eq!(read(&packet, reversed), None, "the other way round");
    assert_eq!(read(&packet, Ends { from: CLIENT ^ 1, ..ends() }), None, "from another");
    for len in 0..packet.len() {
        assert_eq!(read(&packet[..len], ends()), None, "cut to {len} bytes");
    }
    let mut longer = packet.clone();
    longer.push(0);
    assert_eq!(read(&longer, ends()), None, "with padding");
    // A checksum of zero: that of a datagram whose sum is zero, and none at all.
    let mut none = packet.clone();
    none[46..48].fill(0);
    assert_eq!(read(&none, ends()), None, "without a checksum");
    let mut message = [0x40, 0, 0, 0];
    let sum = u16::from_be_bytes(framed(&message)[46..48].try_into().expect("two bytes"));
    message[2..].copy_from_slice(&sum.to_be_bytes());
    let packet = framed(&message);
    assert_eq!(packet[46..48], [0xff, 0xff], "zero is written as its complement");
    assert_eq!(read(&packet, ends()), Some(4));
    // A hop-by-hop header in front of UDP, all lengths and sums right.
    let mut extended = packet[..40].to_vec();
    extended.extend_from_slice(&[UDP, 0, 1, 4, 0, 0, 0, 0]);
    extended.extend_from_slice(&packet[40..]);
    extended[5] += 8;
    extended[6] = 0;
    assert!(packet::parse(&extended).is_some(), "it is a sound packet");
    assert_eq!(read(&extended, ends()), None, "with an extension header");
}

#[test]
fn what_cannot_be_written_leaves_the_room_as_it_was() {
    for len in (0..HEADERS).chain([IPV6_HEADER + 65536]) {
        let mut packet = vec![0xa5; len];
        assert_eq!(write(&mut packet, ends()), None, "{len} bytes");
        assert!(packet.iter().all(|byte| *byte == 0xa5), "{len} bytes");
    }
    let mut empty = [0; HEADERS];
    assert_eq!(write(&mut empty, ends()).and_then(|()| read(&empty, ends())), Some(0));
    let mut longest = vec![7; IPV6_HEADER + 65535];
    assert_eq!(write(&mut longest, ends()).and_then(|()| read(&longest, ends())), Some(65535 - UDP_HEADER));
}

proptest! {
    #[test]
    fn what_is_written_is_read(message in prop::collection::vec(any::<u8>(), 0..1400), from: u128, to: u128) {
        let mut packet = vec![0; HEADERS];
        packet.extend_from_slice(&message);
        let ends = Ends { from, to };
        prop_assert_eq!(write(&mut packet, ends), Some(()));
        prop_assert_eq!(read(&packet, ends), Some(message.len()));
        prop_assert_eq!(&packet[HEADERS..], &message[..]);
    }

    #[test]
    fn any_bytes_are_taken_calmly(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(read(&bytes, ends()), None);
    }
}
