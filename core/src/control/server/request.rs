//! Messages of peers: what they are, and what becomes of requests.
use super::exchanges::{Asked, Exchange, Progress};
use super::options::Asks;
use super::state::Purpose;
use super::transfer::Uploaded;
use super::{RETRY_AFTER, Received, Server};
use crate::control::coap::{Block, Broken, Builder, Code, Kind, View, number};
use crate::control::exchange::CBOR;
use crate::control::message::{Probed, Refusal, Reply, Request, Target};
use crate::control::{Fault, MAX_BODY, Wiped};
use crate::crypto::Rng;
use crate::memory::NoMemory;
use crate::time::Instant;
use core::time::Duration;

/// How long an answer may take before the peer is told that its request has come: less than its ACK_TIMEOUT.
const ACK_DELAY: Duration = Duration::from_secs(1);

impl<P: Copy + Ord> Server<P> {
    /// Takes a message of `peer`, the payload of a UDP datagram from inside the tunnel.
    pub fn handle_message(&mut self, now: Instant, rng: &mut dyn Rng, peer: P, message: &[u8]) -> Received {
        let view = match View::parse(message) {
            Ok(view) => view,
            Err(broken) => {
                self.counters.malformed = self.counters.malformed.wrapping_add(1);
                if let Broken::Reset(id) = broken {
                    self.outbox.push(peer, Builder::empty(Kind::Reset, id), false);
                }
                return Received::Nothing;
            }
        };
        match view.kind {
            Kind::Acknowledgement => self.heard_of(now, rng, peer, view.id, false),
            Kind::Reset => self.heard_of(now, rng, peer, view.id, true),
            _ if view.code.is_request() => return self.request(now, rng, peer, message.len(), &view),
            Kind::Confirmable => {
                // A ping, or an answer to what nobody asked.
                self.outbox.push(peer, Builder::empty(Kind::Reset, view.id), false);
            }
            Kind::NonConfirmable => self.counters.malformed = self.counters.malformed.wrapping_add(1),
        }
        Received::Nothing
    }

    /// A message of ours has arrived, or was of no use.
    fn heard_of(&mut self, now: Instant, rng: &mut dyn Rng, peer: P, id: u16, is_reset: bool) {
        let Some(slot) = self.peers.find(peer) else { return };
        let Some(state) = self.peers.state_mut(slot) else { return };
        let Some((_, purpose)) = state.sending.take_if(|(message, _)| message.id == id) else { return };
        if let (Purpose::Watch(watch), true) = (purpose, is_reset) {
            self.end_watch(slot, watch);
        }
        self.send_next(now, rng, slot);
        self.settle(slot);
    }

    fn request(&mut self, now: Instant, rng: &mut dyn Rng, peer: P, len: usize, view: &View<'_>) -> Received {
        if self.repeated(peer, view) {
            self.counters.repeated = self.counters.repeated.wrapping_add(1);
            return Received::Nothing;
        }
        let asks = match Asks::read(view) {
            Ok(asks) => asks,
            Err(code) => return self.refuse(peer, view, Refusal::of(code)),
        };
        if let Some(block) = asks.block2.filter(|block| block.number > 0) {
            self.send_block(now, peer, view, &asks, block);
            return Received::Nothing;
        }
        let is_whole = |block: &Block| block.number == 0 && !block.more && view.payload.len() <= block.len();
        let Some(block) = asks.block1.filter(|block| !is_whole(block)) else {
            if view.payload.len() > MAX_BODY {
                return self.refuse(peer, view, Refusal::of(Code::TOO_LARGE));
            }
            return self.whole(now, rng, peer, (view, &asks, len), view.payload);
        };
        let uploaded = self.upload(now, rng, peer, (view, &asks, block));
        let received = match uploaded {
            Ok(Uploaded::Continue(block)) => self.go_on(peer, view, block),
            Ok(Uploaded::Whole(body)) => self.whole(now, rng, peer, (view, &asks, len), &body),
            Err(refusal) => self.refuse(peer, view, refusal),
        };
        if let Some(slot) = self.peers.find(peer) {
            self.settle(slot);
        }
        received
    }

    /// Whether the request came before. It gets what the first one got, and is not handed up.
    fn repeated(&mut self, peer: P, view: &View<'_>) -> bool {
        let Some(slot) = self.peers.find(peer) else { return false };
        let Some(state) = self.peers.state_mut(slot) else { return false };
        let Some(exchange) = state.exchanges.find(view.id, &view.token) else { return false };
        let again = match &mut exchange.progress {
            Progress::Answered(message) => Wiped::copy(message),
            _ if view.kind != Kind::Confirmable => return true,
            Progress::Asked(asked) => {
                asked.acknowledge_at = None;
                Builder::empty(Kind::Acknowledgement, view.id)
            }
            Progress::Apart => Builder::empty(Kind::Acknowledgement, view.id),
        };
        self.outbox.push(peer, again, false);
        self.settle(slot);
        true
    }

