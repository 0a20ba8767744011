//! TCP segments (RFC 9293 § 3.1).

/// The protocol number of TCP.
pub(crate) const TCP: u8 = 6;
/// Bytes of a header without options.
pub(crate) const HEADER: usize = 20;
/// Where the checksum stands in the header.
pub(crate) const CHECKSUM_AT: usize = 16;

/// The control bits of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(pub u8);

impl Flags {
    pub(crate) const FIN: u8 = 1;
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const ACK: u8 = 16;

    /// Whether all bits of `bits` are set.
    #[inline]
    pub(crate) const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    /// Whether the segment asks for a new connection: SYN, and none of ACK, FIN and RST.
    #[inline]
    pub(crate) const fn is_opening(self) -> bool {
        self.0 & (Self::SYN | Self::ACK | Self::FIN | Self::RST) == Self::SYN
    }

    /// Whether a TCP sends such segments: one of SYN, ACK and RST is set, FIN comes with ACK, and of SYN, FIN and RST no
    /// two are there.
    #[inline]
    pub(crate) const fn is_sound(self) -> bool {
        matches!(
            self.0 & (Self::SYN | Self::FIN | Self::RST | Self::ACK),
            // SYN, RST and ACK alone or with ACK, FIN with ACK.
            2 | 18 | 4 | 20 | 16 | 17
        )
    }
}

/// A segment whose header is there with all of its options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp<'a> {
    header: &'a [u8; HEADER],
    options: &'a [u8],
    /// Bytes of data behind the header.
    pub data_len: usize,
}

impl<'a> Tcp<'a> {
    /// Reads a segment, or the first fragment of one. `None`: the header is cut short, or its length is none.
    #[inline]
    pub(crate) fn read(segment: &'a [u8]) -> Option<Self> {
        let (header, rest) = segment.split_first_chunk::<HEADER>()?;
        let options_len = (usize::from(header[12] >> 4) << 2).checked_sub(HEADER)?;
        let options = rest.get(..options_len)?;
        Some(Self { header, options, data_len: rest.len().checked_sub(options_len)? })
    }

    #[inline]
    pub(crate) fn flags(self) -> Flags {
        Flags(self.header[13])
    }

    pub(crate) fn sequence(self) -> u32 {
        let h = self.header;
        u32::from_be_bytes([h[4], h[5], h[6], h[7]])
    }

    pub(crate) fn acknowledgement(self) -> u32 {
        let h = self.header;
        u32::from_be_bytes([h[8], h[9], h[10], h[11]])
    }

    /// The maximum segment size option (RFC 9293 § 3.7.1): where its value stands in the segment, and the value. `None`:
    /// there is none, or the options before it cannot be read.
    pub(crate) fn mss(self) -> Option<(usize, u16)> {
        let mut rest = self.options;
        let mut at = HEADER;
        loop {
            let len = match rest {
                [1, ..] => 1,
                [2, 4, high, low, ..] => return Some((at.checked_add(2)?, u16::from_be_bytes([*high, *low]))),
                [0, ..] => return None,
                [_, len, ..] if *len >= 2 => usize::from(*len),
                _ => return None,
            };
            rest = rest.get(len..)?;
            at = at.checked_add(len)?;
        }
    }
}

/// The source and destination port at the front of a segment or UDP datagram, of which no more need be there.
#[inline]
pub(crate) fn ports(payload: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *payload.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}
