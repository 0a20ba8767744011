//! The life of a packet: route, then staged or sealed in place.
use super::job::{self, SealJob};
use super::{Begin, Outbound, PacketBuf, PacketSlot, Transmit, Tunnel, Verdict};
use crate::cookie::bucket::Rate;
use crate::crypto::TAG_LEN;
use crate::limits::{HEADROOM, ICMP_ERRORS_PER_SECOND};
use crate::packet::ecn::{self, Ecn};
use crate::packet::{self, icmp};
use crate::peer::Peer;
use crate::route::Memo;
use crate::session::Keypair;
use crate::stats::{DropReason, TunnelStats};
use crate::time::Instant;
use crate::wire::{TRANSPORT_HEADER_LEN, Transport};
use core::hint::black_box;
use core::ops::Range;
use core::time::Duration;

/// Transport messages are padded to a multiple of this (paper § 5.4.6).
const PADDING: usize = 16;
/// Packets of a batch whose peers are looked up before the first of them is sealed or opened: as many as memory answers
/// at a time.
pub(super) const AHEAD: usize = 16;
/// How long the host has to resolve an endpoint name before packets make the tunnel ask again.
const RESOLVE_PAUSE: Duration = Duration::from_secs(5);

/// Where a packet goes, found before anything is done to it.
#[derive(Clone, Copy)]
struct Route {
    /// The slot of its peer.
    slot: u32,
    /// Bytes of the packet, at most the MTU.
    len: u32,
}

