//! Reading ahead.
//!
//! With many peers, what a packet costs is waiting for memory: its peer, its session, its key. A batch is therefore taken
//! a few packets at a time. When these belong to several peers, the fields that sealing or opening will read are read
//! first for all of them, so that the processor fetches them side by side instead of one after the other. The values
//! are thrown away; `black_box` keeps the compiler from throwing away the reading.
use super::call::Call;
use super::outbound::Route;
use super::{DatagramSlot, PacketSlot};
use crate::limits::AHEAD;
use crate::wire::Transport as Header;
use core::hint::black_box;

impl Call<'_> {
    /// Where a few packets go.
    #[inline]
    pub(super) fn look_ahead_outward(&mut self, few: &[PacketSlot<'_>]) -> [Route; AHEAD] {
        let mut routes = [Route::NOWHERE; AHEAD];
        let mut memo = self.shared.destination;
        for (route, slot) in routes.iter_mut().zip(few) {
            *route = self.shared.route(&mut memo, &slot.packet);
        }
        self.shared.destination = memo;
        if several(routes.iter().map(|route| route.slot())) {
            self.read_to_seal(&routes);
        }
        routes
    }

    /// Reads what sealing to these peers will read: first of the peers, then of their sessions.
    #[inline(never)]
    fn read_to_seal(&self, routes: &[Route; AHEAD]) {
        let peers = || routes.iter().filter_map(|route| self.peers.at(route.slot()?));
        for peer in peers() {
            black_box(peer.read_to_seal());
        }
        for pair in peers().filter_map(|peer| peer.sessions.current()) {
            black_box(pair.read_to_seal());
        }
    }

    /// The slots of the peers whose session indices a few datagrams carry. While these are handled an index may be freed,
    /// and then no session goes by it any more, but none is given out.
    #[inline]
    pub(super) fn look_ahead_inward(&self, few: &[DatagramSlot<'_>]) -> [Option<u32>; AHEAD] {
        let mut owners = [None; AHEAD];
        let mut last: Option<(u32, Option<u32>)> = None;
        for (owner, slot) in owners.iter_mut().zip(few) {
            let Some(index) = Header::receiver_of(slot.datagram) else { continue };
            // Datagrams come in runs.
            let known = last.filter(|(receiver, _)| *receiver == index);
            *owner = known.map_or_else(|| self.shared.indices.lookup(index), |(_, slot)| slot);
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
}

/// Whether the slots of a few peers are not all the same.
#[inline]
fn several(slots: impl Iterator<Item = Option<u32>>) -> bool {
    let mut slots = slots.flatten();
    slots.next().is_some_and(|first| slots.any(|slot| slot != first))
}
