//! First fragments that passed: what comes behind them has no ports, and passes for their sake only (RFC 1858, RFC 5722).
use super::key::Tuple;
use crate::memory::{self, NoMemory};
use crate::packet::Address;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// First fragments that are remembered.
const SLOTS: usize = 64;
/// How many of them may be of one peer.
const SLOTS_PER_PEER: usize = 16;
/// How long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter) struct Name {
    source: Address,
    destination: Address,
    peers: (u32, u32),
    id: u32,
    protocol: u8,
}

impl Name {
    /// The name of the fragments `id` of a packet between the ends of `tuple`, whose ports do not matter.
    pub(in crate::filter) const fn of(tuple: &Tuple, id: u32) -> Self {
        Self {
            source: tuple.source.address,
            destination: tuple.destination.address,
            peers: (tuple.source.peer, tuple.destination.peer),
            id,
            protocol: tuple.protocol,
        }
    }
}

/// A first fragment.
#[derive(Clone, Copy, Debug)]
struct First {
    name: Name,
    /// The peer whose session ruled it.
    peer: u32,
    /// Bytes of its data, behind which the next may begin. What overlaps it could replace its ports.
    len: usize,
    /// Its flow, and that flow's number.
    flow: (u32, u32),
    seen: Instant,
}

/// The first fragments of the last 30 seconds, at most 64, of one peer at most 16.
#[derive(Debug, Default)]
pub(in crate::filter) struct Fragments(Vec<First>);

impl Fragments {
    /// Remembers a first fragment of `len` bytes and its flow. A newer one takes the place of the oldest.
    pub(in crate::filter) fn remember(
        &mut self,
        name: Name,
        peer: u32,
        len: usize,
        flow: (u32, u32),
        now: Instant,
    ) -> Result<(), NoMemory> {
        let first = First { name, peer, len, flow, seen: now };
        let same = self.0.iter().position(|known| known.name == name);
        let of_peer = self.0.iter().filter(|known| known.peer == peer).count();
        let place = if same.is_some() {
            same
        } else if let Some(spent) = self.0.iter().position(|known| now.since(known.seen) >= PATIENCE) {
            Some(spent)
        } else if of_peer >= SLOTS_PER_PEER {
            self.oldest(|known| known.peer == peer)
        } else if self.0.len() >= SLOTS {
            self.oldest(|_| true)
        } else {
            None
        };
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(place) => *place = first,
            None => memory::push(&mut self.0, first)?,
        }
        Ok(())
    }

    /// The flow of the first fragment of a packet, when the one at `offset` bytes may follow it.
    pub(in crate::filter) fn flow(&self, name: &Name, offset: usize, now: Instant) -> Option<(u32, u32)> {
        let first = self.0.iter().find(|first| first.name == *name)?;
        (now.since(first.seen) < PATIENCE && offset >= first.len).then_some(first.flow)
    }

    /// Forgets the fragments of a peer.
    pub(in crate::filter) fn forget(&mut self, peer: u32) {
        self.0.retain(|first| first.peer != peer && first.name.peers.0 != peer && first.name.peers.1 != peer);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    /// Bytes on the heap.
    pub(in crate::filter) fn heap_bytes(&self) -> usize {
        self.0.capacity().saturating_mul(size_of::<First>())
    }

    fn oldest(&self, wanted: impl Fn(&First) -> bool) -> Option<usize> {
        let candidates = self.0.iter().enumerate().filter(|(_, first)| wanted(first));
        candidates.min_by_key(|(_, first)| first.seen).map(|(place, _)| place)
    }
}