    /// A request with all of its body.
    fn whole(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        (view, asks, len): (&View<'_>, &Asks, usize),
        body: &[u8],
    ) -> Received {
        let request = match Request::decode(asks.target, body) {
            Ok(request) => request,
            Err(fault) => return self.refuse(peer, view, Refusal::of(code_of(fault))),
        };
        if asks.target == Target::Probe {
            self.answer_probe(peer, view, len);
            return Received::Nothing;
        }
        match self.admit(now, rng, peer, view, asks) {
            Ok(id) => Received::Request { id, request, watch: asks.watch == Some(true) },
            Err(code) => self.refuse(peer, view, Refusal { code, retry_after: Some(RETRY_AFTER) }),
        }
    }

    /// Remembers a request that is handed up.
    fn admit(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        peer: P,
        view: &View<'_>,
        asks: &Asks,
    ) -> Result<super::RequestId, Code> {
        if self.asked.len() >= self.limits.requests || self.held >= self.limits.bytes {
            return Err(Code::UNAVAILABLE);
        }
        let slot = self.open(now, rng, peer).ok_or(Code::UNAVAILABLE)?;
        if !self.peers.state(slot).is_some_and(|state| state.exchanges.has_room()) {
            return Err(Code::TOO_MANY_REQUESTS);
        }
        let request = self.book(slot);
        let exchange = request.map(|request| {
            let acknowledge_at = (view.kind == Kind::Confirmable).then(|| now + ACK_DELAY);
            let (watch, exponent) = (asks.watch == Some(true), asks.exponent());
            let asked = Asked { request, watch, exponent, block1: asks.block1, acknowledge_at };
            let progress = Progress::Asked(asked);
            Exchange { id: view.id, at: now, kind: view.kind, token: view.token, target: asks.target, progress }
        });
        let state = self.peers.state_mut(slot).ok_or(Code::UNAVAILABLE)?;
        if let (Some(false), Some(watch)) = (asks.watch, asks.target.watch()) {
            state.watchers.get_mut(watch.index()).and_then(Option::take);
        }
        let kept = exchange.map(|exchange| state.exchanges.push(exchange));
        if kept != Some(Ok(())) {
            self.asked.retain(|(id, _)| Some(*id) != request);
        }
        self.settle(slot);
        // Settling forgets a peer for which there is no memory.
        request.filter(|id| self.asked.iter().any(|(other, _)| other == id)).ok_or(Code::UNAVAILABLE)
    }

    /// Refuses a request. A non-confirmable one is passed over: nobody would wait for the answer.
    pub(super) fn refuse(&mut self, peer: P, view: &View<'_>, refusal: Refusal) -> Received {
        self.counters.refused = self.counters.refused.wrapping_add(1);
        if view.kind == Kind::Confirmable {
            let message = piggybacked(view, refusal.code, 0, |message| {
                if let Some(seconds) = refusal.retry_after {
                    message.uint(number::MAX_AGE, seconds);
                }
                if refusal.code == Code::TOO_LARGE {
                    message.uint(number::SIZE1, MAX_BODY as u32);
                }
            });
            self.outbox.push(peer, message.and_then(|message| message.finish(&[])), false);
        }
        Received::Nothing
    }

    /// Asks for the next block of a request.
    fn go_on(&mut self, peer: P, view: &View<'_>, block: Block) -> Received {
        if view.kind == Kind::Confirmable {
            let message = piggybacked(view, Code::CONTINUE, 0, |message| message.uint(number::BLOCK1, block.bits()));
            self.outbox.push(peer, message.and_then(|message| message.finish(&[])), false);
        }
        Received::Nothing
    }

    /// Sends a block of an answer of which others were sent.
    fn send_block(&mut self, now: Instant, peer: P, view: &View<'_>, asks: &Asks, block: Block) {
        let Some(part) = self.kept(now, peer, asks.target) else {
            self.refuse(peer, view, Refusal::of(Code::INCOMPLETE));
            return;
        };
        let Some(block) = Block::at(block.offset(), part.body.len(), block.exponent) else {
            self.refuse(peer, view, Refusal::of(Code::BAD_REQUEST));
            return;
        };
        let payload = block.of(part.body);
        let message = piggybacked(view, part.code, payload.len(), |message| {
            message.option(number::ETAG, &part.etag.to_be_bytes());
            message.uint(number::CONTENT_FORMAT, CBOR);
            message.uint(number::BLOCK2, block.bits());
        });
        let message = message.and_then(|message| message.finish(payload));
        self.outbox.push(peer, message, false);
        if let Some(slot) = self.peers.find(peer) {
            self.settle(slot);
        }
    }

    /// Says how long the message was that has come. Nothing is remembered of it.
    fn answer_probe(&mut self, peer: P, view: &View<'_>, len: usize) {
        let probed = Reply::Probed(Probed { len: len.try_into().unwrap_or(u32::MAX) });
        let message = probed.encode().map_err(|_| NoMemory).and_then(|body| {
            let format = |message: &mut Builder| message.uint(number::CONTENT_FORMAT, CBOR);
            piggybacked(view, Target::Probe.success(), body.len(), format)?.finish(&body)
        });
        if view.kind == Kind::Confirmable {
            self.outbox.push(peer, message, false);
        }
    }
}

/// An acknowledgement with the answer in it.
fn piggybacked(
    view: &View<'_>,
    code: Code,
    payload_len: usize,
    options: impl FnOnce(&mut Builder),
) -> Result<Builder, NoMemory> {
    let mut message = Builder::new(Kind::Acknowledgement, code, view.id, &view.token, payload_len)?;
    options(&mut message);
    Ok(message)
}

/// The code by which a body is refused.
const fn code_of(fault: Fault) -> Code {
    match fault {
        Fault::NoMemory => Code::UNAVAILABLE,
        Fault::Must(_) => Code::UNPROCESSABLE,
        _ => Code::BAD_REQUEST,
    }
}
