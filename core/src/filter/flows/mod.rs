//! The table of flows: bounded, found by a keyed hash, and without a deadline.
//!
//! Whether a flow still lives is asked when a packet of it comes. What nobody asks for is looked at when others are made, a few
//! of all at a time, so that a filter without packets has nothing to do.
pub(super) mod fragments;
pub(super) mod key;
pub(super) mod list;
pub(super) mod state;

use crate::memory::{self, NoMemory};
use crate::time::Instant;
use alloc::vec::Vec;
use hashbrown::HashTable;
use key::{Key, Tuple};
use list::{By, Link, Links, List, NONE};
use state::{CLASSES, State};

/// Flows that are looked at for the one that gives way.
const CANDIDATES: usize = 8;
/// Places that are looked at for spent flows whenever a flow is made.
const SWEPT: usize = 4;
/// Spreads 32 bits over 64 (the golden ratio, Knuth 6.4).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bytes and packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of packets, with their IP headers.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

impl Traffic {
    /// Counts a packet.
    #[inline]
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.packets = self.packets.saturating_add(1);
    }
}

/// A flow. What is looked at for each packet fills two lines of the cache that are fetched together.
#[derive(Clone, Debug)]
#[repr(C, align(128))]
pub(super) struct Flow {
    key: Key,
    pub state: State,
    /// Whether the lower end of its key began.
    low_began: bool,
    /// Whether the other peer at which it ends has it in its list.
    pub has_guest: bool,
    /// Whether its start was told, and so will its end be.
    pub is_told: bool,
    /// The peer by whose rules it passes.
    pub owner: u32,
    /// The generation of rules in which that was found.
    pub generation: u32,
    /// What the caller calls the rule.
    pub rule: u32,
    /// When the last packet passed.
    pub used: Instant,
    /// What who began has sent, and what came back.
    pub traffic: [Traffic; 2],
    /// When the first packet passed.
    pub began: Instant,
    /// Tells it from others that had the same place before.
    pub number: u32,
}

impl Flow {
    /// Its ends, as in a packet of who began.
    pub(super) fn tuple(&self) -> Tuple {
        self.key.tuple(self.low_began)
    }

    /// Whether no packet has passed for too long.
    #[inline]
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        now.since(self.used) >= self.state.patience(self.key.protocol())
    }

    /// The peer at which it ends and by whose rules it does not pass, where that is listed.
    fn guest(&self) -> Option<u32> {
        let tuple = self.tuple();
        let mut ends = [tuple.source.peer, tuple.destination.peer].into_iter();
        ends.find(|peer| self.has_guest && *peer != self.owner)
    }
}

/// The flows of one peer.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Those by its own rules.
    classes: [List; CLASSES],
    /// How many they are.
    pub owned: u32,
    /// Those by rules of others.
    guests: List,
}

impl Share {
    /// A flow of the peer, any.
    pub(super) fn any(&self) -> Option<u32> {
        self.classes.iter().chain([&self.guests]).find_map(List::first)
    }
}

/// Where a hash leads.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    at: u32,
}

/// A flow that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Where it stands.
    pub at: u32,
    /// Whether the packet is from who began.
    pub by_beginner: bool,
}

/// All flows.
#[derive(Debug)]
pub(super) struct Flows {
    secret: (u64, u64),
    index: HashTable<Place>,
    slab: Vec<Flow>,
    /// The links of the flow at the same place.
    links: Vec<Links>,
    /// The first free place; each names the next by its link.
    free: u32,
    classes: [List; CLASSES],
    /// Where sweeping goes on.
    hand: usize,
    /// The number of the next flow.
    number: u32,
}

