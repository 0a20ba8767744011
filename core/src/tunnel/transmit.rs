//! Intents become bytes: responses, initiations, staged packets, keepalives.
use super::outbound::seal_into;
use super::shared::Shared;
use super::timeout::RESOLVE_AGAIN;
use super::{Transmit, Tunnel};
use crate::crypto::rng::random_u32;
use crate::limits::{MIN_TRANSMIT_BUFFER, REKEY_TIMEOUT_JITTER};
use crate::noise::{Initiator, Tai64N, TransportKeys};
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::peer::{Answer, Path, Peer, Pending};
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
        let mut call = self.enter(now);
        if buf.len() < MIN_TRANSMIT_BUFFER {
            return None;
        }
        let now = call.now;
        loop {
            let id = call.shared.transmits.0.front().copied()?;
            let step = call.with(id.slot, |peer, shared| shared.transmit_for(peer, now, buf));
            match step {
                Some(Step::Sent(transmit)) => {
                    call.leave_queue(id);
                    return Some(transmit);
                }
                Some(Step::NoRoom) => return None,
                Some(Step::Nothing) | None => call.leave_queue(id),
            }
        }
    }
}

impl super::call::Call<'_> {
    /// Takes the first of the transmit queue out of it if nothing is to be sent to it any more.
    fn leave_queue(&mut self, id: crate::peer::PeerId) {
        let peer = self.peers.find_mut(id);
        if peer.as_ref().is_some_and(|peer| peer.intents.any()) {
            return;
        }
        self.shared.transmits.0.pop_front();
        if let Some(peer) = peer {
            peer.queued = false;
        }
    }
}

impl Shared {
    /// One intent of the peer, if it has any.
    fn transmit_for(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        if core::mem::take(&mut peer.intents.respond) {
            self.respond(peer, now, buf)
        } else if core::mem::take(&mut peer.intents.initiate) {
            self.initiate(peer, now, buf)
        } else if peer.intents.flush {
            self.flush(peer, now, buf)
        } else if core::mem::take(&mut peer.intents.keepalive) {
            self.keep_alive(peer, now, buf)
        } else {
            Step::Nothing
        }
    }

    /// Answers the peer's initiation, where that came from: the new session waits for its confirmation.
    fn respond(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        let Some(Answer { responder, path }) = peer.answer.take().map(|answer| *answer) else { return Step::Nothing };
        let Some(path) = path.or(peer.endpoint.path()) else { return Step::Nothing };
        let Some(out) = buf.first_chunk_mut::<RESPONSE_LEN>() else { return Step::NoRoom };
        let remote = responder.remote_index();
        let local = self.indices.insert(&mut *self.rng, peer.id.slot);
        let keys = responder.respond(&peer.preshared_key, local, &mut *self.rng, out);
        let Ok(TransportKeys { send, receive }) = keys else {
            self.indices.remove(local);
            self.count_drops(Some(peer), DropReason::LowOrderKey, 1);
            return Step::Nothing;
        };
        peer.stamp.stamp(now, &peer.mac_keys, out);
        let pair = Keypair::new(Role::Responder, Indices { local, remote }, send, receive, now);
        if let Some(dead) = peer.sessions.establish_as_responder(pair) {
            self.indices.remove(dead);
        }
        peer.timers.session_derived(now);
        peer.timers.response_sent(now);
        self.sent(peer, now, RESPONSE_LEN);
        Step::sent(peer, path, RESPONSE_LEN)
    }

