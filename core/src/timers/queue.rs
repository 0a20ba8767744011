//! Which peer is due first.
//!
//! A heap over peer slots whose keys are lower bounds of the peers' real deadlines, exact at the
//! top. Making a deadline later costs nothing until it reaches the top; the owner then corrects it.
use crate::memory::NoMemory;
use crate::time::Instant;
use alloc::vec::Vec;

/// Children of one entry: four keys side by side, half the depth of two.
const ARITY: usize = 4;
/// The place of a slot that is not queued.
const ABSENT: u32 = u32::MAX;

/// The queue. Slots are small numbers (the peer table's): memory is 4 bytes for each slot up to the largest ever
/// queued, and 12 more for each slot in the queue.
#[derive(Debug, Default)]
pub struct DeadlineQueue {
    /// The bounds in heap order.
    keys: Vec<Instant>,
    /// Whose bound it is, in the same order.
    slots: Vec<u32>,
    /// Where in the heap a slot stands, or `ABSENT`.
    places: Vec<u32>,
}

impl DeadlineQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells that `slot` has a deadline no earlier than `at`. O(1) when a bound at or before `at` is already
    /// held, O(log n) otherwise. `Instant::MAX` is "never" and is not inserted. `false`: there is no memory for it, and nothing
    /// was changed.
    #[inline]
    pub fn move_earlier(&mut self, slot: u32, at: Instant) -> bool {
        let Some(place) = self.place_of(slot) else {
            return at == Instant::MAX || slot == ABSENT || self.push(slot, at).is_ok();
        };
        if self.keys.get(place).is_some_and(|held| *held > at) {
            self.sift_up(place, slot, at);
        }
        true
    }

    /// The bound held for `slot`.
    #[cfg(test)]
    pub(crate) fn bound_of(&self, slot: u32) -> Option<Instant> {
        self.keys.get(self.place_of(slot)?).copied()
    }

    /// The slot with the earliest bound, and that bound.
    #[must_use]
    #[inline]
    pub fn top(&self) -> Option<(u32, Instant)> {
        Some((*self.slots.first()?, *self.keys.first()?))
    }

    /// Replaces the bound of the top slot by `at` (later or equal), removing it when `at` is `Instant::MAX`.
    pub fn move_top_later(&mut self, at: Instant) {
        let Some((slot, _)) = self.top() else { return };
        if at == Instant::MAX {
            self.remove(slot);
        } else {
            self.sift_down(0, slot, at);
        }
    }

    /// Forgets `slot`.
    pub fn remove(&mut self, slot: u32) {
        let Some(place) = self.place_of(slot) else { return };
        if let Some(entry) = self.places.get_mut(slot as usize) {
            *entry = ABSENT;
        }
        let (Some(key), Some(last)) = (self.keys.pop(), self.slots.pop()) else { return };
        if last == slot {
            return;
        }
        // The last entry fills the gap; coming from another branch, it may belong nearer to the top.
        if parent_of(place).and_then(|parent| self.keys.get(parent)).is_some_and(|above| *above > key) {
            self.sift_up(place, last, key);
        } else {
            self.sift_down(place, last, key);
        }
    }

    /// Where in the heap `slot` stands.
    #[inline]
    fn place_of(&self, slot: u32) -> Option<usize> {
        self.places.get(slot as usize).filter(|place| **place != ABSENT).map(|place| *place as usize)
    }

    /// Adds a slot that is not queued.
    fn push(&mut self, slot: u32, at: Instant) -> Result<(), NoMemory> {
        let places = (slot as usize).saturating_add(1);
        self.places.try_reserve(places.saturating_sub(self.places.len()))?;
        self.keys.try_reserve(1)?;
        self.slots.try_reserve(1)?;
        if self.places.len() < places {
            self.places.resize(places, ABSENT);
        }
        let place = self.keys.len();
        self.keys.push(at);
        self.slots.push(slot);
        self.sift_up(place, slot, at);
        Ok(())
    }

    /// Moves the hole at `place` towards the top until `key` fits, and puts `slot` there.
    fn sift_up(&mut self, mut place: usize, slot: u32, key: Instant) {
        while let Some(parent) = parent_of(place) {
            match self.entry(parent) {
                Some((above, its_key)) if its_key > key => self.put(place, above, its_key),
                _ => break,
            }
            place = parent;
        }
        self.put(place, slot, key);
    }

    /// Moves the hole at `place` away from the top until `key` fits, and puts `slot` there.
    fn sift_down(&mut self, mut place: usize, slot: u32, key: Instant) {
        while let Some((child, below, its_key)) = self.least_child(place) {
            if its_key >= key {
                break;
            }
            self.put(place, below, its_key);
            place = child;
        }
        self.put(place, slot, key);
    }

    /// The child of `place` with the earliest bound: its place, slot and bound.
    #[inline]
    fn least_child(&self, place: usize) -> Option<(usize, u32, Instant)> {
        let first = place.checked_mul(ARITY)?.checked_add(1)?;
        let end = first.saturating_add(ARITY).min(self.keys.len());
        let keys = self.keys.get(first..end)?;
        let (child, key) = (first..end).zip(keys).min_by_key(|(_, key)| **key)?;
        Some((child, *self.slots.get(child)?, *key))
    }

    /// The slot and bound at `place`.
    #[inline]
    fn entry(&self, place: usize) -> Option<(u32, Instant)> {
        Some((*self.slots.get(place)?, *self.keys.get(place)?))
    }

    /// Writes an entry and remembers where it stands.
    #[inline]
    fn put(&mut self, place: usize, slot: u32, key: Instant) {
        if let (Some(at), Some(held)) = (self.keys.get_mut(place), self.slots.get_mut(place)) {
            (*at, *held) = (key, slot);
        }
        if let Some(entry) = self.places.get_mut(slot as usize) {
            *entry = place as u32;
        }
    }
}

