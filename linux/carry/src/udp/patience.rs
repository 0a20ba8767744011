//! How long sending may wait for room in the buffer of a socket.
//!
//! Waiting slows down who sends into the tunnel, which is better than loss. But the loop that waits serves all peers, and a
//! buffer that one slow path keeps full would stop it again and again: of all time, a share is waited at most.
use std::cell::Cell;
use std::time::{Duration, Instant};

/// As long as one wait may take after a time without any.
const MOST: Duration = Duration::from_millis(20);
/// One part in so many of all time.
const SHARE: u32 = 4;
/// Less is no wait.
const LEAST: Duration = Duration::from_millis(1);

/// What is left of the time for waiting.
#[derive(Debug)]
pub(super) struct Patience {
    left: Cell<Duration>,
    since: Cell<Instant>,
}

impl Patience {
    /// All of it.
    pub(super) fn new(now: Instant) -> Self {
        Self { left: MOST.into(), since: now.into() }
    }

    /// How long may be waited at `now`, in whole milliseconds; `None`: not at all.
    pub(super) fn left(&self, now: Instant) -> Option<u8> {
        let gained = now.saturating_duration_since(self.since.replace(now)) / SHARE;
        self.left.set(MOST.min(self.left.get() + gained));
        (self.left.get() >= LEAST).then(|| u8::try_from(self.left.get().as_millis()).unwrap_or(u8::MAX))
    }

    /// It was waited from the last call of [`left`](Self::left) until `now`: that time is spent, and gained nothing.
    pub(super) fn spend(&self, now: Instant) {
        let waited = now.saturating_duration_since(self.since.replace(now));
        self.left.set(self.left.get().saturating_sub(waited));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_stays_full_costs_a_share_of_the_time() {
        let start = Instant::now();
        let patience = Patience::new(start);
        let (mut now, mut waited) = (start, Duration::ZERO);
        // A run each 100 microseconds, none of which finds room.
        while now.duration_since(start) < Duration::from_secs(10) {
            if let Some(millis) = patience.left(now) {
                now += Duration::from_millis(millis.into());
                waited += Duration::from_millis(millis.into());
                patience.spend(now);
            }
            now += Duration::from_micros(100);
        }
        let share = waited.as_secs_f64() / 10.0;
        assert!(share > 0.15 && share < 0.21, "{share}: a quarter of what is not waited");
    }

    #[test]
    fn the_first_run_may_wait_and_so_may_one_after_a_rest() {
        let start = Instant::now();
        let patience = Patience::new(start);
        assert_eq!(patience.left(start), Some(20));
        let end = start + Duration::from_millis(20);
        patience.spend(end);
        assert_eq!(patience.left(end), None);
        assert_eq!(patience.left(end + Duration::from_millis(8)), Some(2));
        assert_eq!(patience.left(end + Duration::from_secs(9)), Some(20), "it is not saved up");
    }
}
