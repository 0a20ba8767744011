//! Addresses as strings of bits, the first being the highest.

/// An address of one family.
pub(super) trait Bits: Copy + Eq {
    /// Bits from which on a prefix is long: what peers own by the thousand, a subnet or less.
    const LONG: u8;
    /// All bits set.
    const ONES: Self;
    /// How many leading bits `self` and `other` share.
    fn shared_bits(self, other: Self) -> u8;
    /// The bit behind the first `at`, which are not all.
    fn bit(self, at: u8) -> bool;
    /// The first `len` bits, zeros behind.
    fn first_bits(self, len: u8) -> Self;
    /// The bits that `mask` has too.
    fn masked(self, mask: Self) -> Self;
    /// A number in which every bit of a prefix and its length tell in the upper 7 and the lower bits.
    fn hash(self, len: u8) -> u64;
}

/// Odd, near 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Odd, near 2^64 divided by the square root of two.
const ROOT_HALF: u64 = 0xB504_F333_F9DE_6485;

impl Bits for u32 {
    const LONG: u8 = 24;
    const ONES: Self = Self::MAX;

    #[inline]
    fn shared_bits(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }

    #[inline]
    fn bit(self, at: u8) -> bool {
        self.wrapping_shl(at.into()) >> 31 != 0
    }

    fn first_bits(self, len: u8) -> Self {
        self & !u32::MAX.checked_shr(len.into()).unwrap_or(0)
    }

    #[inline]
    fn masked(self, mask: Self) -> Self {
        self & mask
    }

    #[inline]
    fn hash(self, len: u8) -> u64 {
        fold(u64::from(self) | u64::from(len) << 32, GOLDEN)
    }
}

/// An IPv6 address in two halves: aligned to 8 bytes where `u128` wants 16, which is 8 bytes less for each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide {
    high: u64,
    low: u64,
}

impl From<u128> for Wide {
    #[inline]
    fn from(address: u128) -> Self {
        Self { high: (address >> 64) as u64, low: address as u64 }
    }
}

impl From<Wide> for u128 {
    fn from(wide: Wide) -> Self {
        Self::from(wide.high) << 64 | Self::from(wide.low)
    }
}

impl Bits for Wide {
    const LONG: u8 = 48;
    const ONES: Self = Self { high: u64::MAX, low: u64::MAX };

    #[inline]
    fn shared_bits(self, other: Self) -> u8 {
        match (self.high ^ other.high, self.low ^ other.low) {
            (0, low) => (low.leading_zeros() as u8).wrapping_add(64),
            (high, _) => high.leading_zeros() as u8,
        }
    }

    #[inline]
    fn bit(self, at: u8) -> bool {
        // The shift is taken modulo 64, so the same amount serves both halves.
        let half = if at < 64 { self.high } else { self.low };
        half.wrapping_shl(at.into()) >> 63 != 0
    }

    fn first_bits(self, len: u8) -> Self {
        let address = u128::from(self);
        (address & !u128::MAX.checked_shr(len.into()).unwrap_or(0)).into()
    }

    #[inline]
    fn masked(self, mask: Self) -> Self {
        Self { high: self.high & mask.high, low: self.low & mask.low }
    }

    #[inline]
    fn hash(self, len: u8) -> u64 {
        fold(fold(self.high ^ u64::from(len) << 56, ROOT_HALF) ^ self.low, GOLDEN)
    }
}

/// Both halves of the product, added bit by bit: each bit of `number` reaches the lower bits too.
#[inline]
const fn fold(number: u64, factor: u64) -> u64 {
    let product = (number as u128).wrapping_mul(factor as u128);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// The bits of an address one by one.
    fn bits<K: Bits>(key: K) -> std::vec::Vec<bool> {
        (0..K::ONES.shared_bits(K::ONES)).map(|at| key.bit(at)).collect()
    }

    /// The three views of bits agree.
    fn assert_consistent<K: Bits + core::fmt::Debug>(a: K, b: K, len: u8) {
        let shared = bits(a).iter().zip(bits(b)).take_while(|(a, b)| *a == b).count();
        assert_eq!(usize::from(a.shared_bits(b)), shared);
        assert_eq!(usize::from(a.shared_bits(a)), size_of::<K>() * 8);
        let cut = a.first_bits(len);
        assert!(cut == a.masked(K::ONES.first_bits(len)));
        assert!(bits(cut).iter().zip(bits(a)).enumerate().all(|(at, (cut, a))| *cut == (a && at < usize::from(len))));
    }

    #[test]
    fn neighbours_spread_over_a_table() {
        // Addresses as they are handed out: in order. Half of 4096 places and more must be hit by as many.
        let spread = |hashes: &mut dyn Iterator<Item = u64>| {
            let hashes: std::vec::Vec<u64> = hashes.collect();
            let low = hashes.iter().map(|hash| hash & 0xfff).collect::<BTreeSet<_>>().len();
            let high = hashes.iter().map(|hash| hash >> 57).collect::<BTreeSet<_>>().len();
            (low > 2048, high > 64)
        };
        for stride in [1, 2, 256, 65536] {
            assert_eq!(
                spread(&mut (0..4096u32).map(|n| (0x0a00_0000 + n * stride).hash(32))),
                (true, true),
                "{stride}"
            );
        }
        for shift in [0, 8, 16, 32, 64, 80, 100] {
            let of = |n: u128| Wide::from((0x2001_0db8 << 96) + (n << shift) + 1).hash(128);
            assert_eq!(spread(&mut (0..4096).map(of)), (true, true), "{shift}");
        }
    }

    proptest! {
        #[test]
        fn views_of_bits_agree(a: u128, flip in 0..128u32, noise: u128, len in 0..=128u8) {
            // Differs first at bit `flip`, or not at all.
            let b = a ^ (noise >> flip);
            assert_consistent(Wide::from(a), Wide::from(b), len);
            assert_consistent((a >> 96) as u32, (b >> 96) as u32, len.min(32));
            prop_assert_eq!(u128::from(Wide::from(a)), a);
        }
    }
}
