//! Token buckets by source address, in a table whose size no sender decides.
use crate::cookie::bucket::{Bucket, Rate};
use crate::crypto::hash::mac;
use crate::time::Instant;
use alloc::vec::Vec;
use core::net::IpAddr;
use zeroize::Zeroizing;

/// Sets of the table, and the slots that one source may be kept in.
const SETS: usize = 256;
const WAYS: usize = 8;

/// Bytes of one table, once it is in use.
pub(super) const TABLE_BYTES: usize = size_of::<Slot>() * WAYS * SETS;

#[derive(Clone, Copy, Default)]
struct Slot {
    /// 64 bits of the source's hash: two sources share a bucket once in 2^64.
    tag: u64,
    bucket: Bucket,
}

/// A set-associative table of buckets: allocated when first asked, and never larger.
///
/// A source whose set is full takes the slot of the bucket that is fullest, which loses the least: a bucket that is
/// full again is the same as none. At the default limits one is full after 250 ms and at most 1000 handshakes per
/// second pass a lane, so that fewer than 250 of the 2048 slots matter at any time. The hash is keyed, so that no
/// sender can aim at a set.
pub(super) struct Sources {
    secret: Zeroizing<[u8; 16]>,
    sets: Vec<[Slot; WAYS]>,
}

impl Sources {
    pub(super) const fn new(secret: Zeroizing<[u8; 16]>) -> Self {
        Self { secret, sets: Vec::new() }
    }

    /// Takes a token of the source's own bucket; `false` when it has none left, or there is no memory to count them.
    pub(super) fn take(&mut self, now: Instant, rate: Rate, source: IpAddr) -> bool {
        let (set, tag) = self.place(source);
        if self.sets.is_empty() {
            if self.sets.try_reserve_exact(SETS).is_err() {
                return false;
            }
            self.sets.resize(SETS, [Slot::default(); WAYS]);
        }
        let Some(set) = self.sets.get_mut(set) else { return false };
        if let Some(slot) = set.iter_mut().find(|slot| slot.tag == tag) {
            return slot.bucket.take(now, rate);
        }
        let Some(fullest) = set.iter_mut().min_by_key(|slot| slot.bucket.full_at()) else { return false };
        *fullest = Slot { tag, bucket: Bucket::default() };
        fullest.bucket.take(now, rate)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        if self.sets.is_empty() { 0 } else { TABLE_BYTES }
    }

    /// The set and the tag of a source: an IPv4 address, or the /64 that an IPv6 host has for itself.
    fn place(&self, source: IpAddr) -> (usize, u64) {
        let hash = match source.to_canonical() {
            IpAddr::V4(address) => mac(&self.secret, &[&address.octets()]),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                mac(&self.secret, &[&[a, b, c, d, e, f, g, h]])
            }
        };
        let [set, rest @ ..] = hash;
        let [tag @ .., _, _, _, _, _, _, _] = rest;
        (usize::from(set), u64::from_le_bytes(tag))
    }
}

// One byte of the hash names the set.
const _: () = assert!(SETS == 1 << 8);

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources::new(Zeroizing::new([7; 16]))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_shares_a_bucket() {
        for (number, one, other, shared) in [
            (1, "192.0.2.1", "192.0.2.1", true),
            (2, "192.0.2.1", "192.0.2.2", false),
            (3, "192.0.2.1", "::ffff:192.0.2.1", true),
            (4, "::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            (5, "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            (6, "2001:db8:0:1::1", "2001:db8:0:2::1", false),
            (7, "0.0.0.0", "::", false),
        ] {
            let mut sources = sources();
            let rate = Rate::new(1, 1);
            assert!(sources.take(Instant::ZERO, rate, ip(one)), "row {number}");
            assert_eq!(!sources.take(Instant::ZERO, rate, ip(other)), shared, "row {number}");
        }
    }

    #[test]
    fn the_table_appears_at_first_use_and_stays_as_it_is() {
        let mut sources = sources();
        assert_eq!(sources.heap_bytes(), 0);
        for n in 0..400_000_u32 {
            assert!(sources.take(Instant::ZERO, Rate::new(20, 5), IpAddr::V4(n.into())), "source {n}");
        }
        assert_eq!(sources.heap_bytes(), TABLE_BYTES);
        assert_eq!(sources.sets.len(), SETS);
        assert_eq!(TABLE_BYTES, 32 * 1024);
    }

    #[test]
    fn the_fullest_bucket_gives_way() {
        let mut sources = sources();
        let rate = Rate::new(1, 3);
        let mut in_one_set = (0_u32..).map(|n| IpAddr::V4(n.into())).filter({
            let sources = self::sources();
            let set = sources.place(IpAddr::V4(0.into())).0;
            move |source| sources.place(*source).0 == set
        });
        let kept = in_one_set.next().unwrap();
        for _ in 0..3 {
            assert!(sources.take(Instant::ZERO, rate, kept));
        }
        for source in in_one_set.take(100) {
            assert!(sources.take(Instant::ZERO, rate, source));
        }
        assert!(!sources.take(Instant::ZERO, rate, kept), "the emptiest bucket outlives all others");
    }

    #[test]
    fn sources_spread_over_all_sets() {
        let sources = sources();
        let mut sets = [0_u32; SETS];
        for n in 0..25_600_u32 {
            sets[sources.place(IpAddr::V4(n.into())).0] += 1;
        }
        assert!(sets.iter().all(|n| (50..200).contains(n)), "{sets:?}");
    }
}
