//! Peers in a queue.
use crate::peer::{PeerId, PeerTable};
use alloc::collections::VecDeque;

/// Peers in the order in which they are served. Who uses it sees to it that a peer stands in it once. A peer that was removed
/// from the table stays until it is met, or until most entries are such; so removing peers one by one is linear.
#[derive(Debug, Default)]
pub(crate) struct PeerQueue {
    peers: VecDeque<PeerId>,
    removed: usize,
    /// Entries looked at to find those of removed peers.
    #[cfg(test)]
    pub(crate) visits: usize,
}

impl PeerQueue {
    /// Puts a peer at the end; `false`: there is no memory for it. There is always some behind what was taken out.
    #[must_use]
    pub(crate) fn push_back(&mut self, id: PeerId) -> bool {
        let has_room = self.peers.try_reserve(1).is_ok();
        if has_room {
            self.peers.push_back(id);
        }
        has_room
    }

    pub(crate) fn front(&self) -> Option<PeerId> {
        self.peers.front().copied()
    }

    /// Takes the first out. If it turns out to be no peer any more, call [`met_removed`](Self::met_removed).
    pub(crate) fn pop_front(&mut self) -> Option<PeerId> {
        self.peers.pop_front()
    }

    /// Puts the first at the end.
    pub(crate) fn rotate(&mut self) {
        if let Some(id) = self.peers.pop_front() {
            self.peers.push_back(id);
        }
    }

    /// What was taken out was removed from the table before.
    pub(crate) fn met_removed(&mut self) {
        self.removed = self.removed.saturating_sub(1);
    }

    /// A peer was removed from the table; `stands`: it stands in the queue.
    pub(crate) fn forget(&mut self, stands: bool, table: &PeerTable) {
        self.removed = self.removed.saturating_add(usize::from(stands));
        if self.removed.saturating_mul(2) > self.peers.len() {
            #[cfg(test)]
            {
                self.visits += self.peers.len();
            }
            self.peers.retain(|id| table.find(*id).is_some());
            self.removed = 0;
        }
    }

    /// Entries, those of removed peers included.
    pub(crate) fn places(&self) -> usize {
        self.peers.len()
    }

    /// Entries of peers that are there.
    pub(crate) fn len(&self) -> usize {
        self.peers.len().saturating_sub(self.removed)
    }

    /// How often a peer stands in it.
    #[cfg(test)]
    pub(crate) fn count(&self, peer: PeerId) -> usize {
        self.peers.iter().filter(|id| **id == peer).count()
    }
}
