//! Answers of the host.
use super::exchanges::{Asked, Exchange, Progress};
use super::transfer::Part;
use super::watch::Watcher;
use super::{AnswerError, RequestId, Server};
use crate::control::Wiped;
use crate::control::coap::{Block, Builder, Code, Kind, Token, number};
use crate::control::exchange::CBOR;
use crate::control::message::{Refusal, Reply};
use crate::crypto::Rng;
use crate::memory::NoMemory;
use crate::time::Instant;

/// What an answer says besides its body.
pub struct Shape {
    pub code: Code,
    pub etag: u32,
    pub observe: Option<u32>,
    pub max_age: Option<u32>,
    pub exponent: u8,
    pub block1: Option<Block>,
}

impl Shape {
    /// Whether the body needs more than one block.
    pub fn is_in_blocks(&self, body: &[u8]) -> bool {
        Block::at(0, body.len(), self.exponent).is_some_and(|block| block.more)
    }

    /// Makes the message, with the first block of `body`.
    pub fn message(&self, kind: Kind, id: u16, token: &Token, body: &[u8]) -> Result<Wiped, NoMemory> {
        let block = Block { number: 0, more: self.is_in_blocks(body), exponent: self.exponent };
        let payload = block.of(body);
        let mut message = Builder::new(kind, self.code, id, token, payload.len())?;
        if block.more {
            message.option(number::ETAG, &self.etag.to_be_bytes());
        }
        if let Some(order) = self.observe {
            message.uint(number::OBSERVE, order);
        }
        if !body.is_empty() {
            message.uint(number::CONTENT_FORMAT, CBOR);
        }
        if let Some(seconds) = self.max_age {
            message.uint(number::MAX_AGE, seconds);
        }
        if block.more {
            message.uint(number::BLOCK2, block.bits());
        }
        if let Some(block) = self.block1 {
            message.uint(number::BLOCK1, block.bits());
        }
        if block.more {
            message.uint(number::SIZE2, body.len() as u32);
        }
        message.finish(payload)
    }
}

impl<P: Copy + Ord> Server<P> {
    /// Answers a request.
    ///
    /// # Errors
    /// [`AnswerError`]; after all but `Unknown` the request still waits.
    pub fn answer(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        id: RequestId,
        answer: Result<&Reply, Refusal>,
    ) -> Result<(), AnswerError> {
        let (_, slot) = *self.asked.iter().find(|(asked, _)| *asked == id).ok_or(AnswerError::Unknown)?;
        let etag = self.new_etag();
        let (peer, state) = self.peers.entry(slot).ok_or(AnswerError::Unknown)?;
        let exchange = state.exchanges.waiting(id).ok_or(AnswerError::Unknown)?;
        let Progress::Asked(asked) = exchange.progress else { return Err(AnswerError::Unknown) };
        let (kind, message_id, token, target) = (exchange.kind, exchange.id, exchange.token, exchange.target);
        let body = body_of(answer, exchange)?;
        let watch = target.watch().filter(|_| asked.watch && answer.is_ok());
        let order = watch.map(|watch| state.watcher(watch).map_or(0, Watcher::next_order));
        let shape = shape_of(answer, exchange_code(answer, target.success()), etag, order, &asked);
        let is_apart = kind == Kind::Confirmable && asked.acknowledge_at.is_none();
        let (kind, message_id) = match kind {
            Kind::Confirmable if is_apart => (Kind::Confirmable, state.new_id()),
            Kind::Confirmable => (Kind::Acknowledgement, message_id),
            _ => (Kind::NonConfirmable, state.new_id()),
        };
        let message = shape.message(kind, message_id, &token, &body)?;
        let progress = if is_apart { Progress::Apart } else { Progress::Answered(Wiped::copy(&message)?) };
        if is_apart {
            state.queue.try_reserve(1).map_err(NoMemory::from)?;
            state.queue.push_back((message_id, message));
        } else {
            self.outbox.push(peer, Ok(message), false);
        }
        if let Some(exchange) = state.exchanges.waiting(id) {
            exchange.progress = progress;
        }
        if let (Some(watch), Some(order)) = (watch, order) {
            let watcher = Watcher::new(token, asked.exponent, order);
            if let Some(place) = state.watchers.get_mut(watch.index()) {
                *place = Some(watcher);
            }
        }
        self.asked.retain(|(asked, _)| *asked != id);
        if shape.is_in_blocks(&body) {
            self.keep(now, slot, target, &Part { code: shape.code, etag, body: &body });
        }
        self.send_next(now, rng, slot);
        self.settle(slot);
        Ok(())
    }
}

/// The body of an answer, if it is one to this request.
fn body_of(answer: Result<&Reply, Refusal>, exchange: &Exchange) -> Result<Wiped, AnswerError> {
    match answer {
        Ok(reply) if !reply.answers(exchange.target) => Err(AnswerError::Mismatch),
        Ok(reply) => Ok(reply.encode()?),
        Err(_) => Ok(Wiped::default()),
    }
}

fn exchange_code(answer: Result<&Reply, Refusal>, success: Code) -> Code {
    match answer {
        Ok(_) => success,
        Err(refusal) if refusal.code.is_refusal() => refusal.code,
        // A code that would not say that the request failed.
        Err(_) => Code::INTERNAL,
    }
}

fn shape_of(answer: Result<&Reply, Refusal>, code: Code, etag: u32, observe: Option<u32>, asked: &Asked) -> Shape {
    let max_age = answer.err().and_then(|refusal| refusal.retry_after);
    Shape { code, etag, observe, max_age, exponent: asked.exponent, block1: asked.block1 }
}
