//! The life of a packet: route, then staged or sealed in place.
use super::call::Call;
use super::job;
use super::shared::Shared;
use super::{Outbound, PacketBuf, PacketSlot, Span, Transmit, Tunnel};
use crate::config::Layout;
use crate::crypto::TAG_LEN;
use crate::limits::{AHEAD, HEADROOM};
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::packet::icmp;
use crate::peer::{Path, Peer, PeerId};
use crate::route::Memo;
use crate::session::Keypair;
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{TRANSPORT_HEADER_LEN, Transport};

/// Where a packet goes, found before anything is done to it. Two words, for batches hold many of them.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// The slot of its peer, or a reason from [`Unroutable`].
    slot: u32,
    /// Bytes of the packet; 0 where they are not known.
    len: u32,
}

/// Why a packet goes nowhere: numbers that are no slots, of which there are at most 2^31.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Unroutable {
    /// The buffer is shorter than it was said to be.
    NoBuffer = u32::MAX,
    /// It is not IP, or shorter than it says.
    Malformed = u32::MAX - 1,
    /// No peer owns its destination.
    NoRoute = u32::MAX - 2,
    /// It is longer than the MTU.
    TooBig = u32::MAX - 3,
    /// It goes to an address of the control channel, which belongs to nobody on this side of the tunnel.
    #[cfg(feature = "control")]
    NotControl = u32::MAX - 4,
}

/// The least of these numbers.
#[cfg(not(feature = "control"))]
const FIRST: u32 = Unroutable::TooBig as u32;
#[cfg(feature = "control")]
const FIRST: u32 = Unroutable::NotControl as u32;

impl Route {
    /// The route of what is no packet.
    pub(super) const NOWHERE: Self = Self::none(Unroutable::NoBuffer, 0);

    #[inline(always)]
    const fn none(reason: Unroutable, len: u32) -> Self {
        Self { slot: reason as u32, len }
    }

    /// The slot of its peer.
    #[inline]
    pub(super) fn slot(self) -> Option<u32> {
        (self.slot < FIRST).then_some(self.slot)
    }

    /// Bytes of the packet.
    #[cfg(feature = "filter")]
    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

impl Tunnel {
    /// One packet from the virtual interface, sealed in place in the caller's memory.
    pub fn handle_packet<'b>(&mut self, now: Instant, mut packet: PacketBuf<'b>) -> Outbound<&'b [u8]> {
        let mut call = self.enter(now);
        match call.seal_one(&mut packet, seal) {
            Ok((transmit, span)) => match span.of(packet.buf) {
                Some(datagram) => Outbound::Datagram { transmit, datagram },
                None => Outbound::Dropped(DropReason::NoRoom),
            },
            Err(route) => call.not_sealed(&mut packet, route).of(packet.buf),
        }
    }

    /// A batch of packets, each with its verdict. All share one clock and one settling of deadlines; what follows each
    /// other to the same peer shares one look at the peer and its session and one entry in its accounts.
    pub fn handle_packets(&mut self, now: Instant, batch: &mut [PacketSlot<'_>]) {
        let mut call = self.enter(now);
        if let [PacketSlot { packet, verdict }] = batch {
            *verdict = match call.seal_one(packet, seal) {
                Ok((transmit, datagram)) => Outbound::Datagram { transmit, datagram },
                Err(route) => call.not_sealed(packet, route),
            };
            return;
        }
        for few in batch.chunks_mut(AHEAD) {
            let routes = call.look_ahead_outward(few);
            let mut done = 0;
            while let (Some(rest @ [_, ..]), Some(routes)) = (few.get_mut(done..), routes.get(done..)) {
                done += call.seal_run(rest, routes);
            }
        }
    }
}

