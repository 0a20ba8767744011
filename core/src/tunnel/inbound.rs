//! The life of a datagram: wire type, then a handshake message or transport data opened in place.
use super::ahead::AHEAD;
use super::call::Call;
use super::job;
use super::shared::Shared;
use super::{DatagramSlot, Event, Inbound, Tunnel, Verdict};
use crate::crypto::TAG_LEN;
use crate::limits::HEADROOM;
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::peer::sessions::Confirmed;
use crate::peer::{Path, Peer};
use crate::route::RoutingTable;
use crate::session::Keypair;
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{Message, TRANSPORT_MIN_LEN, Transport as Header};

impl Tunnel {
    /// One datagram from the network, opened in place in the caller's memory. `ecn` is that of its outer header.
    pub fn handle_datagram<'b>(&mut self, now: Instant, path: Path, ecn: Ecn, datagram: &'b mut [u8]) -> Inbound<'b> {
        let mut slot = DatagramSlot { path, ecn, datagram, verdict: Verdict::Pending };
        self.enter(now).open_one(&mut slot);
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
        let mut call = self.enter(now);
        if let [alone] = batch {
            return call.open_one(alone);
        }
        for few in batch.chunks_mut(AHEAD) {
            let owners = call.look_ahead_inward(few);
            let mut done = 0;
            while let (Some(rest @ [_, ..]), Some(owners)) = (few.get_mut(done..), owners.get(done..)) {
                done += call.open_run(rest, owners);
            }
        }
    }
}

impl Call<'_> {
    /// A run of one.
    #[inline]
    fn open_one(&mut self, slot: &mut DatagramSlot<'_>) {
        let owner = Header::receiver_of(slot.datagram).and_then(|receiver| self.shared.indices.lookup(receiver));
        self.open_run(core::slice::from_mut(slot), &[owner]);
    }

    /// Takes datagrams as far as they come under the current session of the same peer, opens them and accounts. Returns
    /// how many were taken; all others are taken one at a time.
    #[inline(always)]
    fn open_run(&mut self, slots: &mut [DatagramSlot<'_>], owners: &[Option<u32>]) -> usize {
        let first = owners.first().copied().flatten();
        let taken = match first.and_then(|owner| self.peers.at_mut(owner)) {
            Some(peer) => self.shared.open_for(peer, self.now, slots, owners),
            None => 0,
        };
        if let (0, [slot, ..]) = (taken, slots) {
            slot.verdict = self.open_alone(slot);
        }
        taken.max(1)
    }

    /// A datagram of any kind: a handshake message, data under a session that is not the current one, or neither.
    #[cold]
    fn open_alone(&mut self, slot: &mut DatagramSlot<'_>) -> Verdict {
        let header = match Message::parse(slot.datagram) {
            Some(Message::Transport(header)) => header,
            Some(_) => return self.handle_handshake(slot.path, slot.datagram),
            None => return self.shared.drop(DropReason::Malformed),
        };
        let now = self.now;
        let owner = self.shared.indices.lookup(header.receiver);
        let verdict = owner.and_then(|owner| {
            self.with(owner, |peer, shared| match openable(peer, header, now) {
                Ok(pair) if job::open(&pair.receive, header.counter, slot.datagram) => {
                    shared.opened(peer, now, header, slot)
                }
                Ok(_) => shared.drop_of(peer, DropReason::BadTag),
                Err(reason) => shared.drop_of(peer, reason),
            })
        });
        verdict.unwrap_or_else(|| self.shared.drop(DropReason::UnknownIndex))
    }
}

/// The session of `peer` that a datagram is to be opened under: its age, its messages and the replay window allow it.
/// Nothing is marked yet.
pub(super) fn openable(peer: &mut Peer, header: Header, now: Instant) -> Result<&Keypair, DropReason> {
    let pair = peer.sessions.find(header.receiver).ok_or(DropReason::UnknownIndex)?;
    if !pair.can_open(header.counter, now) {
        return Err(DropReason::KeyExpired);
    }
    if !pair.window.would_accept(header.counter) {
        return Err(DropReason::Replay);
    }
    Ok(pair)
}

