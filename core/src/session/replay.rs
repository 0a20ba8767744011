//! The replay window (RFC 6479; paper § 5.4.6): 8192 counters behind the newest.

/// Counters the window looks back on: with `n` the newest, `n - 8192` may still be accepted, `n - 8193` may not.
pub const WINDOW: u64 = 8192;

/// Counters marked in one word of the bitmap.
const WORD_BITS: u64 = 64;
/// Words of the bitmap. One more than the window fills: the newest counter may stand anywhere in its word, and a whole
/// word at a time is cleared ahead of it (RFC 6479 § 3).
const WORDS: u64 = WINDOW / WORD_BITS + 1;

/// Which counters have been seen: 1040 bytes. The common path reads and writes one word of them.
///
/// Word `b % WORDS` holds the counters `64 b .. 64 b + 64` of the newest block `b` that has been there; blocks behind the
/// window are overwritten, never shifted.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct ReplayWindow {
    /// One bit a counter: seen.
    seen: [u64; WORDS as usize],
    /// The largest counter accepted, or 0 while none was. Last, for a keypair keeps behind it what is read with it.
    newest: u64,
}

impl ReplayWindow {
    /// A window that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { newest: 0, seen: [0; WORDS as usize] }
    }

    /// Whether `counter` is new and not too old; touches nothing.
    ///
    /// Any counter is judged; refusing those at or beyond
    /// [`REJECT_AFTER_MESSAGES`](crate::limits::REJECT_AFTER_MESSAGES) is the caller's part.
    #[must_use]
    #[inline]
    pub fn would_accept(&self, counter: u64) -> bool {
        if counter > self.newest {
            return true;
        }
        !self.is_behind(counter) && self.seen.get(word_of(counter)).is_some_and(|word| word & bit_of(counter) == 0)
    }

    /// Marks `counter`; `false` when it was seen already or is too old (nothing changes then).
    #[inline]
    pub fn accept(&mut self, counter: u64) -> bool {
        if counter > self.newest {
            self.advance(counter);
        } else if self.is_behind(counter) {
            return false;
        }
        let Some(word) = self.seen.get_mut(word_of(counter)) else { return false };
        let fresh = *word & bit_of(counter) == 0;
        *word |= bit_of(counter);
        fresh
    }

    /// Touches what judging and marking `counter` reads, so that it is fetched into the cache. The value has no meaning.
    #[must_use]
    #[inline]
    pub fn read_ahead(&self, counter: u64) -> u64 {
        self.newest ^ self.seen.get(word_of(counter)).copied().unwrap_or(0)
    }

    /// Whether `counter`, at most the newest, has fallen out of the window.
    #[inline]
    fn is_behind(&self, counter: u64) -> bool {
        self.newest.wrapping_sub(counter) > WINDOW
    }

    /// Makes `counter` the newest and clears the words of the blocks that come into the window with it.
    #[inline]
    fn advance(&mut self, counter: u64) {
        let (from, to) = (self.newest / WORD_BITS, counter / WORD_BITS);
        self.newest = counter;
        match to.wrapping_sub(from) {
            0 => {}
            1..WORDS => (from..to).for_each(|block| {
                if let Some(word) = self.seen.get_mut((block.wrapping_add(1) % WORDS) as usize) {
                    *word = 0;
                }
            }),
            _ => self.seen = [0; WORDS as usize],
        }
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

/// The word that marks `counter`.
#[inline]
const fn word_of(counter: u64) -> usize {
    (counter / WORD_BITS % WORDS) as usize
}

/// The bit of that word.
#[inline]
const fn bit_of(counter: u64) -> u64 {
    1 << (counter % WORD_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::REJECT_AFTER_MESSAGES;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    /// Each step: its number, the counters in order, and whether each of them is accepted.
    struct Step(u32, Vec<u64>, bool);

    /// Runs a table on one window; `would_accept` must foretell every answer.
    fn run(table: &[Step]) {
        let mut window = ReplayWindow::new();
        for Step(number, counters, accepted) in table {
            for &counter in counters {
                assert_eq!(window.would_accept(counter), *accepted, "step {number}, counter {counter}, foretold");
                assert_eq!(window.accept(counter), *accepted, "step {number}, counter {counter}");
            }
        }
    }

    #[test]
    fn small_numbers() {
        run(&[
            Step(1, Vec::from([0]), true),
            Step(2, Vec::from([0, 0]), false),
            Step(3, Vec::from([1, 2, 5]), true),
            Step(4, Vec::from([1, 2, 5, 0]), false),
            Step(5, Vec::from([4, 3]), true),
            Step(6, Vec::from([3, 4]), false),
            Step(7, Vec::from([63, 64, 62, 65]), true),
            Step(8, Vec::from([62, 63, 64, 65]), false),
        ]);
    }

    #[test]
    fn zero_is_open_until_it_is_seen() {
        run(&[Step(1, Vec::from([9]), true), Step(2, Vec::from([0]), true), Step(3, Vec::from([0]), false)]);
        run(&[Step(4, Vec::from([WINDOW]), true), Step(5, Vec::from([0]), true), Step(6, Vec::from([0]), false)]);
        run(&[Step(7, Vec::from([WINDOW + 1]), true), Step(8, Vec::from([0]), false), Step(9, Vec::from([1]), true)]);
    }

    #[test]
    fn the_edge_is_exact_wherever_the_newest_stands_in_its_word() {
        for offset in 0..=2 * WORD_BITS {
            let newest = 10 * WINDOW + offset;
            run(&[
                Step(1, Vec::from([newest]), true),
                Step(2, Vec::from([newest - WINDOW - 1, newest - WINDOW - 2, newest - 2 * WINDOW, 0]), false),
                Step(3, Vec::from([newest - WINDOW, newest - WINDOW + 1, newest - 1]), true),
                Step(4, Vec::from([newest - WINDOW, newest - WINDOW + 1, newest - 1, newest]), false),
                Step(5, Vec::from([newest + 1]), true),
                Step(6, Vec::from([newest - WINDOW, newest - WINDOW + 1]), false),
                Step(7, Vec::from([newest - WINDOW + 2]), true),
            ]);
        }
    }

    #[test]
    fn a_full_window_backwards() {
        run(&[
            Step(1, (0..=WINDOW).rev().collect(), true),
            Step(2, (0..=WINDOW).collect(), false),
            Step(3, Vec::from([WINDOW + 1]), true),
            Step(4, (0..=WINDOW + 1).rev().collect(), false),
        ]);
    }

    #[test]
    fn a_full_window_forwards() {
        run(&[
            Step(1, (1..3 * WINDOW).collect(), true),
            Step(2, Vec::from([0]), false),
            Step(3, (0..3 * WINDOW).collect(), false),
        ]);
    }

    #[test]
    fn jumps_forget_what_they_leap_over() {
        // Lengths around the ring's: a word of an older lap must never answer for a newer counter.
        let ring = WORDS * WORD_BITS;
        for jump in [WINDOW - 1, WINDOW, WINDOW + 1, ring - 64, ring - 1, ring, ring + 1, ring + 64, 2 * ring, 1 << 40]
        {
            run(&[
                Step(1, (0..200).collect(), true),
                Step(2, Vec::from([199 + jump]), true),
                Step(3, (200.max(199 + jump - WINDOW)..199 + jump).rev().collect(), true),
                Step(4, (0..200).collect(), false),
            ]);
        }
    }

    #[test]
    fn the_end_of_the_numbers() {
        let last = REJECT_AFTER_MESSAGES - 1;
        run(&[
            Step(1, Vec::from([last]), true),
            Step(2, Vec::from([last, last - WINDOW - 1, 0]), false),
            Step(3, Vec::from([last - WINDOW, last - 1]), true),
            Step(4, Vec::from([u64::MAX, u64::MAX - 1]), true),
            Step(5, Vec::from([u64::MAX, u64::MAX - 1, u64::MAX - WINDOW - 1]), false),
            Step(6, Vec::from([u64::MAX - WINDOW]), true),
        ]);
    }

    #[test]
    fn it_takes_1040_bytes() {
        assert_eq!(size_of::<ReplayWindow>(), 1040);
    }

    /// Counters that crowd around the window's edges, from a base that moves.
    fn counters() -> impl Strategy<Value = Vec<u64>> {
        let near = prop_oneof![
            4 => 0..200u64,
            4 => (WINDOW - 130)..(WINDOW + 130),
            1 => 0..4 * WINDOW,
            1 => Just(100 * WINDOW),
        ];
        (prop_oneof![Just(0u64), any::<u64>().prop_map(|n| n / 2)], prop::collection::vec(near, 1..400))
            .prop_map(|(base, offsets)| offsets.into_iter().map(|offset| base + offset).collect())
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set(counters in counters()) {
            let mut window = ReplayWindow::new();
            let mut seen = BTreeSet::new();
            for counter in counters {
                let newest = seen.last().copied().unwrap_or(0);
                let expected = counter.saturating_add(WINDOW) >= newest && !seen.contains(&counter);
                prop_assert_eq!(window.would_accept(counter), expected);
                prop_assert_eq!(window.accept(counter), expected);
                if expected {
                    seen.insert(counter);
                }
            }
        }
    }
}
