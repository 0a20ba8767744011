//! Inner packets: what the core must know of IP, and the ICMP errors it answers with.
//!
//! No bytes make anything here panic: what cannot be read is `None`.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
pub(crate) mod checksum;
pub mod ecn;
pub(crate) mod icmp;

use core::net::IpAddr;

/// Bytes of an IPv4 header without options (RFC 791 § 3.1).
const IPV4_HEADER: usize = 20;
/// Bytes of an IPv6 header (RFC 8200 § 3).
const IPV6_HEADER: usize = 40;
/// The next header of an IPv6 packet that begins with hop-by-hop options.
const HOP_BY_HOP: u8 = 0;

/// What the core reads of an inner packet's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The source address.
    pub source: IpAddr,
    /// The destination address.
    pub destination: IpAddr,
    /// Bytes of the packet by its own length field, never more than the slice that was parsed.
    pub total_len: usize,
}

/// An address as a number, the first byte on the wire being the highest: the key of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// IPv4.
    V4(u32),
    /// IPv6.
    V6(u128),
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address {
            Address::V4(number) => Self::V4(number.into()),
            Address::V6(number) => Self::V6(number.into()),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address.into()),
            IpAddr::V6(address) => Self::V6(address.into()),
        }
    }
}

/// Reads the header of an IPv4 or IPv6 packet. `packet` may be longer than the packet (padding).
/// `None` when the version is neither, the header is cut short, or the packet says it is longer than `packet`.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Header> {
    let ip = Ip::read(packet)?;
    Some(Header { source: ip.source().into(), destination: ip.destination().into(), total_len: ip.total_len() })
}

/// Reads where a packet wants to go, and its length in bytes. `None` in the cases of [`parse`].
#[must_use]
#[inline]
pub fn destination(packet: &[u8]) -> Option<(Address, usize)> {
    let ip = Ip::read(packet)?;
    Some((ip.destination(), ip.total_len()))
}

/// Reads where a packet says it comes from, and its length in bytes. `None` in the cases of [`parse`].
#[must_use]
#[inline]
pub fn source(packet: &[u8]) -> Option<(Address, usize)> {
    let ip = Ip::read(packet)?;
    Some((ip.source(), ip.total_len()))
}

/// A packet whose fixed header is there and whose length field fits the slice it was read from.
#[derive(Clone, Copy, Debug)]
enum Ip<'a> {
    V4(Ipv4<'a>),
    V6(Ipv6<'a>),
}

impl<'a> Ip<'a> {
    #[inline]
    fn read(packet: &'a [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Ipv4::read(packet).map(Self::V4),
            6 => Ipv6::read(packet).map(Self::V6),
            _ => None,
        }
    }

    #[inline]
    fn source(self) -> Address {
        match self {
            Self::V4(ip) => Address::V4(ip.source()),
            Self::V6(ip) => Address::V6(ip.source()),
        }
    }

    #[inline]
    fn destination(self) -> Address {
        match self {
            Self::V4(ip) => Address::V4(ip.destination()),
            Self::V6(ip) => Address::V6(ip.destination()),
        }
    }

    #[inline]
    fn total_len(self) -> usize {
        match self {
            Self::V4(ip) => ip.total_len(),
            Self::V6(ip) => ip.total_len(),
        }
    }
}

/// An IPv4 packet (RFC 791 § 3.1).
#[derive(Clone, Copy, Debug)]
struct Ipv4<'a>(&'a [u8; IPV4_HEADER]);

impl<'a> Ipv4<'a> {
    /// The header of `packet`, whose version is known. Its length is at least 20 bytes, that of the packet no less, and
    /// the slice holds the packet.
    #[inline]
    fn read(packet: &'a [u8]) -> Option<Self> {
        let ip = Self(packet.first_chunk()?);
        let total = ip.total_len();
        (ip.header_len() >= IPV4_HEADER && total >= ip.header_len() && total <= packet.len()).then_some(ip)
    }

    /// Bytes of the header with its options.
    #[inline]
    fn header_len(self) -> usize {
        usize::from(self.0[0] & 0xf) << 2
    }

    #[inline]
    fn total_len(self) -> usize {
        usize::from(u16::from_be_bytes([self.0[2], self.0[3]]))
    }

    /// Where in the original packet this fragment begins, in units of 8 bytes.
    fn fragment_offset(self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]]) & 0x1fff
    }

    fn protocol(self) -> u8 {
        self.0[9]
    }

    #[inline]
    fn source(self) -> u32 {
        let h = self.0;
        u32::from_be_bytes([h[12], h[13], h[14], h[15]])
    }

    #[inline]
    fn destination(self) -> u32 {
        let h = self.0;
        u32::from_be_bytes([h[16], h[17], h[18], h[19]])
    }
}

/// An IPv6 packet (RFC 8200 § 3).
#[derive(Clone, Copy, Debug)]
struct Ipv6<'a>(&'a [u8; IPV6_HEADER]);

impl<'a> Ipv6<'a> {
    /// The header of `packet`, whose version is known. The slice holds the packet, and it is no jumbogram (RFC 2675 § 3):
    /// one whose payload length is zero though hop-by-hop options follow.
    #[inline]
    fn read(packet: &'a [u8]) -> Option<Self> {
        let ip = Self(packet.first_chunk()?);
        let jumbo = ip.next_header() == HOP_BY_HOP && ip.payload_len() == 0;
        (!jumbo && ip.total_len() <= packet.len()).then_some(ip)
    }

    #[inline]
    fn payload_len(self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    #[inline]
    fn total_len(self) -> usize {
        usize::from(self.payload_len()).saturating_add(IPV6_HEADER)
    }

    #[inline]
    fn next_header(self) -> u8 {
        self.0[6]
    }

    #[inline]
    fn source(self) -> u128 {
        self.address::<8>()
    }

    #[inline]
    fn destination(self) -> u128 {
        self.address::<24>()
    }

    /// The address that begins at byte `AT`, 8 or 24.
    #[inline]
    fn address<const AT: usize>(self) -> u128 {
        self.0.get(AT..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u128::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests;
