//! The value of Block1 and Block2 (RFC 7959 § 2.2).
use super::options::uint;

/// The exponent of blocks of 512 bytes, which every path carries.
pub const SMALL_BLOCK: u8 = 5;
/// The exponent of blocks of 1024 bytes, for a path that a probe has shown to carry them.
pub const LARGE_BLOCK: u8 = 6;
/// The greatest number of a block: 20 bits.
const MAX_NUMBER: u32 = (1 << 20) - 1;

/// Which block of a body, and how long its blocks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which block, from 0.
    pub number: u32,
    /// Whether more follow.
    pub more: bool,
    /// The size of the blocks as an exponent: 16 bytes for 0 to 1024 for 6.
    pub exponent: u8,
}

impl Block {
    /// Reads the value of an option; `None`: too long, or the exponent 7, which is reserved.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        let bits = uint(value).filter(|_| value.len() <= 3)?;
        let block = Self { number: bits >> 4, more: bits & 8 != 0, exponent: bits as u8 & 7 };
        (block.exponent <= LARGE_BLOCK).then_some(block)
    }

    /// The block of a body of `len` bytes that begins at byte `offset`, a multiple of the block size. `None`: there is none.
    #[must_use]
    pub fn at(offset: usize, len: usize, exponent: u8) -> Option<Self> {
        let number = u32::try_from(offset >> exponent.saturating_add(4)).ok().filter(|number| *number <= MAX_NUMBER)?;
        let more = len.saturating_sub(offset) > block_len(exponent);
        (offset < len || offset == 0).then_some(Self { number, more, exponent })
    }

    /// The value as a number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.number << 4 | (self.more as u32) << 3 | self.exponent as u32
    }

    /// Bytes of each block but the last.
    #[must_use]
    pub const fn len(self) -> usize {
        block_len(self.exponent)
    }

    /// The byte of the body that it begins with.
    #[must_use]
    pub const fn offset(self) -> usize {
        (self.number as usize) << self.exponent.saturating_add(4)
    }

    /// Its part of `body`.
    #[must_use]
    pub fn of(self, body: &[u8]) -> &[u8] {
        let rest = body.get(self.offset()..).unwrap_or_default();
        rest.get(..self.len()).unwrap_or(rest)
    }
}

const fn block_len(exponent: u8) -> usize {
    1 << exponent.saturating_add(4)
}
