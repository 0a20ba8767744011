//! The peers of which something is remembered.
use super::state::State;
use crate::control::exchange::first_id;
use crate::crypto::Rng;
use crate::memory::{Boxed, NoMemory};
use crate::time::Instant;
use alloc::vec::Vec;

/// States in slots, found by the host's name of their peer.
#[derive(Debug)]
pub struct Peers<P> {
    /// Names and slots, sorted by name.
    index: Vec<(P, u32)>,
    slots: Vec<Option<Boxed<State>>>,
    names: Vec<P>,
    free: Vec<u32>,
}

impl<P> Default for Peers<P> {
    fn default() -> Self {
        Self { index: Vec::new(), slots: Vec::new(), names: Vec::new(), free: Vec::new() }
    }
}

impl<P> Peers<P> {
    pub const fn len(&self) -> usize {
        self.index.len()
    }

    pub fn state(&self, slot: u32) -> Option<&State> {
        self.slots.get(slot as usize)?.as_deref()
    }

    pub fn state_mut(&mut self, slot: u32) -> Option<&mut State> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }
}

impl<P: Copy + Ord> Peers<P> {
    pub fn find(&self, peer: P) -> Option<u32> {
        let at = self.index.binary_search_by_key(&peer, |(name, _)| *name).ok()?;
        self.index.get(at).map(|(_, slot)| *slot)
    }

    /// The name of the peer in `slot`, and its state.
    pub fn entry(&mut self, slot: u32) -> Option<(P, &mut State)> {
        let name = *self.names.get(slot as usize)?;
        Some((name, self.slots.get_mut(slot as usize)?.as_deref_mut()?))
    }

    /// Makes a state for a peer that has none.
    pub fn open(&mut self, now: Instant, rng: &mut dyn Rng, peer: P) -> Result<u32, NoMemory> {
        let state = Boxed::new(State::new(first_id(now, rng)))?;
        self.index.try_reserve(1)?;
        let slot = match self.free.last() {
            Some(slot) => *slot,
            None => {
                let slot = u32::try_from(self.slots.len()).map_err(|_| NoMemory)?;
                self.slots.try_reserve(1)?;
                self.names.try_reserve(1)?;
                // A slot that is given back finds its place reserved.
                self.free.try_reserve(self.slots.len().saturating_add(1))?;
                self.slots.push(None);
                self.names.push(peer);
                self.free.push(slot);
                slot
            }
        };
        let place = self.index.partition_point(|(name, _)| *name < peer);
        self.free.pop();
        self.index.insert(place, (peer, slot));
        if let (Some(entry), Some(name)) = (self.slots.get_mut(slot as usize), self.names.get_mut(slot as usize)) {
            (*entry, *name) = (Some(state), peer);
        }
        Ok(slot)
    }

    pub fn remove(&mut self, slot: u32) -> Option<State> {
        let state = self.slots.get_mut(slot as usize)?.take()?;
        let name = *self.names.get(slot as usize)?;
        if let Ok(at) = self.index.binary_search_by_key(&name, |(name, _)| *name) {
            self.index.remove(at);
        }
        self.free.push(slot);
        Some(state.into_inner())
    }
}
