//! Pauses between tries, each twice as long as the one before.
use std::time::{Duration, Instant};

/// The first pause, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(60)];

/// When something that failed is tried again.
#[derive(Debug, Default)]
pub struct Rest {
    /// The length of the last pause.
    pause: Duration,
    until: Option<Instant>,
}

impl Rest {
    /// It failed: it rests, longer than the last time.
    pub fn begin(&mut self) {
        self.pause = (self.pause * 2).clamp(PAUSES[0], PAUSES[1]);
        self.until = Some(Instant::now() + self.pause);
    }

    /// It is tried now. Should it fail once more, the pause grows.
    pub fn end(&mut self) {
        self.until = None;
    }

    /// It succeeded: the next pause is the first again.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// How much of the pause is left; `None`: it does not rest.
    pub fn left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// Whether the pause is over, and nothing was tried since.
    pub fn is_over(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_it_succeeds() {
        let mut rest = Rest::default();
        assert!(rest.left().is_none() && !rest.is_over());
        let pauses: Vec<u128> = (0..12)
            .map(|_| {
                rest.begin();
                rest.pause.as_millis()
            })
            .collect();
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[11], 60_000);
        assert!(rest.left().is_some_and(|left| left > Duration::ZERO) && !rest.is_over());
        rest.end();
        assert!(rest.left().is_none() && rest.pause == PAUSES[1]);
        rest.forget();
        rest.begin();
        assert_eq!(rest.pause, PAUSES[0]);
        rest.until = Some(Instant::now());
        assert!(rest.is_over());
    }
}
