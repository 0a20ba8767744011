//! The life of a datagram: wire type, then a handshake message or transport data opened in place.
use super::job::{self, OpenJob};
use super::outbound::{AHEAD, several};
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
        let mut slot = DatagramSlot { path, ecn, datagram, verdict: Verdict::Pending };
        self.open_one(now, &mut slot);
        self.settle();
        let DatagramSlot { datagram, verdict, .. } = slot;
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

    /// A batch of datagrams, each with its verdict. All share one clock and one settling of deadlines; what follows each
    /// other under one session shares one look at the peer and one entry in its accounts.
    pub fn handle_datagrams(&mut self, now: Instant, batch: &mut [DatagramSlot<'_>]) {
        let now = self.advance(now);
        if let [alone] = batch {
            self.open_one(now, alone);
            return self.settle();
        }
        for few in batch.chunks_mut(AHEAD) {
            let owners = self.look_ahead_inward(few);
            let mut done = 0;
            while let (Some(rest @ [_, ..]), Some(owners)) = (few.get_mut(done..), owners.get(done..)) {
                done += self.open_run(now, rest, owners);
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
        if several(owners.iter().copied()) {
            self.read_to_open(few, &owners);
        }
        owners
    }

    /// Reads what opening these datagrams will read: first of the peers, then of their sessions.
    #[inline(never)]
    fn read_to_open(&self, few: &[DatagramSlot<'_>], owners: &[Option<u32>; AHEAD]) {
        let peers = || few.iter().zip(owners).filter_map(|(slot, owner)| Some((slot, self.peers.at((*owner)?)?)));
        for (_, peer) in peers() {
            black_box(peer.read_to_open());
        }
        for (slot, peer) in peers() {
            let pair = peer.sessions.current();
            black_box(pair.map(|pair| pair.read_to_open(Header::counter_of(slot.datagram))));
        }
    }

    /// The first of three steps: finds the session and pre-checks the counter. Handshake messages are handled here.
    pub fn begin_open(&mut self, now: Instant, path: Path, ecn: Ecn, datagram: &mut [u8]) -> Begin<OpenJob> {
        let now = self.advance(now);
        let begun = self.open_with(now, &path, datagram, None, |peer, pair, _, _| (peer, pair.raw_receive.clone()));
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
            let mut slot = DatagramSlot { path, ecn, datagram, verdict: Verdict::Pending };
            self.opened(now, peer.slot, Header { receiver: local, counter }, &mut slot)
        } else {
            self.dropped_of(peer.slot, DropReason::BadTag)
        };
        self.settle();
        verdict
    }

    /// A run of one.
    #[inline]
    fn open_one(&mut self, now: Instant, slot: &mut DatagramSlot<'_>) {
        let owner = Header::receiver_of(slot.datagram).and_then(|receiver| self.indices.lookup(receiver));
        self.open_run(now, core::slice::from_mut(slot), &[owner]);
    }

    /// Takes datagrams as far as they come under the current session of the same peer, opens them and accounts. Returns
    /// how many were taken; all others are taken one at a time.
    #[inline(always)]
    fn open_run(&mut self, now: Instant, slots: &mut [DatagramSlot<'_>], owners: &[Option<u32>]) -> usize {
        let mut arrivals = Arrivals::default();
        let mut taken = 0;
        let first = owners.first().copied().flatten();
        if let Some(ours) = first
            && let Some(peer) = self.peers.at_mut(ours)
        {
            let mut hall = Hall {
                routes: &self.routes,
                transmits: &mut self.transmits,
                events: &mut self.events,
                stats: &mut self.stats,
            };
            for (slot, owner) in slots.iter_mut().zip(owners) {
                let Some(Message::Transport(header)) = Message::parse(slot.datagram) else { break };
                let pair = peer.sessions.current_mut().filter(|pair| pair.indices.local == header.receiver);
                let Some(pair) = pair.filter(|_| *owner == first) else { break };
                if !pair.can_open(header.counter, now) || !pair.window.would_accept(header.counter) {
                    break;
                }
                taken += 1;
                slot.verdict = if job::open(&pair.receive, header.counter, slot.datagram) {
                    pair.window.accept(header.counter);
                    take_in(peer, &mut hall, &mut arrivals, now, slot)
                } else {
                    hall.drop_of(peer, DropReason::BadTag)
                };
            }
            if arrivals.bytes > 0 {
                self.account_in(now, ours, arrivals);
            }
        }
        if taken == 0
            && let [slot, ..] = slots
        {
            slot.verdict = self.open(now, first, slot);
            return 1;
        }
        taken
    }

    /// All three steps in a row, whatever the datagram is.
    #[cold]
    fn open(&mut self, now: Instant, owner: Option<u32>, slot: &mut DatagramSlot<'_>) -> Verdict {
        let crypt = |peer: PeerId, pair: &Keypair, counter, datagram: &mut [u8]| {
            (peer.slot, job::open(&pair.receive, counter, datagram))
        };
        match self.open_with(now, &slot.path, slot.datagram, owner, crypt) {
            Ok((header, (owner, true))) => self.opened(now, owner, header, slot),
            Ok((_, (owner, false))) => self.dropped_of(owner, DropReason::BadTag),
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
    fn opened(&mut self, now: Instant, owner: u32, header: Header, slot: &mut DatagramSlot<'_>) -> Verdict {
        let local = header.receiver;
        let Some(peer) = self.peers.at_mut(owner) else { return self.dropped(DropReason::UnknownIndex) };
        match peer.sessions.find(local).map(|pair| pair.window.accept(header.counter)) {
            Some(true) => {}
            Some(false) => return self.dropped_of(owner, DropReason::Replay),
            None => return self.dropped_of(owner, DropReason::UnknownIndex),
        }
        if peer.sessions.is_next(local) {
            self.confirm(now, owner, local);
        }
        let Some(peer) = self.peers.at_mut(owner) else { return self.dropped(DropReason::UnknownIndex) };
        let mut hall = Hall {
            routes: &self.routes,
            transmits: &mut self.transmits,
            events: &mut self.events,
            stats: &mut self.stats,
        };
        let mut arrivals = Arrivals::default();
        let verdict = take_in(peer, &mut hall, &mut arrivals, now, slot);
        self.account_in(now, owner, arrivals);
        verdict
    }

    /// Authentic datagrams of one peer, all at `now`: what they come to together.
    #[inline]
    fn account_in(&mut self, now: Instant, owner: u32, arrivals: Arrivals) {
        let Arrivals { bytes, packets, delivered } = arrivals;
        let Some(peer) = self.peers.at_mut(owner) else { return };
        count_in(peer, &mut self.stats, now, bytes);
        peer.stats.rx_packets = peer.stats.rx_packets.wrapping_add(delivered);
        self.stats.rx_packets = self.stats.rx_packets.wrapping_add(delivered);
        peer.timers.data_received(now, packets);
        if peer.sessions.current().is_some_and(|pair| pair.wants_rekey_on_receive(now)) {
            Self::want_handshake(peer, &mut self.transmits, now);
        }
        Self::lower(peer, &mut self.deadlines);
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

/// Authentic datagrams of one peer.
#[derive(Default)]
struct Arrivals {
    bytes: usize,
    /// Those that were no keepalives.
    packets: u64,
    /// Those of them that were delivered.
    delivered: u64,
}

/// What of the tunnel an authentic datagram has to do with, beside its peer.
struct Hall<'t> {
    routes: &'t RoutingTable,
    transmits: &'t mut TransmitQueue,
    events: &'t mut EventQueue,
    stats: &'t mut TunnelStats,
}

impl Hall<'_> {
    #[cold]
    fn drop_of(&mut self, peer: &mut Peer, reason: DropReason) -> Verdict {
        peer.count_drops(reason, 1);
        self.stats.drops.add(reason, 1);
        Verdict::Dropped(reason)
    }
}

/// An authentic datagram: where it came from, and what is in it.
#[inline(always)]
fn take_in(
    peer: &mut Peer,
    hall: &mut Hall<'_>,
    arrivals: &mut Arrivals,
    now: Instant,
    slot: &mut DatagramSlot<'_>,
) -> Verdict {
    arrivals.bytes += slot.datagram.len();
    heard(peer, hall.transmits, hall.events, now, &slot.path);
    if slot.datagram.len() == TRANSPORT_MIN_LEN {
        return Verdict::Consumed;
    }
    arrivals.packets += 1;
    match inspect(hall.routes, peer, slot.ecn, slot.datagram) {
        Ok(len) => {
            arrivals.delivered += 1;
            Verdict::Deliver { peer: peer.id, start: HEADROOM as u32, len }
        }
        Err(reason) => hall.drop_of(peer, reason),
    }
}

/// Any authenticated datagram of `len` bytes came from `peer` over `path`.
pub(super) fn received(
    peer: &mut Peer,
    transmits: &mut TransmitQueue,
    stats: &mut TunnelStats,
    events: &mut EventQueue,
    now: Instant,
    path: &Path,
    len: usize,
) {
    count_in(peer, stats, now, len);
    heard(peer, transmits, events, now, path);
}

/// Authenticated datagrams of `len` bytes together came from `peer`.
#[inline]
fn count_in(peer: &mut Peer, stats: &mut TunnelStats, now: Instant, len: usize) {
    peer.stats.rx_bytes = peer.stats.rx_bytes.wrapping_add(len as u64);
    stats.rx_bytes = stats.rx_bytes.wrapping_add(len as u64);
    peer.timers.authenticated_received(now);
}

/// `peer` is where `path` leads, and answers.
#[inline(always)]
fn heard(peer: &mut Peer, transmits: &mut TransmitQueue, events: &mut EventQueue, now: Instant, path: &Path) {
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
#[inline(always)]
fn inspect(routes: &RoutingTable, peer: &mut Peer, ecn: Ecn, datagram: &mut [u8]) -> Result<u32, DropReason> {
    let end = datagram.len().saturating_sub(TAG_LEN);
    let text = datagram.get_mut(HEADROOM..end).ok_or(DropReason::MalformedPacket)?;
    let (source, len) = packet::source(text).ok_or(DropReason::MalformedPacket)?;
    if routes.owner_with(&mut peer.source, source) != Some(peer.id.slot) {
        return Err(DropReason::SourceNotAllowed);
    }
    let packet = text.get_mut(..len).ok_or(DropReason::MalformedPacket)?;
    if !ecn::decapsulate(ecn, packet) {
        return Err(DropReason::Congestion);
    }
    u32::try_from(len).map_err(|_| DropReason::MalformedPacket)
}
