//! Bodies in blocks (RFC 7959): one for each peer, and few for all.
use super::options::Asks;
use super::{RETRY_AFTER, Server};
use crate::control::coap::{Block, Code, Token, View};
use crate::control::message::{Refusal, Target};
use crate::control::{MAX_BODY, Wiped};
use crate::crypto::Rng;
use crate::memory;
use crate::time::Instant;
use core::time::Duration;

/// How long a transfer may stand still before it is forgotten.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may stand still before another peer may have its place: longer than two messages of a client are apart that
/// sends the same block again.
const STANDSTILL: Duration = Duration::from_secs(15);
/// How long it may take before another peer may have its place, though it goes on: longer than the longest body takes at a
/// round trip of a second and a half.
const CRAWL: Duration = Duration::from_secs(60);

/// A body on its way.
#[derive(Debug)]
pub struct Transfer {
    target: Target,
    direction: Direction,
    /// The message that it began with. When that comes again, it does not begin anew.
    first: (u16, Token),
    /// The body, or what has come of it.
    body: Wiped,
    begun: Instant,
    /// When it last went on.
    touched: Instant,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// From the peer.
    In,
    /// To the peer, as the content of this code and ETag.
    Out { code: Code, etag: u32 },
}

/// What came of a block.
pub enum Uploaded {
    /// More are to come.
    Continue(Block),
    /// It was the last: the whole body.
    Whole(Wiped),
}

/// A block of an answer.
pub struct Part<'a> {
    /// The code of the answer.
    pub code: Code,
    /// Tells answers apart.
    pub etag: u32,
    /// The whole body.
    pub body: &'a [u8],
}

impl Transfer {
    pub fn room(&self) -> usize {
        self.body.room()
    }

    pub fn due(&self) -> Instant {
        self.touched + PATIENCE
    }
}

impl<P: Copy + Ord> Server<P> {
    /// Takes a block of the body of a request.
    pub(super) fn upload(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        (view, asks, block): (&View<'_>, &Asks, Block),
    ) -> Result<Uploaded, Refusal> {
        let is_full = view.payload.len() == block.len();
        if view.payload.len() > block.len() || block.more && !is_full {
            return Err(Refusal::of(Code::BAD_REQUEST));
        }
        if block.number == 0 && !self.has_begun(peer, view, asks) {
            self.begin_upload(now, rng, peer, view, asks)?;
        }
        let incomplete = Refusal::of(Code::INCOMPLETE);
        let slot = self.peers.find(peer).ok_or(incomplete)?;
        let state = self.peers.state_mut(slot).ok_or(incomplete)?;
        let fits = |transfer: &&mut Transfer| transfer.target == asks.target && transfer.direction == Direction::In;
        let transfer = state.transfer.as_mut().filter(fits).ok_or(incomplete)?;
        let end = block.offset().saturating_add(view.payload.len());
        if end > MAX_BODY {
            state.transfer = None;
            return Err(Refusal::of(Code::TOO_LARGE));
        }
        if block.offset() > transfer.body.len() {
            return Err(incomplete);
        }
        // What has come before is not taken again.
        if block.offset() == transfer.body.len() {
            transfer.body.grow(view.payload).map_err(|_| Refusal::of(Code::UNAVAILABLE))?;
            transfer.touched = now;
        }
        if block.more || end < transfer.body.len() {
            return Ok(Uploaded::Continue(block));
        }
        Ok(state.transfer.take().map_or(Uploaded::Continue(block), |transfer| Uploaded::Whole(transfer.body)))
    }

    /// Whether the transfer of `peer` began with this very message.
    fn has_begun(&self, peer: P, view: &View<'_>, asks: &Asks) -> bool {
        let state = self.peers.find(peer).and_then(|slot| self.peers.state(slot));
        let transfer = state.and_then(|state| state.transfer.as_ref());
        transfer.is_some_and(|transfer| {
            let is_same = transfer.first == (view.id, view.token) && transfer.target == asks.target;
            is_same && transfer.direction == Direction::In
        })
    }

    fn begin_upload(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        view: &View<'_>,
        asks: &Asks,
    ) -> Result<(), Refusal> {
        if asks.size1.is_some_and(|len| len as usize > MAX_BODY) {
            return Err(Refusal::of(Code::TOO_LARGE));
        }
        let slot = self.open(now, rng, peer).ok_or(busy())?;
        if self.held >= self.limits.bytes || !self.claim(now, slot) {
            return Err(busy());
        }
        let first = (view.id, view.token);
        let (target, direction, body) = (asks.target, Direction::In, Wiped::default());
        let transfer = Transfer { target, direction, first, body, begun: now, touched: now };
        if let Some(state) = self.peers.state_mut(slot) {
            state.transfer = Some(transfer);
        }
        Ok(())
    }

    /// Keeps a body whose first block is sent, so that the others can be asked for. Without a place they cannot; the peer
    /// hears of it when it asks.
    pub(super) fn keep(&mut self, now: Instant, slot: u32, target: Target, part: &Part<'_>) {
        let Ok(body) = Wiped::copy(part.body) else { return };
        if !self.claim(now, slot) {
            return;
        }
        let direction = Direction::Out { code: part.code, etag: part.etag };
        if let Some(state) = self.peers.state_mut(slot) {
            state.transfer =
                Some(Transfer { target, direction, first: (0, Token::default()), body, begun: now, touched: now });
        }
    }

    /// The body that a block is asked of.
    pub(super) fn kept(&mut self, now: Instant, peer: P, target: Target) -> Option<Part<'_>> {
        let slot = self.peers.find(peer)?;
        let transfer = self.peers.state_mut(slot)?.transfer.as_mut()?;
        match transfer.direction {
            Direction::Out { code, etag } if transfer.target == target => {
                transfer.touched = now;
                Some(Part { code, etag, body: &transfer.body })
            }
            _ => None,
        }
    }

    /// A place for a transfer of the peer in `slot`: its own, a free one, or that of a peer whose transfer stands still or
    /// crawls.
    fn claim(&mut self, now: Instant, slot: u32) -> bool {
        if self.transfers.contains(&slot) {
            return true;
        }
        if self.transfers.len() >= self.limits.transfers {
            let Some(other) = self.slowest(now) else { return false };
            if let Some(state) = self.peers.state_mut(other) {
                state.transfer = None;
            }
            self.settle(other);
        }
        memory::push(&mut self.transfers, slot).is_ok()
    }

    /// The slot of the peer whose transfer stands still longest, or else has begun first; `None`: all of them go on well.
    fn slowest(&self, now: Instant) -> Option<u32> {
        let transfer = |slot: &u32| self.peers.state(*slot).and_then(|state| state.transfer.as_ref());
        let first = |at: fn(&Transfer) -> Instant, after: Duration| {
            let oldest = self.transfers.iter().min_by_key(|slot| transfer(slot).map(at))?;
            transfer(oldest).is_none_or(|transfer| now.since(at(transfer)) >= after).then_some(*oldest)
        };
        first(|transfer| transfer.touched, STANDSTILL).or_else(|| first(|transfer| transfer.begun, CRAWL))
    }
}

const fn busy() -> Refusal {
    Refusal { code: Code::UNAVAILABLE, retry_after: Some(RETRY_AFTER) }
}