impl Flows {
    pub(super) fn new(secret: (u64, u64)) -> Self {
        Self {
            secret,
            index: HashTable::new(),
            slab: Vec::new(),
            links: Vec::new(),
            free: NONE,
            classes: Default::default(),
            hand: 0,
            number: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// The flow of a packet, in either direction, spent or not.
    #[inline]
    pub(super) fn find(&self, tuple: &Tuple) -> Option<Found> {
        let (key, from_low) = Key::of(tuple);
        let hash = key.hash(self.secret);
        let is_it =
            |place: &Place| place.hash == hash && self.slab.get(place.at as usize).is_some_and(|flow| flow.key == key);
        let place = self.index.find(spread(hash), is_it)?;
        let flow = self.slab.get(place.at as usize)?;
        Some(Found { at: place.at, by_beginner: flow.low_began == from_low })
    }

    /// As [`find`](Self::find), when it is probably the flow that stands at `at`.
    #[inline]
    pub(super) fn find_at(&self, tuple: &Tuple, at: u32) -> Option<Found> {
        let (key, from_low) = Key::of(tuple);
        match self.at(at).filter(|flow| flow.key == key) {
            Some(flow) => Some(Found { at, by_beginner: flow.low_began == from_low }),
            None => self.find(tuple),
        }
    }

    #[inline]
    pub(super) fn at(&self, at: u32) -> Option<&Flow> {
        self.slab.get(at as usize).filter(|flow| flow.state != State::Free)
    }

    #[inline]
    pub(super) fn at_mut(&mut self, at: u32) -> Option<&mut Flow> {
        self.slab.get_mut(at as usize).filter(|flow| flow.state != State::Free)
    }

    /// Makes room for one more flow.
    pub(super) fn make_room(&mut self) -> Result<(), NoMemory> {
        memory::make_room(&mut self.index, 1, &|place| spread(place.hash))?;
        if self.free == NONE {
            self.slab.try_reserve(1)?;
            self.links.try_reserve(1)?;
        }
        Ok(())
    }

    /// Adds the flow that a packet begins, for which [room was made](Self::make_room). Returns where it stands.
    pub(super) fn add(&mut self, tuple: &Tuple, owner: (u32, &mut Share), now: Instant) -> u32 {
        let (key, low_began) = Key::of(tuple);
        self.number = self.number.wrapping_add(1);
        let flow = Flow {
            key,
            used: now,
            began: now,
            traffic: Default::default(),
            rule: NONE,
            generation: 0,
            owner: owner.0,
            number: self.number,
            state: State::first(tuple.protocol),
            low_began,
            has_guest: false,
            is_told: false,
        };
        let at = match self.slab.get_mut(self.free as usize) {
            Some(place) => {
                let at = core::mem::replace(&mut self.free, place.rule);
                *place = flow;
                at
            }
            None => {
                self.slab.push(flow);
                self.links.push(Link::NO_LISTS);
                self.slab.len().saturating_sub(1) as u32
            }
        };
        let hash = key.hash(self.secret);
        memory::put(&mut self.index, spread(hash), Place { hash, at }, &|place| spread(place.hash));
        let share = owner.1;
        share.owned = share.owned.saturating_add(1);
        self.enlist(at, share);
        at
    }

    /// Notes that a flow ends at another peer than its owner, too.
    pub(super) fn add_guest(&mut self, at: u32, guest: &mut Share) {
        if let Some(flow) = self.at_mut(at) {
            flow.has_guest = true;
            guest.guests.push(&mut self.links, By::Guest, at);
        }
    }

    /// The peers that a flow must be taken from before it goes: owner and guest.
    pub(super) fn peers(&self, at: u32) -> Option<(u32, Option<u32>)> {
        self.at(at).map(|flow| (flow.owner, flow.guest()))
    }

    /// Takes a flow from the list of its guest.
    pub(super) fn take_guest(&mut self, at: u32, guest: &mut Share) {
        guest.guests.take(&mut self.links, By::Guest, at);
    }

    /// Takes a flow out.
    pub(super) fn remove(&mut self, at: u32, owner: &mut Share) -> Option<Flow> {
        let flow = self.at(at)?.clone();
        self.delist(at, owner);
        owner.owned = owner.owned.saturating_sub(1);
        let hash = flow.key.hash(self.secret);
        if let Ok(place) = self.index.find_entry(spread(hash), |place| place.at == at) {
            place.remove();
        }
        if let Some(place) = self.slab.get_mut(at as usize) {
            // A free place says by its rule where the next one is.
            (place.state, place.rule) = (State::Free, self.free);
            self.free = at;
        }
        if self.index.is_empty() {
            (self.index, self.slab, self.links, self.free) = (HashTable::new(), Vec::new(), Vec::new(), NONE);
        }
        Some(flow)
    }

    /// Puts a flow into another state.
    pub(super) fn set_state(&mut self, at: u32, state: State, owner: &mut Share) {
        let Some(flow) = self.at(at) else { return };
        if flow.state.class() == state.class() {
            self.write_state(at, state);
            return;
        }
        self.delist(at, owner);
        self.write_state(at, state);
        self.enlist(at, owner);
    }

    /// The next few places of all: those among them whose flows are spent.
    pub(super) fn sweep(&mut self, now: Instant) -> [Option<u32>; SWEPT] {
        core::array::from_fn(|_| {
            self.hand = if self.hand < self.slab.len() { self.hand } else { 0 };
            let at = self.hand as u32;
            self.hand = self.hand.saturating_add(1);
            self.at(at).filter(|flow| flow.is_spent(now)).map(|_| at)
        })
    }

    /// The flow of `share` that gives way: of the lowest class there is, the longest unused of the oldest few.
    pub(super) fn victim_of(&self, share: &Share, now: Instant) -> Option<u32> {
        let list = share.classes.iter().find_map(List::first)?;
        self.candidates(list, By::Owner).max_by_key(|(_, flow)| (flow.is_spent(now), now.since(flow.used))).map(first)
    }

    /// The flow of all that gives way: of the lowest class there is, among the oldest few one of the peer with the most flows
    /// (`owned` says how many), and of those the longest unused.
    pub(super) fn victim(&self, owned: impl Fn(u32) -> u32, now: Instant) -> Option<u32> {
        let list = self.classes.iter().find_map(List::first)?;
        let weight = |flow: &Flow| (flow.is_spent(now), owned(flow.owner), now.since(flow.used));
        self.candidates(list, By::Class).max_by_key(|(_, flow)| weight(flow)).map(first)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let flows = self.slab.capacity().saturating_mul(size_of::<Flow>());
        let links = self.links.capacity().saturating_mul(size_of::<Links>());
        flows.saturating_add(links).saturating_add(self.index.allocation_size())
    }

    /// The first few flows of the list that begins with `list`.
    fn candidates(&self, list: u32, by: By) -> impl Iterator<Item = (u32, &Flow)> {
        let line = core::iter::successors(Some(list), move |at| List::after(&self.links, by, *at));
        line.take(CANDIDATES).filter_map(|at| Some((at, self.at(at)?)))
    }

    fn write_state(&mut self, at: u32, state: State) {
        if let Some(flow) = self.at_mut(at) {
            flow.state = state;
        }
    }

    fn enlist(&mut self, at: u32, owner: &mut Share) {
        let Some(class) = self.at(at).map(|flow| flow.state.class()) else { return };
        if let (Some(all), Some(own)) = (self.classes.get_mut(class), owner.classes.get_mut(class)) {
            all.push(&mut self.links, By::Class, at);
            own.push(&mut self.links, By::Owner, at);
        }
    }

    fn delist(&mut self, at: u32, owner: &mut Share) {
        let Some(class) = self.at(at).map(|flow| flow.state.class()) else { return };
        if let (Some(all), Some(own)) = (self.classes.get_mut(class), owner.classes.get_mut(class)) {
            all.take(&mut self.links, By::Class, at);
            own.take(&mut self.links, By::Owner, at);
        }
    }
}

fn first((at, _): (u32, &Flow)) -> u32 {
    at
}

#[inline]
const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(GOLDEN)
}

// Two lines of the cache.
const _: () = assert!(size_of::<Flow>() == 128);
