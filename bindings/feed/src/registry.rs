//! The feeds that are open, by the number under which applications know them.
use crate::feed::Feed;
use crate::memory::meet;
use std::collections::btree_map::{self, BTreeMap};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use underpass_core::Status;

/// Nobody waits for another lock, nor calls anything, while this one is held.
static FEEDS: Mutex<BTreeMap<i64, Arc<Entry>>> = Mutex::new(BTreeMap::new());

struct Entry {
    /// Where the buffers lie.
    extents: [Range<usize>; 2],
    /// Locked by the call that is under way. Another is refused, never made to wait.
    feed: Mutex<Option<Feed>>,
    /// It was closed. Who holds the lock then ends it.
    closing: AtomicBool,
}

/// A number that names something to an application: random, above 0, and nobody can guess it.
///
/// # Errors
/// `Random`.
pub fn random() -> Result<i64, Status> {
    loop {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|_| Status::Random)?;
        let number = i64::from_ne_bytes(bytes) & i64::MAX;
        if number != 0 {
            return Ok(number);
        }
    }
}

/// Lists a feed under a [random] number.
pub fn list(feed: Feed) -> Result<i64, Status> {
    let extents = feed.extents();
    let entry = Arc::new(Entry { extents, feed: Mutex::new(Some(feed)), closing: AtomicBool::new(false) });
    loop {
        let handle = random()?;
        let mut feeds = feeds();
        // Two feeds over the same memory would write to it at the same time.
        if feeds.values().any(|other| other.shares_with(&entry)) {
            return Err(Status::Overlap);
        }
        if let btree_map::Entry::Vacant(place) = feeds.entry(handle) {
            place.insert(entry);
            return Ok(handle);
        }
    }
}

/// One call of a feed. `Null`: there is none of this number, or not any more. `Busy`: another call is under way. A panic goes no
/// further.
pub fn enter<R>(handle: i64, body: impl FnOnce(&mut Feed) -> Result<R, Status>) -> Result<R, Status> {
    let entry = find(handle).ok_or(Status::Null)?;
    if entry.closing.load(Ordering::SeqCst) {
        return Err(Status::Null);
    }
    let answer = match entry.feed.try_lock() {
        Ok(mut feed) => {
            let feed = feed.as_mut().ok_or(Status::Null)?;
            catch_unwind(AssertUnwindSafe(|| body(feed))).unwrap_or(Err(Status::Panic))
        }
        Err(TryLockError::WouldBlock) => return Err(Status::Busy),
        Err(TryLockError::Poisoned(_)) => return Err(Status::Poisoned),
    };
    if entry.closing.load(Ordering::SeqCst) {
        entry.end(handle);
    }
    answer
}

/// Closes a feed. A call that is under way ends it when it is done. Doing it again does nothing.
pub fn close(handle: i64) {
    if let Some(entry) = find(handle) {
        entry.closing.store(true, Ordering::SeqCst);
        entry.end(handle);
    }
}

/// How many feeds are open.
pub fn live() -> usize {
    feeds().len()
}

impl Entry {
    /// Ends the feed unless a call is under way.
    fn end(&self, handle: i64) {
        let feed = match self.feed.try_lock() {
            Ok(mut feed) => feed.take(),
            Err(TryLockError::Poisoned(broken)) => broken.into_inner().take(),
            Err(TryLockError::WouldBlock) => return,
        };
        feeds().remove(&handle);
        // Under no lock: references of the application may go with it.
        drop(feed);
    }

    fn shares_with(&self, other: &Self) -> bool {
        self.extents.iter().any(|one| other.extents.iter().any(|two| meet(one, two)))
    }
}

fn find(handle: i64) -> Option<Arc<Entry>> {
    feeds().get(&handle).cloned()
}

fn feeds() -> MutexGuard<'static, BTreeMap<i64, Arc<Entry>>> {
    FEEDS.lock().unwrap_or_else(PoisonError::into_inner)
}
