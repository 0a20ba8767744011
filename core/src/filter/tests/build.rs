//! Packets for tests, with checksums by a method of their own: the remainder of a long number.
use core::net::{IpAddr, SocketAddr};
use std::vec::Vec;

/// `bytes` as one long number, modulo ffff: zero when they hold a correct Internet checksum.
pub(in crate::filter) fn remainder(bytes: &[u8]) -> u32 {
    let even = bytes.iter().copied().chain((bytes.len() % 2 == 1).then_some(0));
    even.fold(0, |rest, byte| (rest * 256 + u32::from(byte)) % 0xffff)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The addresses of a packet, and what else its upper layers add to their checksums.
pub(in crate::filter) fn pseudo_header(from: IpAddr, to: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let mut bytes = [octets(from), octets(to)].concat();
    bytes.extend((len as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

/// An IP packet. `fragment` is identification, offset in bytes, and whether more come.
pub(in crate::filter) fn ip_fragment(
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    fragment: Option<(u32, u16, bool)>,
    payload: &[u8],
) -> Vec<u8> {
    if from.is_ipv4() {
        let mut packet = Vec::from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0]);
        packet[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
        if let Some((id, offset, more)) = fragment {
            packet[4..6].copy_from_slice(&(id as u16).to_be_bytes());
            packet[6..8].copy_from_slice(&((offset / 8) | u16::from(more) << 13).to_be_bytes());
        }
        packet.extend([octets(from), octets(to)].concat());
        let sum = remainder(&packet);
        packet[10..12].copy_from_slice(&(0xffff - sum as u16).to_be_bytes());
        packet.extend(payload);
        return packet;
    }
    let mut body = Vec::new();
    if let Some((id, offset, more)) = fragment {
        body.extend([protocol, 0]);
        body.extend((offset | u16::from(more)).to_be_bytes());
        body.extend(id.to_be_bytes());
    }
    body.extend(payload);
    let mut packet = Vec::from([0x60, 0, 0, 0, 0, 0, if fragment.is_some() { 44 } else { protocol }, 64]);
    packet[4..6].copy_from_slice(&(body.len() as u16).to_be_bytes());
    packet.extend([octets(from), octets(to), body].concat());
    packet
}

/// A whole IP packet.
pub(in crate::filter) fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ip_fragment(from, to, protocol, None, payload)
}

/// Writes the checksum of `payload` at `at`.
fn sealed(from: IpAddr, to: IpAddr, protocol: u8, mut payload: Vec<u8>, at: usize, with_pseudo: bool) -> Vec<u8> {
    let pseudo = if with_pseudo { pseudo_header(from, to, protocol, payload.len()) } else { Vec::new() };
    let sum = remainder(&[pseudo, payload.clone()].concat());
    payload[at..at + 2].copy_from_slice(&(0xffff - sum as u16).to_be_bytes());
    payload
}

/// A TCP segment: its bytes above IP.
pub(in crate::filter) fn segment(from: SocketAddr, to: SocketAddr, flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, (5 + options.len() as u8 / 4) << 4, flags, 0, 9, 0, 0, 0, 0]);
    bytes.extend(options);
    bytes.extend(data);
    sealed(from.ip(), to.ip(), 6, bytes, 16, true)
}

pub(in crate::filter) fn tcp(from: SocketAddr, to: SocketAddr, flags: u8) -> Vec<u8> {
    ip(from.ip(), to.ip(), 6, &segment(from, to, flags, &[], &[]))
}

/// A UDP datagram: its bytes above IP.
pub(in crate::filter) fn datagram(from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut bytes = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    bytes.extend((8 + data.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(data);
    sealed(from.ip(), to.ip(), 17, bytes, 6, true)
}

pub(in crate::filter) fn udp(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    ip(from.ip(), to.ip(), 17, &datagram(from, to, b"12345678"))
}

/// An ICMP or ICMPv6 message of the family of `from`, with `rest` behind type, code and checksum.
pub(in crate::filter) fn icmp(from: IpAddr, to: IpAddr, kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let protocol = if from.is_ipv4() { 1 } else { 58 };
    let bytes = [&[kind, code, 0, 0], rest].concat();
    ip(from, to, protocol, &sealed(from, to, protocol, bytes, 2, from.is_ipv6()))
}

/// An echo request or reply.
pub(in crate::filter) fn echo(from: IpAddr, to: IpAddr, id: u16, is_answer: bool) -> Vec<u8> {
    let kind = match (from.is_ipv4(), is_answer) {
        (true, false) => 8,
        (true, true) => 0,
        (false, false) => 128,
        (false, true) => 129,
    };
    icmp(from, to, kind, 0, &[&id.to_be_bytes()[..], &[0, 1], b"data"].concat())
}

/// "Port unreachable" about `packet`, of which `quoted` bytes are quoted.
pub(in crate::filter) fn unreachable(from: IpAddr, to: IpAddr, packet: &[u8], quoted: usize) -> Vec<u8> {
    let (kind, code) = if from.is_ipv4() { (3, 3) } else { (1, 4) };
    icmp(from, to, kind, code, &[&[0; 4], &packet[..quoted.min(packet.len())]].concat())
}

/// Whether an IP packet's checksums are right: of IPv4's header, and of TCP, UDP, ICMP or ICMPv6.
pub(in crate::filter) fn sums_up(packet: &[u8]) -> bool {
    let header = crate::packet::parse(packet).expect("a packet");
    let (protocol, payload) = match header.source {
        IpAddr::V4(_) if remainder(&packet[..usize::from(packet[0] & 15) * 4]) != 0 => return false,
        IpAddr::V4(_) => (packet[9], &packet[usize::from(packet[0] & 15) * 4..header.total_len]),
        IpAddr::V6(_) => (packet[6], &packet[40..header.total_len]),
    };
    let pseudo = match protocol {
        1 => Vec::new(),
        _ => pseudo_header(header.source, header.destination, protocol, payload.len()),
    };
    remainder(&[&pseudo, payload].concat()) == 0
}
