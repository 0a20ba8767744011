//! From one read of the virtual interface to packets of wire size.
//!
//! The kernel hands over a super-packet: one header and payload for many packets. Each call of
//! [`Segments::write_next`] puts the next packet where it will be sealed, so that the payload is copied once.
use super::checksum::{Sum, pseudo_header};
use super::vnet::{Bundle, Header};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// FIN and PSH: on the last segment only.
const TCP_LAST_ONLY: u8 = 0x09;
/// CWR: on the first segment only (RFC 3168 § 6.1.2).
const TCP_FIRST_ONLY: u8 = 0x80;

/// The packets of one read, in order.
#[derive(Debug)]
pub struct Segments<'a> {
    bytes: &'a [u8],
    kind: Kind,
    /// Where the payload of the next packet starts; the length of `bytes` after the last.
    at: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// One packet, with its checksum to complete: where to sum from, and where the checksum goes.
    Single(Option<(usize, usize)>),
    /// Many packets.
    Many(Shape),
}

/// What the packets of a bundle have in common.
#[derive(Clone, Copy, Debug)]
struct Shape {
    protocol: u8,
    /// Bytes of the IP header.
    ip: usize,
    /// Bytes of the IP and transport headers.
    headers: usize,
    /// Bytes of payload in each packet but the last.
    size: usize,
}

impl<'a> Segments<'a> {
    /// The packets in `bytes`, which `header` describes. `None` when the two contradict each other.
    #[must_use]
    pub fn new(header: Header, bytes: &'a [u8]) -> Option<Self> {
        if header.bundle == Bundle::None {
            let checksum = match header.checksum {
                None => None,
                Some((start, offset)) => {
                    let (start, at) = (usize::from(start), usize::from(start) + usize::from(offset));
                    (at + 2 <= bytes.len()).then_some(())?;
                    Some((start, at))
                }
            };
            return Some(Self { bytes, kind: Kind::Single(checksum), at: 0 });
        }
        let shape = Shape::new(header, bytes)?;
        Some(Self { bytes, kind: Kind::Many(shape), at: shape.headers })
    }

    /// Bytes of the next packet; `None` after the last.
    #[must_use]
    pub fn next_len(&self) -> Option<usize> {
        let left = self.bytes.len().checked_sub(self.at).filter(|left| *left > 0)?;
        Some(match self.kind {
            Kind::Single(_) => left,
            Kind::Many(shape) => shape.headers + left.min(shape.size),
        })
    }

    /// Writes the next packet to `out`, whose length is that of [`next_len`](Self::next_len).
    pub fn write_next(&mut self, out: &mut [u8]) {
        match self.kind {
            Kind::Single(checksum) => {
                out.copy_from_slice(self.bytes);
                if let Some((start, at)) = checksum {
                    complete_checksum(out, start, at);
                }
                self.at = self.bytes.len();
            }
            Kind::Many(shape) => {
                let payload = &self.bytes[self.at..self.at + out.len() - shape.headers];
                out[..shape.headers].copy_from_slice(&self.bytes[..shape.headers]);
                out[shape.headers..].copy_from_slice(payload);
                let offset = self.at - shape.headers;
                self.at += payload.len();
                shape.mend(out, offset, self.at == self.bytes.len());
            }
        }
    }
}

/// Sums from `start` to the end and writes the checksum to `at`, where the pseudo-header's sum stands already.
fn complete_checksum(packet: &mut [u8], start: usize, at: usize) {
    let sum = Sum::default().bytes(&packet[start..]).finish();
    // Zero would mean "no checksum" in UDP (RFC 768); for TCP and ICMPv6 both zeros are the same.
    let sum = if sum == [0, 0] { [0xff, 0xff] } else { sum };
    packet[at..at + 2].copy_from_slice(&sum);
}

impl Shape {
    fn new(header: Header, bytes: &[u8]) -> Option<Self> {
        let (start, _) = header.checksum?;
        let ip = usize::from(start);
        let version = bytes.first()? >> 4;
        let (protocol, versions, least) = match header.bundle {
            Bundle::None => return None,
            Bundle::TcpV4 => (TCP, [4, 4], 20),
            Bundle::TcpV6 => (TCP, [6, 6], 20),
            Bundle::Udp => (UDP, [4, 6], 8),
        };
        let transport = match protocol {
            TCP => usize::from(bytes.get(ip + 12)? >> 4) * 4,
            _ => 8,
        };
        let shape = Self { protocol, ip, headers: ip + transport, size: usize::from(header.size) };
        let least_ip = if version == 4 { 20 } else { 40 };
        let sound = versions.contains(&version)
            && ip >= least_ip
            && ip <= usize::from(u16::MAX) - 60
            && transport >= least
            && shape.size > 0
            && bytes.len() > shape.headers;
        sound.then_some(shape)
    }

    /// Turns the bundle's headers at the start of `packet` into the packet's own. `offset`: bytes of payload before it.
    fn mend(self, packet: &mut [u8], offset: usize, last: bool) {
        let addresses = self.mend_ip(packet, offset / self.size);
        let (ip, rest) = packet.split_at_mut(self.ip);
        let sum = pseudo_header(&ip[addresses], self.protocol, rest.len());
        if self.protocol == TCP {
            let sequence = u32::from_be_bytes([rest[4], rest[5], rest[6], rest[7]]).wrapping_add(offset as u32);
            rest[4..8].copy_from_slice(&sequence.to_be_bytes());
            if !last {
                rest[13] &= !TCP_LAST_ONLY;
            }
            if offset > 0 {
                rest[13] &= !TCP_FIRST_ONLY;
            }
            rest[16..18].fill(0);
            let sum = sum.bytes(rest).finish();
            rest[16..18].copy_from_slice(&sum);
        } else {
            let len = rest.len() as u16;
            rest[4..6].copy_from_slice(&len.to_be_bytes());
            rest[6..8].fill(0);
            let sum = sum.bytes(rest).finish();
            rest[6..8].copy_from_slice(if sum == [0, 0] { &[0xff, 0xff] } else { &sum });
        }
    }

    /// Mends length, identification and checksum of the IP header; returns where its two addresses are.
    fn mend_ip(self, packet: &mut [u8], number: usize) -> std::ops::Range<usize> {
        let len = packet.len();
        if packet[0] >> 4 == 6 {
            packet[4..6].copy_from_slice(&((len - 40) as u16).to_be_bytes());
            return 8..40;
        }
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        let identification = u16::from_be_bytes([packet[4], packet[5]]).wrapping_add(number as u16);
        packet[4..6].copy_from_slice(&identification.to_be_bytes());
        packet[10..12].fill(0);
        let sum = Sum::default().bytes(&packet[..self.ip]).finish();
        packet[10..12].copy_from_slice(&sum);
        12..20
    }
}
