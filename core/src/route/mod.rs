//! Cryptokey routing: which peer owns an address (paper § 2), longest prefix first, both families.
mod bits;
mod family;

use crate::memory::NoMemory;
use crate::packet::Address;
use alloc::vec::Vec;
use bits::Wide;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use family::{Family, Links, NONE};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Marks the name of an IPv6 node where both families meet in one list.
const WIDE: u32 = 1 << 31;

/// The allowed IPs of all peers. Owners are peer slots: small numbers. Lookups allocate nothing.
///
/// A network takes about 40 bytes (IPv4, /24 and longer) or 50 (IPv6, /48 and longer), a shorter one at most 56 or 80, an
/// owner 4; room to grow may double that. What was removed is used again, and given back when a family becomes empty.
#[derive(Debug)]
pub struct RoutingTable {
    v4: Family<u32>,
    v6: Family<Wide>,
    /// The latest network of each owner; the others follow by their links.
    latest: Vec<u32>,
    len: usize,
    /// Changes so far: what was looked up holds as long as there is none.
    revision: u64,
}

/// The last address looked up and its owner, kept by whoever asks for few: packets come in runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memo {
    high: u64,
    low: u64,
    /// The table's revision then, twice, and one more for IPv6; 0 for none.
    stamp: u64,
    owner: u32,
}

impl Memo {
    /// Touches the memo, so that it is fetched into the cache. The value has no meaning.
    #[must_use]
    #[inline]
    pub const fn read_ahead(&self) -> u64 {
        self.stamp ^ self.low
    }
}

impl Default for RoutingTable {
    fn default() -> Self {
        Self::new()
    }
}

/// What networks need that are to be added to a table.
#[derive(Debug, Default)]
pub struct Wanted {
    v4: family::Wanted,
    v6: family::Wanted,
}

impl RoutingTable {
    /// Counts what one more network needs.
    pub(crate) fn count(&self, network: IpNet, wanted: &mut Wanted) {
        match network {
            IpNet::V4(network) => self.v4.count(network.addr().into(), network.prefix_len(), &mut wanted.v4),
            IpNet::V6(network) => {
                self.v6.count(u128::from(network.addr()).into(), network.prefix_len(), &mut wanted.v6);
            }
        }
    }

    /// Makes room for networks of owners up to `owners`. Until [`give_back`](Self::give_back) no memory is given back, so that
    /// those may be inserted, whatever is removed meanwhile.
    pub(crate) fn try_reserve(&mut self, wanted: &Wanted, owners: usize) -> Result<(), NoMemory> {
        self.v4.try_reserve(&wanted.v4)?;
        self.v6.try_reserve(&wanted.v6)?;
        self.latest.try_reserve(owners.saturating_sub(self.latest.len()))?;
        self.v4.hold(true);
        self.v6.hold(true);
        Ok(())
    }

    /// Gives back memory that is not needed.
    pub(crate) fn give_back(&mut self) {
        self.v4.hold(false);
        self.v6.hold(false);
    }
}

impl RoutingTable {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { v4: Family::new(), v6: Family::new(), latest: Vec::new(), len: 0, revision: 1 }
    }

    /// Gives `network` (host bits ignored) to `owner`; returns the owner it had, if another.
    /// `u32::MAX` owns nothing.
    pub fn insert(&mut self, network: IpNet, owner: u32) -> Option<u32> {
        if owner == NONE {
            return None;
        }
        let name = match network {
            IpNet::V4(network) => self.v4.find_or_add(network.addr().into(), network.prefix_len()),
            IpNet::V6(network) => WIDE | self.v6.find_or_add(u128::from(network.addr()).into(), network.prefix_len()),
        };
        self.revision = self.revision.wrapping_add(1);
        let previous = self.replace_owner(name, owner);
        match previous {
            Some(previous) if previous == owner => return None,
            Some(previous) => self.unlink(name, previous),
            None => self.len = self.len.saturating_add(1),
        }
        self.link(name, owner);
        previous
    }

    /// Takes `network` from `owner`; `false` when it was not its.
    pub fn remove(&mut self, network: IpNet, owner: u32) -> bool {
        let name = match network {
            IpNet::V4(network) => self.v4.find(network.addr().into(), network.prefix_len()),
            IpNet::V6(network) => {
                let node = self.v6.find(u128::from(network.addr()).into(), network.prefix_len());
                node.map(|node| WIDE | node)
            }
        };
        match name.filter(|name| owner != NONE && self.owner_of(*name) == owner) {
            Some(name) => self.take(name, owner),
            None => return false,
        }
        true
    }

    /// Takes everything from `owner`.
    pub fn remove_all(&mut self, owner: u32) {
        while let Some(name) = self.latest_of(owner) {
            self.take(name, owner);
        }
    }

    /// The owner of the longest prefix that holds `address`.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<u32> {
        match address {
            IpAddr::V4(address) => self.lookup_v4(address.into()),
            IpAddr::V6(address) => self.lookup_v6(address.into()),
        }
    }

    /// The owner of the longest prefix that holds an address read from a packet.
    #[must_use]
    #[inline]
    pub fn owner(&self, address: Address) -> Option<u32> {
        match address {
            Address::V4(address) => self.lookup_v4(address),
            Address::V6(address) => self.lookup_v6(address),
        }
    }

    /// The same, asking `memo` first.
    #[must_use]
    #[inline(always)]
    pub fn owner_with(&self, memo: &mut Memo, address: Address) -> Option<u32> {
        let stamp = self.revision.wrapping_mul(2);
        let (high, low, stamp) = match address {
            Address::V4(address) => (0, u64::from(address), stamp),
            Address::V6(address) => ((address >> 64) as u64, address as u64, stamp | 1),
        };
        if (memo.low, memo.stamp, memo.high) == (low, stamp, high) {
            return Some(memo.owner);
        }
        let owner = self.owner(address)?;
        *memo = Memo { high, low, stamp, owner };
        Some(owner)
    }

    /// The owner of the longest prefix that holds an IPv4 address, its first byte the highest.
    #[must_use]
    #[inline]
    pub fn lookup_v4(&self, address: u32) -> Option<u32> {
        self.v4.lookup(address)
    }

    /// The owner of the longest prefix that holds an IPv6 address, its first byte the highest.
    #[must_use]
    #[inline]
    pub fn lookup_v6(&self, address: u128) -> Option<u32> {
        self.v6.lookup(address.into())
    }

    /// The networks of `owner`: the latest inserted first (as `wg` shows them is up to the writer).
    pub fn networks_of(&self, owner: u32) -> impl Iterator<Item = IpNet> + '_ {
        let next = |name: &u32| Some(self.links(*name)?.next).filter(|next| *next != NONE);
        core::iter::successors(self.latest_of(owner), next).filter_map(|name| self.network(name))
    }

    /// The networks of `owner`, the latest inserted last. Visits them twice.
    pub fn networks_as_given(&self, owner: u32) -> impl Iterator<Item = IpNet> + '_ {
        let next = |name: &u32| Some(self.links(*name)?.next).filter(|next| *next != NONE);
        let previous = |name: &u32| Some(self.links(*name)?.previous).filter(|previous| *previous != NONE);
        let first = core::iter::successors(self.latest_of(owner), next).last();
        core::iter::successors(first, previous).filter_map(|name| self.network(name))
    }

    /// Tells states of the table apart, but for those 2^32 changes from each other.
    #[must_use]
    #[inline]
    pub const fn stamp(&self) -> u32 {
        self.revision as u32
    }

    /// Prefixes in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }
}

