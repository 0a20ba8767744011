//! Whether the buffers of a batch are apart: known before one of them is borrowed.
use crate::batch::underpass_slot;
use crate::memory::{Which, present};
use crate::words::UNDERPASS_MAX_BATCH;
use core::ops::Range;
use underpass_core::Status;

/// Where memory lies.
pub(crate) type Extent = Range<usize>;

/// Where an array lies.
pub(crate) fn extent_of<T>(from: *const T, len: usize) -> Extent {
    from.addr()..from.addr().saturating_add(len.saturating_mul(size_of::<T>()))
}

/// Whether two share a byte.
pub(crate) fn meet(one: &Extent, other: &Extent) -> bool {
    one.start < other.end && other.start < one.end
}

/// Whether each buffer holds what its slot says, and shares nothing with the others nor with `beside`. Buffers that
/// ascend in memory, as those of a ring do that is begun anywhere, are known to be apart after one pass.
#[inline]
pub(crate) fn check_buffers(slots: &[underpass_slot], which: impl Which, beside: &[Extent]) -> Result<(), Status> {
    let (mut first, mut last, mut wrapped, mut ascending) = (None, 0, false, true);
    for slot in slots.iter().filter(|slot| which(slot)) {
        let buffer = slot.extent()?;
        if beside.iter().any(|other| meet(&buffer, other)) {
            return Err(Status::Overlap);
        }
        let first = *first.get_or_insert(buffer.start);
        if buffer.start < last {
            ascending &= !wrapped;
            wrapped = true;
        }
        ascending &= !wrapped || buffer.end <= first;
        last = buffer.end;
    }
    if ascending { Ok(()) } else { check_in_any_order(slots.iter().filter(|slot| which(slot))) }
}

/// The same for buffers that lie anyhow: sorts their places on the stack.
#[cold]
#[inline(never)]
fn check_in_any_order<'a>(slots: impl Iterator<Item = &'a underpass_slot>) -> Result<(), Status> {
    let mut table = [(0, 0); UNDERPASS_MAX_BATCH as usize];
    let mut count = 0;
    for (place, slot) in table.iter_mut().zip(slots) {
        let Extent { start, end } = slot.extent()?;
        *place = (start, end);
        count += 1;
    }
    let table = table.get_mut(..count).unwrap_or_default();
    table.sort_unstable();
    let apart = table.windows(2).all(|pair| matches!(pair, [(_, end), (start, _)] if end <= start));
    if apart { Ok(()) } else { Err(Status::Overlap) }
}

impl underpass_slot {
    /// Where the buffer lies, when the packet or datagram is in it.
    #[inline]
    fn extent(&self) -> Result<Extent, Status> {
        let start = present(self.buf)?.addr().get();
        let used = u64::from(self.start) + u64::from(self.len);
        let cap = usize::try_from(self.cap).ok().filter(|cap| isize::try_from(*cap).is_ok());
        let end = cap.and_then(|cap| start.checked_add(cap)).filter(|_| used <= u64::from(self.cap));
        end.map(|end| start..end).ok_or(Status::Argument)
    }
}
