//! Handshake messages: first MAC, load, cookie, Noise, then intents. Nothing of a peer changes before its message
//! is verified (lesson 5); nothing but an authenticated message moves its endpoint (lesson 10), and no initiation alone that
//! of a live session.
use super::call::Call;
use super::shared::Shared;
use super::{Inbound, Span};
use crate::cookie::load::Admission;
use crate::limits::INITIATION_INTERVAL;
use crate::memory::{Boxed, NoMemory};
use crate::noise::{HandshakeError, Responder, TransportKeys, Unveiled};
use crate::peer::facts::Fact;
use crate::peer::handshake::Handshake;
use crate::peer::{Answer, Path, Peer};
use crate::session::{Indices, Keypair, Role};
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{COOKIE_REPLY_LEN, CookieReply, Initiation, Message, Response};
use core::time::Duration;

/// A timestamp this far ahead of our wall clock is worth an event (a clock mended later would lock the peer out).
const FAR_AHEAD: Duration = Duration::from_secs(24 * 3600);

impl From<HandshakeError> for DropReason {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::BadTag => Self::BadTag,
            HandshakeError::LowOrderKey => Self::LowOrderKey,
            // Reading a message takes none; making one says so by itself.
            HandshakeError::NoRandomness => Self::UnderLoad,
        }
    }
}

impl Call<'_> {
    /// A datagram whose type word and length are those of a handshake message.
    pub(super) fn handle_handshake(&mut self, path: Path, datagram: &mut [u8]) -> Inbound<Span> {
        let outcome = match Message::parse(datagram) {
            Some(Message::CookieReply(reply)) => self.handle_cookie(reply),
            Some(Message::Initiation(initiation)) => {
                let admitted = self.shared.admit(self.now, path, datagram);
                admitted.and_then(|()| self.handle_initiation(path, initiation, datagram.len()))
            }
            Some(Message::Response(response)) => self.handle_response(path, response, datagram),
            Some(Message::Transport(_)) | None => Err(Refusal::Drop(DropReason::Malformed)),
        };
        match outcome {
            Ok(()) => Inbound::Consumed,
            Err(Refusal::Drop(reason)) => self.shared.drop(reason),
            Err(Refusal::Counted(reason)) => Inbound::Dropped(reason),
            Err(Refusal::Cookie) => self.shared.reply_with_cookie(self.now, path, datagram),
        }
    }

    /// An initiation: read whose it is, authenticate, test the timestamp, then commit.
    fn handle_initiation(&mut self, path: Path, initiation: Initiation<'_>, len: usize) -> Result<(), Refusal> {
        let Some(local) = &self.shared.local else { return Err(Refusal::Drop(DropReason::NoPrivateKey)) };
        let unveiled = Unveiled::unveil(&local.identity, initiation).map_err(|error| Refusal::Drop(error.into()))?;
        let now = self.now;
        let slot = self.peers.slot_of(unveiled.remote()).ok_or(Refusal::Drop(DropReason::UnknownPeer))?;
        let outcome = self.with(slot, |peer, shared| {
            let accepted = shared.authenticate(peer, now, unveiled);
            let responder = accepted.map_err(|reason| shared.refuse_handshake(peer, reason))?;
            let accepted = shared.accept_initiation(peer, now, responder, path);
            accepted.map_err(|NoMemory| shared.refuse_handshake(peer, DropReason::NoMemory))?;
            shared.received(peer, now, len);
            shared.heard_initiation(peer, now, &path);
            Ok(())
        });
        outcome.unwrap_or(Err(Refusal::Drop(DropReason::UnknownPeer)))
    }

    /// A response: verify, then the new session seals at once. A forged one leaves the handshake as it is.
    fn handle_response(&mut self, path: Path, response: Response<'_>, datagram: &[u8]) -> Result<(), Refusal> {
        let (now, local) = (self.now, response.receiver());
        let slot = self.shared.indices.lookup(local).filter(|slot| {
            let pending = self.peers.at(*slot).and_then(|peer| peer.handshake.pending());
            pending.is_some_and(|pending| pending.local == local)
        });
        let slot = slot.ok_or(Refusal::Drop(DropReason::UnknownIndex))?;
        self.shared.admit(now, path, datagram)?;
        let outcome = self.with(slot, |peer, shared| {
            let keys = shared.finish_handshake(peer, response);
            let TransportKeys { send, receive } = keys.map_err(|reason| shared.refuse_handshake(peer, reason))?;
            let indices = Indices { local, remote: response.sender() };
            let pair = Boxed::new(Keypair::new(Role::Initiator, indices, send, receive, now));
            let pair = pair.map_err(|NoMemory| shared.refuse_handshake(peer, DropReason::NoMemory))?;
            shared.start_session(peer, now, pair);
            shared.received(peer, now, datagram.len());
            shared.heard(peer, now, &path);
            shared.established(peer, now);
            Ok(())
        });
        outcome.unwrap_or(Err(Refusal::Drop(DropReason::UnknownIndex)))
    }

    /// A cookie reply: believed only if it answers the last message we sent, and then only remembered.
    fn handle_cookie(&mut self, reply: CookieReply<'_>) -> Result<(), Refusal> {
        let now = self.now;
        let slot = self.shared.indices.lookup(reply.receiver());
        let accepted = slot.and_then(|slot| {
            self.with(slot, |peer, shared| {
                if peer.stamp.accept(now, &peer.mac_keys, reply) {
                    return Ok(());
                }
                Err(shared.refuse_handshake(peer, DropReason::UnexpectedCookie))
            })
        });
        accepted.unwrap_or(Err(Refusal::Drop(DropReason::UnexpectedCookie)))
    }
}

