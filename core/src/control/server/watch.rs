//! Telling peers of changes (RFC 7641).
//!
//! A change is told by a confirmable message. While that waits for its acknowledgement, a newer change replaces the one that
//! waits behind it: a peer that hears of anything hears of the latest. Who answers none of the repetitions is not told of
//! changes any more, nor is who says that it does not want to (Reset) or has begun anew.
use super::answer::Shape;
use super::state::Purpose;
use super::transfer::Part;
use super::{AnswerError, Server};
use crate::control::Wiped;
use crate::control::coap::{Code, Kind, Token};
use crate::control::exchange::Confirmable;
use crate::control::message::{Reply, Watch};
use crate::crypto::Rng;
use crate::memory::NoMemory;
use crate::time::Instant;

/// The order of notifications has 24 bits (RFC 7641 § 3.4).
const ORDER_BITS: u32 = 0x00ff_ffff;

/// A peer that watches something.
#[derive(Debug)]
pub struct Watcher {
    token: Token,
    exponent: u8,
    order: u32,
    /// What it has not been told yet.
    pending: Option<Wiped>,
}

impl Watcher {
    pub fn new(token: Token, exponent: u8, order: u32) -> Self {
        Self { token, exponent, order, pending: None }
    }

    /// The order of the message after the last.
    pub const fn next_order(&self) -> u32 {
        self.order.wrapping_add(1) & ORDER_BITS
    }

    pub fn room(&self) -> usize {
        self.pending.as_ref().map_or(0, Wiped::room)
    }
}

impl<P: Copy + Ord> Server<P> {
    /// Tells `peer` of a change, if it watches that; `false`: it does not. No handshake begins for it.
    ///
    /// # Errors
    /// [`AnswerError`], of a reply that is no [`Config`](Reply::Config) or [`Session`](Reply::Session), or for which there
    /// is no memory.
    pub fn push(&mut self, now: Instant, rng: &mut dyn Rng, peer: P, reply: &Reply) -> Result<bool, AnswerError> {
        let watch = Watch::ALL.into_iter().find(|watch| reply.answers(watch.target())).ok_or(AnswerError::Mismatch)?;
        let Some(slot) = self.peers.find(peer) else { return Ok(false) };
        let is_full = self.held >= self.limits.bytes;
        let Some(watcher) = self.peers.state_mut(slot).and_then(|state| state.watcher_mut(watch)) else {
            return Ok(false);
        };
        if is_full && watcher.pending.is_none() {
            return Err(AnswerError::NoMemory);
        }
        watcher.pending = Some(reply.encode()?);
        self.send_next(now, rng, slot);
        self.settle(slot);
        Ok(true)
    }

    /// Tells that `peer` has begun anew: its program or machine was started again, or came back after it was silent. Call it
    /// for the first session after such a pause, not for each that replaces another in time. What it watched is forgotten;
    /// it asks again.
    pub fn session_began(&mut self, now: Instant, rng: &mut dyn Rng, peer: P) {
        let Some(slot) = self.peers.find(peer) else { return };
        let Some(state) = self.peers.state_mut(slot) else { return };
        state.watchers = [None, None];
        state.sending.take_if(|(_, purpose)| matches!(purpose, Purpose::Watch(_)));
        self.send_next(now, rng, slot);
        self.settle(slot);
    }

    pub(super) fn end_watch(&mut self, slot: u32, watch: Watch) {
        let state = self.peers.state_mut(slot);
        let ended = state.and_then(|state| state.watchers.get_mut(watch.index())?.take()).is_some();
        self.counters.watches_ended = self.counters.watches_ended.wrapping_add(ended.into());
    }

    /// Sends what waits, if no other confirmable message is on its way to the peer: answers first.
    pub(super) fn send_next(&mut self, now: Instant, rng: &mut dyn Rng, slot: u32) {
        let Some((peer, state)) = self.peers.entry(slot) else { return };
        if state.sending.is_some() {
            return;
        }
        let next = state.queue.pop_front().map(|(id, message)| (id, message, Purpose::Answer));
        let Some((id, message, purpose)) = next.or_else(|| self.next_notification(now, slot).ok().flatten()) else {
            return;
        };
        let message = Confirmable::new(now, rng, id, message);
        self.outbox.push(peer, message.copy(), false);
        if let Some(state) = self.peers.state_mut(slot) {
            state.sending = Some((message, purpose));
        }
    }

    /// The next change to tell: message id and message. Without memory for it, it waits on.
    fn next_notification(&mut self, now: Instant, slot: u32) -> Result<Option<(u16, Wiped, Purpose)>, NoMemory> {
        let etag = self.new_etag();
        let Some(state) = self.peers.state_mut(slot) else { return Ok(None) };
        let has_pending = |watch: &Watch| state.watcher(*watch).is_some_and(|watcher| watcher.pending.is_some());
        let Some(watch) = Watch::ALL.into_iter().find(has_pending) else { return Ok(None) };
        let id = state.new_id();
        let Some(watcher) = state.watcher_mut(watch) else { return Ok(None) };
        let order = watcher.next_order();
        let (max_age, block1) = (None, None);
        let shape =
            Shape { code: Code::CONTENT, etag, observe: Some(order), max_age, exponent: watcher.exponent, block1 };
        let body = watcher.pending.as_deref().unwrap_or_default();
        let message = shape.message(Kind::Confirmable, id, &watcher.token, body)?;
        watcher.order = order;
        if let Some(body) = watcher.pending.take().filter(|body| shape.is_in_blocks(body)) {
            self.keep(now, slot, watch.target(), &Part { code: shape.code, etag, body: &body });
        }
        Ok(Some((id, message, Purpose::Watch(watch))))
    }
}
