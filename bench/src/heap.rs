//! The heap, counted.
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The system's allocator; counts live bytes while somebody wants to know.
///
/// What lives across the moment that counting begins or ends would be counted once only: [`held`] counts from a fresh
/// start to the end of one closure's value.
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
/// Far from nothing: what is freed here may have been taken before anybody counted.
static LIVE: AtomicUsize = AtomicUsize::new(1 << 40);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator unchanged; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTS.load(Relaxed) {
            let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
            PEAK.fetch_max(live, Relaxed);
        }
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if COUNTS.load(Relaxed) {
            LIVE.fetch_sub(layout.size(), Relaxed);
        }
        // SAFETY: the caller's promise about `place` and `layout` is handed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// Starts counting: from here on [`live`] grows and shrinks with the heap.
pub fn count<T>(act: impl FnOnce() -> T) -> T {
    COUNTS.store(true, Relaxed);
    let outcome = act();
    COUNTS.store(false, Relaxed);
    outcome
}

/// Live bytes; only differences mean something.
pub fn live() -> usize {
    LIVE.load(Relaxed)
}

/// Bytes that what `make` returns holds on the heap, inside [`count`].
pub fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = live();
    let made = make();
    (made, live().wrapping_sub(before))
}

/// The most that was live at once while `act` ran, on the scale of [`live`], inside [`count`].
#[cfg(feature = "phone")]
pub fn peak(act: impl FnOnce()) -> usize {
    PEAK.store(live(), Relaxed);
    act();
    PEAK.load(Relaxed)
}
