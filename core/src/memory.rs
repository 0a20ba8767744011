//! Memory that may run out: what a call needs it asks for first, and does without when there is none.
//!
//! The usual containers end the process when the allocator refuses. What stands here answers instead, and has changed
//! nothing then.
use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};
use hashbrown::HashTable;

/// The allocator has refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

impl From<hashbrown::TryReserveError> for NoMemory {
    fn from(_: hashbrown::TryReserveError) -> Self {
        Self
    }
}

/// Puts `item` at the end of `list`.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), NoMemory> {
    list.try_reserve(1)?;
    list.push(item);
    Ok(())
}

/// Makes room for so many more items in a hash table. The function behind a reference keeps this code once for each kind of
/// item, not once for each caller.
pub(crate) fn make_room<T>(table: &mut HashTable<T>, more: usize, hash: &dyn Fn(&T) -> u64) -> Result<(), NoMemory> {
    Ok(table.try_reserve(more, hash)?)
}

/// Puts an item, whose hash is `number`, where [room was made](make_room).
pub(crate) fn put<T>(table: &mut HashTable<T>, number: u64, item: T, hash: &dyn Fn(&T) -> u64) {
    table.insert_unique(number, item, hash);
}

/// An empty list with room for just `len` items.
pub(crate) fn list<T>(len: usize) -> Result<Vec<T>, NoMemory> {
    let mut list = Vec::new();
    list.try_reserve_exact(len)?;
    Ok(list)
}

/// A copy of `bytes`, with no room to grow.
pub(crate) fn copy(bytes: &[u8]) -> Result<Vec<u8>, NoMemory> {
    let mut copy = list(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

/// A copy of `text`, with no room to grow.
pub(crate) fn copy_text(text: &str) -> Result<String, NoMemory> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy)
}

/// A value on the heap, as in a `Box`, which cannot be made fallibly without unsafe code: an array of one can.
#[derive(Debug)]
pub(crate) struct Boxed<T>(Box<[T; 1]>);

impl<T> Boxed<T> {
    /// Moves `value` to the heap.
    #[inline]
    pub(crate) fn new(value: T) -> Result<Self, NoMemory> {
        let mut one = Vec::new();
        one.try_reserve_exact(1)?;
        one.push(value);
        // Neither step allocates: the capacity is the length, and the length is that of the array.
        let one: Result<Box<[T; 1]>, _> = one.into_boxed_slice().try_into();
        one.map(Self).map_err(|_| NoMemory)
    }

    /// Takes the value from the heap.
    pub(crate) fn into_inner(self) -> T {
        let [value] = *self.0;
        value
    }
}

impl<T> Deref for Boxed<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        let [value] = &*self.0;
        value
    }
}

impl<T> DerefMut for Boxed<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        let [value] = &mut *self.0;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boxed_value_takes_one_pointer_and_keeps_its_alignment() {
        #[repr(align(64))]
        struct Line(u8);
        assert_eq!(size_of::<Option<Boxed<Line>>>(), size_of::<usize>());
        let mut boxed = Boxed::new(Line(1)).expect("memory");
        assert_eq!((&raw const *boxed).addr() % 64, 0);
        *boxed = Line(2);
        assert_eq!(boxed.into_inner().0, 2);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert_eq!(list::<u64>(usize::MAX).err(), Some(NoMemory));
        assert_eq!(copy_text("text").as_deref(), Ok("text"));
        assert_eq!(copy(&[1, 2]).as_deref(), Ok(&[1, 2][..]));
    }
}
