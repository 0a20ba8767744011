//! The Internet checksum (RFC 1071), and how to mend it when one word changes (RFC 1624).

/// A sum of 16-bit words in ones' complement arithmetic, not folded yet. Room for 2^48 words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds `bytes` as big-endian words. An odd last byte counts as a word's upper half (RFC 1071 § 1), so only the last
    /// of several pieces may be of odd length.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<2>();
        let sum = words.iter().fold(self.0, |sum, word| sum.wrapping_add(u16::from_be_bytes(*word).into()));
        Self(rest.iter().fold(sum, |sum, last| sum.wrapping_add(u64::from(*last) << 8)))
    }

    /// Adds one word.
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        Self(self.0.wrapping_add(word as u64))
    }

    /// The sum with all carries added in again.
    #[must_use]
    pub const fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff).wrapping_add(sum >> 16);
        }
        sum as u16
    }

    /// The checksum: the complement of the folded sum. Zero over data that holds its own correct checksum.
    #[must_use]
    pub const fn checksum(self) -> u16 {
        !self.fold()
    }
}

/// The checksum of data in which the word `old` becomes `new`, from the one it had (RFC 1624 § 3, equation 3).
#[must_use]
#[inline]
pub const fn mend(checksum: u16, old: u16, new: u16) -> u16 {
    Sum::new().word(!checksum).word(!old).word(new).checksum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // § 3: the words 0001 f203 f4f5 f6f7 sum up to ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::new().bytes(&bytes).fold(), 0xddf2);
        assert_eq!(Sum::new().bytes(&bytes).checksum(), 0x220d);
    }

    #[test]
    fn the_example_of_rfc_1624() {
        // § 4: the case that RFC 1141 got wrong, where the result is zero and not ffff.
        assert_eq!(mend(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn an_odd_byte_is_an_upper_half() {
        assert_eq!(Sum::new().bytes(&[0x12, 0x34, 0x56]).fold(), 0x1234 + 0x5600);
        assert_eq!(Sum::new().bytes(&[]).checksum(), 0xffff);
    }

    proptest! {
        /// Ones' complement addition is addition modulo ffff: a number in base 10000 leaves the sum of its digits.
        #[test]
        fn it_is_the_remainder_of_a_long_number(mut bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
            let sum = Sum::new().bytes(&bytes).fold();
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            let remainder = bytes.iter().fold(0u32, |rest, byte| (rest * 256 + u32::from(*byte)) % 0xffff);
            prop_assert_eq!(u32::from(sum) % 0xffff, remainder);
        }

        #[test]
        fn mending_is_summing_again(words in prop::collection::vec(any::<u16>(), 1..20), at: usize, new: u16) {
            let sum_of = |words: &[u16]| words.iter().fold(Sum::new(), |sum, word| sum.word(*word));
            let mut changed = words.clone();
            let at = at % words.len();
            changed[at] = new;
            let mended = mend(sum_of(&words).checksum(), words[at], new);
            // Data that is all zero, which no IP header is, has a checksum equation 3 does not reach.
            prop_assume!(changed.iter().any(|word| *word != 0));
            prop_assert_eq!(mended, sum_of(&changed).checksum());
        }
    }
}
