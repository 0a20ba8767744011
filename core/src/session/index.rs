//! Session indices: random, unique, freed when their keypair or handshake dies.
use crate::crypto::Rng;
use crate::crypto::rng::random_u32;
use crate::error::NoRandomness;
use crate::memory::{NoMemory, list};
use alloc::vec::Vec;
use core::mem;

/// What a vacant place names as its owner; no peer's slot is as large.
const VACANT: u32 = u32::MAX;
/// Places of the smallest table that is not empty.
const MIN_PLACES: usize = 16;
/// Draws before the source of randomness counts as broken. Even with 2^30 indices in use, a sound source needs more
/// than these once in 2^64 insertions.
const DRAWS: u32 = 32;
/// Odd, near 2^32 divided by the golden ratio: spreads numbers that follow each other, and as a step visits all of them.
const GOLDEN: u32 = 0x9E37_79B9;

/// Maps a session index to the slot of the peer that owns it.
///
/// Open addressing with linear probing: a lookup reads one cache line nearly always. A removal moves the entries behind it
/// back, so that churn leaves nothing behind; the table doubles when half full and halves below an eighth.
/// Between 16 and 64 bytes an index, 17 for a million.
#[derive(Debug, Default)]
pub struct IndexTable {
    /// `MIN_PLACES` doubled some times, or none. Never more than half are taken.
    places: Vec<Place>,
    /// Places taken.
    len: usize,
    /// Added to a draw when randomness is broken; where the last search ended.
    detour: u32,
}

/// An index and the slot that owns it.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: u32,
    slot: u32,
}

impl Place {
    const VACANT: Self = Self { index: 0, slot: VACANT };

    const fn is_vacant(self) -> bool {
        self.slot == VACANT
    }
}

/// What a new index lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The source of randomness gave none.
    Randomness,
    /// There is no memory for one more.
    Memory,
}

impl From<NoRandomness> for Lack {
    fn from(_: NoRandomness) -> Self {
        Self::Randomness
    }
}

impl From<NoMemory> for Lack {
    fn from(_: NoMemory) -> Self {
        Self::Memory
    }
}

