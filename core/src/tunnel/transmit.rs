//! Intents become bytes: responses, initiations, staged packets, keepalives.
use super::outbound::{account, seal_into, sent};
use super::timeout::RESOLVE_AGAIN;
use super::{Transmit, Tunnel};
use crate::crypto::rng::random_u32;
use crate::limits::{MIN_TRANSMIT_BUFFER, REKEY_TIMEOUT_JITTER};
use crate::noise::{Initiator, Tai64N, TransportKeys};
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::peer::{Peer, Pending};
use crate::session::{Indices, Keypair, Role};
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{INITIATION_LEN, RESPONSE_LEN};
use alloc::boxed::Box;
use core::time::Duration;

impl Tunnel {
    /// The next datagram to send, written into `buf`: at least `mtu + HEADROOM + TAILROOM` bytes and
    /// [`MIN_TRANSMIT_BUFFER`]. A shorter `buf` yields `None` and changes nothing.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Transmit> {
        let now = self.advance(now);
        if buf.len() < MIN_TRANSMIT_BUFFER {
            return None;
        }
        let transmit = loop {
            let id = self.transmits.0.front().copied();
            let Some(id) = id else { break None };
            match self.transmit_for(now, id.slot, buf) {
                Step::Sent(transmit) => break Some(transmit),
                Step::NoRoom => break None,
                Step::Nothing => {}
            }
            if !self.peers.find(id).is_some_and(|peer| peer.intents.any()) {
                self.transmits.0.pop_front();
                if let Some(peer) = self.peers.find_mut(id) {
                    peer.queued = false;
                }
            }
        };
        self.settle();
        transmit
    }

    /// One intent of the peer in `slot`, if it has any.
    fn transmit_for(&mut self, now: Instant, slot: u32, buf: &mut [u8]) -> Step {
        let Some(peer) = self.peers.at_mut(slot) else { return Step::Nothing };
        let step = if core::mem::take(&mut peer.intents.respond) {
            self.respond(now, slot, buf)
        } else if core::mem::take(&mut peer.intents.initiate) {
            self.initiate(now, slot, buf)
        } else if peer.intents.flush {
            self.flush(now, slot, buf)
        } else if core::mem::take(&mut peer.intents.keepalive) {
            self.keep_alive(now, slot, buf)
        } else {
            Step::Nothing
        };
        self.lower_of(slot);
        step
    }

    /// Answers the peer's initiation: the new session waits for its confirmation.
    fn respond(&mut self, now: Instant, slot: u32, buf: &mut [u8]) -> Step {
        let Some(peer) = self.peers.at_mut(slot) else { return Step::Nothing };
        let (Some(responder), Some(path)) = (peer.responder.take(), peer.endpoint.path()) else { return Step::Nothing };
        let Some(out) = buf.first_chunk_mut::<RESPONSE_LEN>() else { return Step::NoRoom };
        let remote = responder.remote_index();
        let local = self.indices.insert(&mut *self.rng, slot);
        let keys = responder.respond(&peer.preshared_key, local, &mut *self.rng, out);
        let Ok(TransportKeys { send, receive }) = keys else {
            self.indices.remove(local);
            let _ = self.dropped_of(slot, DropReason::LowOrderKey);
            return Step::Nothing;
        };
        peer.stamp.stamp(now, &peer.mac_keys, out);
        let pair = Keypair::new(Role::Responder, Indices { local, remote }, send, receive, now);
        if let Some(dead) = peer.sessions.establish_as_responder(pair) {
            self.indices.remove(dead);
        }
        peer.timers.session_derived(now);
        peer.timers.response_sent(now);
        sent(peer, &mut self.stats, now, RESPONSE_LEN);
        Step::Sent(Transmit { peer: Some(peer.id), path, len: RESPONSE_LEN, ecn: Ecn::NotCapable })
    }

    /// Sends an initiation with a timestamp later than every one before; never within REKEY_TIMEOUT of another, nor of a
    /// response of ours, which may have left since this one was wanted.
    fn initiate(&mut self, now: Instant, slot: u32, buf: &mut [u8]) -> Step {
        let timestamp = Tai64N::from_wall(self.wall.read(now));
        let (Some(peer), Some(local)) = (self.peers.at_mut(slot), &self.local) else { return Step::Nothing };
        let Some(path) = peer.endpoint.path() else {
            peer.timers.initiation_delayed(now);
            Self::ask_to_resolve(peer, &mut self.events, now, RESOLVE_AGAIN);
            return Step::Nothing;
        };
        if !peer.timers.initiation_allowed(now) {
            peer.timers.initiation_postponed(now);
            return Step::Nothing;
        }
        let Some(out) = buf.first_chunk_mut::<INITIATION_LEN>() else { return Step::NoRoom };
        peer.abandon_initiation(&mut self.indices);
        let timestamp = timestamp.after(peer.timestamp_sent);
        let public_key = peer.public_key;
        let index = self.indices.insert(&mut *self.rng, slot);
        let initiator = peer.static_static(local.identity.private()).and_then(|static_static| {
            Initiator::initiate(&local.identity, &public_key, static_static, timestamp, index, &mut *self.rng, out).ok()
        });
        let Some(initiator) = initiator else {
            self.indices.remove(index);
            let _ = self.dropped_of(slot, DropReason::LowOrderKey);
            return Step::Nothing;
        };
        peer.stamp.stamp(now, &peer.mac_keys, out);
        peer.pending = Some(Box::new(Pending { initiator, local: index }));
        peer.timestamp_sent = timestamp;
        self.timestamp_sent = self.timestamp_sent.max(timestamp);
        peer.timers.initiation_sent(now, jitter(random_u32(&mut *self.rng)));
        sent(peer, &mut self.stats, now, INITIATION_LEN);
        Step::Sent(Transmit { peer: Some(peer.id), path, len: INITIATION_LEN, ecn: Ecn::NotCapable })
    }

    /// Seals the oldest staged packet that its peer still owns.
    fn flush(&mut self, now: Instant, slot: u32, buf: &mut [u8]) -> Step {
        loop {
            let mtu = self.mtu;
            let Some(peer) = self.peers.at_mut(slot) else { return Step::Nothing };
            let Some(packet) = peer.staged.front() else {
                peer.intents.flush = false;
                return Step::Nothing;
            };
            let Some(path) = peer.endpoint.path() else {
                // They wait as a handshake waits for an endpoint: until there is one, or until it is given up.
                peer.intents.flush = false;
                Self::want_handshake(peer, &mut self.transmits, now);
                return Step::Nothing;
            };
            let owner = packet::destination(packet).and_then(|(destination, _)| self.routes.owner(destination));
            // Allowed IPs and MTU may have changed since the packet was staged.
            let unfit = if owner != Some(slot) {
                Some(DropReason::NoRoute)
            } else {
                (packet.len() > usize::from(mtu)).then_some(DropReason::TooBig)
            };
            if let Some(reason) = unfit {
                peer.staged.pop(&mut self.staged);
                let _ = self.dropped_of(slot, reason);
                continue;
            }
            let Some(pair) = peer.sessions.sealing(now) else {
                peer.intents.flush = false;
                Self::want_handshake(peer, &mut self.transmits, now);
                return Step::Nothing;
            };
            let ecn = ecn::encapsulate(packet);
            let Some(len) = seal_into(pair, packet, mtu, buf) else { return Step::NoRoom };
            peer.staged.pop(&mut self.staged);
            peer.intents.flush = !peer.staged.is_empty();
            let rekey = pair.wants_rekey_on_send(now);
            account(peer, &mut self.stats, now, 1, len);
            if rekey {
                Self::want_handshake(peer, &mut self.transmits, now);
            }
            return Step::Sent(Transmit { peer: Some(peer.id), path, len, ecn });
        }
    }

    /// An empty packet: keeps NAT mappings, confirms sessions, tells the peer that we live.
    fn keep_alive(&mut self, now: Instant, slot: u32, buf: &mut [u8]) -> Step {
        let mtu = self.mtu;
        let Some(peer) = self.peers.at_mut(slot) else { return Step::Nothing };
        let Some(path) = peer.endpoint.path() else { return Step::Nothing };
        let Some(pair) = peer.sessions.sealing(now) else { return Step::Nothing };
        let Some(len) = seal_into(pair, &[], mtu, buf) else { return Step::NoRoom };
        let rekey = pair.wants_rekey_on_send(now);
        sent(peer, &mut self.stats, now, len);
        if rekey {
            Self::want_handshake(peer, &mut self.transmits, now);
        }
        Step::Sent(keepalive(peer, path, len))
    }
}

/// What became of an intent.
enum Step {
    Sent(Transmit),
    /// The caller's buffer is too short; the intent stays.
    NoRoom,
    Nothing,
}

fn keepalive(peer: &Peer, path: crate::peer::Path, len: usize) -> Transmit {
    Transmit { peer: Some(peer.id), path, len, ecn: Ecn::NotCapable }
}

/// Uniform in 0..=REKEY_TIMEOUT_JITTER, from 32 random bits.
fn jitter(random: u32) -> Duration {
    let range = REKEY_TIMEOUT_JITTER.as_nanos() as u64;
    Duration::from_nanos(((range + 1) * u64::from(random)) >> 32)
}
