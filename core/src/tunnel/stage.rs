//! Packets that cannot be sealed yet wait at their peer, within bounds.
use super::call::Call;
use super::shared::Shared;
use super::{Outbound, PacketBuf, Span};
use crate::memory::NoMemory;
use crate::packet::icmp;
use crate::peer::Peer;
use crate::stats::DropReason;
use crate::time::Instant;
use alloc::boxed::Box;
use core::time::Duration;

/// How long the host has to resolve an endpoint name before packets make the tunnel ask again.
pub(super) const RESOLVE_PAUSE: Duration = Duration::from_secs(5);

impl Call<'_> {
    /// What becomes of a packet of `len` bytes that cannot be sealed now: a copy waits for a handshake, or for the
    /// endpoint.
    #[cold]
    pub(super) fn stage_or_drop(&mut self, slot: u32, packet: &mut PacketBuf<'_>, len: usize) -> Outbound<Span> {
        let now = self.now;
        let refusal = self.with(slot, |peer, shared| shared.refuse_to_stage(peer, now, packet, len));
        if let Some(verdict) = refusal.unwrap_or(Some(Outbound::Dropped(DropReason::NoRoute))) {
            return verdict;
        }
        // Before others give way for it.
        let prepared = self.with(slot, |peer, shared| {
            let bytes = packet.buf.get(packet.packet.start..).and_then(|rest| rest.get(..len));
            let bytes = bytes.ok_or_else(|| shared.drop_of::<Outbound<Span>>(peer, DropReason::NoRoom))?;
            peer.staged.prepare(bytes, &shared.limits).map_err(|NoMemory| shared.drop_of(peer, DropReason::NoMemory))
        });
        let packet = match prepared {
            Some(Ok(packet)) => packet,
            Some(Err(verdict)) => return verdict,
            None => return Outbound::Dropped(DropReason::NoRoute),
        };
        self.make_room(Some(slot), len);
        let verdict = self.with(slot, |peer, shared| shared.stage(peer, now, packet));
        let Self { peers, shared, .. } = self;
        shared.staged.tidy(|id| peers.find_mut(id)?.staged.still_listed());
        verdict.unwrap_or(Outbound::Dropped(DropReason::NoRoute))
    }

    /// When the tunnel has no room for `size` more staged bytes, whoever has most of it gives its oldest packets: peers
    /// that never answer must not keep others from staging. If the peer itself has most, nothing happens here:
    /// `Staged::push` drops its own oldest packets.
    pub(super) fn make_room(&mut self, slot: Option<u32>, size: usize) {
        let Self { peers, shared, .. } = self;
        let own = slot.and_then(|slot| peers.at(slot)).map_or(0, |peer| peer.staged.bytes());
        while shared.staged.is_full(size, &shared.limits) {
            let largest = shared.staged.largest_of_a_few(|id| peers.find_mut(id)?.staged.still_listed());
            let Some((holder, _)) = largest.filter(|(_, bytes)| *bytes > own) else { return };
            let Some(peer) = peers.find_mut(holder) else { return };
            peer.staged.pop(&mut shared.staged);
            shared.count_drops(Some(peer), DropReason::StagedOverflow, 1);
        }
    }
}

impl Shared {
    /// Why the packet may not wait, if so: it is dropped then.
    fn refuse_to_stage(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        packet: &mut PacketBuf<'_>,
        len: usize,
    ) -> Option<Outbound<Span>> {
        #[cfg(feature = "control")]
        if peer.access == crate::config::Gate::Locked {
            return Some(self.drop_of(peer, DropReason::Locked));
        }
        let sealable = peer.staged.is_empty() && peer.endpoint.path().is_some() && peer.sessions.is_live(now);
        if sealable {
            // It was not sealed all the same: the buffer is too short.
            return Some(self.drop_of(peer, DropReason::NoRoom));
        }
        if peer.refused {
            return Some(self.drop_of(peer, DropReason::Refused));
        }
        if self.local.is_none() {
            return Some(self.drop_of(peer, DropReason::NoPrivateKey));
        }
        if peer.endpoint.path().is_none() {
            if !peer.endpoint.is_named() {
                peer.count_drops(DropReason::NoEndpoint, 1);
                return Some(self.bounce(packet, len as u32, DropReason::NoEndpoint, icmp::Error::NoEndpoint));
            }
            self.ask_to_resolve(peer, now, RESOLVE_PAUSE);
        }
        None
    }

    /// Keeps a copy until there is a session.
    pub(super) fn stage(&mut self, peer: &mut Peer, now: Instant, packet: Box<[u8]>) -> Outbound<Span> {
        let pushed = peer.staged.push(now, packet, &self.limits, &mut self.staged);
        self.staged.list(peer.id, &mut peer.staged);
        self.count_drops(Some(peer), DropReason::StagedOverflow, pushed.unwrap_or(1));
        if peer.sessions.is_live(now) {
            peer.intents.flush = true;
            self.transmits.push(peer);
        } else {
            self.want_handshake(peer, now);
        }
        // It may ask for a session although it cannot wait for one itself.
        if pushed.is_some() { Outbound::Staged } else { Outbound::Dropped(DropReason::StagedOverflow) }
    }
}
