//! Intents become bytes: responses, initiations, staged packets, keepalives.
use super::call::Call;
use super::outbound::seal_into;
use super::shared::Shared;
use super::timeout::RESOLVE_AGAIN;
use super::{Transmit, Tunnel};
use crate::crypto::rng::random_u32;
use crate::error::TransmitError;
use crate::limits::{MIN_TRANSMIT_BUFFER, REKEY_TIMEOUT_JITTER};
use crate::memory::Boxed;
use crate::noise::{HandshakeError, Initiator, Tai64N, TransportKeys};
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::peer::handshake::Pending;
use crate::peer::{Answer, Path, Peer, PeerId};
use crate::session::Lack;
use crate::session::{Indices, Keypair, Role};
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{INITIATION_LEN, RESPONSE_LEN, TRANSPORT_MIN_LEN};
use core::time::Duration;

impl Tunnel {
    /// The next datagram to send, written into `buf`; `None` when there is none. `buf` should have
    /// [`Layout::transmit_buffer`](super::Layout::transmit_buffer) bytes.
    ///
    /// # Errors
    /// [`TransmitError`]. What can be sent all the same has left before.
    pub fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Result<Option<Transmit>, TransmitError> {
        let mut call = self.enter(now);
        if buf.len() < MIN_TRANSMIT_BUFFER {
            let nothing = call.shared.transmits.peers.len() == 0;
            return if nothing { Ok(None) } else { Err(TransmitError::ShortBuffer { needed: MIN_TRANSMIT_BUFFER }) };
        }
        let now = call.now;
        // Peers whose datagram is too long go to the end of the queue: once round is enough.
        let (mut short, mut failed) = (None, None);
        for _ in 0..call.shared.transmits.peers.places() {
            while let Some(id) = call.shared.transmits.peers.front() {
                match call.with_known(id, |peer, shared| shared.transmit_for(peer, now, buf)) {
                    Some(Step::Sent(transmit)) => {
                        call.leave_queue(id);
                        return Ok(Some(transmit));
                    }
                    Some(Step::NoRoom(needed)) => {
                        short = short.max(Some(needed));
                        call.shared.transmits.peers.rotate();
                        break;
                    }
                    Some(Step::NoRandomness) => {
                        failed = Some(TransmitError::NoRandomness);
                        call.leave_queue(id);
                    }
                    Some(Step::Nothing) | None => call.leave_queue(id),
                }
            }
        }
        let short = short.map(|needed| TransmitError::ShortBuffer { needed });
        failed.or(short).map_or(Ok(None), Err)
    }
}

impl Call<'_> {
    /// Takes the first of the transmit queue out of it if nothing is to be sent to it any more.
    fn leave_queue(&mut self, id: PeerId) {
        let peer = self.peers.find_mut(id);
        if peer.as_ref().is_none_or(|peer| !peer.has_intents()) {
            self.shared.transmits.pop(peer);
        }
    }
}

impl Shared {
    /// One intent of the peer, if it has any.
    fn transmit_for(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        #[cfg(feature = "control")]
        if peer.has_messages_due() {
            return self.send_posted(peer, now, buf);
        }
        // Data first: when both sides initiated at once, it tells the peer of our session before it hears of its own.
        if peer.intents.flush {
            self.flush(peer, now, buf)
        } else if core::mem::take(&mut peer.intents.keepalive) {
            self.keep_alive(peer, now, buf)
        } else if core::mem::take(&mut peer.intents.respond) {
            self.respond(peer, now, buf)
        } else if peer.initiates() {
            self.initiate(peer, now, buf)
        } else {
            Step::Nothing
        }
    }

    /// Answers the peer's initiation, where that came from: the new session waits for its confirmation.
    fn respond(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        let Some(Answer { responder, path }) = peer.answer.take().map(Boxed::into_inner) else { return Step::Nothing };
        let Some(path) = path.or(peer.endpoint.path()) else { return Step::Nothing };
        let Some(out) = buf.first_chunk_mut::<RESPONSE_LEN>() else { return Step::NoRoom(RESPONSE_LEN) };
        let remote = responder.remote_index();
        let local = match self.indices.insert(&mut *self.rng, peer.id.slot) {
            Ok(local) => local,
            Err(Lack::Randomness) => return Step::NoRandomness,
            Err(Lack::Memory) => return self.no_memory(peer),
        };
        let keys = responder.respond(&peer.preshared_key, local, &mut *self.rng, out);
        let TransportKeys { send, receive } = match keys {
            Ok(keys) => keys,
            Err(error) => {
                self.indices.remove(local);
                if error == HandshakeError::NoRandomness {
                    return Step::NoRandomness;
                }
                self.count_drops(Some(peer), DropReason::LowOrderKey, 1);
                return Step::Nothing;
            }
        };
        let Ok(pair) = Boxed::new(Keypair::new(Role::Responder, Indices { local, remote }, send, receive, now)) else {
            self.indices.remove(local);
            return self.no_memory(peer);
        };
        peer.stamp.stamp(now, &peer.mac_keys, out);
        if let Some(dead) = peer.sessions.establish_as_responder(pair) {
            self.indices.remove(dead);
        }
        let jitter = self.jitter();
        peer.timers.session_derived(jitter);
        peer.date_wiping();
        peer.pace.sent(now);
        self.sent(peer, now, RESPONSE_LEN);
        Step::sent(peer, path, RESPONSE_LEN)
    }