impl Tunnel {
    /// One packet from the virtual interface, sealed in place in the caller's memory.
    pub fn handle_packet<'b>(&mut self, now: Instant, packet: PacketBuf<'b>) -> Outbound<'b> {
        let now = self.advance(now);
        let mut slot = PacketSlot { packet, verdict: Verdict::Pending };
        self.seal_one(now, &mut slot, seal);
        self.settle();
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
        let now = self.advance(now);
        if let [alone] = batch {
            self.seal_one(now, alone, seal);
            return self.settle();
        }
        for few in batch.chunks_mut(AHEAD) {
            let routes = self.look_ahead(few);
            let mut done = 0;
            while let (Some(rest @ [_, ..]), Some(routes)) = (few.get_mut(done..), routes.get(done..)) {
                done += self.seal_run(now, rest, routes, seal);
            }
        }
        self.settle();
    }

    /// The first of three steps: routes, counts, pads and writes the header. The job then seals on any thread.
    pub fn begin_seal(&mut self, now: Instant, packet: PacketBuf<'_>) -> Begin<SealJob> {
        let now = self.advance(now);
        let mut slot = PacketSlot { packet, verdict: Verdict::Pending };
        let mut begun = None;
        self.seal_one(now, &mut slot, |pair, counter, _| begun = Some((pair.raw_send.clone(), counter)));
        self.settle();
        match (slot.verdict, begun) {
            (Verdict::Send { transmit, start }, Some((key, counter))) => {
                Begin::Crypt(SealJob { key, counter, transmit, start: start as usize, sealed: false })
            }
            (verdict, _) => Begin::Done(verdict),
        }
    }

    /// The last of three steps, in the order of `begin_seal`: what became of the packet. Nothing goes to a peer that was
    /// removed meanwhile.
    pub fn finish_seal(&mut self, now: Instant, job: SealJob) -> Verdict {
        self.advance(now);
        if job.transmit.peer.and_then(|peer| self.peers.find(peer)).is_none() {
            return self.dropped(DropReason::NoRoute);
        }
        match u32::try_from(job.start) {
            Ok(start) if job.sealed => Verdict::Send { transmit: job.transmit, start },
            _ => self.dropped(DropReason::NoRoom),
        }
    }

    /// Where a few packets go. Where that is to different peers, what sealing reads of each peer is read here once for
    /// all: memory then answers all questions at a time.
    #[inline]
    fn look_ahead(&mut self, few: &[PacketSlot<'_>]) -> [Option<Route>; AHEAD] {
        let mut routes = [None; AHEAD];
        let mut memo = self.destination;
        for (route, slot) in routes.iter_mut().zip(few) {
            *route = self.route(&mut memo, &slot.packet);
        }
        self.destination = memo;
        if several(routes.iter().map(|route| route.map(|route| route.slot))) {
            self.read_to_seal(&routes);
        }
        routes
    }

    /// Reads what sealing to these peers will read: first of the peers, then of their sessions.
    #[inline(never)]
    fn read_to_seal(&self, routes: &[Option<Route>; AHEAD]) {
        let peers = || routes.iter().flatten().filter_map(|route| self.peers.at(route.slot));
        for peer in peers() {
            black_box(peer.read_to_seal());
        }
        for pair in peers().filter_map(|peer| peer.sessions.current()) {
            black_box(pair.read_to_seal());
        }
    }

    /// Where a packet goes; `None` for whatever must not go as it is.
    #[inline(always)]
    fn route(&self, memo: &mut Memo, packet: &PacketBuf<'_>) -> Option<Route> {
        let (destination, len) = packet::destination(packet.buf.get(packet.packet.clone())?)?;
        let slot = self.routes.owner_with(memo, destination)?;
        (len <= usize::from(self.mtu)).then_some(Route { slot, len: len as u32 })
    }

    /// A run of one.
    #[inline]
    fn seal_one(&mut self, now: Instant, slot: &mut PacketSlot<'_>, crypt: impl FnMut(&Keypair, u64, &mut [u8])) {
        let mut memo = self.destination;
        let route = self.route(&mut memo, &slot.packet);
        self.destination = memo;
        self.seal_run(now, core::slice::from_mut(slot), &[route], crypt);
    }

    /// Takes packets as far as they go to the same peer as the first, lays the datagrams out around them, crypts and
    /// accounts. Returns how many were taken; what cannot be sealed is taken one at a time.
    #[inline(always)]
    fn seal_run(
        &mut self,
        now: Instant,
        slots: &mut [PacketSlot<'_>],
        routes: &[Option<Route>],
        mut crypt: impl FnMut(&Keypair, u64, &mut [u8]),
    ) -> usize {
        let mtu = self.mtu;
        let (mut taken, mut bytes) = (0, 0);
        let first = routes.first().copied().flatten();
        if let Some(Route { slot: ours, .. }) = first
            && let Some(peer) = self.peers.at_mut(ours)
            && let (true, Some(path)) = (peer.staged.is_empty(), peer.endpoint.path_in_place())
            && let Some(pair) = peer.sessions.sealing(now)
        {
            for (PacketSlot { packet: PacketBuf { buf, packet }, verdict }, route) in slots.iter_mut().zip(routes) {
                let Some(Route { len, .. }) = route.filter(|route| route.slot == ours && pair.can_seal(now)) else {
                    break;
                };
                let Some((start, datagram)) = frame(buf, packet.start, len as usize, mtu) else { break };
                let (counter, ecn) = head(pair, datagram);
                crypt(pair, counter, datagram);
                *verdict = Verdict::Send {
                    transmit: Transmit { peer: Some(peer.id), path: *path, len: datagram.len(), ecn },
                    start,
                };
                bytes += datagram.len();
                taken += 1;
            }
            if taken > 0 {
                let rekey = pair.wants_rekey_on_send(now);
                account(peer, &mut self.stats, now, taken as u64, bytes);
                if rekey {
                    Self::want_handshake(peer, &mut self.transmits, now);
                }
                Self::lower(peer, &mut self.deadlines);
                return taken;
            }
        }
        if let [slot, ..] = slots {
            slot.verdict = self.keep(now, &mut slot.packet);
        }
        1
    }

    /// What becomes of a packet that cannot be sealed: it is staged, or dropped for a reason that its sender may hear.
    #[cold]
    fn keep(&mut self, now: Instant, packet: &mut PacketBuf<'_>) -> Verdict {
        let PacketBuf { buf, packet } = packet;
        let start = packet.start;
        let (slot, len) = match self.owner(buf, packet.clone()) {
            Ok(owner) => owner,
            Err(verdict) => return verdict,
        };
        let Some(peer) = self.peers.at_mut(slot) else { return self.dropped(DropReason::NoRoute) };
        if peer.staged.is_empty() && peer.endpoint.path().is_some() && peer.sessions.sealing(now).is_some() {
            return self.dropped_of(slot, DropReason::NoRoom);
        }
        self.stage(now, slot, buf, start, len)
    }

    /// The slot of the peer that owns the packet's destination, and the packet's length.
    fn owner(&mut self, buf: &mut [u8], range: Range<usize>) -> Result<(u32, usize), Verdict> {
        let start = range.start;
        let Some(bytes) = buf.get(range) else { return Err(self.dropped(DropReason::NoRoom)) };
        let Some((destination, len)) = packet::destination(bytes) else {
            return Err(self.dropped(DropReason::MalformedPacket));
        };
        let Some(slot) = self.routes.owner(destination) else {
            return Err(self.bounce(buf, start, len, DropReason::NoRoute, icmp::Error::NoRoute));
        };
        if len > usize::from(self.mtu) {
            let error = icmp::Error::TooBig { mtu: self.mtu };
            return Err(self.bounce(buf, start, len, DropReason::TooBig, error));
        }
        Ok((slot, len))
    }

    /// No session: keeps a copy and asks for a handshake, or for the endpoint.
    fn stage(&mut self, now: Instant, slot: u32, buf: &mut [u8], start: usize, len: usize) -> Verdict {
        if self.local.is_none() {
            return self.dropped_of(slot, DropReason::NoPrivateKey);
        }
        let Some(peer) = self.peers.at_mut(slot) else { return self.dropped(DropReason::NoRoute) };
        if peer.endpoint.path().is_none() {
            if !peer.endpoint.is_named() {
                peer.count_drops(DropReason::NoEndpoint, 1);
                return self.bounce(buf, start, len, DropReason::NoEndpoint, icmp::Error::NoEndpoint);
            }
            Self::ask_to_resolve(peer, &mut self.events, now, RESOLVE_PAUSE);
        }
        let Some(bytes) = buf.get(start..).and_then(|rest| rest.get(..len)) else {
            return self.dropped_of(slot, DropReason::NoRoom);
        };
        let lost = peer.staged.push(bytes, &self.limits, &mut self.staged);
        peer.count_drops(DropReason::StagedOverflow, lost);
        self.stats.drops.add(DropReason::StagedOverflow, lost.into());
        if peer.sessions.is_live(now) {
            peer.intents.flush = true;
            self.transmits.push(peer);
        } else {
            Self::want_handshake(peer, &mut self.transmits, now);
        }
        Self::lower(peer, &mut self.deadlines);
        Verdict::Staged
    }

    /// Drops a packet and, where the RFCs and the rate of errors allow, writes an ICMP error over it.
    fn bounce(&mut self, buf: &mut [u8], start: usize, len: usize, reason: DropReason, error: icmp::Error) -> Verdict {
        self.stats.drops.add(reason, 1);
        let rate = Rate::new(ICMP_ERRORS_PER_SECOND, ICMP_ERRORS_PER_SECOND);
        let bucket = match error {
            icmp::Error::TooBig { .. } => &mut self.bounces.too_big,
            icmp::Error::NoRoute | icmp::Error::NoEndpoint => &mut self.bounces.unreachable,
        };
        if bucket.is_empty(self.now, rate) {
            return Verdict::Dropped(reason);
        }
        // The packet moves to the front of the buffer: its headroom becomes room for the error's headers.
        if buf.get(start..).is_none_or(|rest| rest.len() < len) {
            return Verdict::Dropped(reason);
        }
        buf.copy_within(start..start + len, 0);
        match icmp::write_error(buf, len, error).and_then(|len| u32::try_from(len).ok()) {
            Some(len) => {
                bucket.take(self.now, rate);
                Verdict::Bounce { reason, start: 0, len }
            }
            None => Verdict::Dropped(reason),
        }
    }
}

/// So many sealed packets, of so many bytes together, are on their way to `peer`.
#[inline]
pub(super) fn account(peer: &mut Peer, stats: &mut TunnelStats, now: Instant, packets: u64, bytes: usize) {
    peer.timers.data_sent(now);
    // They say all that a keepalive would.
    peer.intents.keepalive = false;
    sent(peer, stats, now, bytes);
    peer.stats.tx_packets = peer.stats.tx_packets.wrapping_add(packets);
    stats.tx_packets = stats.tx_packets.wrapping_add(packets);
}

/// Authenticated datagrams of `len` bytes together are on their way to `peer`.
#[inline]
pub(super) fn sent(peer: &mut Peer, stats: &mut TunnelStats, now: Instant, len: usize) {
    peer.timers.authenticated_sent(now);
    peer.stats.tx_bytes = peer.stats.tx_bytes.wrapping_add(len as u64);
    stats.tx_bytes = stats.tx_bytes.wrapping_add(len as u64);
}

/// The packet's length when padded: to a multiple of 16, but never beyond the MTU (paper § 5.4.6).
pub(super) fn padded(len: usize, mtu: u16) -> usize {
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

/// Whether the slots of a few peers are not all the same.
#[inline]
pub(super) fn several(slots: impl Iterator<Item = Option<u32>>) -> bool {
    let mut slots = slots.flatten();
    slots.next().is_some_and(|first| slots.any(|slot| slot != first))
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