impl IndexTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws a fresh random index for the peer in `slot`, which is less than `u32::MAX`.
    ///
    /// An index in use is never given out again, even by a source of randomness that repeats itself.
    ///
    /// # Errors
    /// [`Lack`]: nothing was changed.
    pub fn insert(&mut self, rng: &mut dyn Rng, slot: u32) -> Result<u32, Lack> {
        let index = self.draw(rng)?;
        if slot != VACANT {
            if self.len.saturating_add(1) > self.places.len() / 2 {
                self.resize((self.places.len().saturating_mul(2)).max(MIN_PLACES))?;
            }
            self.place(Place { index, slot });
            self.len = self.len.saturating_add(1);
        }
        Ok(index)
    }

    /// The slot that owns `index`.
    #[must_use]
    #[inline]
    pub fn lookup(&self, index: u32) -> Option<u32> {
        self.find(index).map(|(_, slot)| slot)
    }

    /// Frees `index`.
    pub fn remove(&mut self, index: u32) {
        let Some((at, _)) = self.find(index) else { return };
        self.close_gap(at);
        self.len = self.len.saturating_sub(1);
        if self.len == 0 {
            self.places = Vec::new();
        } else if self.len < self.places.len() / 8 && self.places.len() > MIN_PLACES {
            // Without memory for the smaller table it stays as large as it is.
            let _ = self.resize(self.places.len() / 2);
        }
    }

    /// Indices in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// An index not in use.
    fn draw(&mut self, rng: &mut dyn Rng) -> Result<u32, NoRandomness> {
        let mut index = 0;
        for _ in 0..DRAWS {
            index = random_u32(rng)?;
            if self.lookup(index).is_none() {
                return Ok(index);
            }
        }
        // The detour goes on where the last one ended: with a constant source, each insertion takes one step. It visits
        // all numbers, of which memory cannot hold all.
        loop {
            self.detour = self.detour.wrapping_add(GOLDEN);
            let candidate = index.wrapping_add(self.detour);
            if self.lookup(candidate).is_none() {
                return Ok(candidate);
            }
        }
    }

    /// Where `index` stands, and whose it is.
    #[inline]
    fn find(&self, index: u32) -> Option<(usize, u32)> {
        let mut at = self.home(index);
        // Ends at a vacant place, of which there is always one; a table of no places has none to read.
        loop {
            let place = self.places.get(at)?;
            if place.is_vacant() {
                return None;
            }
            if place.index == index {
                return Some((at, place.slot));
            }
            at = self.after(at);
        }
    }

    /// The place where the search for `index` begins: its spread over 2^32, scaled to the table.
    #[inline]
    fn home(&self, index: u32) -> usize {
        let spread = u64::from(index.wrapping_mul(GOLDEN));
        (spread.wrapping_mul(self.places.len() as u64) >> 32) as usize
    }

    /// The place behind `at`, around the end.
    #[inline]
    fn after(&self, at: usize) -> usize {
        let next = at.wrapping_add(1);
        if next < self.places.len() { next } else { 0 }
    }

    /// Puts an entry into the first vacant place from its home on.
    fn place(&mut self, entry: Place) {
        let mut at = self.home(entry.index);
        while self.places.get(at).is_some_and(|place| !place.is_vacant()) {
            at = self.after(at);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = entry;
        }
    }

    /// Vacates `gap` and moves back what a search could no longer reach across it.
    fn close_gap(&mut self, mut gap: usize) {
        let mut at = self.after(gap);
        while let Some(entry) = self.places.get(at).copied().filter(|entry| !entry.is_vacant()) {
            let home = self.home(entry.index);
            // Whether its home lies beyond the gap, in the circle from the gap to where it stands.
            let reachable = if gap < at { gap < home && home <= at } else { gap < home || home <= at };
            if !reachable {
                if let Some(place) = self.places.get_mut(gap) {
                    *place = entry;
                }
                gap = at;
            }
            at = self.after(at);
        }
        if let Some(place) = self.places.get_mut(gap) {
            *place = Place::VACANT;
        }
    }

    /// Moves all entries into a table of `places` places.
    fn resize(&mut self, places: usize) -> Result<(), NoMemory> {
        let mut bigger = list(places)?;
        bigger.resize(places, Place::VACANT);
        for entry in mem::replace(&mut self.places, bigger) {
            if !entry.is_vacant() {
                self.place(entry);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Rng;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// A source good enough to draw indices from (splitmix64).
    struct Seeded(u64);

    impl Rng for Seeded {
        fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
            for byte in dest {
                self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                *byte = (z >> 40) as u8;
            }
            Ok(())
        }
    }

    /// A broken source: always the same number.
    struct Stuck(u32);

    impl Rng for Stuck {
        fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
            dest.copy_from_slice(&self.0.to_le_bytes());
            Ok(())
        }
    }

    impl IndexTable {
        fn give(&mut self, rng: &mut dyn Rng, slot: u32) -> u32 {
            self.insert(rng, slot).expect("randomness and memory")
        }
    }

    /// The table holds exactly `model`, and no search crosses more than the table.
    fn assert_same(table: &IndexTable, model: &BTreeMap<u32, u32>) {
        assert_eq!(table.len(), model.len());
        assert_eq!(table.places.iter().filter(|place| !place.is_vacant()).count(), model.len());
        for (index, slot) in model {
            assert_eq!(table.lookup(*index), Some(*slot), "index {index}");
        }
    }

    #[test]
    fn an_index_is_known_until_it_is_freed() {
        let mut table = IndexTable::new();
        assert_eq!(table.lookup(0), None);
        table.remove(0);
        let first = table.give(&mut Seeded(1), 7);
        let second = table.give(&mut Seeded(2), 7);
        assert_ne!(first, second);
        assert_eq!((table.lookup(first), table.lookup(second)), (Some(7), Some(7)));
        table.remove(first);
        table.remove(first);
        assert_eq!((table.lookup(first), table.lookup(second), table.len()), (None, Some(7), 1));
    }

    #[test]
    fn a_source_that_repeats_itself_gets_no_index_twice() {
        for stuck in [0, 1, u32::MAX, GOLDEN] {
            let (mut table, mut model) = (IndexTable::new(), BTreeMap::new());
            for slot in 0..5000 {
                assert_eq!(model.insert(table.give(&mut Stuck(stuck), slot), slot), None);
            }
            assert_same(&table, &model);
        }
    }

    #[test]
    fn freed_memory_returns() {
        let (mut table, mut rng) = (IndexTable::new(), Seeded(3));
        let indices: Vec<u32> = (0..10_000).map(|slot| table.give(&mut rng, slot)).collect();
        let (kept, freed) = indices.split_at(10);
        freed.iter().for_each(|index| table.remove(*index));
        assert!(table.places.capacity() <= 128, "{} places for 10 indices", table.places.capacity());
        assert!(kept.iter().zip(0..).all(|(index, slot)| table.lookup(*index) == Some(slot)));
        kept.iter().for_each(|index| table.remove(*index));
        assert_eq!(table.places.capacity(), 0);
    }

    #[test]
    fn churn_does_not_grow_the_table() {
        let (mut table, mut rng) = (IndexTable::new(), Seeded(4));
        let mut indices: Vec<u32> = (0..3000).map(|slot| table.give(&mut rng, slot)).collect();
        let places = table.places.len();
        assert_eq!(places, 8192);
        for slot in (0..3000).cycle().take(60_000) {
            let fresh = table.give(&mut rng, slot);
            table.remove(mem::replace(&mut indices[slot as usize], fresh));
        }
        assert_eq!(table.places.len(), places);
        assert_same(&table, &indices.into_iter().zip(0..).collect());
    }

    #[test]
    fn an_entry_takes_8_bytes() {
        assert_eq!(size_of::<Place>(), 8);
    }

    proptest! {
        /// `choices`: below 100 draws an index, of few numbers so that they collide; else frees one in use.
        #[test]
        fn it_agrees_with_a_map(choices in prop::collection::vec((0..180u32, any::<u32>()), 0..600)) {
            let (mut table, mut model) = (IndexTable::new(), BTreeMap::new());
            for (choice, number) in choices {
                if choice < 100 {
                    let index = table.give(&mut Stuck((number % 64) << (number % 3 * 13)), choice);
                    prop_assert_eq!(model.insert(index, choice), None);
                } else if let Some(index) = model.keys().nth(number as usize % model.len().max(1)).copied() {
                    table.remove(index);
                    model.remove(&index);
                    prop_assert_eq!(table.lookup(index), None);
                }
                prop_assert_eq!(table.lookup(number), model.get(&number).copied());
            }
            assert_same(&table, &model);
        }
    }
}
