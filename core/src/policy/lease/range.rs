//! Ranges of addresses, as numbers: none is ever listed.
use crate::memory::{NoMemory, push};
use crate::order::sort;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipnet::IpNet;

/// The addresses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    pub(super) family: Family,
    pub(super) first: u128,
    pub(super) last: u128,
}

impl AddressRange {
    /// `None` when they are of different families, or the wrong way round.
    #[must_use]
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let (family, first) = number(first);
        let (other, last) = number(last);
        (family == other && first <= last).then_some(Self { family, first, last })
    }

    /// The addresses of a network that hosts may have: without those of the network itself and of broadcasts (RFC 950, RFC 3021),
    /// and without that of all its routers (RFC 4291 § 2.6.1, RFC 6164).
    #[must_use]
    pub fn of_network(network: IpNet) -> Self {
        let (family, first) = number(network.network());
        let (_, last) = number(network.broadcast());
        let is_link = last.saturating_sub(first) <= 1;
        match family {
            _ if is_link => Self { family, first, last },
            Family::V4 => Self { family, first: first.saturating_add(1), last: last.saturating_sub(1) },
            Family::V6 => Self { family, first: first.saturating_add(1), last },
        }
    }
}

/// Which addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from_bits(number as u32)),
            Self::V6 => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }
}

/// The family of an address, and its number in it.
pub(super) fn number(address: IpAddr) -> (Family, u128) {
    match address {
        IpAddr::V4(address) => (Family::V4, address.to_bits().into()),
        IpAddr::V6(address) => (Family::V6, address.to_bits()),
    }
}

/// Ranges that neither overlap nor touch, in order.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    /// The first and the last of each.
    ranges: Vec<(u128, u128)>,
}

impl Ranges {
    /// Everything that is in one of these.
    pub(super) fn union(ranges: impl Iterator<Item = (u128, u128)>) -> Result<Self, NoMemory> {
        let mut all = Vec::new();
        for range in ranges {
            push(&mut all, range)?;
        }
        sort(&mut all);
        let mut merged: Vec<(u128, u128)> = Vec::new();
        for (first, last) in all {
            match merged.last_mut().filter(|before| first <= before.1.saturating_add(1)) {
                Some(before) => before.1 = before.1.max(last),
                None => push(&mut merged, (first, last))?,
            }
        }
        Ok(Self { ranges: merged })
    }

    /// What is in here and not in `other`.
    pub(super) fn without(&self, other: &Self) -> Result<Self, NoMemory> {
        let mut left = Vec::new();
        for (first, last) in self.ranges.iter().copied() {
            let mut next = Some(first);
            for (from, to) in other.ranges.iter().copied().filter(|(from, to)| *from <= last && first <= *to) {
                let Some(start) = next.filter(|start| *start <= last) else { break };
                if let Some(before) = from.checked_sub(1).filter(|before| *before >= start) {
                    push(&mut left, (start, before))?;
                }
                next = to.checked_add(1);
            }
            if let Some(start) = next.filter(|start| *start <= last) {
                push(&mut left, (start, last))?;
            }
        }
        Ok(Self { ranges: left })
    }

    /// How many addresses. All of IPv6 counts as one less.
    pub(super) fn count(&self) -> u128 {
        let each = |(first, last): &(u128, u128)| last.saturating_sub(*first).saturating_add(1);
        self.ranges.iter().map(each).fold(0, u128::saturating_add)
    }

    pub(super) fn has(&self, number: u128) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= number);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, last)| number <= *last)
    }

    /// The address at a place, counted from 0.
    pub(super) fn nth(&self, mut place: u128) -> Option<u128> {
        for (first, last) in self.ranges.iter().copied() {
            let beyond = last.saturating_sub(first);
            if place <= beyond {
                return first.checked_add(place);
            }
            place = place.saturating_sub(beyond).saturating_sub(1);
        }
        None
    }
}
