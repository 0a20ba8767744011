//! One call of the host.
use super::Tunnel;
use super::clock::Tick;
use super::shared::Shared;
use crate::peer::{Peer, PeerId, PeerTable};
use crate::time::Instant;

/// One call of the host: the internal time at which it is made, the peers, and the rest of the tunnel. When it ends, the earliest
/// deadline is exact again.
pub(super) struct Call<'t> {
    pub(super) now: Instant,
    pub(super) peers: &'t mut PeerTable,
    pub(super) shared: &'t mut Shared,
}

impl Tunnel {
    /// Begins a call when the host's clock shows `now`.
    #[inline]
    pub(super) fn enter(&mut self, now: Instant) -> Call<'_> {
        let Self { peers, shared } = self;
        if shared.clock.advance(now) == Tick::Leapt {
            shared.clock_leapt();
        }
        Call { now: shared.clock.now(), peers, shared }
    }

    /// Begins a call that belongs to the one before, and is made at its time.
    pub(super) fn enter_again(&mut self) -> Call<'_> {
        let Self { peers, shared } = self;
        Call { now: shared.clock.now(), peers, shared }
    }
}

impl Shared {
    /// The host's clock leapt by more than a day: the host should know, and the wall clock does not follow.
    #[cold]
    fn clock_leapt(&mut self) {
        self.wall.stay();
        self.events.clock_leapt = true;
        #[cfg(feature = "filter")]
        self.tell_filter_time(self.clock.now());
    }
}

impl Call<'_> {
    /// Looks the peer in `slot` up, lets `act` change it and the rest, and keeps its deadline. `None`: no such peer.
    #[inline]
    pub(super) fn with<T>(&mut self, slot: u32, act: impl FnOnce(&mut Peer, &mut Shared) -> T) -> Option<T> {
        let peer = self.peers.at_mut(slot)?;
        let result = act(peer, self.shared);
        self.shared.reschedule(peer);
        Some(result)
    }

    /// The same for the peer of this name, if it is still there.
    pub(super) fn with_known<T>(&mut self, id: PeerId, act: impl FnOnce(&mut Peer, &mut Shared) -> T) -> Option<T> {
        self.peers.find(id)?;
        self.with(id.slot, act)
    }

    /// The same for every peer.
    pub(super) fn with_each(&mut self, mut act: impl FnMut(&mut Peer, &mut Shared)) {
        for slot in self.peers.slots() {
            self.with(slot, &mut act);
        }
    }
}

impl Drop for Call<'_> {
    #[inline]
    fn drop(&mut self) {
        self.shared.settle(self.peers);
    }
}
