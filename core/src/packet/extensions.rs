//! The chain of extension headers of an IPv6 packet (RFC 8200 § 4), followed as far as eight of them.
use super::ipv6::HOP_BY_HOP;

/// Extension headers that are followed. RFC 8200 § 4.1 knows of seven in one packet; what has more is not read.
const MOST: usize = 8;

const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;

/// Which part of a packet a fragment is (RFC 791 § 3.2, RFC 8200 § 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "filter"), allow(dead_code, reason = "ICMP errors look at the offset alone"))]
pub(crate) struct Fragment {
    /// What the fragments of one packet have in common.
    pub id: u32,
    /// Where it begins, in units of 8 bytes.
    pub offset: u16,
    /// Whether others come behind it.
    pub more: bool,
}

/// What stands behind the extension headers.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "filter"), allow(dead_code, reason = "ICMP errors are sent whatever the route"))]
pub(super) struct Chain<'a> {
    /// The protocol number of `payload`.
    pub protocol: u8,
    /// Everything behind the last header that was followed. Of a fragment other than the first, its data.
    pub payload: &'a [u8],
    /// The fragment header, if there is one.
    pub fragment: Option<Fragment>,
    /// Whether a routing header names more places to go to: the destination is not the last one then.
    pub is_routed: bool,
}

/// Follows the chain that begins with a header of kind `first` at the front of `rest`. `None`: it is cut short, longer than
/// eight headers, has two fragment headers, or hop-by-hop options elsewhere than in front.
pub(super) fn follow(first: u8, rest: &[u8]) -> Option<Chain<'_>> {
    let mut chain = Chain { protocol: first, payload: rest, fragment: None, is_routed: false };
    for place in 0..=MOST {
        let rest = chain.payload;
        let length = match chain.protocol {
            HOP_BY_HOP if place > 0 => return None,
            // Hop-by-hop, routing, destination options, mobility, host identity, shim6: in units of 8 bytes after the
            // first 8 (RFC 6564 § 4).
            HOP_BY_HOP | ROUTING | 60 | 135 | 139 | 140 => {
                chain.is_routed |= chain.protocol == ROUTING && *rest.get(3)? != 0;
                usize::from(*rest.get(1)?).saturating_add(1).saturating_mul(8)
            }
            // In units of 4 bytes, less two (RFC 4302 § 2.2).
            AUTHENTICATION => usize::from(*rest.get(1)?).saturating_add(2).saturating_mul(4),
            FRAGMENT if chain.fragment.is_some() => return None,
            FRAGMENT => {
                chain.fragment = Some(fragment(rest.first_chunk()?));
                8
            }
            _ => return Some(chain),
        };
        chain.protocol = *rest.first()?;
        chain.payload = rest.get(length..)?;
        // Only the first fragment says what it is part of.
        if chain.fragment.is_some_and(|fragment| fragment.offset != 0) {
            return Some(chain);
        }
    }
    None
}

fn fragment(header: &[u8; 8]) -> Fragment {
    let [_, _, high, low, a, b, c, d] = *header;
    let place = u16::from_be_bytes([high, low]);
    Fragment { id: u32::from_be_bytes([a, b, c, d]), offset: place >> 3, more: place & 1 != 0 }
}