/// The lists of networks: a name is a node's, marked by its family.
impl RoutingTable {
    /// The first network in the list of `owner`.
    fn latest_of(&self, owner: u32) -> Option<u32> {
        self.latest.get(owner as usize).copied().filter(|name| *name != NONE)
    }

    /// The network of a node.
    fn network(&self, name: u32) -> Option<IpNet> {
        if name & WIDE == 0 {
            let node = self.v4.node(name)?;
            Ipv4Net::new(Ipv4Addr::from(node.bits), node.len).ok().map(IpNet::V4)
        } else {
            let node = self.v6.node(name & !WIDE)?;
            Ipv6Net::new(Ipv6Addr::from(u128::from(node.bits)), node.len).ok().map(IpNet::V6)
        }
    }

    /// The owner of a node, `NONE` for a branch.
    fn owner_of(&self, name: u32) -> u32 {
        let owner = if name & WIDE == 0 {
            self.v4.node(name).map(|node| node.owner)
        } else {
            self.v6.node(name & !WIDE).map(|node| node.owner)
        };
        owner.unwrap_or(NONE)
    }

    /// Gives a node to `owner`; returns the owner it had.
    fn replace_owner(&mut self, name: u32, owner: u32) -> Option<u32> {
        let held = if name & WIDE == 0 {
            &mut self.v4.node_mut(name)?.owner
        } else {
            &mut self.v6.node_mut(name & !WIDE)?.owner
        };
        Some(core::mem::replace(held, owner)).filter(|owner| *owner != NONE)
    }

    /// The neighbours of a node in its list.
    fn links(&self, name: u32) -> Option<Links> {
        if name & WIDE == 0 {
            self.v4.node(name).map(|node| node.links)
        } else {
            self.v6.node(name & !WIDE).map(|node| node.links)
        }
    }

    /// The neighbours of a node in its list, to be changed.
    fn links_mut(&mut self, name: u32) -> Option<&mut Links> {
        if name & WIDE == 0 {
            self.v4.node_mut(name).map(|node| &mut node.links)
        } else {
            self.v6.node_mut(name & !WIDE).map(|node| &mut node.links)
        }
    }

    /// Puts a node first in the list of `owner`.
    fn link(&mut self, name: u32, owner: u32) {
        if self.latest.len() <= owner as usize {
            self.latest.resize((owner as usize).saturating_add(1), NONE);
        }
        let Some(latest) = self.latest.get_mut(owner as usize) else { return };
        let next = core::mem::replace(latest, name);
        if let Some(links) = self.links_mut(name) {
            *links = Links { next, previous: NONE };
        }
        if let Some(links) = self.links_mut(next) {
            links.previous = name;
        }
    }

    /// Takes a node out of the list of `owner`.
    fn unlink(&mut self, name: u32, owner: u32) {
        let Some(Links { next, previous }) = self.links(name) else { return };
        if let Some(links) = self.links_mut(next) {
            links.previous = previous;
        }
        match self.links_mut(previous) {
            Some(links) => links.next = next,
            None => {
                if let Some(latest) = self.latest.get_mut(owner as usize) {
                    *latest = next;
                }
            }
        }
    }

    /// Takes a node from `owner` and out of the table.
    fn take(&mut self, name: u32, owner: u32) {
        self.revision = self.revision.wrapping_add(1);
        self.unlink(name, owner);
        if name & WIDE == 0 {
            self.v4.remove(name);
        } else {
            self.v6.remove(name & !WIDE);
        }
        self.len = self.len.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
