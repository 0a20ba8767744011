//! The peers of a gateway, by key and by slot.
use super::peer::Peer;
use crate::crypto::PublicKey;
use crate::memory::{Boxed, NoMemory, make_room, put};
use crate::peer::KeyHash;
use alloc::vec::Vec;
use hashbrown::HashTable;

/// The table. Slots are reused; requests know by their number that a slot has another tenant.
pub(super) struct Table {
    slots: Vec<Option<Boxed<Peer>>>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    hash: KeyHash,
}

impl Table {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), by_key: HashTable::new(), hash: KeyHash::new(secret) }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Slots that there are, used or free.
    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn find(&self, key: &PublicKey) -> Option<u32> {
        self.by_key.find(self.hash.of(key), |slot| self.at(*slot).is_some_and(|peer| peer.key == *key)).copied()
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Peer> {
        self.slots.get(slot as usize)?.as_deref()
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Peer> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    /// Adds a peer, whose key is that of none.
    pub(super) fn insert(&mut self, peer: Peer) -> Result<u32, NoMemory> {
        let (key, peer) = (peer.key, Boxed::new(peer)?);
        let Self { slots, free, by_key, hash } = self;
        let of = |slot: &u32| slots.get(*slot as usize).and_then(Option::as_deref).map_or(0, |peer| hash.of(&peer.key));
        make_room(by_key, 1, &of)?;
        slots.try_reserve(1)?;
        // A slot that is freed later needs no memory then.
        free.try_reserve(slots.len().saturating_add(1).saturating_sub(free.len()))?;
        let slot = match free.pop() {
            Some(slot) => slot,
            None => {
                slots.push(None);
                u32::try_from(slots.len().saturating_sub(1)).map_err(|_| NoMemory)?
            }
        };
        if let Some(place) = slots.get_mut(slot as usize) {
            *place = Some(peer);
        }
        put(by_key, hash.of(&key), slot, &|_| 0);
        Ok(slot)
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Boxed<Peer>> {
        let peer = self.slots.get_mut(slot as usize)?.take()?;
        if let Ok(entry) = self.by_key.find_entry(self.hash.of(&peer.key), |known| *known == slot) {
            entry.remove();
        }
        self.free.push(slot);
        Some(peer)
    }
}