    /// Sends an initiation with a timestamp later than every one before; never within REKEY_TIMEOUT of another, nor of a
    /// response of ours, which may have left since this one was wanted.
    fn initiate(&mut self, peer: &mut Peer, now: Instant, buf: &mut [u8]) -> Step {
        let Some(local) = &self.local else {
            peer.abandon_handshake(&mut self.indices);
            return Step::Nothing;
        };
        let Some(path) = peer.endpoint.path() else {
            peer.timers.initiation_delayed(now);
            self.ask_to_resolve(peer, now, RESOLVE_AGAIN);
            return Step::Nothing;
        };
        if !peer.initiation_wanted(now) {
            return Step::Nothing;
        }
        let Some(out) = buf.first_chunk_mut::<INITIATION_LEN>() else { return Step::NoRoom(INITIATION_LEN) };
        if let Some(index) = peer.handshake.forget_pending() {
            self.indices.remove(index);
        }
        let timestamp = Tai64N::from_wall(self.wall.read(now)).after(peer.timestamp_sent);
        let public_key = peer.public_key;
        let index = match self.indices.insert(&mut *self.rng, peer.id.slot) {
            Ok(index) => index,
            Err(Lack::Randomness) => {
                peer.timers.initiation_delayed(now);
                return Step::NoRandomness;
            }
            Err(Lack::Memory) => return self.initiate_later(peer, now),
        };
        let static_static = peer.static_static(local.identity.private()).ok_or(HandshakeError::LowOrderKey);
        let initiator = static_static.and_then(|static_static| {
            Initiator::initiate(&local.identity, &public_key, static_static, timestamp, index, &mut *self.rng, out)
        });
        if let Err(HandshakeError::NoRandomness) = initiator {
            self.indices.remove(index);
            peer.timers.initiation_delayed(now);
            return Step::NoRandomness;
        }
        let Ok(initiator) = initiator else {
            self.indices.remove(index);
            peer.abandon_handshake(&mut self.indices);
            self.count_drops(Some(peer), DropReason::LowOrderKey, 1);
            self.drop_staged(peer, DropReason::LowOrderKey);
            return Step::Nothing;
        };
        let Ok(pending) = Boxed::new(Pending { initiator, local: index }) else {
            self.indices.remove(index);
            return self.initiate_later(peer, now);
        };
        peer.stamp.stamp(now, &peer.mac_keys, out);
        peer.handshake.sent(pending);
        peer.timestamp_sent = timestamp;
        self.timestamp_sent = self.timestamp_sent.max(timestamp);
        let jitter = self.jitter();
        peer.pace.sent(now);
        peer.timers.initiation_sent(now, jitter);
        self.sent(peer, now, INITIATION_LEN);
        Step::sent(peer, path, INITIATION_LEN)
    }

    /// There is no memory for an initiation: it is tried again later, as one without an answer would be.
    #[cold]
    fn initiate_later(&mut self, peer: &mut Peer, now: Instant) -> Step {
        peer.timers.initiation_delayed(now);
        self.no_memory(peer)
    }

    /// There is no memory for a handshake message.
    #[cold]
    fn no_memory(&mut self, peer: &mut Peer) -> Step {
        self.count_drops(Some(peer), DropReason::NoMemory, 1);
        Step::Nothing
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
        let Some(len) = seal_into(pair, packet, self.layout, buf) else {
            return Step::NoRoom(self.layout.datagram_len(packet.len()));
        };
        let rekey = pair.wants_rekey_on_send(now);
        peer.staged.pop(&mut self.staged);
        peer.intents.flush = !peer.staged.is_empty();
        self.data_sent(peer, now, 1, len);
        if rekey {
            self.want_handshake(peer, now);
        }
        Step::Sent(Transmit { peer: peer.id, user: peer.user, path, len, ecn })
    }

    /// Drops the oldest staged packets as long as they are no longer the peer's or too long: allowed IPs and MTU may have
    /// changed since they were staged.
    fn drop_unfit(&mut self, peer: &mut Peer) {
        while let Some(packet) = peer.staged.front() {
            let owner = packet::destination(packet).and_then(|(destination, _)| self.routes.owner(destination));
            let reason = if owner != Some(peer.id.slot) {
                DropReason::NoRoute
            } else if packet.len() > usize::from(self.layout.mtu()) {
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
        let Some(len) = seal_into(pair, &[], self.layout, buf) else { return Step::NoRoom(TRANSPORT_MIN_LEN) };
        let rekey = pair.wants_rekey_on_send(now);
        self.sent(peer, now, len);
        if rekey {
            self.want_handshake(peer, now);
        }
        Step::sent(peer, path, len)
    }
}

impl Shared {
    /// Uniform in 0..=REKEY_TIMEOUT_JITTER.
    pub(super) fn jitter(&mut self) -> Duration {
        let range = REKEY_TIMEOUT_JITTER.as_nanos() as u64;
        // Without randomness there is no jitter: nothing depends on its being secret.
        let random = random_u32(&mut *self.rng).unwrap_or_default();
        Duration::from_nanos(((range + 1) * u64::from(random)) >> 32)
    }
}

/// What became of an intent.
pub(super) enum Step {
    Sent(Transmit),
    /// The caller's buffer is shorter than this; the intent stays.
    NoRoom(usize),
    /// A handshake message could not be made.
    NoRandomness,
    Nothing,
}

impl Step {
    /// A datagram of our own making: it has no congestion to report.
    pub(super) const fn sent(peer: &Peer, path: Path, len: usize) -> Self {
        Self::Sent(Transmit { peer: peer.id, user: peer.user, path, len, ecn: Ecn::NotCapable })
    }
}
