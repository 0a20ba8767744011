//! The header that precedes every packet on an interface with offloads (virtio 1.2 § 5.1.6, the 10-byte form).

/// Bytes of the header.
pub const LEN: usize = 10;

/// The checksum is partial: someone sums from `csum_start` to the end.
const NEEDS_CSUM: u8 = 1;

/// What kind of bundle a packet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bundle {
    /// None: one packet.
    #[default]
    None,
    /// TCP segments over IPv4.
    TcpV4,
    /// TCP segments over IPv6.
    TcpV6,
    /// UDP datagrams of one flow over either family.
    Udp,
}

/// The header, parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The kind of bundle.
    pub bundle: Bundle,
    /// Bytes of payload in each packet of the bundle but the last.
    pub size: u16,
    /// Bytes of all headers, a hint for the kernel.
    pub headers: u16,
    /// Where the summing starts and, from there, where the checksum goes; `None`: the checksum is complete.
    pub checksum: Option<(u16, u16)>,
}

impl Header {
    /// Reads a header. `None` when it is cut short or names a bundle that was never agreed on.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = bytes.first_chunk()?;
        let field = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let bundle = match bytes[1] & !0x80 {
            0 => Bundle::None,
            1 => Bundle::TcpV4,
            4 => Bundle::TcpV6,
            5 => Bundle::Udp,
            _ => return None,
        };
        let checksum = (bytes[0] & NEEDS_CSUM != 0).then(|| (field(6), field(8)));
        Some(Self { bundle, headers: field(2), size: field(4), checksum })
    }

    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[1] = match self.bundle {
            Bundle::None => 0,
            Bundle::TcpV4 => 1,
            Bundle::TcpV6 => 4,
            Bundle::Udp => 5,
        };
        bytes[2..4].copy_from_slice(&self.headers.to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.size.to_ne_bytes());
        if let Some((start, offset)) = self.checksum {
            bytes[0] = NEEDS_CSUM;
            bytes[6..8].copy_from_slice(&start.to_ne_bytes());
            bytes[8..10].copy_from_slice(&offset.to_ne_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_round_trip() {
        let headers = [
            Header::default(),
            Header { checksum: Some((20, 16)), ..Header::default() },
            Header { bundle: Bundle::TcpV4, size: 1368, headers: 52, checksum: Some((20, 16)) },
            Header { bundle: Bundle::TcpV6, size: 1348, headers: 72, checksum: Some((40, 16)) },
            Header { bundle: Bundle::Udp, size: 1200, headers: 28, checksum: Some((20, 6)) },
        ];
        for header in headers {
            assert_eq!(Header::parse(&header.to_bytes()), Some(header));
        }
    }

    #[test]
    fn a_short_or_unknown_header_is_none() {
        assert_eq!(Header::parse(&[0; LEN - 1]), None);
        let ufo = [0, 3, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Header::parse(&ufo), None);
    }

    #[test]
    fn the_ecn_bit_of_the_kind_is_ignored() {
        let mut bytes = Header { bundle: Bundle::TcpV4, ..Header::default() }.to_bytes();
        bytes[1] |= 0x80;
        assert_eq!(Header::parse(&bytes).map(|h| h.bundle), Some(Bundle::TcpV4));
    }
}
