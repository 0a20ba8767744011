//! The addresses of the control channel: link-local ones (RFC 4291 § 2.5.6) which follow from keys, so that nobody has to
//! configure them.
//!
//! Between two cores they are on the wire only, inside the tunnel: no interface has them. A gateway that is no Underpass gives
//! [`GATEWAY`] to its interface, and [`of_client`] with /128 to the allowed IPs of the peer.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
use crate::crypto::PublicKey;
use crate::crypto::hash::hash;
use core::net::Ipv6Addr;

/// The UDP port of both ends (RFC 7252 § 12.6).
pub const PORT: u16 = 5683;

/// The address of every gateway.
pub const GATEWAY: Ipv6Addr = Ipv6Addr::from_bits(PREFIX | 1);

/// What all of these addresses begin with: fe80::/64.
const PREFIX: u128 = 0xfe80 << 112;

/// Keeps this use of the hash apart from all others.
const LABEL: &[u8] = b"underpass control";

/// The address of the client with this key: fe80::/64 and the first 8 bytes of BLAKE2s-256(label | key).
///
/// Two clients of one gateway may share an address, by chance once in 2^64 pairs. Between cores that does no harm, since
/// a peer is known by its key; a gateway that routes by addresses must not take both.
#[must_use]
pub fn of_client(public_key: &PublicKey) -> Ipv6Addr {
    Ipv6Addr::from_bits(with_interface(interface_of(public_key)))
}

/// The lower half of a client's address (RFC 4291 § 2.5.1: the interface identifier).
pub(crate) fn interface_of(public_key: &PublicKey) -> u64 {
    let digest = hash(&[LABEL, public_key.as_bytes()]);
    digest.first_chunk().map_or(0, |half| u64::from_be_bytes(*half))
}

/// The address with this lower half.
pub(crate) const fn with_interface(interface: u64) -> u128 {
    PREFIX | interface as u128
}

/// Whether an address is link-local: fe80::/10, which no router forwards (RFC 4291 § 2.5.6).
#[inline]
pub(crate) const fn is_link_local(address: u128) -> bool {
    address >> 118 == PREFIX >> 118
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, with the BLAKE2s of Python.
    #[test]
    fn addresses_follow_from_keys() {
        let table = [
            ([0; 32], "fe80::3822:3313:277c:8662"),
            ([1; 32], "fe80::535e:863c:b492:8adf"),
            (core::array::from_fn(|at| at as u8), "fe80::55ae:e9d4:3eef:aea1"),
        ];
        for (key, address) in table {
            let of_client = of_client(&PublicKey::from_bytes(key));
            assert_eq!(of_client, address.parse::<Ipv6Addr>().expect("an address"), "{key:?}");
            assert_eq!(of_client.to_bits(), with_interface(interface_of(&PublicKey::from_bytes(key))));
            assert!(of_client.is_unicast_link_local());
        }
        assert_eq!(GATEWAY, "fe80::1".parse::<Ipv6Addr>().expect("an address"));
    }

    #[test]
    fn link_local_is_what_the_standard_library_says() {
        for text in
            ["::", "::1", "fe7f:ffff::", "fe80::", "fe80::1", "febf:ffff::1", "fec0::", "ff02::1", "2001:db8::1"]
        {
            let address: Ipv6Addr = text.parse().expect("an address");
            assert_eq!(is_link_local(address.to_bits()), address.is_unicast_link_local(), "{text}");
        }
    }
}
