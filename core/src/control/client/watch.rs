//! What is watched (RFC 7641).
use super::exchange::{Ask, Origin};
use super::{Client, Event, Reply};
use crate::control::coap::{Block, Token, View, number, uint};
use crate::control::message::{Request, Watch};
use crate::crypto::Rng;
use crate::time::Instant;
use core::time::Duration;

/// A notification that comes so much later than another is the newer one (RFC 7641 § 3.4).
const FRESH: Duration = Duration::from_secs(128);
/// Half of the numbers of notifications.
const HALF: u32 = 1 << 23;

/// Something that may be watched.
#[derive(Debug, Default)]
pub struct Watched {
    /// The host wants it watched.
    pub is_wanted: bool,
    /// The gateway tells of changes: what is known of the latest.
    pub seen: Option<Seen>,
    /// It is to be fetched.
    pub is_stale: bool,
}

/// The latest notification.
#[derive(Debug)]
pub struct Seen {
    token: Token,
    order: u32,
    at: Instant,
}

impl Seen {
    /// Whether a notification is newer than this one.
    fn is_before(&self, now: Instant, order: u32) -> bool {
        let ahead = order.wrapping_sub(self.order) & (2 * HALF - 1);
        (ahead > 0 && ahead < HALF) || now.since(self.at) > FRESH
    }
}

impl Client {
    /// What a token tells of.
    pub(super) fn watch_of(&self, token: &Token) -> Option<Watch> {
        let is_of = |watch: &Watch| {
            let seen = self.watched.get(watch.index()).and_then(|watched| watched.seen.as_ref());
            seen.is_some_and(|seen| seen.token == *token)
        };
        Watch::ALL.into_iter().find(is_of)
    }

    /// The answer to a request to be told of changes: the gateway agrees if it bears an Observe option.
    pub(super) fn begin_watch(&mut self, now: Instant, view: &View<'_>) {
        let Some(exchange) = self.exchange.as_ref().filter(|exchange| exchange.token == view.token) else { return };
        let Some(watch) = exchange.ask.watch else { return };
        let order = view.option(number::OBSERVE).and_then(uint);
        let watched = self.watched_mut(watch);
        if let (true, Some(order)) = (watched.is_wanted, order) {
            watched.seen = Some(Seen { token: view.token, order, at: now });
        }
    }

    /// A notification has come.
    pub(super) fn notified(&mut self, now: Instant, rng: &mut dyn Rng, watch: Watch, view: &View<'_>) -> Option<Event> {
        let Some(order) = view.option(number::OBSERVE).and_then(uint).filter(|_| !view.code.is_refusal()) else {
            return self.lose(watch);
        };
        let seen = self.watched_mut(watch).seen.as_mut()?;
        if !seen.is_before(now, order) {
            return None;
        }
        (seen.order, seen.at) = (order, now);
        let is_on_its_way = self.exchange.as_ref().is_some_and(|exchange| exchange.ask.target == watch.target());
        let is_in_blocks = view.option(number::BLOCK2).and_then(Block::read).is_some_and(|block| block.more);
        if is_on_its_way || is_in_blocks {
            // What is on its way may be older than this. It is fetched afterwards, whole.
            self.watched_mut(watch).is_stale = true;
            self.start_next(now, rng);
            return None;
        }
        match Reply::decode(watch.target(), view.payload) {
            Ok(reply) => Some(Event::Pushed(reply)),
            Err(_) => self.lose(watch),
        }
    }

    /// It could not be fetched. If there is something newer by now, that is fetched next.
    pub(super) fn missed(&mut self, watch: Watch) -> Option<Event> {
        if self.watched_mut(watch).is_stale { None } else { self.lose(watch) }
    }

    /// There is nothing more to hear of it, until the host asks for it or there is a new session.
    pub(super) fn lose(&mut self, watch: Watch) -> Option<Event> {
        let watched = self.watched_mut(watch);
        (watched.seen, watched.is_stale) = (None, false);
        watched.is_wanted.then_some(Event::WatchEnded(watch))
    }

    /// A request of our own for something that is to be fetched. It is watched again if it is not.
    pub(super) fn next_stale(&mut self) -> Option<Ask> {
        let watch = Watch::ALL.into_iter().find(|watch| self.watched_mut(*watch).is_stale)?;
        let request = match watch {
            Watch::Config => Request::Config,
            Watch::Session => Request::Session,
        };
        let watched = self.watched_mut(watch);
        watched.is_stale = false;
        let again = (watched.is_wanted && watched.seen.is_none()).then_some(watch);
        Ask::new(Origin::Watch(watch), &request, again).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7641 § 3.4.
    #[test]
    fn a_notification_is_newer_by_its_number_or_after_128_seconds() {
        let at = Instant::ZERO + Duration::from_secs(1000);
        for (number, (known, order, seconds, expected)) in [
            (5, 6, 0, true),
            (5, 5, 0, false),
            (5, 4, 0, false),
            (0, 1, 0, true),
            (5, 5 + HALF - 1, 0, true),
            (5, 5 + HALF, 0, false),
            (2 * HALF - 1, 0, 0, true),
            (0, 2 * HALF - 1, 0, false),
            (5, 4, 128, false),
            (5, 4, 129, true),
            (5, 5, 129, true),
        ]
        .into_iter()
        .enumerate()
        {
            let seen = Seen { token: Token::default(), order: known, at };
            assert_eq!(seen.is_before(at + Duration::from_secs(seconds), order), expected, "{number}");
        }
    }
}