    /// Sends an initiation with a timestamp later than every one before; never within REKEY_TIMEOUT of another, nor of a
    /// response of ours, which may have left since this one was wanted.
    fn initiate(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        let Some(local) = &self.local else { return Step::Nothing };
        let Some(path) = peer.endpoint.path() else {
            peer.timers.initiation_delayed(now);
            self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
            return Step::Nothing;
        };
        if !peer.timers.initiation_allowed(now) {
            peer.timers.initiation_postponed(now);
            return Step::Nothing;
        }
        let Some(out) = buf.first_chunk_mut::<INITIATION_LEN>() else { return Step::NoRoom };
        peer.abandon_initiation(&mut self.indices);
        let timestamp = Tai64N::from_wall(self.wall.read(now)).after(peer.timestamp_sent);
        let public_key = peer.public_key;
        let index = self.indices.insert(&mut *self.rng, peer.id.slot);
        let initiator = peer.static_static(local.identity.private()).and_then(|static_static| {
            Initiator::initiate(&local.identity, &public_key, static_static, timestamp, index, &mut *self.rng, out).ok()
        });
        let Some(initiator) = initiator else {
            self.indices.remove(index);
            self.count_drops(Some(peer), DropReason::LowOrderKey, 1);
            return Step::Nothing;
        };
        peer.stamp.stamp(now, &peer.mac_keys, out);
        peer.pending = Some(Box::new(Pending { initiator, local: index }));
        peer.timestamp_sent = timestamp;
        self.timestamp_sent = self.timestamp_sent.max(timestamp);
        peer.timers.initiation_sent(now, jitter(random_u32(&mut *self.rng)));
        self.sent(peer, now, INITIATION_LEN);
        Step::sent(peer, path, INITIATION_LEN)
    }

    /// Seals the oldest staged packet that its peer still owns.
    fn flush(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        self.drop_unfit(peer);
        let Some(packet) = peer.staged.front() else {
            peer.intents.flush = false;
            return Step::Nothing;
        };
        let (Some(path), Some(pair)) = (peer.endpoint.path(), peer.sessions.sealing(now)) else {
            // They wait for a handshake, which waits for an endpoint: until there are both, or until it is given up.
            peer.intents.flush = false;
            self.want_handshake(peer, now);
            return Step::Nothing;
        };
        let ecn = ecn::encapsulate(packet);
        let Some(len) = seal_into(pair, packet, self.mtu, buf) else { return Step::NoRoom };
        let rekey = pair.wants_rekey_on_send(now);
        peer.staged.pop(&mut self.staged);
        peer.intents.flush = !peer.staged.is_empty();
        self.data_sent(peer, now, 1, len);
        if rekey {
            self.want_handshake(peer, now);
        }
        Step::Sent(Transmit { peer: Some(peer.id), path, len, ecn })
    }

    /// Drops the oldest staged packets as long as they are no longer the peer's or too long: allowed IPs and MTU may have
    /// changed since they were staged.
    fn drop_unfit(&mut self, peer: &mut Peer) {
        while let Some(packet) = peer.staged.front() {
            let owner = packet::destination(packet).and_then(|(destination, _)| self.routes.owner(destination));
            let reason = if owner != Some(peer.id.slot) {
                DropReason::NoRoute
            } else if packet.len() > usize::from(self.mtu) {
                DropReason::TooBig
            } else {
                break;
            };
            peer.staged.pop(&mut self.staged);
            self.count_drops(Some(peer), reason, 1);
        }
    }

    /// An empty packet: keeps NAT mappings, confirms sessions, tells the peer that we live.
    fn keep_alive(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        let (Some(path), Some(pair)) = (peer.endpoint.path(), peer.sessions.sealing(now)) else { return Step::Nothing };
        let Some(len) = seal_into(pair, &[], self.mtu, buf) else { return Step::NoRoom };
        let rekey = pair.wants_rekey_on_send(now);
        self.sent(peer, now, len);
        if rekey {
            self.want_handshake(peer, now);
        }
        Step::sent(peer, path, len)
    }
}

/// What became of an intent.
enum Step {
    Sent(Transmit),
    /// The caller's buffer is too short; the intent stays.
    NoRoom,
    Nothing,
}

impl Step {
    /// A datagram of our own making: it has no congestion to report.
    const fn sent(peer: &Peer, path: Path, len: usize) -> Self {
        Self::Sent(Transmit { peer: Some(peer.id), path, len, ecn: Ecn::NotCapable })
    }
}

/// Uniform in 0..=REKEY_TIMEOUT_JITTER, from 32 random bits.
fn jitter(random: u32) -> Duration {
    let range = REKEY_TIMEOUT_JITTER.as_nanos() as u64;
    Duration::from_nanos(((range + 1) * u64::from(random)) >> 32)
}
