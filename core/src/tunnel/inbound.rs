//! The life of a datagram: wire type, then a handshake message or transport data opened in place.
use super::call::Call;
#[cfg(feature = "control")]
use super::channel::concerns;
use super::job;
use super::shared::Shared;
use super::{DatagramSlot, Inbound, Span, Tunnel};
#[cfg(feature = "control")]
use crate::config::Gate;
use crate::crypto::TAG_LEN;
use crate::limits::{AHEAD, HEADROOM};
use crate::packet::ecn::{self, Ecn};
use crate::packet::{self, Address};
use crate::peer::facts::Fact;
use crate::peer::sessions::Confirmed;
use crate::peer::{Answers, Path, Peer};
use crate::route::RoutingTable;
use crate::session::Keypair;
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{Message, TRANSPORT_MIN_LEN, Transport as Header};

impl Tunnel {
    /// One datagram from the network, opened in place in the caller's memory. `ecn` is that of its outer header.
    pub fn handle_datagram<'b>(
        &mut self,
        now: Instant,
        path: Path,
        ecn: Ecn,
        datagram: &'b mut [u8],
    ) -> Inbound<&'b mut [u8]> {
        let mut slot = DatagramSlot::new(path, ecn, datagram);
        self.enter(now).open_one(&mut slot);
        slot.into_outcome()
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
    fn open_alone(&mut self, slot: &mut DatagramSlot<'_>) -> Inbound<Span> {
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
        #[cfg(feature = "control")]
        if peer.access != Gate::Open {
            return 0;
        }
        let mut arrivals = Arrivals::default();
        let mut taken = 0;
        let ours = Some(peer.id.slot);
        // All at one time: the keypair's age is judged once.
        let fresh = peer.sessions.current().filter(|pair| !pair.is_expired(now));
        let Some(local) = fresh.map(|pair| pair.indices.local) else { return 0 };
        for (slot, owner) in slots.iter_mut().zip(owners) {
            let Some(Message::Transport(header)) = Message::parse(slot.datagram) else { break };
            let Header { receiver, counter } = header;
            let Some(pair) = peer.sessions.current_mut().filter(|_| receiver == local && *owner == ours) else { break };
            if !Keypair::is_counter(counter) || !pair.window.would_accept(counter) {
                break;
            }
            taken += 1;
            if job::open(&pair.receive, counter, slot.datagram) {
                pair.window.accept(counter);
                self.arrived(peer, now, &mut arrivals, slot);
            } else {
                slot.verdict = self.drop_of(peer, DropReason::BadTag);
            }
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
    ) -> Inbound<Span> {
        match peer.sessions.find(header.receiver).map(|pair| pair.window.accept(header.counter)) {
            Some(true) => {}
            Some(false) => return self.drop_of(peer, DropReason::Replay),
            None => return self.drop_of(peer, DropReason::UnknownIndex),
        }
        self.confirm(peer, now, header.receiver);
        let mut arrivals = Arrivals::default();
        #[cfg(feature = "control")]
        if peer.access != Gate::Open {
            if self.is_packet(peer, now, &mut arrivals, slot) {
                self.settle_aside(peer, now, &mut arrivals, slot);
            }
            self.account_arrivals(peer, now, arrivals);
            return slot.verdict;
        }
        self.arrived(peer, now, &mut arrivals, slot);
        self.account_arrivals(peer, now, arrivals);
        slot.verdict
    }

    /// An authentic datagram: where it came from, and what is in it. The verdict is written where it belongs.
    #[inline(always)]
    fn arrived(&mut self, peer: &mut Peer, now: Instant, arrivals: &mut Arrivals, slot: &mut DatagramSlot<'_>) {
        if !self.is_packet(peer, now, arrivals, slot) {
            return;
        }
        match inspect(&self.routes, peer, slot.ecn, slot.datagram) {
            Ok(len) => {
                arrivals.delivered += 1;
                let packet = Span { start: HEADROOM as u32, len };
                slot.verdict = Inbound::Packet { peer: peer.id, user: peer.user, packet };
            }
            #[cfg(feature = "control")]
            Err(DropReason::NotControl) => self.settle_aside(peer, now, arrivals, slot),
            Err(reason) => slot.verdict = self.drop_of(peer, reason),
        }
    }

    /// Notes an authentic datagram and where it came from. Returns whether there is a packet in it; a keepalive is settled.
    #[inline(always)]
    fn is_packet(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        arrivals: &mut Arrivals,
        slot: &mut DatagramSlot<'_>,
    ) -> bool {
        arrivals.bytes += slot.datagram.len();
        self.heard(peer, now, &slot.path);
        if slot.datagram.len() == TRANSPORT_MIN_LEN {
            slot.verdict = Inbound::Consumed;
            return false;
        }
        arrivals.packets += 1;
        true
    }

    /// Settles a packet that is not simply one for the virtual interface.
    #[cfg(feature = "control")]
    #[cold]
    fn settle_aside(&mut self, peer: &mut Peer, now: Instant, arrivals: &mut Arrivals, slot: &mut DatagramSlot<'_>) {
        slot.verdict = match self.arrived_aside(peer, now, slot) {
            Ok(verdict) => {
                arrivals.delivered += u64::from(matches!(verdict, Inbound::Packet { .. }));
                verdict
            }
            Err(reason) => self.drop_of(peer, reason),
        };
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

    /// A datagram was opened under a keypair that is not current. If that is the next one, the peer has shown that it has
    /// it, and it becomes current unless ours stays.
    #[cold]
    fn confirm(&mut self, peer: &mut Peer, now: Instant, local: u32) {
        let we_prevail = self.prevails_over(peer);
        let displaced = match peer.sessions.confirm(local, we_prevail, now) {
            Confirmed::No => {
                if peer.sessions.concede(local, now) {
                    peer.date_wiping();
                }
                return;
            }
            Confirmed::OursStays(displaced) => {
                peer.date_wiping();
                displaced.into_iter().for_each(|index| self.indices.remove(index));
                return;
            }
            Confirmed::Current(displaced) => displaced,
        };
        displaced.into_iter().for_each(|index| self.indices.remove(index));
        // A handshake that was wanted after this session began goes on: it replaces it.
        let began = peer.sessions.current().map_or(now, |pair| pair.established);
        if peer.handshake.attempt().is_none_or(|attempt| attempt.is_answered_by(began)) {
            peer.abandon_handshake(&mut self.indices);
        }
        peer.latest_handshake = Some(self.wall.read(now));
        peer.date_wiping();
        if !peer.staged.is_empty() {
            peer.intents.flush = true;
            self.transmits.push(peer);
        }
        #[cfg(feature = "control")]
        {
            peer.release_messages();
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
        if peer.answers != Answers::Come {
            peer.answers = Answers::Come;
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
        self.events.push(peer, Fact::Moved);
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
///
/// `NotControl`: one of its addresses is link-local, and it has not been looked at further.
#[inline(always)]
fn inspect(routes: &RoutingTable, peer: &mut Peer, ecn: Ecn, datagram: &mut [u8]) -> Result<u32, DropReason> {
    let end = datagram.len().saturating_sub(TAG_LEN);
    let text = datagram.get_mut(HEADROOM..end).ok_or(DropReason::MalformedPacket)?;
    let (source, len) = packet::source(text).ok_or(DropReason::MalformedPacket)?;
    #[cfg(feature = "control")]
    if concerns(source, text) {
        return Err(DropReason::NotControl);
    }
    admit(routes, peer, ecn, text, source, len)
}

/// Checks the packet of `len` bytes in `text`, which says that it comes from `source`. Returns its length.
#[inline(always)]
pub(super) fn admit(
    routes: &RoutingTable,
    peer: &mut Peer,
    ecn: Ecn,
    text: &mut [u8],
    source: Address,
    len: usize,
) -> Result<u32, DropReason> {
    if routes.owner_with(&mut peer.source, source) != Some(peer.id.slot) {
        return Err(DropReason::SourceNotAllowed);
    }
    let packet = text.get_mut(..len).ok_or(DropReason::MalformedPacket)?;
    if !ecn::decapsulate(ecn, packet) {
        return Err(DropReason::Congestion);
    }
    u32::try_from(len).map_err(|_| DropReason::MalformedPacket)
}
