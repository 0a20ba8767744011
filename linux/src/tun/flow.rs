//! What coalescing must know of a packet: its flow, and whether it continues the packets before it.
use super::checksum::{Sum, pseudo_header};

/// Bytes of the longest headers looked at: IPv6 without extensions, or IPv4 without options, and TCP with 40 bytes of
/// options.
pub const MAX_HEADERS: usize = 40 + 60;

const TCP: u8 = 6;
const UDP: u8 = 17;
const ACK: u8 = 0x10;
/// The push flag of TCP.
pub const PSH: u8 = 0x08;

/// The headers of a TCP or UDP packet over plain IPv4 or IPv6, whole and of sound length.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// IPv6, not IPv4.
    pub is_v6: bool,
    /// Bytes of the IP header.
    pub ip: usize,
    /// Bytes of the IP and transport headers.
    pub headers: usize,
    /// What is above IP.
    pub transport: Transport,
}

/// What is above IP.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp,
}

/// What is read of a TCP header.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    /// The sequence number.
    pub sequence: u32,
    /// No flag but ACK and perhaps PSH.
    pub plain: bool,
    /// The push flag.
    pub push: bool,
}

impl View {
    /// Reads the headers of `packet`. `None`: not TCP or UDP, a fragment, IP options or extension headers, or lengths
    /// that do not add up to exactly `packet`.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (is_v6, ip, protocol) = match packet.first()? {
            0x45 => {
                let header: &[u8; 20] = packet.first_chunk()?;
                let is_fragment = header[6] & 0x3f != 0 || header[7] != 0;
                let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
                (!is_fragment && total == packet.len()).then_some((false, 20, header[9]))?
            }
            first if first >> 4 == 6 => {
                let header: &[u8; 40] = packet.first_chunk()?;
                let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
                (payload + 40 == packet.len()).then_some((true, 40, header[6]))?
            }
            _ => return None,
        };
        let above = &packet[ip..];
        let (len, transport) = match protocol {
            TCP => {
                let header: &[u8; 20] = above.first_chunk()?;
                let sequence = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                // The low four bits beside the offset are reserved, but for AE (RFC 9768): they must be zero.
                let plain = header[13] & !PSH == ACK && header[12] & 0x0f == 0 && header[18..20] == [0, 0];
                let push = header[13] & PSH != 0;
                (usize::from(header[12] >> 4) * 4, Transport::Tcp(Tcp { sequence, plain, push }))
            }
            UDP => {
                let header: &[u8; 8] = above.first_chunk()?;
                let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
                (len == above.len()).then_some((8, Transport::Udp))?
            }
            _ => return None,
        };
        let least = if protocol == TCP { 20 } else { 8 };
        (len >= least && len <= above.len()).then_some(Self { is_v6, ip, headers: ip + len, transport })
    }

    /// Whether the packet may be gathered with others: it carries data, is nothing special, and is intact.
    #[must_use]
    pub fn may_join(&self, packet: &[u8], udp: bool) -> bool {
        let may = match self.transport {
            Transport::Tcp(tcp) => tcp.plain,
            // Without a checksum it would get one from the kernel, which it did not have.
            Transport::Udp => udp && packet[self.ip + 6..self.ip + 8] != [0, 0],
        };
        may && packet.len() > self.headers && self.ip_is_intact(packet) && self.is_intact(packet)
    }

    /// Whether nothing may be gathered behind the packet.
    #[must_use]
    pub fn ends_group(&self) -> bool {
        matches!(self.transport, Transport::Tcp(Tcp { push: true, .. }))
    }

    fn ip_is_intact(&self, packet: &[u8]) -> bool {
        self.is_v6 || Sum::default().bytes(&packet[..self.ip]).is_valid()
    }

    fn is_intact(&self, packet: &[u8]) -> bool {
        let above = &packet[self.ip..];
        pseudo_header(self.addresses(packet), self.protocol(), above.len()).bytes(above).is_valid()
    }

    const fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Tcp(_) => TCP,
            Transport::Udp => UDP,
        }
    }

    fn addresses<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        if self.is_v6 { &packet[8..40] } else { &packet[12..20] }
    }

    fn ports<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        &packet[self.ip..self.ip + 4]
    }
}

/// Whether two packets, known by their headers, belong to one flow.
#[must_use]
pub fn same_flow(a: &View, a_headers: &[u8], b: &View, b_headers: &[u8]) -> bool {
    a.is_v6 == b.is_v6
        && a.protocol() == b.protocol()
        && a.ports(a_headers) == b.ports(b_headers)
        && a.addresses(a_headers) == b.addresses(b_headers)
}

/// Whether the kernel, splitting `count` packets with the headers `first` and `total` bytes of payload, would give
/// `packet`, which is of the same flow, the headers it has.
#[must_use]
pub fn continues(view: &View, first: &[u8], next: &View, packet: &[u8], total: usize, count: u32) -> bool {
    if view.headers != next.headers || !continues_ip(view, first, packet, count) {
        return false;
    }
    match (view.transport, next.transport) {
        (Transport::Tcp(a), Transport::Tcp(b)) => {
            let (a_header, b_header) = (&first[view.ip..view.headers], &packet[view.ip..view.headers]);
            // Acknowledgement, window and options; the flags are known to be plain.
            b.sequence == a.sequence.wrapping_add(total as u32)
                && a_header[8..12] == b_header[8..12]
                && a_header[14..16] == b_header[14..16]
                && a_header[20..] == b_header[20..]
        }
        (Transport::Udp, Transport::Udp) => true,
        _ => false,
    }
}

fn continues_ip(view: &View, first: &[u8], packet: &[u8], count: u32) -> bool {
    if view.is_v6 {
        // Traffic class and flow label, hop limit.
        return first[..4] == packet[..4] && first[7] == packet[7];
    }
    let same = first[1] == packet[1] && first[6] == packet[6] && first[8] == packet[8];
    // An identification means something only where fragmentation is allowed (RFC 6864 § 4).
    let may_fragment = packet[6] & 0x40 == 0;
    let id = |header: &[u8]| u16::from_be_bytes([header[4], header[5]]);
    same && (!may_fragment || id(packet) == id(first).wrapping_add(count as u16))
}

/// Makes `headers` those of a packet of `len` bytes whose checksum the kernel completes.
pub fn set_length(view: &View, headers: &mut [u8], len: usize) {
    let above = len - view.ip;
    if view.is_v6 {
        headers[4..6].copy_from_slice(&(above as u16).to_be_bytes());
    } else {
        headers[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        headers[10..12].fill(0);
        let sum = Sum::default().bytes(&headers[..view.ip]).finish();
        headers[10..12].copy_from_slice(&sum);
    }
    let partial = pseudo_header(view.addresses(headers), view.protocol(), above).partial();
    let at = match view.transport {
        Transport::Tcp(_) => 16,
        Transport::Udp => {
            headers[view.ip + 4..view.ip + 6].copy_from_slice(&(above as u16).to_be_bytes());
            6
        }
    };
    headers[view.ip + at..view.ip + at + 2].copy_from_slice(&partial);
}
