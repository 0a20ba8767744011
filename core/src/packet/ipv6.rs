//! IPv6 headers (RFC 8200 § 3).

/// Bytes of an IPv6 header.
pub(super) const IPV6_HEADER: usize = 40;
/// The next header of a packet that begins with hop-by-hop options.
pub(super) const HOP_BY_HOP: u8 = 0;

/// An IPv6 packet (RFC 8200 § 3).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ipv6<'a>(&'a [u8; IPV6_HEADER]);

impl<'a> Ipv6<'a> {
    /// The header of `packet`, whose version is known. The slice holds the packet, and it is no jumbogram (RFC 2675 § 3):
    /// one whose payload length is zero though hop-by-hop options follow.
    #[inline]
    pub(super) fn read(packet: &'a [u8]) -> Option<Self> {
        let ip = Self(packet.first_chunk()?);
        let jumbo = ip.next_header() == HOP_BY_HOP && ip.payload_len() == 0;
        (!jumbo && ip.total_len() <= packet.len()).then_some(ip)
    }

    #[inline]
    pub(super) fn payload_len(self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    #[inline]
    pub(super) fn total_len(self) -> usize {
        usize::from(self.payload_len()).saturating_add(IPV6_HEADER)
    }

    #[inline]
    pub(super) fn next_header(self) -> u8 {
        self.0[6]
    }

    #[inline]
    pub(super) fn source(self) -> u128 {
        self.address::<8>()
    }

    #[inline]
    pub(super) fn destination(self) -> u128 {
        self.address::<24>()
    }

    /// The address that begins at byte `AT`, 8 or 24.
    #[inline]
    fn address<const AT: usize>(self) -> u128 {
        self.0.get(AT..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u128::from_be_bytes(*bytes))
    }
}

#[cfg(feature = "filter")]
impl<'a> Ipv6<'a> {
    /// The header at the front of what an ICMP error quotes, which may be cut behind it.
    pub(super) fn quoted(bytes: &'a [u8]) -> Option<Self> {
        bytes.first_chunk().map(Self)
    }
}