/// The entry above `place`; `None` at the top.
#[inline]
const fn parent_of(place: usize) -> Option<usize> {
    match place.checked_sub(1) {
        Some(below) => Some(below / ARITY),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    /// Takes every entry off, earliest first.
    fn drain(queue: &mut DeadlineQueue) -> Vec<(u32, u64)> {
        let mut out = Vec::new();
        while let Some((slot, bound)) = queue.top() {
            out.push((slot, bound.as_nanos()));
            queue.move_top_later(Instant::MAX);
        }
        out
    }

    #[test]
    fn the_earliest_is_on_top() {
        let mut queue = DeadlineQueue::new();
        assert_eq!(queue.top(), None);
        for (slot, bound) in [(5, 50), (1, 10), (9, 90), (3, 30), (7, 70), (0, 5)] {
            queue.move_earlier(slot, at(bound));
        }
        assert_eq!(queue.top(), Some((0, at(5))));
        assert_eq!(drain(&mut queue), [(0, 5), (1, 10), (3, 30), (5, 50), (7, 70), (9, 90)]);
        assert!(queue.slots.is_empty());
    }

    #[test]
    fn a_later_bound_changes_nothing() {
        let mut queue = DeadlineQueue::new();
        queue.move_earlier(1, at(20));
        queue.move_earlier(2, at(30));
        queue.move_earlier(2, at(40));
        assert_eq!(queue.top(), Some((1, at(20))), "a later bound changes nothing");
        queue.move_earlier(2, at(10));
        assert_eq!(queue.top(), Some((2, at(10))));
        assert_eq!(queue.slots.len(), 2, "a slot stands in the queue once");
    }

    #[test]
    fn never_is_not_queued() {
        let mut queue = DeadlineQueue::new();
        queue.move_earlier(1, Instant::MAX);
        queue.move_earlier(u32::MAX, at(1));
        assert!(queue.slots.is_empty());
        queue.move_earlier(1, at(1));
        queue.move_top_later(Instant::MAX);
        assert_eq!(queue.top(), None);
        queue.move_top_later(at(7));
        queue.remove(1);
        queue.remove(1000);
        assert_eq!(queue.slots.len(), 0);
    }

    #[test]
    fn a_corrected_top_makes_way() {
        let mut queue = DeadlineQueue::new();
        queue.move_earlier(1, at(10));
        queue.move_earlier(2, at(20));
        queue.move_top_later(at(30));
        assert_eq!(queue.top(), Some((2, at(20))));
        queue.move_top_later(at(25));
        assert_eq!(queue.top(), Some((2, at(25))));
        queue.remove(2);
        assert_eq!(queue.top(), Some((1, at(30))));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Lower(u32, u64),
        MoveTopLater(u64),
        DropTop,
        Remove(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..60u32, 0..1000u64).prop_map(|(slot, bound)| Step::Lower(slot, bound)),
            2 => (0..1000u64).prop_map(Step::MoveTopLater),
            1 => Just(Step::DropTop),
            2 => (0..60u32).prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 0..400)
    }

    /// Applies `step` to the queue, and to a map that does the same the slow way.
    fn apply(step: &Step, queue: &mut DeadlineQueue, model: &mut BTreeMap<u32, u64>) {
        let top = queue.top();
        match *step {
            Step::Lower(slot, bound) => {
                queue.move_earlier(slot, at(bound));
                model.entry(slot).and_modify(|held| *held = bound.min(*held)).or_insert(bound);
            }
            Step::MoveTopLater(more) => {
                let Some((slot, bound)) = top else { return queue.move_top_later(at(more)) };
                queue.move_top_later(at(bound.as_nanos() + more));
                model.insert(slot, bound.as_nanos() + more);
            }
            Step::DropTop => {
                queue.move_top_later(Instant::MAX);
                top.and_then(|(slot, _)| model.remove(&slot));
            }
            Step::Remove(slot) => {
                queue.remove(slot);
                model.remove(&slot);
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_map(steps in steps()) {
            let (mut queue, mut model) = (DeadlineQueue::new(), BTreeMap::new());
            for step in &steps {
                apply(step, &mut queue, &mut model);
                prop_assert_eq!(queue.slots.len(), model.len());
                prop_assert_eq!(queue.top().map(|(_, bound)| bound.as_nanos()), model.values().min().copied());
                if let Some((slot, bound)) = queue.top() {
                    prop_assert_eq!(model.get(&slot).copied(), Some(bound.as_nanos()));
                }
            }
            let mut rest = drain(&mut queue);
            prop_assert!(rest.is_sorted_by_key(|(_, bound)| *bound));
            rest.sort_unstable();
            prop_assert_eq!(rest, model.into_iter().collect::<Vec<_>>());
        }
    }
}