impl Shared {
    /// mac1, then load: the cheap questions, before any exchange is computed.
    fn admit(&mut self, now: Instant, path: Path, message: &[u8]) -> Result<(), Refusal> {
        let Some(local) = &self.local else { return Err(Refusal::Drop(DropReason::NoPrivateKey)) };
        if !local.mac_keys.verify_mac1(message) {
            return Err(Refusal::Drop(DropReason::BadMac));
        }
        let cookies = &self.cookies;
        match self.load.admit(now, path.remote.ip(), || cookies.verify_mac2(now, path.remote, message)) {
            Admission::Accept => Ok(()),
            Admission::Cookie => Err(Refusal::Cookie),
            Admission::Drop => Err(Refusal::Drop(DropReason::UnderLoad)),
        }
    }

    /// Writes a cookie reply over the message that asked for it: no state is kept.
    fn reply_with_cookie(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Inbound<Span> {
        let Some(local) = &self.local else { return self.drop(DropReason::NoPrivateKey) };
        let mut reply = [0; COOKIE_REPLY_LEN];
        let written = self.cookies.reply(now, &local.mac_keys, path.remote, datagram, &mut *self.rng, &mut reply);
        if written.is_err() {
            return self.drop(DropReason::UnderLoad);
        }
        let Some(place) = datagram.get_mut(..COOKIE_REPLY_LEN) else { return self.drop(DropReason::Malformed) };
        place.copy_from_slice(&reply);
        self.stats.cookie_replies = self.stats.cookie_replies.wrapping_add(1);
        Inbound::Reply(Span { start: 0, len: COOKIE_REPLY_LEN as u32 })
    }

    /// Whether an initiation is from `peer`, newer than its last and not too soon after it. Changes nothing.
    fn authenticate(&self, peer: &mut Peer, now: Instant, unveiled: Unveiled) -> Result<Responder, DropReason> {
        if peer.refused {
            return Err(DropReason::Refused);
        }
        let local = self.local.as_ref().ok_or(DropReason::NoPrivateKey)?;
        let static_static = peer.static_static(local.identity.private()).ok_or(DropReason::LowOrderKey)?;
        let responder = unveiled.authenticate(static_static)?;
        if responder.timestamp() <= peer.timestamp_received {
            return Err(DropReason::OldTimestamp);
        }
        let last = peer.initiation_received;
        if last != Instant::MAX && now.since(last) < INITIATION_INTERVAL {
            return Err(DropReason::InitiationFlood);
        }
        Ok(responder)
    }

    /// The initiation is the peer's: it is to be answered, and none before it any more.
    fn accept_initiation(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        responder: Responder,
        path: Path,
    ) -> Result<(), NoMemory> {
        let timestamp = responder.timestamp();
        peer.answer = Some(Boxed::new(Answer { responder, path: peer.endpoint.answer_to(path) })?);
        peer.timestamp_received = timestamp;
        peer.initiation_received = now;
        peer.intents.respond = true;
        if timestamp.to_wall() > self.wall.read(now) + FAR_AHEAD {
            self.events.push(peer, Fact::TimestampAhead);
        }
        self.transmits.push(peer);
        Ok(())
    }

    /// An authentic initiation came over `path`. It may have been replayed, by whom we cannot know, if we forgot what we
    /// accepted before. So an endpoint to which a session is live stays until the new session is confirmed over another
    /// path; that costs a peer that moved no time, for it could not be reached before it either. Without a session there
    /// is nothing to lose, and we must be able to speak to it.
    fn heard_initiation(&mut self, peer: &mut Peer, now: Instant, path: &Path) {
        if peer.sessions.is_live(now) && peer.endpoint.path().is_some() {
            self.answers(peer, now);
        } else {
            self.heard(peer, now, path);
        }
    }

    /// The keys that a response to our initiation yields. Changes nothing.
    fn finish_handshake(&self, peer: &Peer, response: Response<'_>) -> Result<TransportKeys, DropReason> {
        let pending = peer.handshake.pending().ok_or(DropReason::UnknownIndex)?;
        let local = self.local.as_ref().ok_or(DropReason::NoPrivateKey)?;
        Ok(pending.initiator.finish(&local.identity, &peer.preshared_key, response)?)
    }

    /// We are the initiator of a new session and seal under it at once.
    fn start_session(&mut self, peer: &mut Peer, now: Instant, pair: Boxed<Keypair>) {
        if let Some(dead) = peer.sessions.establish_as_initiator(pair) {
            self.indices.remove(dead);
        }
        peer.handshake = Handshake::Idle;
        peer.timers.handshake_over();
        let jitter = self.jitter();
        peer.timers.session_derived(jitter);
        peer.date_wiping();
        peer.latest_handshake = Some(self.wall.read(now));
        // The responder may not seal before we do: staged packets, or else a keepalive, confirm the session to it.
        peer.intents.flush = !peer.staged.is_empty();
        peer.intents.keepalive = true;
        #[cfg(feature = "control")]
        peer.release_messages();
        self.transmits.push(peer);
    }

    /// Counts a handshake message that goes no further.
    fn refuse_handshake(&mut self, peer: &mut Peer, reason: DropReason) -> Refusal {
        self.count_drops(Some(peer), reason, 1);
        Refusal::Counted(reason)
    }
}

/// Why a handshake message goes no further.
#[derive(Debug)]
enum Refusal {
    /// It is still to be counted, for no known peer.
    Drop(DropReason),
    /// It is counted.
    Counted(DropReason),
    /// Its sender is to prove its address first.
    Cookie,
}
