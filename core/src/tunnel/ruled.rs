//! Peers that are ruled: the tunnel's filter says of each of their packets whether it passes.
//!
//! A packet from the peer is ruled when its source is known to be the peer's; one to the peer before it is sealed or staged. Both is
//! in the first or the last of three steps, hence in order. What is rejected is answered: to the peer by a packet that is staged for
//! it, to our side by one that is written over the rejected one. Packets of ruled peers are taken one at a time; those of others
//! never come here.
use super::call::Call;
use super::outbound::{Route, transmit};
use super::shared::Shared;
use super::{Outbound, PacketBuf, Span, Tunnel};
use crate::config::Gate;
use crate::error::{ConfigReason, NoRandomness};
use crate::filter::{Event, Filter, FilterConfig, Prepared, Reject, RulesError, Ruling};
use crate::memory::{Boxed, NoMemory};
use crate::packet;
use crate::peer::Peer;
use crate::session::Keypair;
use crate::stats::DropReason;
use crate::time::Instant;
use core::net::IpAddr;

/// Room for what answers a rejected packet.
const ANSWER: usize = 1280;

impl Tunnel {
    /// The next fact about ruled peers: what was denied to them, flows whose rules ask for it, quotas. Facts are told apart by
    /// [`SessionConfig::user`](crate::filter::SessionConfig::user); the number of a peer in them means nothing outside of the tunnel.
    /// Whoever never asks loses them, and nothing else: they are bounded.
    #[must_use]
    pub fn poll_filter_event(&mut self) -> Option<Event> {
        self.shared.filter.as_deref_mut()?.poll_event()
    }
}

impl Shared {
    /// Makes a filter, if there is none: the first peer is to be ruled.
    pub(super) fn make_filter(&mut self) -> Result<(), ConfigReason> {
        if self.filter.is_none() {
            let now = self.clock.now();
            let filter = Filter::new(self.filter_config, &mut *self.rng, now, self.wall.read(now));
            self.filter = Some(Boxed::new(filter.map_err(|NoRandomness| ConfigReason::NoRandomness)?)?);
        }
        Ok(())
    }

    /// Sets bounds and the rest.
    pub(super) fn set_filter(&mut self, now: Instant, config: FilterConfig) {
        self.filter_config = config;
        if let Some(filter) = self.filter.as_deref_mut() {
            filter.configure(now, config);
        }
    }

    /// Tells the filter what the wall clock shows.
    pub(super) fn tell_filter_time(&mut self, now: Instant) {
        let wall = self.wall.read(now);
        if let Some(filter) = self.filter.as_deref_mut() {
            filter.handle_wall_clock(now, wall, self.filter_config.seconds_ahead);
        }
    }

    /// The peer is ruled from here on, or by other rules than before. What waits for it was let in by the rules before.
    pub(super) fn rule(&mut self, peer: &mut Peer, prepared: Option<Prepared>) {
        peer.access = Gate::Ruled;
        if let (Some(filter), Some(prepared)) = (self.filter.as_deref_mut(), prepared) {
            filter.install(peer.id.slot, prepared);
        }
        let lost = peer.drop_staged(&mut self.staged);
        self.count_drops(Some(peer), DropReason::Denied, lost);
    }

    /// The peer in `slot` is not ruled any more, or gone: its flows end.
    pub(super) fn end_ruling(&mut self, slot: u32) {
        if let Some(filter) = self.filter.as_deref_mut() {
            filter.forget(slot);
        }
    }

    /// Rules a packet from the peer, which sends from `outer`. `Err`: it goes no further.
    pub(super) fn rule_inbound(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        outer: IpAddr,
        packet: &mut [u8],
    ) -> Result<(), DropReason> {
        let filter = self.filter.as_deref_mut().ok_or(DropReason::Denied)?;
        let slot = peer.id.slot;
        filter.handle_roaming(now, slot, outer);
        let to = packet::destination(packet).and_then(|(address, _)| self.routes.owner(address));
        match filter.inbound(now, slot, to, packet) {
            Ruling::Pass => Ok(()),
            Ruling::Drop(reason) => Err(reason.into()),
            Ruling::Reject(reject) => {
                self.answer(peer, now, reject, packet);
                Err(DropReason::Denied)
            }
        }
    }

