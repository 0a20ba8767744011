//! The life of a packet: route, then staged or sealed in place.
use super::ahead::AHEAD;
use super::call::Call;
use super::job;
use super::shared::Shared;
use super::{Outbound, PacketBuf, PacketSlot, Transmit, Tunnel, Verdict};
use crate::crypto::TAG_LEN;
use crate::limits::HEADROOM;
use crate::packet;
use crate::packet::ecn::{self, Ecn};
use crate::packet::icmp;
use crate::peer::Peer;
use crate::route::Memo;
use crate::session::Keypair;
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{TRANSPORT_HEADER_LEN, Transport};
use core::time::Duration;

/// Transport messages are padded to a multiple of this (paper § 5.4.6).
const PADDING: usize = 16;
/// How long the host has to resolve an endpoint name before packets make the tunnel ask again.
const RESOLVE_PAUSE: Duration = Duration::from_secs(5);

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
}

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
        (self.slot < Unroutable::TooBig as u32).then_some(self.slot)
    }
}

impl Tunnel {
    /// One packet from the virtual interface, sealed in place in the caller's memory.
    pub fn handle_packet<'b>(&mut self, now: Instant, packet: PacketBuf<'b>) -> Outbound<'b> {
        let mut slot = PacketSlot { packet, verdict: Verdict::Pending };
        self.enter(now).seal_one(&mut slot, seal);
        let PacketSlot { packet: PacketBuf { buf, .. }, verdict } = slot;
        let buf: &'b [u8] = buf;
        let within = |start: u32, len: usize| buf.get(start as usize..).and_then(|rest| rest.get(..len));
        match verdict {
            Verdict::Send { transmit, start } => match within(start, transmit.len) {
                Some(datagram) => Outbound::Datagram { transmit, datagram },
                None => Outbound::Dropped(DropReason::NoRoom),
            },
            Verdict::Bounce { reason, start, len } => match within(start, len as usize) {
                Some(packet) => Outbound::Bounce { reason, packet },
                None => Outbound::Dropped(reason),
            },
            Verdict::Staged => Outbound::Staged,
            Verdict::Dropped(reason) => Outbound::Dropped(reason),
            Verdict::Pending | Verdict::Consumed | Verdict::Deliver { .. } | Verdict::Reply { .. } => {
                Outbound::Dropped(DropReason::MalformedPacket)
            }
        }
    }

    /// A batch of packets, each with its verdict. All share one clock and one settling of deadlines; what follows each
    /// other to the same peer shares one look at the peer and its session and one entry in its accounts.
    pub fn handle_packets(&mut self, now: Instant, batch: &mut [PacketSlot<'_>]) {
        let mut call = self.enter(now);
        if let [alone] = batch {
            return call.seal_one(alone, seal);
        }
        for few in batch.chunks_mut(AHEAD) {
            let routes = call.look_ahead_outward(few);
            let mut done = 0;
            while let (Some(rest @ [_, ..]), Some(routes)) = (few.get_mut(done..), routes.get(done..)) {
                done += call.seal_run(rest, routes, seal);
            }
        }
    }
}

