//! Messages of the gateway.
use super::exchange::{ANSWER_WAIT, Exchange, Flight, Origin, Parts};
use super::{Client, Event, Failure, Refusal, Reply, Wiped};
use crate::control::MAX_BODY;
use crate::control::coap::{Block, Broken, Builder, Code, Kind, LARGE_BLOCK, MESSAGE_LEN, Token, View, number, uint};
use crate::control::message::Target;
use crate::crypto::Rng;
use crate::time::Instant;

/// How often the blocks of an answer are fetched from the first again.
const RESTARTS: u8 = 3;

impl Client {
    /// Takes a message of the gateway, the payload of a UDP datagram from inside the tunnel.
    pub fn handle_message(&mut self, now: Instant, rng: &mut dyn Rng, message: &[u8]) -> Option<Event> {
        let view = match View::parse(message) {
            Ok(view) => view,
            Err(Broken::Ignore) => return None,
            Err(Broken::Reset(id)) => return self.reject(id),
        };
        match view.kind {
            Kind::Reset => self.was_reset(now, rng, view.id),
            Kind::Acknowledgement => self.acknowledged(now, rng, &view),
            _ if view.code.is_response() => self.apart(now, rng, &view),
            // A ping, or a request: there is nothing here to ask for.
            Kind::Confirmable => self.reject(view.id),
            Kind::NonConfirmable => None,
        }
    }

    fn reject(&mut self, id: u16) -> Option<Event> {
        self.outbox.push((), Builder::empty(Kind::Reset, id), false);
        None
    }

    fn was_reset(&mut self, now: Instant, rng: &mut dyn Rng, id: u16) -> Option<Event> {
        match &self.exchange {
            Some(Exchange { flight: Flight::Sent(message), .. }) if message.id == id => {
                self.fail(now, rng, Failure::Reset)
            }
            _ => None,
        }
    }

    /// The request has come, perhaps with its answer.
    fn acknowledged(&mut self, now: Instant, rng: &mut dyn Rng, view: &View<'_>) -> Option<Event> {
        let exchange = self.exchange.as_mut()?;
        match &exchange.flight {
            Flight::Sent(message) if message.id == view.id => {}
            _ => return None,
        }
        if view.code == Code::EMPTY {
            exchange.flight = Flight::Acknowledged { until: now + ANSWER_WAIT };
            return None;
        }
        (exchange.token == view.token).then(|| self.response(now, rng, view)).flatten()
    }

    /// A response in a message of its own: an answer, or a change of what is watched.
    fn apart(&mut self, now: Instant, rng: &mut dyn Rng, view: &View<'_>) -> Option<Event> {
        let is_answer = self.exchange.as_ref().is_some_and(|exchange| exchange.token == view.token);
        let watch = self.watch_of(&view.token).filter(|_| !is_answer);
        let is_known = is_answer || watch.is_some();
        let is_first = self.is_first(now, view.id);
        if view.kind == Kind::Confirmable {
            // Who repeats an answer that has come has not heard that it has.
            let kind = if is_known || !is_first { Kind::Acknowledgement } else { Kind::Reset };
            self.outbox.push((), Builder::empty(kind, view.id), false);
        }
        match watch {
            _ if !is_first => None,
            Some(watch) => self.notified(now, rng, watch, view),
            None if is_answer => self.response(now, rng, view),
            None => None,
        }
    }

    /// A response to the latest message of the request on its way.
    fn response(&mut self, now: Instant, rng: &mut dyn Rng, view: &View<'_>) -> Option<Event> {
        let exchange = self.exchange.as_mut()?;
        if view.code == Code::CONTINUE {
            return match next_offset(exchange, view) {
                Some((offset, exponent)) => {
                    (exchange.offset, exchange.exponent) = (offset, exponent);
                    self.send_on(now, rng)
                }
                None => self.fail(now, rng, Failure::Blocks),
            };
        }
        if view.code.is_refusal() {
            return self.refused(now, rng, view);
        }
        match take_block(exchange, view) {
            Ok(true) => {
                self.begin_watch(now, view);
                self.send_on(now, rng)
            }
            Ok(false) => {
                self.begin_watch(now, view);
                self.whole(now, rng, view)
            }
            Err(Failure::Blocks) if self.may_begin_again() => self.send_on(now, rng),
            Err(failure) => self.fail(now, rng, failure),
        }
    }

