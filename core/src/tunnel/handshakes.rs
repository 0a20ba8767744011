//! Handshake messages: first MAC, load, cookie, Noise, then intents. Nothing of a peer changes before its message
//! is verified (lesson 5); nothing but an authenticated message moves its endpoint (lesson 10).
use super::inbound::received;
use super::{Event, Tunnel, Verdict};
use crate::cookie::load::Admission;
use crate::crypto::PublicKey;
use crate::limits::INITIATION_INTERVAL;
use crate::noise::{HandshakeError, Responder, TransportKeys, Unveiled};
use crate::peer::{Path, Pending};
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
        }
    }
}

impl Tunnel {
    /// A datagram whose type word and length are those of a handshake message.
    pub(super) fn handle_handshake(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Verdict {
        let outcome = match Message::parse(datagram) {
            Some(Message::CookieReply(reply)) => self.take_cookie(now, reply),
            Some(Message::Initiation(initiation)) => self
                .judge(now, path, datagram)
                .and_then(|()| self.take_initiation(now, path, initiation, datagram.len())),
            Some(Message::Response(response)) => self.pending_of(response.receiver()).and_then(|slot| {
                self.judge(now, path, datagram)?;
                self.take_response(now, slot, path, response, datagram.len())
            }),
            Some(Message::Transport(_)) | None => Err(Refusal::Drop(DropReason::Malformed)),
        };
        match outcome {
            Ok(()) => Verdict::Consumed,
            Err(Refusal::Drop(reason)) => self.dropped(reason),
            Err(Refusal::DropOf(slot, reason)) => self.dropped_of(slot, reason),
            Err(Refusal::Cookie) => self.reply_with_cookie(now, path, datagram),
        }
    }

    /// mac1, then load: the cheap questions, before any exchange is computed.
    fn judge(&mut self, now: Instant, path: Path, message: &[u8]) -> Result<(), Refusal> {
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
    fn reply_with_cookie(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Verdict {
        let Some(local) = &self.local else { return self.dropped(DropReason::NoPrivateKey) };
        let mut reply = [0; COOKIE_REPLY_LEN];
        self.cookies.reply(now, &local.mac_keys, path.remote, datagram, &mut *self.rng, &mut reply);
        let Some(place) = datagram.get_mut(..COOKIE_REPLY_LEN) else { return self.dropped(DropReason::Malformed) };
        place.copy_from_slice(&reply);
        self.stats.cookie_replies = self.stats.cookie_replies.wrapping_add(1);
        Verdict::Reply { len: COOKIE_REPLY_LEN as u32 }
    }

    /// An initiation: read the name, authenticate, test the timestamp, then commit.
    fn take_initiation(
        &mut self,
        now: Instant,
        path: Path,
        initiation: Initiation<'_>,
        len: usize,
    ) -> Result<(), Refusal> {
        let Some(local) = &self.local else { return Err(Refusal::Drop(DropReason::NoPrivateKey)) };
        let unveiled = Unveiled::unveil(&local.identity, initiation).map_err(Refusal::handshake)?;
        let slot = self.slot_of(unveiled.remote()).ok_or(Refusal::Drop(DropReason::UnknownPeer))?;
        let responder = self.authenticate(slot, unveiled)?;
        let wall = self.wall.read(now);
        let Some(peer) = self.peers.at_mut(slot) else { return Err(Refusal::Drop(DropReason::UnknownPeer)) };
        let timestamp = responder.timestamp();
        if timestamp <= peer.timestamp_received {
            return Err(Refusal::DropOf(slot, DropReason::OldTimestamp));
        }
        if peer.initiation_received.is_some_and(|last| now.since(last) < INITIATION_INTERVAL) {
            return Err(Refusal::DropOf(slot, DropReason::InitiationFlood));
        }
        peer.timestamp_received = timestamp;
        peer.initiation_received = Some(now);
        peer.responder = Some(responder.into());
        peer.intents.respond = true;
        if timestamp.to_wall() > wall + FAR_AHEAD {
            self.events.push(Event::TimestampAhead { peer: peer.id });
        }
        self.transmits.push(peer);
        received(peer, &mut self.transmits, &mut self.stats, &mut self.events, now, &path, len);
        self.lower_of(slot);
        Ok(())
    }

    fn slot_of(&self, public_key: &PublicKey) -> Option<u32> {
        self.peers.slot_of(public_key)
    }

    fn authenticate(&mut self, slot: u32, unveiled: Unveiled) -> Result<Responder, Refusal> {
        let (Some(local), Some(peer)) = (&self.local, self.peers.at_mut(slot)) else {
            return Err(Refusal::Drop(DropReason::UnknownPeer));
        };
        let static_static =
            peer.static_static(local.identity.private()).ok_or(Refusal::DropOf(slot, DropReason::LowOrderKey))?;
        unveiled.authenticate(static_static).map_err(|error| Refusal::DropOf(slot, error.into()))
    }

    /// The peer whose initiation of ours went by this session index.
    fn pending_of(&self, local: u32) -> Result<u32, Refusal> {
        self.indices
            .lookup(local)
            .filter(|slot| {
                let pending = self.peers.at(*slot).and_then(|peer| peer.pending.as_ref());
                pending.is_some_and(|pending| pending.local == local)
            })
            .ok_or(Refusal::Drop(DropReason::UnknownIndex))
    }

    /// A response: verify, then the new session seals at once. A forged one leaves the handshake as it is.
    fn take_response(
        &mut self,
        now: Instant,
        slot: u32,
        path: Path,
        response: Response<'_>,
        len: usize,
    ) -> Result<(), Refusal> {
        let (Some(local), Some(peer)) = (&self.local, self.peers.at_mut(slot)) else {
            return Err(Refusal::Drop(DropReason::UnknownIndex));
        };
        let Some(pending) = &peer.pending else { return Err(Refusal::Drop(DropReason::UnknownIndex)) };
        let TransportKeys { send, receive } = pending
            .initiator
            .finish(&local.identity, &peer.preshared_key, response)
            .map_err(|error| Refusal::DropOf(slot, error.into()))?;
        let Some(pending) = peer.pending.take() else { return Err(Refusal::Drop(DropReason::UnknownIndex)) };
        let Pending { local: local_index, .. } = *pending;
        let indices = Indices { local: local_index, remote: response.sender() };
        let pair = Keypair::new(Role::Initiator, indices, send, receive, now);
        if let Some(dead) = peer.sessions.establish_as_initiator(pair) {
            self.indices.remove(dead);
        }
        peer.intents.initiate = false;
        peer.timers.session_derived(now);
        peer.latest_handshake = Some(self.wall.read(now));
        // The responder may not seal before we do: staged packets, or else a keepalive, confirm the session to it.
        peer.intents.flush = !peer.staged.is_empty();
        peer.intents.keepalive = true;
        self.transmits.push(peer);
        received(peer, &mut self.transmits, &mut self.stats, &mut self.events, now, &path, len);
        self.established(now, slot);
        self.lower_of(slot);
        Ok(())
    }

    /// A cookie reply: believed only if it answers the last message we sent, and then only remembered.
    fn take_cookie(&mut self, now: Instant, reply: CookieReply<'_>) -> Result<(), Refusal> {
        let unexpected = Refusal::Drop(DropReason::UnexpectedCookie);
        let Some(slot) = self.indices.lookup(reply.receiver()) else { return Err(unexpected) };
        let Some(peer) = self.peers.at_mut(slot) else { return Err(unexpected) };
        if peer.stamp.accept(now, &peer.mac_keys, reply) {
            Ok(())
        } else {
            Err(Refusal::DropOf(slot, DropReason::UnexpectedCookie))
        }
    }

    /// Tells the deadline queue of the peer's earliest deadline.
    pub(super) fn lower_of(&mut self, slot: u32) {
        if let Some(peer) = self.peers.at_mut(slot) {
            Self::lower(peer, &mut self.deadlines);
        }
    }
}

/// Why a handshake message goes no further.
#[derive(Debug)]
enum Refusal {
    Drop(DropReason),
    DropOf(u32, DropReason),
    Cookie,
}

impl Refusal {
    fn handshake(error: HandshakeError) -> Self {
        Self::Drop(error.into())
    }
}
