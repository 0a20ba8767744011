//! The life of a datagram: wire type, then a handshake message or transport data opened in place.
use super::job::{self, OpenJob};
use super::outbound::AHEAD;
use super::{Begin, DatagramSlot, Event, EventQueue, Inbound, TransmitQueue, Tunnel, Verdict};
use crate::crypto::TAG_LEN;
use crate::limits::HEADROOM;
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::peer::sessions::Confirmed;
use crate::peer::{Path, Peer, PeerId};
use crate::route::RoutingTable;
use crate::session::Keypair;
use crate::stats::{DropReason, TunnelStats};
use crate::time::Instant;
use crate::wire::{Message, TRANSPORT_MIN_LEN, Transport as Header};
use core::cmp::Ordering;
use core::hint::black_box;

impl Tunnel {
    /// One datagram from the network, opened in place in the caller's memory. `ecn` is that of its outer header.
    pub fn handle_datagram<'b>(&mut self, now: Instant, path: Path, ecn: Ecn, datagram: &'b mut [u8]) -> Inbound<'b> {
        let now = self.advance(now);
        let verdict = self.open(now, &path, ecn, datagram, None);
        self.settle();
        match verdict {
            Verdict::Deliver { peer, start, len } => {
                match datagram.get_mut(start as usize..).and_then(|rest| rest.get_mut(..len as usize)) {
                    Some(packet) => Inbound::Packet { peer, packet },
                    None => Inbound::Dropped(DropReason::MalformedPacket),
                }
            }
            Verdict::Reply { len } => match datagram.get(..len as usize) {
                Some(reply) => Inbound::Reply(reply),
                None => Inbound::Dropped(DropReason::Malformed),
            },
            Verdict::Consumed => Inbound::Consumed,
            Verdict::Dropped(reason) => Inbound::Dropped(reason),
            Verdict::Pending | Verdict::Send { .. } | Verdict::Bounce { .. } | Verdict::Staged => {
                Inbound::Dropped(DropReason::Malformed)
            }
        }
    }

    /// A batch of datagrams, each with its verdict: one clock, one settling of deadlines for all.
    pub fn handle_datagrams(&mut self, now: Instant, batch: &mut [DatagramSlot<'_>]) {
        let now = self.advance(now);
        for few in batch.chunks_mut(AHEAD) {
            let owners = self.look_ahead_inward(few);
            for (slot, owner) in few.iter_mut().zip(owners) {
                slot.verdict = self.open(now, &slot.path, slot.ecn, slot.datagram, owner);
            }
        }
        self.settle();
    }

    /// The slots of the peers whose session indices a few datagrams carry; see [`look_ahead`](Self::look_ahead). While
    /// these are handled an index may be freed, and then no session goes by it any more, but none is given out.
    #[inline]
    fn look_ahead_inward(&self, few: &[DatagramSlot<'_>]) -> [Option<u32>; AHEAD] {
        let mut owners = [None; AHEAD];
        let mut last: Option<(u32, Option<u32>)> = None;
        for (owner, slot) in owners.iter_mut().zip(few) {
            let Some(index) = Header::receiver_of(slot.datagram) else { continue };
            // Datagrams come in runs.
            let known = last.filter(|(receiver, _)| *receiver == index);
            *owner = known.map_or_else(|| self.indices.lookup(index), |(_, slot)| slot);
            last = Some((index, *owner));
        }
        self.warm(owners.iter().flatten().copied());
        owners
    }

    /// Reads of the peers in these slots, unless all are one, what the packet path reads first.
    #[inline]
    pub(super) fn warm(&self, mut slots: impl Iterator<Item = u32> + Clone) {
        let all = slots.clone();
        if slots.next().is_none_or(|first| slots.all(|slot| slot == first)) {
            return;
        }
        self.warm_all(all);
    }

    #[inline(never)]
    fn warm_all(&self, slots: impl Iterator<Item = u32> + Clone) {
        for slot in slots.clone() {
            black_box(self.peers.at(slot).map(Peer::first_read));
        }
        for slot in slots {
            black_box(self.peers.at(slot).and_then(|peer| peer.sessions.first_read()));
        }
    }

    /// The first of three steps: finds the session and pre-checks the counter. Handshake messages are handled here.
    pub fn begin_open(&mut self, now: Instant, path: Path, ecn: Ecn, datagram: &mut [u8]) -> Begin<OpenJob> {
        let now = self.advance(now);
        let begun = self.open_with(now, &path, datagram, None, |peer, pair, _, _| (peer, pair.receive.raw.clone()));
        self.settle();
        match begun {
            Ok((Header { receiver: local, counter }, (peer, key))) => {
                Begin::Crypt(OpenJob { key, counter, peer, local, path, ecn, opened: false })
            }
            Err(verdict) => Begin::Done(verdict),
        }
    }

    /// The last of three steps, in the order of `begin_open`: marks the counter, confirms, roams, checks the packet.
    /// `datagram` is the buffer of `begin_open`.
    pub fn finish_open(&mut self, now: Instant, job: OpenJob, datagram: &mut [u8]) -> Verdict {
        let now = self.advance(now);
        let OpenJob { counter, peer, local, path, ecn, opened, .. } = job;
        if self.peers.find(peer).is_none() {
            return self.dropped(DropReason::UnknownIndex);
        }
        let verdict = if opened {
            self.opened(now, peer.slot, Header { receiver: local, counter }, &path, ecn, datagram)
        } else {
            self.dropped_of(peer.slot, DropReason::BadTag)
        };
        self.settle();
        verdict
    }

    /// All three steps in a row.
    #[inline]
    fn open(&mut self, now: Instant, path: &Path, ecn: Ecn, datagram: &mut [u8], owner: Option<u32>) -> Verdict {
        let crypt = |peer: PeerId, pair: &Keypair, counter, datagram: &mut [u8]| {
            (peer.slot, job::open(&pair.receive.aead, counter, datagram))
        };
        match self.open_with(now, path, datagram, owner, crypt) {
            Ok((header, (slot, true))) => self.opened(now, slot, header, path, ecn, datagram),
            Ok((_, (slot, false))) => self.dropped_of(slot, DropReason::BadTag),
            Err(verdict) => verdict,
        }
    }

    /// Wire type, session (of the peer in slot `owner`, where that is known already) and replay pre-check, then the crypt
    /// step; handshake messages go their own way.
    #[inline]
    fn open_with<T>(
        &mut self,
        now: Instant,
        path: &Path,
        datagram: &mut [u8],
        owner: Option<u32>,
        crypt: impl FnOnce(PeerId, &Keypair, u64, &mut [u8]) -> T,
    ) -> Result<(Header, T), Verdict> {
        let header = match Message::parse(datagram) {
            Some(Message::Transport(header)) => header,
            Some(_) => return Err(self.handle_handshake(now, *path, datagram)),
            None => return Err(self.dropped(DropReason::Malformed)),
        };
        let Header { receiver: local, counter } = header;
        let owner = owner.or_else(|| self.indices.lookup(local));
        let peer = owner.and_then(|slot| self.peers.at_mut(slot));
        let Some((id, pair)) = peer.and_then(|peer| Some((peer.id, peer.sessions.find(local)?))) else {
            return Err(self.dropped(DropReason::UnknownIndex));
        };
        if !pair.can_open(counter, now) {
            return Err(self.dropped_of(id.slot, DropReason::KeyExpired));
        }
        if !pair.window.would_accept(counter) {
            return Err(self.dropped_of(id.slot, DropReason::Replay));
        }
        Ok((header, crypt(id, pair, counter, datagram)))
    }

    /// An authentic datagram: everything that may only follow from one.
    #[inline]
    fn opened(
        &mut self,
        now: Instant,
        slot: u32,
        header: Header,
        path: &Path,
        ecn: Ecn,
        datagram: &mut [u8],
    ) -> Verdict {
        let local = header.receiver;
        let Some(peer) = self.peers.at_mut(slot) else { return self.dropped(DropReason::UnknownIndex) };
        match peer.sessions.find(local).map(|pair| pair.window.accept(header.counter)) {
            Some(true) => {}
            Some(false) => return self.dropped_of(slot, DropReason::Replay),
            None => return self.dropped_of(slot, DropReason::UnknownIndex),
        }
        if peer.sessions.is_next(local) {
            self.confirm(now, slot, local);
        }
        let Some(peer) = self.peers.at_mut(slot) else { return self.dropped(DropReason::UnknownIndex) };
        received(peer, &mut self.transmits, &mut self.stats, &mut self.events, now, path, datagram.len());
        if peer.sessions.current().is_some_and(|pair| pair.wants_rekey_on_receive(now)) {
            Self::want_handshake(peer, &mut self.transmits, now);
        }
        let is_keepalive = datagram.len() == TRANSPORT_MIN_LEN;
        if !is_keepalive {
            peer.timers.data_received(now);
        }
        Self::lower(peer, &mut self.deadlines);
        if is_keepalive {
            return Verdict::Consumed;
        }
        match inspect(&self.routes, slot, ecn, datagram) {
            Ok(len) => {
                peer.stats.rx_packets = peer.stats.rx_packets.wrapping_add(1);
                self.stats.rx_packets = self.stats.rx_packets.wrapping_add(1);
                Verdict::Deliver { peer: peer.id, start: HEADROOM as u32, len }
            }
            Err(reason) => self.dropped_of(slot, reason),
        }
    }

    /// A datagram under the next keypair proves that the peer has it: it becomes current.
    #[cold]
    fn confirm(&mut self, now: Instant, slot: u32, local: u32) {
        let wall = self.wall.read(now);
        let we_prevail = self.prevails(slot);
        let Some(peer) = self.peers.at_mut(slot) else { return };
        match peer.sessions.confirm(local, we_prevail) {
            Confirmed::No => return,
            Confirmed::Yes(Some(index)) => self.indices.remove(index),
            Confirmed::Yes(None) => {}
        }
        peer.abandon_initiation(&mut self.indices);
        peer.latest_handshake = Some(wall);
        if !peer.staged.is_empty() {
            peer.intents.flush = true;
            self.transmits.push(peer);
        }
        self.established(now, slot);
    }

    /// A session is live, as initiator or as responder.
    pub(super) fn established(&mut self, now: Instant, slot: u32) {
        let Some(peer) = self.peers.at_mut(slot) else { return };
        peer.given_up = false;
        peer.unanswered = false;
        peer.timers.handshake_complete();
        peer.stats.handshakes = peer.stats.handshakes.wrapping_add(1);
        self.stats.handshakes = self.stats.handshakes.wrapping_add(1);
        self.events.push(Event::SessionEstablished { peer: peer.id });
        Self::tell_health(peer, &mut self.events, now);
    }

    /// Whether our static public key is the greater one: the tie-break of simultaneous initiations.
    fn prevails(&self, slot: u32) -> bool {
        match (&self.local, self.peers.at(slot)) {
            (Some(local), Some(peer)) => local.identity.public().cmp(&peer.public_key) == Ordering::Greater,
            _ => false,
        }
    }
}

/// Any authenticated datagram of `len` bytes came from `peer` over `path`.
#[inline]
pub(super) fn received(
    peer: &mut Peer,
    transmits: &mut TransmitQueue,
    stats: &mut TunnelStats,
    events: &mut EventQueue,
    now: Instant,
    path: &Path,
    len: usize,
) {
    peer.stats.rx_bytes = peer.stats.rx_bytes.wrapping_add(len as u64);
    stats.rx_bytes = stats.rx_bytes.wrapping_add(len as u64);
    peer.timers.authenticated_received(now);
    if !peer.endpoint.is_at(path) {
        follow(peer, transmits, events, now, *path);
    }
    if core::mem::take(&mut peer.unanswered) {
        Tunnel::tell_health(peer, events, now);
    }
}

/// An authenticated datagram came over another path than the last.
#[cold]
fn follow(peer: &mut Peer, transmits: &mut TransmitQueue, events: &mut EventQueue, now: Instant, path: Path) {
    let known = peer.endpoint.path();
    if !peer.endpoint.roam(path) {
        return;
    }
    if known.is_none() {
        peer.reachable(now);
        transmits.push(peer);
    }
    if let Some(path) = peer.endpoint.path() {
        events.push(Event::EndpointMoved { peer: peer.id, path });
    }
}

/// Checks the inner packet: well formed, from an address that this peer owns. Returns its length.
#[inline]
fn inspect(routes: &RoutingTable, slot: u32, ecn: Ecn, datagram: &mut [u8]) -> Result<u32, DropReason> {
    let end = datagram.len().saturating_sub(TAG_LEN);
    let text = datagram.get_mut(HEADROOM..end).ok_or(DropReason::MalformedPacket)?;
    let (source, len) = packet::source(text).ok_or(DropReason::MalformedPacket)?;
    if routes.owner(source) != Some(slot) {
        return Err(DropReason::SourceNotAllowed);
    }
    let packet = text.get_mut(..len).ok_or(DropReason::MalformedPacket)?;
    if !ecn::decapsulate(ecn, packet) {
        return Err(DropReason::Congestion);
    }
    u32::try_from(len).map_err(|_| DropReason::MalformedPacket)
}
