//! The addresses of one family: who has which.
use super::range::Ranges;
use super::{Holder, LeaseError, ReservedFor};
use crate::crypto::PublicKey;
use crate::memory::{NoMemory, make_room, put};
use crate::peer::KeyHash;
use crate::time::Instant;
use crate::timers::DeadlineQueue;
use alloc::vec::Vec;
use core::time::Duration;
use hashbrown::HashTable;

/// An address that somebody has, or had last.
#[derive(Clone, Copy, Debug)]
struct Lease {
    address: u128,
    holder: Holder,
    /// Until when he has it; `Instant::MAX` when he has it no more.
    until: Instant,
    /// When he had it last, when he has it no more.
    ended: Instant,
}

impl Lease {
    fn is_held(&self) -> bool {
        self.until != Instant::MAX
    }
}

/// A pool. An address stands in it once, and a holder too.
pub(super) struct Pool {
    /// What anybody may get.
    ranges: Ranges,
    reserved: Vec<(u128, ReservedFor)>,
    /// Addresses of `ranges` that are not reserved.
    size: u128,
    leases: Vec<Option<Lease>>,
    unused: Vec<u32>,
    by_address: HashTable<u32>,
    by_holder: HashTable<u32>,
    ends: DeadlineQueue,
    hash: KeyHash,
    most: usize,
    held: usize,
    quarantine: Duration,
}

impl Pool {
    /// The reserved addresses are in order.
    pub(super) fn new(
        ranges: Ranges,
        reserved: Vec<(u128, ReservedFor)>,
        secret: &[u8; 32],
        most: usize,
        quarantine: Duration,
    ) -> Self {
        let apart = reserved.iter().filter(|(address, _)| ranges.has(*address)).count();
        Self {
            size: ranges.count().saturating_sub(apart as u128),
            ranges,
            reserved,
            leases: Vec::new(),
            unused: Vec::new(),
            by_address: HashTable::new(),
            by_holder: HashTable::new(),
            ends: DeadlineQueue::new(),
            hash: KeyHash::new(secret),
            most,
            held: 0,
            quarantine,
        }
    }

    /// Whether it has no addresses at all.
    pub(super) const fn is_empty(&self) -> bool {
        self.size == 0 && self.reserved.is_empty()
    }

    pub(super) const fn size(&self) -> u128 {
        self.size
    }

    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// The address that a holder has.
    pub(super) fn address_of(&self, holder: &Holder) -> Option<u128> {
        let lease = self.at(self.slot_of(holder)?)?;
        lease.is_held().then_some(lease.address)
    }

