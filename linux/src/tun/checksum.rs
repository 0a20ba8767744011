//! The Internet checksum (RFC 1071), fast enough for every byte that passes.

/// A running sum, native byte order, not folded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds `bytes`, which start at an even offset of what is summed; an odd last byte counts as if a zero followed.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let mut lanes = [0u64; 8];
        let mut blocks = bytes.chunks_exact(32);
        for block in &mut blocks {
            for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
                *lane += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
            }
        }
        let mut sum = lanes.iter().fold(self.0, |sum, lane| sum.wrapping_add(u64::from(fold32(*lane))));
        let mut pairs = blocks.remainder().chunks_exact(2);
        for pair in &mut pairs {
            sum = sum.wrapping_add(u64::from(u16::from_ne_bytes([pair[0], pair[1]])));
        }
        if let [last] = pairs.remainder() {
            sum = sum.wrapping_add(u64::from(u16::from_ne_bytes([*last, 0])));
        }
        Self(sum)
    }

    /// Adds a 16-bit field.
    #[must_use]
    pub fn field(self, value: u16) -> Self {
        Self(self.0.wrapping_add(u64::from(value.to_be())))
    }

    /// The sum folded to 16 bits and not complemented: what a checksum field holds while the rest is still to be
    /// added. In network byte order.
    #[must_use]
    pub fn partial(self) -> [u8; 2] {
        let sum = fold32(self.0);
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        (sum as u16).to_ne_bytes()
    }

    /// The checksum in network byte order.
    #[must_use]
    pub fn finish(self) -> [u8; 2] {
        let [a, b] = self.partial();
        [!a, !b]
    }

    /// Whether what was summed, its checksum included, is intact.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.partial() == [0xff, 0xff]
    }
}

/// The sum of a TCP or UDP pseudo-header (RFC 9293 § 3.1, RFC 8200 § 8.1). `addresses` are source and destination as
/// they stand in the IP header; `len` counts the transport header and what follows.
#[must_use]
pub fn pseudo_header(addresses: &[u8], protocol: u8, len: usize) -> Sum {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    Sum::default().bytes(addresses).field(u16::from(protocol)).field((len >> 16) as u16).field(len as u16)
}

/// Folds to 32 bits, keeping the value modulo 2^16 - 1.
fn fold32(sum: u64) -> u32 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word by word.
    fn plain(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn example_of_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().bytes(&bytes).partial(), [0xdd, 0xf2]);
    }

    #[test]
    fn agrees_with_the_definition_at_every_length() {
        let bytes: Vec<u8> = (0..1500u32).map(|i| (i * 167 + 13) as u8).collect();
        for len in 0..bytes.len() {
            let bytes = &bytes[..len];
            assert_eq!(u16::from_be_bytes(Sum::default().bytes(bytes).finish()), plain(bytes), "{len} bytes");
        }
        let ones = vec![0xff; 65535];
        assert_eq!(u16::from_be_bytes(Sum::default().bytes(&ones).finish()), plain(&ones));
    }

    #[test]
    fn an_intact_sum_is_valid_and_a_flipped_bit_is_not() {
        let mut bytes = [1, 2, 3, 4, 0, 0, 7, 8];
        let sum = Sum::default().bytes(&bytes).finish();
        bytes[4..6].copy_from_slice(&sum);
        assert!(Sum::default().bytes(&bytes).is_valid());
        bytes[7] ^= 0x10;
        assert!(!Sum::default().bytes(&bytes).is_valid());
    }
}