    /// Stages what tells the peer that its packet was rejected.
    fn answer(&mut self, peer: &mut Peer, now: Instant, reject: Reject, packet: &[u8]) {
        let mut room = [0; ANSWER];
        let Some(answer) = reject.write(packet, &mut room).and_then(|len| room.get(..len)) else { return };
        match peer.staged.prepare(answer, &self.limits) {
            Ok(answer) => {
                // What does not fit is counted, as a packet that is staged would be.
                let _staged = self.stage(peer, now, answer);
            }
            Err(NoMemory) => self.count_drops(Some(peer), DropReason::NoMemory, 1),
        }
    }

    /// Rules a packet of `len` bytes to the peer. `Some`: what became of it, for it goes no further.
    fn rule_outbound(
        &mut self,
        peer: &mut Peer,
        now: Instant,
        packet: &mut PacketBuf<'_>,
        len: usize,
    ) -> Option<Outbound<Span>> {
        let Some(bytes) = packet.buf.get_mut(packet.packet.start..).and_then(|rest| rest.get_mut(..len)) else {
            return Some(self.drop_of(peer, DropReason::NoRoom));
        };
        let Some(filter) = self.filter.as_deref_mut() else { return Some(self.drop_of(peer, DropReason::Denied)) };
        let from = packet::source(bytes).and_then(|(address, _)| self.routes.owner(address));
        match filter.outbound(now, peer.id.slot, from, bytes) {
            Ruling::Pass => None,
            Ruling::Drop(reason) => Some(self.drop_of(peer, reason.into())),
            Ruling::Reject(reject) => Some(self.turn_back(peer, packet, len, reject)),
        }
    }

    /// Drops a packet, and writes over it what tells its sender.
    fn turn_back(&mut self, peer: &mut Peer, packet: &mut PacketBuf<'_>, len: usize, reject: Reject) -> Outbound<Span> {
        let reason = DropReason::Denied;
        let verdict = self.drop_of(peer, reason);
        let mut room = [0; ANSWER];
        let bytes = packet.buf.get(packet.packet.start..).and_then(|rest| rest.get(..len));
        let Some(len) = bytes.and_then(|bytes| reject.write(bytes, &mut room)) else { return verdict };
        match (room.get(..len), packet.buf.get_mut(..len)) {
            (Some(answer), Some(place)) => {
                place.copy_from_slice(answer);
                Outbound::Bounce { reason, packet: Span { start: 0, len: len as u32 } }
            }
            _ => verdict,
        }
    }
}

impl Call<'_> {
    /// What becomes of a packet to a peer that is ruled. `None`: its peer is not, or it is a datagram of ours.
    #[cold]
    #[inline(never)]
    pub(super) fn seal_ruled(
        &mut self,
        packet: &mut PacketBuf<'_>,
        route: Route,
        crypt: impl FnMut(&Keypair, u64, &mut [u8]),
    ) -> Option<Outbound<Span>> {
        let slot = route.slot()?;
        self.peers.at(slot).filter(|peer| peer.access == Gate::Ruled)?;
        if self.others(slot, [&*packet]) == 0 {
            return None;
        }
        let (now, len) = (self.now, route.len());
        let refused = self.with(slot, |peer, shared| shared.rule_outbound(peer, now, packet, len))?;
        if refused.is_some() {
            return refused;
        }
        let mut made = None;
        self.with(slot, |peer, shared| {
            let (id, user) = (peer.id, peer.user);
            let only = [(&mut *packet, route, &mut made)];
            shared.seal_admitted(
                peer,
                now,
                |_| only,
                crypt,
                |made, path, ecn, datagram| {
                    let transmit = transmit(id, user, path, ecn, datagram);
                    *made = Some(Outbound::Datagram { transmit, datagram });
                },
            )
        });
        Some(made.unwrap_or_else(|| self.stage_or_drop(slot, packet, len)))
    }
}

impl From<RulesError> for ConfigReason {
    fn from(error: RulesError) -> Self {
        match error {
            RulesError::NoMemory => Self::NoMemory,
            RulesError::PeerOutOfRange => Self::TooManyPeers,
            RulesError::Rule(..) | RulesError::TooMany | RulesError::NoSession => Self::BadRules,
        }
    }
}
