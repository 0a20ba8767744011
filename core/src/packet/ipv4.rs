//! IPv4 headers (RFC 791 § 3.1).
#[cfg(feature = "filter")]
use super::extensions::Fragment;

/// Bytes of an IPv4 header without options.
pub(super) const IPV4_HEADER: usize = 20;

/// An IPv4 packet (RFC 791 § 3.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ipv4<'a>(&'a [u8; IPV4_HEADER]);

impl<'a> Ipv4<'a> {
    /// The header of `packet`, whose version is known. Its length is at least 20 bytes, that of the packet no less, and
    /// the slice holds the packet.
    #[inline]
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let ip = Self(packet.first_chunk()?);
        let total = ip.total_len();
        (ip.header_len() >= IPV4_HEADER && total >= ip.header_len() && total <= packet.len()).then_some(ip)
    }

    /// Bytes of the header with its options.
    #[inline]
    pub(super) fn header_len(self) -> usize {
        usize::from(self.0[0] & 0xf) << 2
    }

    #[inline]
    pub(super) fn total_len(self) -> usize {
        usize::from(u16::from_be_bytes([self.0[2], self.0[3]]))
    }

    /// Where in the original packet this fragment begins, in units of 8 bytes.
    pub(super) fn fragment_offset(self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]]) & 0x1fff
    }

    pub(super) fn protocol(self) -> u8 {
        self.0[9]
    }

    #[inline]
    pub(super) fn source(self) -> u32 {
        let h = self.0;
        u32::from_be_bytes([h[12], h[13], h[14], h[15]])
    }

    #[inline]
    pub(super) fn destination(self) -> u32 {
        let h = self.0;
        u32::from_be_bytes([h[16], h[17], h[18], h[19]])
    }
}

#[cfg(feature = "filter")]
impl<'a> Ipv4<'a> {
    /// The header at the front of what an ICMP error quotes, which may be cut behind it.
    pub(super) fn quoted(bytes: &'a [u8]) -> Option<Self> {
        let ip = Self(bytes.first_chunk()?);
        let header = ip.header_len();
        (header >= IPV4_HEADER && header <= bytes.len() && ip.total_len() >= header).then_some(ip)
    }

    /// Which part of a packet this is; `None` for a whole one.
    #[inline]
    pub(super) fn fragment(self) -> Option<Fragment> {
        let more = self.0[6] & 0x20 != 0;
        let offset = self.fragment_offset();
        let id = u16::from_be_bytes([self.0[4], self.0[5]]).into();
        (more || offset != 0).then_some(Fragment { id, offset, more })
    }
}

/// Whether the options of a header name other places to go to: a loose or strict source route (RFC 791 § 3.1), of which
/// RFC 7126 § 4.3 and § 4.4 advise to drop packets. Options that cannot be read count as such.
#[cfg(feature = "filter")]
pub(super) fn is_source_routed(mut options: &[u8]) -> bool {
    loop {
        options = match options {
            [] | [0, ..] => return false,
            [1, rest @ ..] => rest,
            [131 | 137, ..] => return true,
            [_, len, ..] if *len >= 2 => match options.get(usize::from(*len)..) {
                Some(rest) => rest,
                None => return true,
            },
            _ => return true,
        };
    }
}
