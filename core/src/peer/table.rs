//! The peers of a tunnel: by slot for the packet path, by public key for handshakes.
use crate::crypto::PublicKey;
use crate::crypto::hash::hash;
use crate::memory::{Boxed, NoMemory, make_room, put};
use crate::peer::{Peer, PeerId};
use alloc::vec::Vec;
use hashbrown::HashTable;

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Slot {
    generation: u32,
    /// Of a slot without a peer: the one that was freed before it, `NONE` for the last.
    freed_before: u32,
    peer: Option<Boxed<Peer>>,
}

/// Turns public keys into numbers under a secret, so that nobody can choose keys that meet in a table. A sum of products of
/// both halves of each word, to which secrets are added: for two keys it is the same for one secret in 2^32.
#[derive(Clone, Copy)]
pub(crate) struct KeyHash([u32; 8]);

impl KeyHash {
    /// Under this secret.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(secret.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self(words)
    }

    /// The number of a key.
    pub(crate) fn of(&self, key: &PublicKey) -> u64 {
        let mut sum = 0_u64;
        for (bytes, [one, other]) in key.as_bytes().as_chunks::<8>().0.iter().zip(self.0.as_chunks::<2>().0) {
            let word = u64::from_le_bytes(*bytes);
            let (low, high) = ((word as u32).wrapping_add(*one), ((word >> 32) as u32).wrapping_add(*other));
            sum = sum.wrapping_add(u64::from(low).wrapping_mul(high.into()));
        }
        // The table looks at the lowest and at the highest bits.
        sum = (sum ^ sum >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        sum ^ sum >> 32
    }
}

/// The secret, redacted.
impl core::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyHash(redacted)")
    }
}

/// All peers. Slots are reused; generations tell their tenants apart.
#[derive(Debug)]
pub(crate) struct PeerTable {
    /// The generation of a slot's first tenant.
    first: u32,
    slots: Vec<Slot>,
    /// The slot that was freed last.
    free: u32,
    by_key: HashTable<u32>,
    hash: KeyHash,
}

impl PeerTable {
    /// An empty table, under a secret of its own. Where that differs, the name of a peer in one table is no name in another,
    /// nearly always.
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        let [a, b, c, d, ..] = hash(&[secret]);
        let first = u32::from_le_bytes([a, b, c, d]).max(1);
        Self { first, slots: Vec::new(), free: NONE, by_key: HashTable::new(), hash: KeyHash::new(secret) }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// How the table hashes keys.
    pub(crate) fn hash(&self) -> KeyHash {
        self.hash
    }

    /// Makes room for so many more peers, whether or not others are removed meanwhile.
    pub(crate) fn try_reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        let Self { slots, by_key, hash, .. } = self;
        make_room(by_key, more, &|slot| hash_at(slots, *hash, *slot))?;
        Ok(slots.try_reserve(more)?)
    }

    /// Adds a peer, whose key is that of none, to its slot. There is [room](Self::try_reserve) for it. Slots count from 0; the
    /// caller bounds their number.
    pub(crate) fn insert(&mut self, mut peer: Boxed<Peer>) -> u32 {
        let Self { slots, by_key, hash, .. } = self;
        if self.free == NONE {
            self.free = u32::try_from(slots.len()).unwrap_or(NONE);
            slots.push(Slot { generation: self.first, freed_before: NONE, peer: None });
        }
        let slot = self.free;
        if let Some(place) = slots.get_mut(slot as usize) {
            self.free = core::mem::replace(&mut place.freed_before, NONE);
            peer.id = PeerId { slot, generation: place.generation };
            let number = hash.of(&peer.public_key);
            place.peer = Some(peer);
            put(by_key, number, slot, &|slot| hash_at(slots, *hash, *slot));
        }
        slot
    }

    /// Takes the peer out of `slot`.
    pub(crate) fn remove(&mut self, slot: u32) -> Option<Boxed<Peer>> {
        let place = self.slots.get_mut(slot as usize)?;
        let peer = place.peer.take()?;
        // Never 0, so that no name is the number 0.
        place.generation = place.generation.wrapping_add(1).max(1);
        place.freed_before = core::mem::replace(&mut self.free, slot);
        if let Ok(entry) = self.by_key.find_entry(self.hash.of(&peer.public_key), |other| *other == slot) {
            entry.remove();
        }
        Some(peer)
    }

    pub(crate) fn slot_of(&self, public_key: &PublicKey) -> Option<u32> {
        let is_it = |slot: &u32| self.at(*slot).is_some_and(|peer| peer.public_key == *public_key);
        self.by_key.find(self.hash.of(public_key), is_it).copied()
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

/// The hash of the peer in a slot.
fn hash_at(slots: &[Slot], hash: KeyHash, slot: u32) -> u64 {
    let peer = slots.get(slot as usize).and_then(|slot| slot.peer.as_deref());
    peer.map_or(0, |peer| hash.of(&peer.public_key))
}

#[cfg(test)]
impl PeerTable {
    /// The slot of the peer with this key, made if absent.
    pub(crate) fn add(&mut self, public_key: PublicKey) -> u32 {
        self.slot_of(&public_key).unwrap_or_else(|| {
            self.try_reserve(1).expect("memory");
            self.insert(Boxed::new(Peer::new(public_key)).expect("memory"))
        })
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
        let mut table = PeerTable::new(&[7; 32]);
        let slot = table.add(key(1));
        let first = table.at(slot).expect("just inserted").id;
        assert_eq!(table.add(key(1)), slot);
        assert!(table.remove(slot).is_some() && table.remove(slot).is_none());
        assert_eq!(table.add(key(2)), slot);
        assert!(table.find(first).is_none());
        let second = table.at(slot).expect("just inserted").id;
        assert_eq!(table.find(second).map(|peer| peer.public_key), Some(key(2)));
        assert_eq!(PeerId::from_u64(second.to_u64()), second);
        assert_eq!((table.len(), table.slot_of(&key(1))), (1, None));
    }
}
