//! Sending requests, block by block.
use super::exchange::{Ask, Exchange, Flight, Origin};
use super::{Client, Event, Failure, Wiped};
use crate::control::coap::{Block, Builder, Kind, SMALL_BLOCK, Token, number};
use crate::control::exchange::{CBOR, Confirmable};
use crate::control::message::Target;
use crate::crypto::Rng;
use crate::time::Instant;
use core::time::Duration;

/// Registers an observer (RFC 7641 § 2).
const REGISTER: u32 = 0;

impl Client {
    /// Begins the next request, if none is on its way: those of the host first.
    pub(super) fn start_next(&mut self, now: Instant, rng: &mut dyn Rng) {
        if self.exchange.is_some() {
            return;
        }
        let Some(ask) = self.waiting.pop_front().or_else(|| self.next_stale()) else { return };
        let exponent = self.exponent;
        let id = self.new_id();
        // What cannot be sent fails in the next `handle_timeout`.
        let (token, flight) = match message_of(rng, Kind::Confirmable, id, &ask, 0, exponent) {
            Ok((token, message)) => (token, Flight::Sent(Confirmable::new(now, rng, id, message))),
            Err(failure) => (Token::default(), Flight::Unsent { at: now + Duration::from_nanos(1), failure }),
        };
        self.exchange = Some(Exchange { ask, token, flight, offset: 0, exponent, answer: None, restarts: 0 });
        self.send_flight();
    }

    /// Sends the next message of the request on its way, after a block was taken or has come.
    pub(super) fn send_on(&mut self, now: Instant, rng: &mut dyn Rng) -> Option<Event> {
        let id = self.new_id();
        let exchange = self.exchange.as_mut()?;
        let made = match &exchange.answer {
            None => message_of(rng, Kind::Confirmable, id, &exchange.ask, exchange.offset, exchange.exponent),
            Some(parts) => next_block(rng, id, &exchange.ask, parts.body.len(), exchange.exponent),
        };
        match made {
            Ok((token, message)) => {
                exchange.token = token;
                exchange.flight = Flight::Sent(Confirmable::new(now, rng, id, message));
                self.send_flight();
                None
            }
            Err(failure) => self.fail(now, rng, failure),
        }
    }

    /// Puts the message on its way into the outbox.
    pub(super) fn send_flight(&mut self) {
        if let Some(Exchange { flight: Flight::Sent(message), ask, .. }) = &self.exchange {
            // What nobody asked for is no reason to begin a handshake.
            let may_wake = matches!(ask.origin, Origin::Host(_));
            self.outbox.push((), message.copy(), may_wake);
        }
    }

    /// Ends the request on its way, and begins the next.
    pub(super) fn fail(&mut self, now: Instant, rng: &mut dyn Rng, failure: Failure) -> Option<Event> {
        let exchange = self.exchange.take()?;
        if failure == Failure::Unanswered {
            // The path may carry less than it did.
            self.exponent = SMALL_BLOCK;
        }
        let event = match exchange.ask.origin {
            Origin::Host(id) => Some(Event::Failed { id, failure }),
            Origin::Watch(watch) => self.missed(watch),
            Origin::Nobody => None,
        };
        self.start_next(now, rng);
        event
    }
}

/// A message of a request, with the part of its body that begins at `offset`.
pub fn message_of(
    rng: &mut dyn Rng,
    kind: Kind,
    id: u16,
    ask: &Ask,
    offset: usize,
    exponent: u8,
) -> Result<(Token, Wiped), Failure> {
    let token = new_token(rng)?;
    // A probe is one message, however long.
    let is_probe = ask.target == Target::Probe;
    let block = Block::at(offset, ask.body.len(), exponent).filter(|block| !is_probe && (block.more || offset > 0));
    let payload = block.map_or(&*ask.body, |block| block.of(&ask.body));
    let mut message = Builder::new(kind, ask.target.method(), id, &token, payload.len())?;
    if ask.watch.is_some() {
        message.uint(number::OBSERVE, REGISTER);
    }
    ask.target.write_path(&mut message);
    if !payload.is_empty() {
        message.uint(number::CONTENT_FORMAT, CBOR);
    }
    message.uint(number::ACCEPT, CBOR);
    if exponent != SMALL_BLOCK {
        message.uint(number::BLOCK2, Block { number: 0, more: false, exponent }.bits());
    }
    if let Some(block) = block {
        message.uint(number::BLOCK1, block.bits());
        if offset == 0 {
            message.uint(number::SIZE1, ask.body.len() as u32);
        }
    }
    Ok((token, message.finish(payload)?))
}

/// Asks for the block of the answer that begins at `offset`.
fn next_block(rng: &mut dyn Rng, id: u16, ask: &Ask, offset: usize, exponent: u8) -> Result<(Token, Wiped), Failure> {
    let token = new_token(rng)?;
    let mut message = Builder::new(Kind::Confirmable, ask.target.method(), id, &token, 0)?;
    ask.target.write_path(&mut message);
    message.uint(number::ACCEPT, CBOR);
    let block = Block { number: (offset >> exponent.saturating_add(4)) as u32, more: false, exponent };
    message.uint(number::BLOCK2, block.bits());
    Ok((token, message.finish(&[])?))
}

fn new_token(rng: &mut dyn Rng) -> Result<Token, Failure> {
    let mut bytes = [0; 8];
    rng.fill(&mut bytes).map_err(|_| Failure::NoRandomness)?;
    Token::new(&bytes).ok_or(Failure::NoRandomness)
}
