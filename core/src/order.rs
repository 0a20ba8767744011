//! Sorting, with one piece of code for lists of every type.
//!
//! The sort of the standard library is compiled anew for each type, some 6 KB each time. Nothing here is sorted often
//! enough to need its speed. This one takes no memory either.

/// A list whose items can be compared and exchanged by their places.
trait Places {
    /// Whether the first item belongs before the second. Places beyond the end: false.
    fn is_before(&self, one: usize, other: usize) -> bool;
    /// Exchanges two items.
    fn exchange(&mut self, one: usize, other: usize);
}

impl<T: Ord> Places for &mut [T] {
    fn is_before(&self, one: usize, other: usize) -> bool {
        self.get(one).zip(self.get(other)).is_some_and(|(one, other)| one < other)
    }

    fn exchange(&mut self, one: usize, other: usize) {
        self.swap(one, other);
    }
}

/// Sorts a list in place, in O(n log n). Equal items may change places.
pub(crate) fn sort<T: Ord>(mut list: &mut [T]) {
    let len = list.len();
    heap_sort(&mut list, len);
}

/// Heap sort (Williams 1964, with Floyd's way of making the heap).
fn heap_sort(list: &mut dyn Places, len: usize) {
    for root in (0..len / 2).rev() {
        sink(list, root, len);
    }
    for end in (1..len).rev() {
        list.exchange(0, end);
        sink(list, 0, end);
    }
}

/// Moves the item at `place` down the heap of `len` items, until none below it is greater.
fn sink(list: &mut dyn Places, mut place: usize, len: usize) {
    loop {
        let left = place.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        if left >= len {
            return;
        }
        let greater = if right < len && list.is_before(left, right) { right } else { left };
        if !list.is_before(place, greater) {
            return;
        }
        list.exchange(place, greater);
        place = greater;
    }
}

#[cfg(test)]
mod tests {
    use super::sort;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(mut list: Vec<(u8, u16)>) {
            let mut model = list.clone();
            model.sort_unstable();
            sort(&mut list);
            prop_assert_eq!(list, model);
        }
    }

    #[test]
    fn short_and_sorted_lists_are_sorted() {
        for len in 0..40_u32 {
            let sorted: Vec<_> = (0..len).collect();
            let (mut forward, mut backward) = (sorted.clone(), sorted.iter().rev().copied().collect::<Vec<_>>());
            sort(&mut forward);
            sort(&mut backward);
            assert_eq!((&forward, &backward), (&sorted, &sorted));
        }
    }
}
