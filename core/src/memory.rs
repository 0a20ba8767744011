//! Memory that may run out: what a call needs it asks for first, and does without when there is none.
//!
//! The usual containers end the process when the allocator refuses. What stands here answers instead, and has changed
//! nothing then.
use alloc::collections::TryReserveError;
use alloc::string::String;
use alloc::vec::Vec;

/// The allocator has refused. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> Self {
        Self
    }
}

/// Puts `item` at the end of `list`.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), NoMemory> {
    list.try_reserve(1)?;
    list.push(item);
    Ok(())
}

/// An empty list with room for just `len` items.
pub(crate) fn list<T>(len: usize) -> Result<Vec<T>, NoMemory> {
    let mut list = Vec::new();
    list.try_reserve_exact(len)?;
    Ok(list)
}

/// A copy of `text`, with no room to grow.
pub(crate) fn copy_text(text: &str) -> Result<String, NoMemory> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused() {
        assert_eq!(list::<u64>(usize::MAX).err(), Some(NoMemory));
        assert_eq!(copy_text("text").as_deref(), Ok("text"));
    }
}