impl Call<'_> {
    /// A run of one.
    #[inline]
    pub(super) fn seal_one(&mut self, slot: &mut PacketSlot<'_>, crypt: impl FnMut(&Keypair, u64, &mut [u8])) {
        let mut memo = self.shared.destination;
        let route = self.shared.route(&mut memo, &slot.packet);
        self.shared.destination = memo;
        self.seal_run(core::slice::from_mut(slot), &[route], crypt);
    }

    /// Takes packets as far as they go to the same peer as the first, lays the datagrams out around them, crypts and
    /// accounts. Returns how many were taken; what cannot be sealed is taken one at a time.
    #[inline(always)]
    fn seal_run(
        &mut self,
        slots: &mut [PacketSlot<'_>],
        routes: &[Route],
        crypt: impl FnMut(&Keypair, u64, &mut [u8]),
    ) -> usize {
        let now = self.now;
        let (Some(first), [slot, ..]) = (routes.first(), &mut *slots) else { return 1 };
        let (peer, slots) = match self.peers.at_mut(first.slot) {
            Some(peer) if peer.endpoint.is_unrouted(&self.shared.routes) => (peer, slots),
            Some(_) => {
                let passed = self.pass_others(first.slot, slots, routes);
                let (Some(peer), 1..) = (self.peers.at_mut(first.slot), passed) else { return 1 };
                (peer, slots.get_mut(..passed).unwrap_or_default())
            }
            None => {
                slot.verdict = self.shared.refuse(&mut slot.packet, *first);
                return 1;
            }
        };
        let taken = self.shared.seal_for(peer, now, slots, routes, crypt);
        if let (0, [slot, ..]) = (taken, slots) {
            slot.verdict = self.shared.keep(peer, now, &mut slot.packet, first.len as usize);
        }
        self.shared.reschedule(peer);
        taken.max(1)
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
        let len32 = len as u32;
        match self.routes.owner_with(memo, destination) {
            None => Route::none(Unroutable::NoRoute, len32),
            Some(_) if len > usize::from(self.mtu) => Route::none(Unroutable::TooBig, len32),
            Some(slot) => Route { slot, len: len32 },
        }
    }

    /// Seals packets as far as they go to `peer` and can be sealed. Returns how many.
    #[inline(always)]
    fn seal_for(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        slots: &mut [PacketSlot<'_>],
        routes: &[Route],
        mut crypt: impl FnMut(&Keypair, u64, &mut [u8]),
    ) -> usize {
        // In locals: the compiler must take it that the crypt step changes what stands in memory.
        let (id, mtu) = (peer.id, self.mtu);
        let (mut taken, mut bytes) = (0, 0);
        let (true, Some(path)) = (peer.staged.is_empty(), peer.endpoint.path_in_place()) else { return 0 };
        let Some(pair) = peer.sessions.sealing(now) else { return 0 };
        for (PacketSlot { packet: PacketBuf { buf, packet }, verdict }, route) in slots.iter_mut().zip(routes) {
            let Route { slot, len } = *route;
            if slot != id.slot || !pair.can_seal(now) {
                break;
            }
            let Some((start, datagram)) = frame(buf, packet.start, len as usize, mtu) else { break };
            let (counter, ecn) = head(pair, datagram);
            crypt(pair, counter, datagram);
            *verdict =
                Verdict::Send { transmit: Transmit { peer: Some(id), path: *path, len: datagram.len(), ecn }, start };
            bytes += datagram.len();
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
    fn refuse(&mut self, packet: &mut PacketBuf<'_>, Route { slot, len }: Route) -> Verdict {
        const NO_BUFFER: u32 = Unroutable::NoBuffer as u32;
        const MALFORMED: u32 = Unroutable::Malformed as u32;
        const TOO_BIG: u32 = Unroutable::TooBig as u32;
        match slot {
            NO_BUFFER => self.drop(DropReason::NoRoom),
            MALFORMED => self.drop(DropReason::MalformedPacket),
            TOO_BIG => {
                let error = icmp::Error::TooBig { mtu: self.mtu };
                self.bounce(packet, len, DropReason::TooBig, error)
            }
            _ => self.bounce(packet, len, DropReason::NoRoute, icmp::Error::NoRoute),
        }
    }

    /// What becomes of a packet of `len` bytes that cannot be sealed now: a copy waits for a handshake, or for the
    /// endpoint.
    #[cold]
    fn keep(&mut self, peer: &mut Peer, now: Instant, packet: &mut PacketBuf<'_>, len: usize) -> Verdict {
        if peer.staged.is_empty() && peer.endpoint.path().is_some() && peer.sessions.sealing(now).is_some() {
            return self.drop_of(peer, DropReason::NoRoom);
        }
        if self.local.is_none() {
            return self.drop_of(peer, DropReason::NoPrivateKey);
        }
        if peer.endpoint.path().is_none() {
            if !peer.endpoint.is_named() {
                peer.count_drops(DropReason::NoEndpoint, 1);
                return self.bounce(packet, len as u32, DropReason::NoEndpoint, icmp::Error::NoEndpoint);
            }
            self.ask_to_resolve(peer, now, RESOLVE_PAUSE);
        }
        let Some(bytes) = packet.buf.get(packet.packet.start..).and_then(|rest| rest.get(..len)) else {
            return self.drop_of(peer, DropReason::NoRoom);
        };
        let lost = peer.staged.push(bytes, &self.limits, &mut self.staged);
        self.count_drops(Some(peer), DropReason::StagedOverflow, lost);
        if peer.sessions.is_live(now) {
            peer.intents.flush = true;
            self.transmits.push(peer);
        } else {
            self.want_handshake(peer, now);
        }
        Verdict::Staged
    }
}

/// The packet's length when padded: to a multiple of 16, but never beyond the MTU (paper § 5.4.6).
fn padded(len: usize, mtu: u16) -> usize {
    len.next_multiple_of(PADDING).min(len.max(mtu.into()))
}

/// The datagram around the packet of `len` bytes at `start`, padding zeroed, and where it begins. `None`: no room, or
/// beyond what a verdict can name.
#[inline]
fn frame(buf: &mut [u8], start: usize, len: usize, mtu: u16) -> Option<(u32, &mut [u8])> {
    let begin = start.checked_sub(HEADROOM)?;
    let named = u32::try_from(begin).ok()?;
    let datagram = buf.get_mut(begin..)?.get_mut(..HEADROOM + padded(len, mtu) + TAG_LEN)?;
    // There is less padding than this, and the tag comes behind it.
    *datagram.get_mut(HEADROOM + len..)?.first_chunk_mut::<PADDING>()? = [0; PADDING];
    Some((named, datagram))
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
pub(super) fn seal_into(pair: &mut Keypair, text: &[u8], mtu: u16, out: &mut [u8]) -> Option<usize> {
    let room = out.get_mut(HEADROOM..)?;
    if room.len() < padded(text.len(), mtu) + TAG_LEN {
        return None;
    }
    room.get_mut(..text.len())?.copy_from_slice(text);
    let (_, datagram) = frame(out, HEADROOM, text.len(), mtu)?;
    let (counter, _) = head(pair, datagram);
    job::seal(&pair.send, counter, datagram).then_some(datagram.len())
}

#[cfg(test)]
mod tests {
    use super::padded;

    #[test]
    fn padding_is_clamped_to_the_mtu() {
        for (len, mtu, want) in
            [(0, 1420, 0), (1, 1420, 16), (16, 1420, 16), (1409, 1420, 1420), (1420, 1420, 1420), (1400, 1420, 1408)]
        {
            assert_eq!(padded(len, mtu), want, "{len} of {mtu}");
        }
    }
}
