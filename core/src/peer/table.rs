//! The peers of a tunnel: by slot for the packet path, by public key for handshakes.
use crate::crypto::PublicKey;
use crate::peer::{Peer, PeerId};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

#[derive(Debug)]
struct Slot {
    generation: u32,
    peer: Option<Box<Peer>>,
}

/// All peers. Slots are reused; generations tell their tenants apart.
#[derive(Debug)]
pub(crate) struct PeerTable {
    /// The generation of a slot's first tenant.
    first: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_key: BTreeMap<PublicKey, u32>,
}

impl PeerTable {
    /// An empty table. With another `first` in each tunnel, the name of a peer in one is no name in another, nearly always.
    pub(crate) fn new(first: u32) -> Self {
        Self { first: first.max(1), slots: Vec::new(), free: Vec::new(), by_key: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The slot of the peer with this key, made if absent. Slots count from 0; the caller bounds their number.
    pub(crate) fn insert(&mut self, public_key: PublicKey) -> u32 {
        if let Some(slot) = self.slot_of(&public_key) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: self.first, peer: None });
            u32::try_from(self.slots.len() - 1).expect("the number of peers is bounded below 2^32")
        });
        if let Some(place) = self.slots.get_mut(slot as usize) {
            let id = PeerId { slot, generation: place.generation };
            place.peer = Some(Box::new(Peer::new(id, public_key)));
        }
        self.by_key.insert(public_key, slot);
        slot
    }

    /// Takes the peer out of `slot`.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Box<Peer>> {
        let place = self.slots.get_mut(slot as usize)?;
        let peer = place.peer.take()?;
        // Never 0, so that no name is the number 0.
        place.generation = place.generation.wrapping_add(1).max(1);
        self.free.push(slot);
        self.by_key.remove(&peer.public_key);
        Some(peer)
    }

    pub(crate) fn slot_of(&self, public_key: &PublicKey) -> Option<u32> {
        self.by_key.get(public_key).copied()
    }

    pub(crate) fn at(&self, slot: u32) -> Option<&Peer> {
        self.slots.get(slot as usize)?.peer.as_deref()
    }

    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut Peer> {
        self.slots.get_mut(slot as usize)?.peer.as_deref_mut()
    }

    pub(crate) fn find(&self, id: PeerId) -> Option<&Peer> {
        self.at(id.slot).filter(|peer| peer.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.at_mut(id.slot).filter(|peer| peer.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> + '_ {
        self.slots.iter().filter_map(|slot| slot.peer.as_deref())
    }

    /// Slots in use, in order: lets a caller visit each peer while it changes others.
    pub(crate) fn slots(&self) -> core::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> PublicKey {
        PublicKey::from_bytes([byte; 32])
    }

    #[test]
    fn a_name_never_names_another_peer() {
        let mut table = PeerTable::new(7);
        let slot = table.insert(key(1));
        let first = table.at(slot).expect("just inserted").id;
        assert_eq!(table.insert(key(1)), slot);
        assert!(table.remove(slot).is_some() && table.remove(slot).is_none());
        assert_eq!(table.insert(key(2)), slot);
        assert!(table.find(first).is_none());
        let second = table.at(slot).expect("just inserted").id;
        assert_eq!(table.find(second).map(|peer| peer.public_key), Some(key(2)));
        assert_eq!(PeerId::from_u64(second.to_u64()), second);
        assert_eq!((table.len(), table.slot_of(&key(1))), (1, None));
    }
}