impl Call<'_> {
    /// One packet, which is laid out and crypted if it can be sealed now; otherwise it is for [`not_sealed`](Self::not_sealed).
    #[inline(always)]
    pub(super) fn seal_one(
        &mut self,
        packet: &mut PacketBuf<'_>,
        crypt: impl FnMut(&Keypair, u64, &mut [u8]),
    ) -> Result<(Transmit, Span), Route> {
        let mut memo = self.shared.destination;
        let route = self.shared.route(&mut memo, packet);
        self.shared.destination = memo;
        let Some(peer) = self.peers.at(route.slot) else { return Err(route) };
        if !peer.endpoint.is_unrouted(&self.shared.routes) && self.others(route.slot, [&*packet]) == 0 {
            return Err(route);
        }
        let Some(peer) = self.peers.at_mut(route.slot) else { return Err(route) };
        let mut made = None;
        let only = [(packet, route, &mut made)];
        self.shared.seal_for(peer, self.now, |_| only, crypt, |made, _, ecn, span| *made = Some((ecn, span)));
        self.shared.reschedule(peer);
        match (made, peer.endpoint.path_in_place()) {
            (Some((ecn, span)), Some(path)) => Ok((transmit(peer.id, peer.user, path, ecn, span), span)),
            _ => Err(route),
        }
    }

    /// Takes packets as far as they go to the same peer as the first, lays the datagrams out around them, crypts and
    /// accounts. Returns how many were taken; what cannot be sealed is taken one at a time.
    #[inline(never)]
    fn seal_run(&mut self, slots: &mut [PacketSlot<'_>], routes: &[Route]) -> usize {
        let Some(first) = routes.first().copied() else { return 1 };
        let passed = match self.peers.at(first.slot) {
            Some(peer) if !peer.endpoint.is_unrouted(&self.shared.routes) => {
                let run = slots.iter().zip(routes).take_while(|(_, route)| route.slot == first.slot);
                self.others(first.slot, run.map(|(slot, _)| &slot.packet))
            }
            _ => slots.len(),
        };
        let mut taken = 0;
        if let (Some(peer), Some(slots)) = (self.peers.at_mut(first.slot), slots.get_mut(..passed)) {
            let slots = slots.iter_mut();
            let run = |most: usize| {
                let run = slots.zip(routes.get(..most).unwrap_or(routes));
                run.map(|(PacketSlot { packet, verdict }, route)| (packet, *route, verdict))
            };
            let (id, user) = (peer.id, peer.user);
            let made = |verdict: &mut _, path: &_, ecn, datagram| {
                *verdict = Outbound::Datagram { transmit: transmit(id, user, path, ecn, datagram), datagram };
            };
            taken = self.shared.seal_for(peer, self.now, run, seal, made);
            self.shared.reschedule(peer);
        }
        if let (0, [PacketSlot { packet, verdict }, ..]) = (taken, slots) {
            *verdict = self.not_sealed(packet, first);
        }
        taken.max(1)
    }

    /// What becomes of a packet that cannot be sealed now.
    #[cold]
    #[inline(never)]
    pub(super) fn not_sealed(&mut self, packet: &mut PacketBuf<'_>, route: Route) -> Outbound<Span> {
        if self.peers.at(route.slot).is_none() {
            return self.shared.refuse(packet, route);
        }
        #[cfg(feature = "filter")]
        if let Some(verdict) = self.seal_ruled(packet, route, seal) {
            return verdict;
        }
        if self.others(route.slot, [&*packet]) == 0 {
            let dropped = self.with(route.slot, |peer, shared| shared.drop_of(peer, DropReason::Loop));
            return dropped.unwrap_or(Outbound::Dropped(DropReason::Loop));
        }
        self.stage_or_drop(route.slot, packet, route.len as usize)
    }
}

impl Shared {
    /// Where a packet goes.
    #[inline(always)]
    pub(super) fn route(&self, memo: &mut Memo, packet: &PacketBuf<'_>) -> Route {
        let Some(bytes) = packet.buf.get(packet.packet.clone()) else { return Route::NOWHERE };
        let Some((destination, len)) = packet::destination(bytes) else {
            return Route::none(Unroutable::Malformed, 0);
        };
        #[cfg(feature = "control")]
        if self.control.claims(destination) {
            return Route::none(Unroutable::NotControl, 0);
        }
        let len32 = len as u32;
        match self.routes.owner_with(memo, destination) {
            None => Route::none(Unroutable::NoRoute, len32),
            Some(_) if len > usize::from(self.layout.mtu()) => Route::none(Unroutable::TooBig, len32),
            Some(slot) => Route { slot, len: len32 },
        }
    }