    /// When the next lease ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        Some(self.ends.top()?.1)
    }

    /// Makes that exact: leases were renewed.
    fn settle(&mut self) {
        while let Some((slot, bound)) = self.ends.top() {
            let Some(lease) = self.at(slot).filter(|lease| lease.until > bound) else { return };
            self.ends.move_top_later(lease.until);
        }
    }

    /// Gives a holder an address until then: the one that he has or had, one that is reserved for him, the one that he would
    /// like, or another.
    pub(super) fn lease(
        &mut self,
        now: Instant,
        holder: Holder,
        wish: Option<u128>,
        until: Instant,
    ) -> Result<u128, LeaseError> {
        if let Some(slot) = self.slot_of(&holder) {
            return self.hold(slot, until);
        }
        let address = self
            .reserved_for(&holder)
            .or_else(|| wish.filter(|wish| self.is_for_anybody(*wish) && self.slot_at(*wish).is_none()))
            .or_else(|| self.fresh(&holder));
        let address = match address {
            Some(address) => address,
            None => self.reclaim(now)?,
        };
        if let Some(before) = self.slot_at(address) {
            self.forget(before);
        }
        self.make_place(now)?;
        let slot = self.add(Lease { address, holder, until, ended: now })?;
        self.hold(slot, until)
    }

    /// Takes up a lease from before a restart: until then, or as one that has ended.
    pub(super) fn restore(
        &mut self,
        now: Instant,
        holder: Holder,
        address: u128,
        until: Option<Instant>,
    ) -> Result<(), LeaseError> {
        let is_his = match self.reservation(address) {
            Some(reserved) => reserved.is_for(&holder),
            None => self.ranges.has(address),
        };
        if !is_his {
            return Err(LeaseError::Outside);
        }
        if self.slot_at(address).is_some() || self.slot_of(&holder).is_some() {
            return Err(LeaseError::Taken);
        }
        self.make_place(now)?;
        let slot = self.add(Lease { address, holder, until: Instant::MAX, ended: now })?;
        until.map_or(Ok(()), |until| self.hold(slot, until).map(drop))
    }

    /// A holder gives his address back. It stays his as long as nobody else needs it.
    pub(super) fn release(&mut self, now: Instant, holder: &Holder) -> Option<u128> {
        let slot = self.slot_of(holder)?;
        self.end(now, slot)
    }

    /// Ends one lease whose time is over: whose it was, and which.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(Holder, u128)> {
        let (slot, _) = self.ends.top().filter(|(_, at)| *at <= now)?;
        let holder = self.at(slot)?.holder;
        self.end(now, slot).map(|address| (holder, address))
    }

    fn end(&mut self, now: Instant, slot: u32) -> Option<u128> {
        let lease = self.leases.get_mut(slot as usize)?.as_mut().filter(|lease| lease.is_held())?;
        (lease.until, lease.ended) = (Instant::MAX, now);
        let address = lease.address;
        self.held = self.held.saturating_sub(1);
        self.ends.remove(slot);
        self.settle();
        Some(address)
    }

    /// The lease of a slot lasts until then.
    fn hold(&mut self, slot: u32, until: Instant) -> Result<u128, LeaseError> {
        // Now is the earliest that the queue holds for it, or there is no memory for it.
        if !self.ends.move_earlier(slot, until) {
            return Err(LeaseError::NoMemory);
        }
        let lease = self.leases.get_mut(slot as usize).and_then(Option::as_mut).ok_or(LeaseError::NoMemory)?;
        if !lease.is_held() {
            self.held = self.held.saturating_add(1);
        }
        lease.until = until;
        let address = lease.address;
        self.settle();
        Ok(address)
    }

    /// The reserved address that this holder may have and nobody has: of his device, else of his user. Whoever had it before was at
    /// the same device, or the same user.
    fn reserved_for(&self, holder: &Holder) -> Option<u128> {
        let of = |is_device: bool| {
            self.reserved.iter().find(|(address, reserved)| {
                matches!(reserved, ReservedFor::Device(_)) == is_device
                    && reserved.is_for(holder)
                    && self.slot_at(*address).and_then(|slot| self.at(slot)).is_none_or(|lease| !lease.is_held())
            })
        };
        of(true).or_else(|| of(false)).map(|(address, _)| *address)
    }

    fn reservation(&self, address: u128) -> Option<ReservedFor> {
        let at = self.reserved.binary_search_by_key(&address, |(reserved, _)| *reserved).ok()?;
        self.reserved.get(at).map(|(_, reserved)| *reserved)
    }

    fn is_for_anybody(&self, address: u128) -> bool {
        self.ranges.has(address) && self.reservation(address).is_none()
    }

    /// An address that nobody has or had. Where the search begins follows from the holder, so that he gets the same one again
    /// when he was forgotten, as far as it is free.
    fn fresh(&self, holder: &Holder) -> Option<u128> {
        let count = self.ranges.count();
        let start = u128::from(self.hash.of(&holder.key())).checked_rem(count)?;
        // One of so many places in a row is free, or none at all.
        let tries =
            (self.by_address.len() as u128).saturating_add(self.reserved.len() as u128).saturating_add(1).min(count);
        (0..tries)
            .filter_map(|step| self.ranges.nth(start.saturating_add(step).checked_rem(count)?))
            .find(|address| self.slot_at(*address).is_none() && self.reservation(*address).is_none())
    }

    /// Takes the address of whoever has not had it for the longest time.
    fn reclaim(&mut self, now: Instant) -> Result<u128, LeaseError> {
        let slot = self.oldest(now, |pool, lease| pool.is_for_anybody(lease.address)).ok_or(LeaseError::Exhausted)?;
        self.forget(slot).ok_or(LeaseError::Exhausted)
    }

    /// Makes place for one more lease: forgets the oldest that has ended, if there are too many.
    fn make_place(&mut self, now: Instant) -> Result<(), LeaseError> {
        if self.by_address.len() < self.most {
            return Ok(());
        }
        let slot = self.oldest(now, |_, _| true).ok_or(LeaseError::Exhausted)?;
        self.forget(slot);
        Ok(())
    }

    fn oldest(&self, now: Instant, suits: impl Fn(&Self, &Lease) -> bool) -> Option<u32> {
        let ended = self.leases.iter().zip(0_u32..).filter_map(|(lease, slot)| Some((lease.as_ref()?, slot)));
        ended
            .filter(|(lease, _)| !lease.is_held() && lease.ended + self.quarantine <= now && suits(self, lease))
            .min_by_key(|(lease, _)| lease.ended)
            .map(|(_, slot)| slot)
    }

    fn add(&mut self, lease: Lease) -> Result<u32, NoMemory> {
        let lease = Lease { until: Instant::MAX, ..lease };
        let (address, holder) = (lease.address, lease.holder);
        let Self { leases, unused, by_address, by_holder, hash, .. } = self;
        let of_slot = |slot: &u32| leases.get(*slot as usize).and_then(Option::as_ref);
        make_room(by_address, 1, &|slot| of_slot(slot).map_or(0, |lease| hash.of(&address_key(lease.address))))?;
        make_room(by_holder, 1, &|slot| of_slot(slot).map_or(0, |lease| hash.of(&lease.holder.key())))?;
        leases.try_reserve(1)?;
        unused.try_reserve(leases.len().saturating_add(1).saturating_sub(unused.len()))?;
        let slot = match unused.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(leases.len()).map_err(|_| NoMemory)?;
                leases.push(None);
                slot
            }
        };
        if let Some(place) = leases.get_mut(slot as usize) {
            *place = Some(lease);
        }
        put(by_address, hash.of(&address_key(address)), slot, &|_| 0);
        put(by_holder, hash.of(&holder.key()), slot, &|_| 0);
        Ok(slot)
    }

    fn forget(&mut self, slot: u32) -> Option<u128> {
        let lease = self.leases.get_mut(slot as usize)?.take()?;
        let hash = self.hash;
        for (table, number) in [
            (&mut self.by_address, hash.of(&address_key(lease.address))),
            (&mut self.by_holder, hash.of(&lease.holder.key())),
        ] {
            if let Ok(entry) = table.find_entry(number, |known| *known == slot) {
                entry.remove();
            }
        }
        self.ends.remove(slot);
        self.unused.push(slot);
        Some(lease.address)
    }

    fn at(&self, slot: u32) -> Option<&Lease> {
        self.leases.get(slot as usize)?.as_ref()
    }

    fn slot_at(&self, address: u128) -> Option<u32> {
        let is_it = |slot: &u32| self.at(*slot).is_some_and(|lease| lease.address == address);
        self.by_address.find(self.hash.of(&address_key(address)), is_it).copied()
    }

    fn slot_of(&self, holder: &Holder) -> Option<u32> {
        let is_his = |slot: &u32| self.at(*slot).is_some_and(|lease| lease.holder == *holder);
        self.by_holder.find(self.hash.of(&holder.key()), is_his).copied()
    }
}

/// An address in the form that is hashed.
fn address_key(address: u128) -> PublicKey {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(address.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    PublicKey::from_bytes(bytes)
}
