//! What is sent to whoever's packet is rejected: a TCP reset (RFC 9293 § 3.5.2), or an ICMP error.
use crate::packet::checksum::Sum;
use crate::packet::icmp::{self, Error};
use crate::packet::tcp::{Flags, HEADER, TCP, Tcp};
use crate::packet::{Address, inner};

/// How a packet is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// By a TCP reset.
    Reset,
    /// By an ICMP or ICMPv6 error, "administratively prohibited".
    Prohibited,
}

/// Bytes of the headers of IPv4 and IPv6.
const IPV4: usize = 20;
const IPV6: usize = 40;
/// The hop limit of what we write.
const HOP_LIMIT: u8 = 64;

impl Reject {
    /// Writes the answer to `packet` into `out`, and returns its length. It goes back to where the packet came from, as if
    /// from where it wanted to go. `None`: there is none (the packet is a reset, an ICMP error, from or to many), or `out`
    /// is too short. 576 bytes are room enough for IPv4, 1280 for IPv6.
    #[must_use]
    pub fn write(self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        match self {
            Self::Reset => reset(packet, out),
            Self::Prohibited => icmp::write_error_about(packet, out, Error::Prohibited),
        }
    }
}

/// Writes the reset that answers a segment (RFC 9293 § 3.10.7.1).
fn reset(packet: &[u8], out: &mut [u8]) -> Option<usize> {
    let inner = inner::read(packet).ok()?;
    if inner.protocol != TCP || !icmp::may_answer(packet) {
        return None;
    }
    let segment = Tcp::read(inner.payload)?;
    let flags = segment.flags();
    if flags.has(Flags::RST) {
        return None;
    }
    let (sequence, acknowledgement, control) = if flags.has(Flags::ACK) {
        (segment.acknowledgement(), 0, Flags::RST)
    } else {
        // SYN and FIN take a place in the sequence each.
        let places = u32::from(flags.has(Flags::SYN)).wrapping_add(u32::from(flags.has(Flags::FIN)));
        let len = (segment.data_len as u32).wrapping_add(places);
        (0, segment.sequence().wrapping_add(len), Flags::RST | Flags::ACK)
    };
    let mut tcp = [0; HEADER];
    let [a, b, c, d, ..] = *inner.payload else { return None };
    let [s0, s1, s2, s3] = sequence.to_be_bytes();
    let [k0, k1, k2, k3] = acknowledgement.to_be_bytes();
    for (place, byte) in tcp.iter_mut().zip([c, d, a, b, s0, s1, s2, s3, k0, k1, k2, k3, 5 << 4, control]) {
        *place = byte;
    }
    match (inner.source, inner.destination) {
        (Address::V4(to), Address::V4(from)) => over_ipv4(from, to, tcp, out),
        (Address::V6(to), Address::V6(from)) => over_ipv6(from, to, tcp, out),
        _ => None,
    }
}

fn over_ipv4(from: u32, to: u32, mut tcp: [u8; HEADER], out: &mut [u8]) -> Option<usize> {
    const LEN: usize = IPV4 + HEADER;
    let ([f0, f1, f2, f3], [t0, t1, t2, t3]) = (from.to_be_bytes(), to.to_be_bytes());
    let addresses = [f0, f1, f2, f3, t0, t1, t2, t3];
    seal(&mut tcp, &addresses);
    // Identification 0 with "don't fragment" set: an atomic datagram (RFC 6864 § 4.1).
    let mut ip = [0x45, 0, 0, LEN as u8, 0, 0, 0x40, 0, HOP_LIMIT, TCP, 0, 0, f0, f1, f2, f3, t0, t1, t2, t3];
    let [high, low] = Sum::new().bytes(&ip).checksum().to_be_bytes();
    (ip[10], ip[11]) = (high, low);
    put(out, &[&ip, &tcp], LEN)
}

fn over_ipv6(from: u128, to: u128, mut tcp: [u8; HEADER], out: &mut [u8]) -> Option<usize> {
    let mut addresses = [0; 32];
    for (place, byte) in addresses.iter_mut().zip(from.to_be_bytes().into_iter().chain(to.to_be_bytes())) {
        *place = byte;
    }
    seal(&mut tcp, &addresses);
    let fixed = [0x60, 0, 0, 0, 0, HEADER as u8, TCP, HOP_LIMIT];
    put(out, &[&fixed, &addresses, &tcp], IPV6 + HEADER)
}

/// Writes the checksum of a segment without data, over its pseudo-header (RFC 9293 § 3.1, RFC 8200 § 8.1).
fn seal(tcp: &mut [u8; HEADER], addresses: &[u8]) {
    let sum = Sum::new().bytes(addresses).word(TCP.into()).word(HEADER as u16).bytes(tcp);
    let [high, low] = sum.checksum().to_be_bytes();
    (tcp[16], tcp[17]) = (high, low);
}

fn put(out: &mut [u8], parts: &[&[u8]], len: usize) -> Option<usize> {
    let out = out.get_mut(..len)?;
    for (place, byte) in out.iter_mut().zip(parts.iter().flat_map(|part| part.iter())) {
        *place = *byte;
    }
    Some(len)
}