    /// Seals packets as far as they go to `peer` and can be sealed. `packets` gives so many of them, at most, as it is told; each
    /// comes with its route and with a place for what is `made` of it. Returns how many.
    #[inline(always)]
    fn seal_for<'p, 'b: 'p, Place, Run: IntoIterator<Item = (&'p mut PacketBuf<'b>, Route, Place)>>(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        packets: impl FnOnce(usize) -> Run,
        crypt: impl FnMut(&Keypair, u64, &mut [u8]),
        made: impl FnMut(Place, &Path, Ecn, Span),
    ) -> usize {
        #[cfg(feature = "control")]
        if peer.access != crate::config::Gate::Open {
            return 0;
        }
        self.seal_admitted(peer, now, packets, crypt, made)
    }

    /// The same, whatever the peer may do.
    #[inline(always)]
    pub(super) fn seal_admitted<'p, 'b: 'p, Place, Run: IntoIterator<Item = (&'p mut PacketBuf<'b>, Route, Place)>>(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        packets: impl FnOnce(usize) -> Run,
        mut crypt: impl FnMut(&Keypair, u64, &mut [u8]),
        mut made: impl FnMut(Place, &Path, Ecn, Span),
    ) -> usize {
        // In locals: the compiler must take it that the crypt step changes what stands in memory.
        let (id, layout) = (peer.id, self.layout);
        let (mut taken, mut bytes) = (0, 0);
        let (true, Some(path)) = (peer.staged.is_empty(), peer.endpoint.path_in_place()) else { return 0 };
        let Some(pair) = peer.sessions.sealing(now) else { return 0 };
        // All at one time: the keypair's age is judged once.
        for (PacketBuf { buf, packet }, Route { slot, len }, place) in packets(pair.messages_left()) {
            if slot != id.slot {
                break;
            }
            let Some((start, datagram)) = frame(buf, packet.start, len as usize, layout) else { break };
            let (counter, ecn) = head(pair, datagram);
            crypt(pair, counter, datagram);
            let len = datagram.len();
            made(place, path, ecn, Span { start, len: len as u32 });
            bytes += len;
            taken += 1;
        }
        if taken > 0 {
            let rekey = pair.wants_rekey_on_send(now);
            self.data_sent(peer, now, taken as u64, bytes);
            if rekey {
                self.want_handshake(peer, now);
            }
        }
        taken
    }

    /// What becomes of a packet that goes nowhere: it is dropped for a reason that its sender may hear.
    #[cold]
    fn refuse(&mut self, packet: &mut PacketBuf<'_>, Route { slot, len }: Route) -> Outbound<Span> {
        const NO_BUFFER: u32 = Unroutable::NoBuffer as u32;
        const MALFORMED: u32 = Unroutable::Malformed as u32;
        const TOO_BIG: u32 = Unroutable::TooBig as u32;
        #[cfg(feature = "control")]
        const NOT_CONTROL: u32 = Unroutable::NotControl as u32;
        match slot {
            NO_BUFFER => self.drop(DropReason::NoRoom),
            MALFORMED => self.drop(DropReason::MalformedPacket),
            #[cfg(feature = "control")]
            NOT_CONTROL => self.drop(DropReason::NotControl),
            TOO_BIG => {
                let error = icmp::Error::TooBig { mtu: self.layout.mtu() };
                self.bounce(packet, len, DropReason::TooBig, error)
            }
            _ => self.bounce(packet, len, DropReason::NoRoute, icmp::Error::NoRoute),
        }
    }
}

/// Says where a datagram goes. The path is copied once, from the peer into the verdict: copies of copies are slow.
#[inline(always)]
pub(super) fn transmit(peer: PeerId, user: u64, path: &Path, ecn: Ecn, datagram: Span) -> Transmit {
    Transmit { peer, user, path: *path, len: datagram.len as usize, ecn }
}

/// The datagram around the packet of `len` bytes at `start`, padding zeroed, and where it begins. `None`: no room, or
/// beyond what a verdict can name.
#[inline]
fn frame(buf: &mut [u8], start: usize, len: usize, layout: Layout) -> Option<(u32, &mut [u8])> {
    let begin = start.checked_sub(HEADROOM)?;
    let named = u32::try_from(begin).ok()?;
    let datagram = buf.get_mut(begin..)?.get_mut(..layout.datagram_len(len))?;
    let end = HEADROOM + len;
    if layout.pads_little() {
        // There is less padding than this, and the tag comes behind it.
        datagram.get_mut(end..end + TAG_LEN)?.fill(0);
    } else {
        clear(datagram.get_mut(end..)?);
    }
    Some((named, datagram))
}

/// Zeroes much padding. Not inlined, or the little one would become a call as well.
#[cold]
#[inline(never)]
fn clear(padding: &mut [u8]) {
    padding.fill(0);
}

/// The crypt step on this thread.
#[inline]
fn seal(pair: &Keypair, counter: u64, datagram: &mut [u8]) {
    // What was framed has room for header and tag.
    job::seal(&pair.send, counter, datagram);
}

/// Writes the header of a framed datagram; returns its counter and the ECN its outer header is to carry.
#[inline]
fn head(pair: &mut Keypair, datagram: &mut [u8]) -> (u64, Ecn) {
    let counter = pair.next_counter();
    let Some((header, text)) = datagram.split_first_chunk_mut::<TRANSPORT_HEADER_LEN>() else {
        return (counter, Ecn::NotCapable);
    };
    Transport { receiver: pair.indices.remote, counter }.write(header);
    (counter, ecn::encapsulate(text))
}

/// Seals `text` (a packet, or nothing for a keepalive) into `out` as one datagram; returns its length. `None`: `out` is
/// too short, and nothing happened. `pair` comes from [`Sessions::sealing`](crate::peer::sessions::Sessions::sealing).
pub(super) fn seal_into(pair: &mut Keypair, text: &[u8], layout: Layout, out: &mut [u8]) -> Option<usize> {
    if out.len() < layout.datagram_len(text.len()) {
        return None;
    }
    out.get_mut(HEADROOM..)?.get_mut(..text.len())?.copy_from_slice(text);
    seal_there(pair, text.len(), layout, out)
}

/// The same with a text of `len` bytes that stands in `out` already, behind the headroom.
#[inline(always)]
pub(super) fn seal_there(pair: &mut Keypair, len: usize, layout: Layout, out: &mut [u8]) -> Option<usize> {
    let (_, datagram) = frame(out, HEADROOM, len, layout)?;
    let (counter, _) = head(pair, datagram);
    job::seal(&pair.send, counter, datagram).then_some(datagram.len())
}
