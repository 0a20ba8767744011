//! Inner packets: what the core must know of IP, and the ICMP errors it answers with. With the feature `filter` also what
//! rules are about: extension headers, fragments, TCP, UDP and ICMP, each a view of bytes that were checked once.
//!
//! No bytes make anything here panic: what cannot be read is `None`.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
pub(crate) mod checksum;
pub mod ecn;
mod extensions;
pub(crate) mod icmp;
#[cfg(feature = "filter")]
pub(crate) mod inner;
mod ipv4;
mod ipv6;
#[cfg(feature = "filter")]
pub(crate) mod tcp;
#[cfg(feature = "filter")]
pub(crate) mod udp;

use core::net::IpAddr;
use ipv4::{IPV4_HEADER, Ipv4};
use ipv6::{IPV6_HEADER, Ipv6};

/// The protocol number of ICMP (RFC 792).
pub(crate) const ICMP: u8 = 1;
/// The next header of ICMPv6 (RFC 4443).
pub(crate) const ICMPV6: u8 = 58;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

#[cfg(test)]
mod tests;
