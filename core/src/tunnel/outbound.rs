//! The life of a packet: route, then staged or sealed in place.
use super::job::{self, SealJob};
use super::{Begin, Outbound, PacketBuf, PacketSlot, Transmit, Tunnel, Verdict};
use crate::cookie::bucket::Rate;
use crate::crypto::TAG_LEN;
use crate::limits::{HEADROOM, ICMP_ERRORS_PER_SECOND};
use crate::packet::ecn::{self, Ecn};
use crate::packet::{self, Address, icmp};
use crate::peer::Peer;
use crate::session::Keypair;
use crate::stats::{DropReason, TunnelStats};
use crate::time::Instant;
use crate::wire::{TRANSPORT_HEADER_LEN, Transport};
use core::ops::Range;
use core::time::Duration;

/// Transport messages are padded to a multiple of this (paper § 5.4.6).
const PADDING: usize = 16;
/// Packets of a batch whose peers are looked up before the first of them is sealed or opened: as many as memory answers
/// at a time.
pub(super) const AHEAD: usize = 16;
/// How long the host has to resolve an endpoint name before packets make the tunnel ask again.
const RESOLVE_PAUSE: Duration = Duration::from_secs(5);

/// A datagram that is laid out around its packet, and what its crypt step came to.
struct Sealed<T> {
    transmit: Transmit,
    start: usize,
    counter: u64,
    crypt: T,
}

impl Tunnel {
    /// One packet from the virtual interface, sealed in place in the caller's memory.
    pub fn handle_packet<'b>(&mut self, now: Instant, packet: PacketBuf<'b>) -> Outbound<'b> {
        let now = self.advance(now);
        let verdict = self.seal(now, packet.buf, packet.packet, None);
        self.settle();
        let within = |start: u32, len: usize| packet.buf.get(start as usize..).and_then(|rest| rest.get(..len));
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

    /// A batch of packets, each with its verdict: one clock, one settling of deadlines for all.
    pub fn handle_packets(&mut self, now: Instant, batch: &mut [PacketSlot<'_>]) {
        let now = self.advance(now);
        for few in batch.chunks_mut(AHEAD) {
            let owners = self.look_ahead(few);
            for (slot, owner) in few.iter_mut().zip(owners) {
                slot.verdict = self.seal(now, slot.packet.buf, slot.packet.packet.clone(), owner);
            }
        }
        self.settle();
    }

    /// The owners of a few packets, as [`owner`](Self::owner) would find them. Where the packets are of different peers,
    /// what sealing reads of each peer is read here once for all: memory then answers all questions at a time.
    #[inline]
    fn look_ahead(&self, few: &[PacketSlot<'_>]) -> [Option<(u32, usize)>; AHEAD] {
        let mut owners = [None; AHEAD];
        let mut last: Option<(Address, u32)> = None;
        for (owner, slot) in owners.iter_mut().zip(few) {
            let bytes = slot.packet.buf.get(slot.packet.packet.clone());
            let Some((destination, len)) = bytes.and_then(packet::destination) else { continue };
            // Packets come in runs.
            let known = last.filter(|(address, _)| *address == destination).map(|(_, slot)| slot);
            let Some(slot) = known.or_else(|| self.routes.owner(destination)) else { continue };
            last = Some((destination, slot));
            if len <= usize::from(self.mtu) {
                *owner = Some((slot, len));
            }
        }
        self.warm(owners.iter().flatten().map(|(slot, _)| *slot));
        owners
    }

    /// The first of three steps: routes, counts, pads and writes the header. The job then seals on any thread.
    pub fn begin_seal(&mut self, now: Instant, packet: PacketBuf<'_>) -> Begin<SealJob> {
        let now = self.advance(now);
        let begun = self.seal_with(now, packet.buf, packet.packet, None, |pair, _, _| pair.send.raw.clone());
        self.settle();
        match begun {
            Ok(Sealed { transmit, start, counter, crypt: key }) => {
                Begin::Crypt(SealJob { key, counter, transmit, start, sealed: false })
            }
            Err(verdict) => Begin::Done(verdict),
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

    /// All three steps in a row.
    #[inline]
    fn seal(&mut self, now: Instant, buf: &mut [u8], packet: Range<usize>, owner: Option<(u32, usize)>) -> Verdict {
        let crypt = |pair: &Keypair, counter, datagram: &mut [u8]| job::seal(&pair.send.aead, counter, datagram);
        match self.seal_with(now, buf, packet, owner, crypt) {
            Ok(Sealed { transmit, start, .. }) => Verdict::Send { transmit, start: start as u32 },
            Err(verdict) => verdict,
        }
    }

    /// Finds the packet's peer (`owner`, where that is known already) and session, lays the datagram out around the
    /// packet, crypts and accounts.
    #[inline]
    fn seal_with<T>(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        range: Range<usize>,
        owner: Option<(u32, usize)>,
        crypt: impl FnOnce(&Keypair, u64, &mut [u8]) -> T,
    ) -> Result<Sealed<T>, Verdict> {
        let start = range.start;
        let (slot, len) = match owner {
            Some(owner) => owner,
            None => self.owner(buf, range)?,
        };
        let Some(peer) = self.peers.at_mut(slot) else { return Err(self.dropped(DropReason::NoRoute)) };
        let (true, Some(path), Some(pair)) = (peer.staged.is_empty(), peer.endpoint.path(), peer.sessions.sealing(now))
        else {
            return Err(self.stage(now, slot, buf, start, len));
        };
        let Some((start, datagram)) = frame(buf, start, len, self.mtu) else {
            return Err(self.dropped_of(slot, DropReason::NoRoom));
        };
        let (counter, ecn) = head(pair, datagram);
        let crypt = crypt(pair, counter, datagram);
        let transmit = Transmit { peer: Some(peer.id), path, len: datagram.len(), ecn };
        let rekey = pair.wants_rekey_on_send(now);
        account(peer, &mut self.stats, now, transmit.len);
        if rekey {
            Self::want_handshake(peer, &mut self.transmits, now);
        }
        Self::lower(peer, &mut self.deadlines);
        Ok(Sealed { transmit, start, counter, crypt })
    }

    /// The slot of the peer that owns the packet's destination, and the packet's length.
    #[inline]
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

/// A sealed packet of `len` bytes is on its way to `peer`.
#[inline]
pub(super) fn account(peer: &mut Peer, stats: &mut TunnelStats, now: Instant, len: usize) {
    peer.timers.data_sent(now);
    // It says all that a keepalive would.
    peer.intents.keepalive = false;
    sent(peer, stats, now, len);
    peer.stats.tx_packets = peer.stats.tx_packets.wrapping_add(1);
    stats.tx_packets = stats.tx_packets.wrapping_add(1);
}

/// Any authenticated datagram of `len` bytes is on its way to `peer`.
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
fn frame(buf: &mut [u8], start: usize, len: usize, mtu: u16) -> Option<(usize, &mut [u8])> {
    let begin = start.checked_sub(HEADROOM)?;
    u32::try_from(begin).ok()?;
    let text_len = padded(len, mtu);
    let datagram = buf.get_mut(begin..)?.get_mut(..HEADROOM + text_len + TAG_LEN)?;
    if text_len > len {
        datagram.get_mut(HEADROOM + len..HEADROOM + text_len)?.fill(0);
    }
    Some((begin, datagram))
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
    job::seal(&pair.send.aead, counter, datagram).then_some(datagram.len())
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