    /// Whether the blocks of an answer may be fetched from the first again: the gateway has a newer answer meanwhile. What
    /// changes nothing may be asked more than once.
    fn may_begin_again(&mut self) -> bool {
        let Some(exchange) = self.exchange.as_mut() else { return false };
        let is_get = exchange.ask.target.method() == Code::GET;
        let may = is_get && exchange.restarts < RESTARTS && exchange.answer.take().is_some();
        exchange.restarts = exchange.restarts.saturating_add(may.into());
        may
    }

    fn refused(&mut self, now: Instant, rng: &mut dyn Rng, view: &View<'_>) -> Option<Event> {
        // In the middle of an answer: the gateway has another one meanwhile, which may be shorter, or none.
        if self.may_begin_again() {
            return self.send_on(now, rng);
        }
        let exchange = self.exchange.take()?;
        let retry_after = view.option(number::MAX_AGE).and_then(uint);
        let event = match exchange.ask.origin {
            Origin::Host(id) => Some(Event::Refused { id, refusal: Refusal { code: view.code, retry_after } }),
            Origin::Watch(watch) => self.missed(watch),
            Origin::Nobody => None,
        };
        self.start_next(now, rng);
        event
    }

    /// All of the answer has come.
    fn whole(&mut self, now: Instant, rng: &mut dyn Rng, view: &View<'_>) -> Option<Event> {
        let exchange = self.exchange.take()?;
        let body = exchange.answer.as_ref().map_or(view.payload, |parts| &parts.body);
        let reply = Reply::decode(exchange.ask.target, body);
        if let (Target::Probe, Ok(Reply::Probed(probed))) = (exchange.ask.target, &reply)
            && probed.len as usize >= MESSAGE_LEN
        {
            // The path carries the longest message with a large block.
            self.exponent = LARGE_BLOCK;
        }
        let event = match (exchange.ask.origin, reply) {
            (Origin::Host(id), Ok(reply)) => Some(Event::Answered { id, reply }),
            (Origin::Host(id), Err(fault)) => Some(Event::Failed { id, failure: Failure::Malformed(fault) }),
            (Origin::Watch(_), Ok(reply)) => Some(Event::Pushed(reply)),
            (Origin::Watch(watch), Err(_)) => self.missed(watch),
            (Origin::Nobody, _) => None,
        };
        self.start_next(now, rng);
        event
    }
}

/// Where the next block of a request begins, and how long it is: the gateway may ask for shorter ones.
fn next_offset(exchange: &Exchange, view: &View<'_>) -> Option<(usize, u8)> {
    let taken = Block::read(view.option(number::BLOCK1)?)?;
    let sent = Block::at(exchange.offset, exchange.ask.body.len(), exchange.exponent)?;
    let is_next = taken.number == sent.number && sent.more && exchange.answer.is_none();
    let offset = exchange.offset.saturating_add(sent.len());
    is_next.then_some((offset, taken.exponent.min(exchange.exponent)))
}

/// Takes a block of the answer; `true`: more follow.
fn take_block(exchange: &mut Exchange, view: &View<'_>) -> Result<bool, Failure> {
    let Some(value) = view.option(number::BLOCK2) else {
        return if exchange.answer.is_some() { Err(Failure::Blocks) } else { Ok(false) };
    };
    let block = Block::read(value).ok_or(Failure::Blocks)?;
    let etag = view.option(number::ETAG).and_then(Token::new).unwrap_or_default();
    let parts = exchange.answer.get_or_insert_with(|| Parts { body: Wiped::default(), etag });
    let is_full = view.payload.len() == block.len() || !block.more && view.payload.len() <= block.len();
    let fits = parts.body.len().saturating_add(view.payload.len()) <= MAX_BODY;
    if !is_full || !fits || parts.etag != etag || block.offset() != parts.body.len() {
        return Err(Failure::Blocks);
    }
    parts.body.grow(view.payload)?;
    exchange.exponent = exchange.exponent.min(block.exponent);
    Ok(block.more)
}
