//! Vectors that hold references for the length of one call, and keep their memory from call to call.

/// An empty vector with the memory of `used`, for elements that differ from its own in nothing but a lifetime: what is
/// collected from a vector's own iterator stays in the vector's place.
pub fn recycle<Used, Fresh>(mut used: Vec<Used>) -> Vec<Fresh> {
    used.clear();
    used.into_iter().map(|_| unreachable!("the vector was emptied")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::tunnel::{DatagramSlot, PacketSlot};

    fn keeps_its_memory<T>() {
        let fresh: Vec<T> = Vec::with_capacity(64);
        let (at, capacity) = (fresh.as_ptr() as usize, fresh.capacity());
        let again: Vec<T> = recycle(fresh);
        assert_eq!((again.as_ptr() as usize, again.capacity()), (at, capacity));
    }

    #[test]
    fn memory_is_kept() {
        keeps_its_memory::<PacketSlot<'_>>();
        keeps_its_memory::<DatagramSlot<'_>>();
        keeps_its_memory::<&[u8]>();
    }
}
