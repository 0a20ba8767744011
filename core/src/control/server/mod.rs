//! The gateway's end of the channel, for many peers.
//!
//! A request that can be read is handed up with an id and is [answered](Server::answer) when the host knows the answer: at
//! once, or after a second or a minute; the peer is told meanwhile that its request has come. What is no request, cannot be
//! read or has no resource is answered here. A request that comes twice is handed up once: the second gets the answer of the
//! first.
//!
//! A hostile peer costs little: what is refused leaves nothing behind, and each cap of [`ServerLimits`] and the constants
//! below is an answer (4.29, 5.03) and not an allocation.
mod answer;
mod exchanges;
mod options;
mod peers;
mod request;
mod state;
mod timeout;
mod transfer;
mod watch;

use super::exchange::{Outbox, Transmit};
use super::message::{Request, Watch};
use crate::memory;
use crate::time::Instant;
use crate::timers::DeadlineQueue;
use alloc::vec::Vec;
use core::fmt;
use peers::Peers;

/// Requests of one peer that wait for their answers, at most.
const REQUESTS_OF_A_PEER: usize = 4;
/// Seconds after which a peer that was refused for lack of room may try again.
const RETRY_AFTER: u32 = 5;

/// What the server takes at most, over all peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Peers of which something is remembered: half a kilobyte each, for four minutes after a request up to two more, and
    /// what [`bytes`](Self::bytes) counts.
    pub peers: usize,
    /// Requests that wait for their answers.
    pub requests: usize,
    /// Bodies that are put together from blocks, or sent in blocks: one a peer, of at most
    /// [`MAX_BODY`](super::MAX_BODY) bytes, in memory of twice that.
    pub transfers: usize,
    /// Bytes of messages and bodies that are held. Beyond it no request is taken; those that were taken may still be answered.
    pub bytes: usize,
    /// Messages that wait to be polled.
    pub outbox: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { peers: 16_384, requests: 1024, transfers: 32, bytes: 16 << 20, outbox: 1024 }
    }
}

/// Names a request that waits for its answer. No two requests have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// What came of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// A request, to be [answered](Server::answer).
    Request {
        /// Its name.
        id: RequestId,
        /// What is asked.
        request: Request,
        /// Whether the peer wants to hear of changes. If the answer is no refusal, it will.
        watch: bool,
    },
    /// Nothing for the host to do.
    Nothing,
}

/// Why an answer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// No such request waits: it was answered, or nobody waits for it any more.
    Unknown,
    /// It is not the kind of reply that the request asks for.
    Mismatch,
    /// The peer would refuse to read it.
    Unfit(super::Fault),
    /// There is no memory for it, or [`ServerLimits::bytes`] are held. Nothing was changed.
    NoMemory,
}

/// What the server did on its own, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Messages that are no CoAP, or that nobody asked for.
    pub malformed: u64,
    /// Requests that came again.
    pub repeated: u64,
    /// Requests that were refused without asking the host.
    pub refused: u64,
    /// Messages that nobody acknowledged.
    pub unacknowledged: u64,
    /// Watches that ended because their peer did not answer, or said so.
    pub watches_ended: u64,
}

/// The gateway's end. `P` is the host's name of a peer.
#[derive(Debug)]
pub struct Server<P> {
    limits: ServerLimits,
    peers: Peers<P>,
    deadlines: DeadlineQueue,
    /// The requests that wait, and the slots of their peers.
    asked: Vec<(RequestId, u32)>,
    next_request: u64,
    next_etag: u32,
    /// The slots of peers with a transfer.
    transfers: Vec<u32>,
    /// Bytes that all peers hold.
    held: usize,
    outbox: Outbox<P>,
    counters: Counters,
}

