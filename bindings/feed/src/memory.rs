//! The two buffers of a feed: whose memory it is, how large, and that it stays.
use crate::facts::LONGS;
use std::any::Any;
use std::ops::Range;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::AtomicI64;
use underpass_core::Status;

/// A slab of slots and their facts.
pub struct Memory {
    slab: NonNull<u8>,
    slab_len: usize,
    facts: NonNull<[AtomicI64; LONGS]>,
    slots: usize,
    /// Keeps both in place as long as it lives.
    _keep: Box<dyn Any + Send>,
}

/// An address, and how many bytes there are from there.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// The address.
    pub at: *mut u8,
    /// The bytes.
    pub capacity: usize,
}

impl Given {
    fn extent(self, len: usize) -> Range<usize> {
        self.at.addr()..self.at.addr().saturating_add(len)
    }
}

// SAFETY: the memory belongs to no thread; whoever has the `Memory` has the slab.
unsafe impl Send for Memory {}

impl Memory {
    /// Takes what the application lent, when it is large enough for `slots` slots of `stride` bytes, aligned, and two things.
    ///
    /// # Safety
    /// Each is memory that can be written to, of as many bytes as it says, initialised, and stays where it is until `keep` is
    /// dropped. No other Rust code refers to the slab as long as the `Memory` lives.
    pub unsafe fn new(
        slab: Given,
        facts: Given,
        slots: usize,
        stride: usize,
        keep: Box<dyn Any + Send>,
    ) -> Result<Self, Status> {
        let slab_len = slots.checked_mul(stride).ok_or(Status::Argument)?;
        let facts_len = slots.checked_mul(size_of::<[AtomicI64; LONGS]>()).ok_or(Status::Argument)?;
        if slab.capacity < slab_len || facts.capacity < facts_len {
            return Err(Status::Buffer);
        }
        let places = facts.at.cast::<[AtomicI64; LONGS]>();
        if !places.is_aligned() {
            return Err(Status::Argument);
        }
        if meet(&slab.extent(slab_len), &facts.extent(facts_len)) {
            return Err(Status::Overlap);
        }
        let (Some(slab), Some(facts)) = (NonNull::new(slab.at), NonNull::new(places)) else {
            return Err(Status::Null);
        };
        Ok(Self { slab, slab_len, facts, slots, _keep: keep })
    }

    /// Both, for one call.
    pub fn open(&mut self) -> (&mut [u8], &[[AtomicI64; LONGS]]) {
        // SAFETY: `new` was told that the slab is there for as long as `keep` is and that nobody else in Rust refers to it;
        // `&mut self` is the only way to it.
        let slab = unsafe { slice::from_raw_parts_mut(self.slab.as_ptr(), self.slab_len) };
        // SAFETY: likewise there and aligned; it is apart from the slab, and atomics may be shared with whoever writes them.
        let facts = unsafe { slice::from_raw_parts(self.facts.as_ptr(), self.slots) };
        (slab, facts)
    }

    /// Where both lie.
    pub fn extents(&self) -> [Range<usize>; 2] {
        let (slab, facts) = (self.slab.as_ptr().addr(), self.facts.as_ptr().addr());
        [slab..slab + self.slab_len, facts..facts + self.slots * size_of::<[AtomicI64; LONGS]>()]
    }
}

/// Whether two share a byte.
pub fn meet(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
impl Memory {
    /// Memory of a test, with `spare` bytes more or less than is needed of each.
    pub(crate) fn of_test(slots: usize, stride: usize, spare: [isize; 2]) -> Result<Self, Status> {
        let mut slab = vec![0_u64; (slots * stride).div_ceil(8) + 8];
        let mut facts = vec![0_u64; slots * LONGS + 8];
        let given = |vector: &mut Vec<u64>, bytes: usize, spare: isize| Given {
            at: vector.as_mut_ptr().cast(),
            capacity: bytes.checked_add_signed(spare).expect("not less than nothing"),
        };
        let (one, two) = (given(&mut slab, slots * stride, spare[0]), given(&mut facts, slots * LONGS * 8, spare[1]));
        // SAFETY: vectors that are not touched again keep their memory in place, and have at least as much as is said.
        unsafe { Self::new(one, two, slots, stride, Box::new((slab, facts))) }
    }

    /// A slab and facts that overlap, and facts that are not aligned.
    pub(crate) fn of_bad_test(offset: usize) -> Status {
        let mut both = vec![0_u64; 1024];
        let at = both.as_mut_ptr().cast::<u8>();
        let (slab, facts) = (Given { at, capacity: 4096 }, Given { at: at.wrapping_add(offset), capacity: 1024 });
        // SAFETY: all of it lies within the vector, which stays.
        unsafe { Self::new(slab, facts, 2, 2048, Box::new(both)) }.err().unwrap_or(Status::Ok)
    }
}
