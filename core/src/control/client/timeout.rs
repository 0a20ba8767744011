//! Deadlines.
use super::exchange::Flight;
use super::{Client, Event, Failure};
use crate::crypto::Rng;
use crate::time::Instant;

impl Client {
    /// Does what is due at `now`: sends the request on its way again, or gives it up.
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut dyn Rng) -> Option<Event> {
        let exchange = self.exchange.as_mut().filter(|exchange| exchange.due() <= now)?;
        let failure = match &mut exchange.flight {
            Flight::Sent(message) => {
                if message.wait_again(now) {
                    self.send_flight();
                    return None;
                }
                Failure::Unanswered
            }
            Flight::Acknowledged { .. } => Failure::NoAnswer,
            Flight::Unsent { failure, .. } => *failure,
        };
        self.fail(now, rng, failure)
    }
}