impl<P: Copy + Ord> Server<P> {
    /// A server that knows nobody.
    #[must_use]
    pub fn new(limits: ServerLimits) -> Self {
        Self {
            peers: Peers::default(),
            deadlines: DeadlineQueue::new(),
            asked: Vec::new(),
            next_request: 0,
            next_etag: 0,
            transfers: Vec::new(),
            held: 0,
            outbox: Outbox::new(limits.outbox),
            counters: Counters::default(),
            limits,
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit<P>> {
        self.outbox.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. After it was called with `now`, this is later than `now`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.top().map(|(_, at)| at)
    }

    /// What was done without asking the host.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes of messages and bodies that are held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// How many peers something is remembered of.
    #[must_use]
    pub const fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Whether `peer` is told of changes.
    #[must_use]
    pub fn is_watching(&self, peer: P, watch: Watch) -> bool {
        let state = self.peers.find(peer).and_then(|slot| self.peers.state(slot));
        state.is_some_and(|state| state.watcher(watch).is_some())
    }

    /// Forgets a peer: it was removed. Its requests cannot be answered any more.
    pub fn forget(&mut self, peer: P) {
        if let Some(slot) = self.peers.find(peer) {
            self.remove(slot);
        }
    }

    /// The slot of `peer`, which is remembered from now on. `None`: there is no room for it.
    fn open(&mut self, now: Instant, rng: &mut dyn crate::crypto::Rng, peer: P) -> Option<u32> {
        match self.peers.find(peer) {
            None if self.peers.len() >= self.limits.peers => None,
            None => self.peers.open(now, rng, peer).ok(),
            slot => slot,
        }
    }

    /// Ends every change of a peer: its bytes and deadlines are counted anew, and it is forgotten when nothing is left.
    fn settle(&mut self, slot: u32) {
        let Some(state) = self.peers.state_mut(slot) else { return };
        let (before, after) = (state.counted, state.bytes());
        state.counted = after;
        let (due, is_idle, has_transfer) = (state.due(), state.is_idle(), state.transfer.is_some());
        self.held = self.held.saturating_sub(before).saturating_add(after);
        if !has_transfer {
            self.transfers.retain(|other| *other != slot);
        }
        // Without memory for the deadline the peer is forgotten: it would never be looked at again.
        if is_idle || !self.deadlines.move_earlier(slot, due) {
            self.remove(slot);
        }
        self.sharpen();
    }

    fn remove(&mut self, slot: u32) {
        let Some(state) = self.peers.remove(slot) else { return };
        self.held = self.held.saturating_sub(state.counted);
        self.deadlines.remove(slot);
        self.transfers.retain(|other| *other != slot);
        self.asked.retain(|(_, other)| *other != slot);
        self.sharpen();
    }

    /// Makes the earliest deadline exact.
    fn sharpen(&mut self) {
        while let Some((slot, bound)) = self.deadlines.top() {
            let due = self.peers.state(slot).map_or(Instant::MAX, state::State::due);
            if due <= bound {
                break;
            }
            self.deadlines.move_top_later(due);
        }
    }

    /// Books a request that waits.
    fn book(&mut self, slot: u32) -> Option<RequestId> {
        let id = RequestId(self.next_request);
        memory::push(&mut self.asked, (id, slot)).ok()?;
        self.next_request = self.next_request.wrapping_add(1);
        Some(id)
    }

    fn new_etag(&mut self) -> u32 {
        self.next_etag = self.next_etag.wrapping_add(1);
        self.next_etag
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such request waits for an answer"),
            Self::Mismatch => f.write_str("the request asks for another kind of reply"),
            Self::Unfit(fault) => write!(f, "the reply cannot be sent: {fault}"),
            Self::NoMemory => f.write_str("there is no memory for the reply"),
        }
    }
}

impl core::error::Error for AnswerError {}

impl From<super::Fault> for AnswerError {
    fn from(fault: super::Fault) -> Self {
        match fault {
            super::Fault::NoMemory => Self::NoMemory,
            fault => Self::Unfit(fault),
        }
    }
}

impl From<memory::NoMemory> for AnswerError {
    fn from(_: memory::NoMemory) -> Self {
        Self::NoMemory
    }
}
