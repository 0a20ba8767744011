//! Which rule applies to an address: the networks of all rules as stretches of addresses that do not overlap, each with the
//! smallest network around it, and behind that the larger ones.
use super::steps::{Interval, NONE, Step, look, paint};
use crate::memory::{self, NoMemory};
use crate::order;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// An address as a number.
pub(super) trait Number: Copy + Ord {
    /// The next one.
    fn after(self) -> Option<Self>;
}

impl Number for u32 {
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// A rule for a network and a stretch of keys. Sorted, larger networks come before those inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry<A> {
    pub first: A,
    pub last: Reverse<A>,
    pub interval: Interval,
    /// Whether it applies to addresses of peers, too.
    pub peers: bool,
}

/// A network that rules name.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// The next larger one around it.
    around: u32,
    /// The lowest of its rules: where a lower one is known already, none of this network is better.
    lowest: u32,
    /// Its steps for addresses that no peer has: from, to.
    others: (u32, u32),
    /// Its steps for addresses of peers.
    peers: (u32, u32),
}

/// The rules of one way and one family of addresses. A lookup is a binary search among the stretches, and one among the
/// steps of each network around the address that may have a lower rule.
#[derive(Debug)]
pub(super) struct Classifier<A> {
    /// Where each stretch begins.
    stretches: Vec<A>,
    /// The smallest network around each; [`NONE`] for none.
    smallest: Vec<u32>,
    networks: Vec<Network>,
    steps: Vec<Step>,
}

impl<A> Default for Classifier<A> {
    fn default() -> Self {
        Self { stretches: Vec::new(), smallest: Vec::new(), networks: Vec::new(), steps: Vec::new() }
    }
}

impl<A: Number> Classifier<A> {
    /// Builds it of `entries`. O(n log n).
    pub(super) fn new(mut entries: Vec<Entry<A>>) -> Result<Self, NoMemory> {
        order::sort(&mut entries);
        let mut built = Self::default();
        let mut open: Vec<(A, u32)> = Vec::new();
        for network in entries.chunk_by(|one, other| (one.first, one.last) == (other.first, other.last)) {
            let Some(Entry { first, last: Reverse(last), .. }) = network.first() else { continue };
            built.leave(&mut open, Some(*first))?;
            let number = built.networks.len() as u32;
            let around = open.last().map_or(NONE, |(_, around)| *around);
            built.add(network, around)?;
            built.begin(*first, number)?;
            memory::push(&mut open, (*last, number))?;
        }
        built.leave(&mut open, None)?;
        Ok(Self {
            stretches: fitted(&built.stretches)?,
            smallest: fitted(&built.smallest)?,
            networks: fitted(&built.networks)?,
            steps: fitted(&built.steps)?,
        })
    }

    /// The lowest rule for packets to `address` with `key`; [`NONE`] for none.
    #[inline]
    pub(super) fn first(&self, address: A, key: u32, is_peer: bool) -> u32 {
        let at = self.stretches.partition_point(|first| *first <= address);
        let mut number = at.checked_sub(1).and_then(|at| self.smallest.get(at)).copied().unwrap_or(NONE);
        let mut best = NONE;
        while let Some(network) = self.networks.get(number as usize) {
            if network.lowest < best {
                let (from, to) = if is_peer { network.peers } else { network.others };
                let steps = self.steps.get(from as usize..to as usize).unwrap_or_default();
                best = best.min(look(steps, key));
            }
            number = network.around;
        }
        best
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let places = self.stretches.capacity().saturating_mul(size_of::<A>());
        let names = self.smallest.capacity().saturating_mul(size_of::<u32>());
        let networks = self.networks.capacity().saturating_mul(size_of::<Network>());
        let steps = self.steps.capacity().saturating_mul(size_of::<Step>());
        places.saturating_add(names).saturating_add(networks).saturating_add(steps)
    }

    /// Ends the networks that end before `next`; all of them when that is `None`.
    fn leave(&mut self, open: &mut Vec<(A, u32)>, next: Option<A>) -> Result<(), NoMemory> {
        while let Some((last, _)) = open.last().copied().filter(|(last, _)| next.is_none_or(|next| *last < next)) {
            open.pop();
            if let Some(after) = last.after() {
                self.begin(after, open.last().map_or(NONE, |(_, around)| *around))?;
            }
        }
        Ok(())
    }

    /// A stretch begins at `first`, in place of one that began there before.
    fn begin(&mut self, first: A, network: u32) -> Result<(), NoMemory> {
        if self.stretches.last() == Some(&first) {
            self.stretches.pop();
            self.smallest.pop();
        }
        memory::push(&mut self.stretches, first)?;
        memory::push(&mut self.smallest, network)
    }

    /// Adds a network and its steps.
    fn add(&mut self, entries: &[Entry<A>], around: u32) -> Result<(), NoMemory> {
        let mut intervals = memory::list(entries.len())?;
        intervals.extend(entries.iter().map(|entry| entry.interval));
        let others = self.paint(&intervals)?;
        let peers = if entries.iter().all(|entry| entry.peers) {
            others
        } else {
            intervals.clear();
            intervals.extend(entries.iter().filter(|entry| entry.peers).map(|entry| entry.interval));
            self.paint(&intervals)?
        };
        let lowest = entries.iter().map(|entry| entry.interval.rule).min().unwrap_or(NONE);
        memory::push(&mut self.networks, Network { around, lowest, others, peers })
    }

    fn paint(&mut self, intervals: &[Interval]) -> Result<(u32, u32), NoMemory> {
        let from = self.steps.len() as u32;
        paint(intervals, &mut self.steps)?;
        Ok((from, self.steps.len() as u32))
    }
}

/// A copy of `list` without room to grow. (Giving back room in place ends the process when the allocator refuses.)
fn fitted<T: Copy>(list: &[T]) -> Result<Vec<T>, NoMemory> {
    let mut copy = memory::list(list.len())?;
    copy.extend_from_slice(list);
    Ok(copy)
}