impl Shared {
    /// Opens datagrams as far as they come under the current session of `peer`. Returns how many.
    #[inline(always)]
    fn open_for(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        slots: &mut [DatagramSlot<'_>],
        owners: &[Option<u32>],
    ) -> usize {
        let mut arrivals = Arrivals::default();
        let mut taken = 0;
        let ours = Some(peer.id.slot);
        for (slot, owner) in slots.iter_mut().zip(owners) {
            let Some(Message::Transport(header)) = Message::parse(slot.datagram) else { break };
            let pair = peer.sessions.current_mut().filter(|pair| pair.indices.local == header.receiver);
            let Some(pair) = pair.filter(|_| *owner == ours) else { break };
            if !pair.can_open(header.counter, now) || !pair.window.would_accept(header.counter) {
                break;
            }
            taken += 1;
            slot.verdict = if job::open(&pair.receive, header.counter, slot.datagram) {
                pair.window.accept(header.counter);
                self.arrived(peer, now, &mut arrivals, slot)
            } else {
                self.drop_of(peer, DropReason::BadTag)
            };
        }
        if arrivals.bytes > 0 {
            self.account_arrivals(peer, now, arrivals);
            self.reschedule(peer);
        }
        taken
    }

    /// An authentic datagram under any session: everything that may only follow from one.
    pub(super) fn opened(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        header: Header,
        slot: &mut DatagramSlot<'_>,
    ) -> Verdict {
        match peer.sessions.find(header.receiver).map(|pair| pair.window.accept(header.counter)) {
            Some(true) => {}
            Some(false) => return self.drop_of(peer, DropReason::Replay),
            None => return self.drop_of(peer, DropReason::UnknownIndex),
        }
        if peer.sessions.is_next(header.receiver) {
            self.confirm(peer, now, header.receiver);
        }
        let mut arrivals = Arrivals::default();
        let verdict = self.arrived(peer, now, &mut arrivals, slot);
        self.account_arrivals(peer, now, arrivals);
        verdict
    }

    /// An authentic datagram: where it came from, and what is in it.
    #[inline(always)]
    fn arrived(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        arrivals: &mut Arrivals,
        slot: &mut DatagramSlot<'_>,
    ) -> Verdict {
        arrivals.bytes += slot.datagram.len();
        self.heard(peer, now, &slot.path);
        if slot.datagram.len() == TRANSPORT_MIN_LEN {
            return Verdict::Consumed;
        }
        arrivals.packets += 1;
        match inspect(&self.routes, peer, slot.ecn, slot.datagram) {
            Ok(len) => {
                arrivals.delivered += 1;
                Verdict::Deliver { peer: peer.id, start: HEADROOM as u32, len }
            }
            Err(reason) => self.drop_of(peer, reason),
        }
    }

    /// Counts what came from a peer at `now`, tells its timers, and asks for a new session if the present one is old.
    #[inline]
    fn account_arrivals(&mut self, peer: &mut Peer, now: Instant, arrivals: Arrivals) {
        let Arrivals { bytes, packets, delivered } = arrivals;
        self.received(peer, now, bytes);
        peer.stats.rx_packets = peer.stats.rx_packets.wrapping_add(delivered);
        self.stats.rx_packets = self.stats.rx_packets.wrapping_add(delivered);
        peer.timers.data_received(now, packets);
        if peer.sessions.current().is_some_and(|pair| pair.wants_rekey_on_receive(now)) {
            self.want_handshake(peer, now);
        }
    }

    /// A datagram under the next keypair proves that the peer has it: it becomes current.
    #[cold]
    fn confirm(&mut self, peer: &mut Peer, now: Instant, local: u32) {
        let wall = self.wall.read(now);
        let we_prevail = self.prevails_over(peer);
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
        self.established(peer, now);
    }

    /// `peer` is where `path` leads, and answers.
    #[inline(always)]
    pub(super) fn heard(&mut self, peer: &mut Peer, now: Instant, path: &Path) {
        if !peer.endpoint.is_at(path) {
            self.follow(peer, now, *path);
        }
        self.answers(peer, now);
    }

    /// `peer` answers, wherever it is.
    #[inline(always)]
    pub(super) fn answers(&mut self, peer: &mut Peer, now: Instant) {
        if core::mem::take(&mut peer.unanswered) {
            self.tell_health(peer, now);
        }
    }

    /// An authenticated datagram came over another path than the last.
    #[cold]
    fn follow(&mut self, peer: &mut Peer, now: Instant, path: Path) {
        let known = peer.endpoint.path();
        if !peer.endpoint.roam(path) {
            return;
        }
        if known.is_none() {
            peer.reachable(now);
            self.transmits.push(peer);
        }
        if let Some(path) = peer.endpoint.path() {
            self.events.push(Event::EndpointMoved { peer: peer.id, path });
        }
    }
}

/// Authentic datagrams of one peer, all at the same time.
#[derive(Default)]
struct Arrivals {
    bytes: usize,
    /// Those that were no keepalives.
    packets: u64,
    /// Those of them that were delivered.
    delivered: u64,
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
