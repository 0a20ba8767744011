//! UDP datagrams (RFC 768).

/// The protocol number of UDP.
pub(crate) const UDP: u8 = 17;
/// Bytes of the header.
const HEADER: u16 = 8;

/// Reads the source and destination port of a datagram, or of the first fragment of one. `None`: the header is cut short, or
/// its length is less than itself or, of a whole datagram, more than there is.
#[inline]
pub(crate) fn ports(datagram: &[u8], is_whole: bool) -> Option<(u16, u16)> {
    let [a, b, c, d, high, low, _, _] = *datagram.first_chunk()?;
    let len = u16::from_be_bytes([high, low]);
    let fits = len >= HEADER && (!is_whole || usize::from(len) <= datagram.len());
    fits.then_some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}
