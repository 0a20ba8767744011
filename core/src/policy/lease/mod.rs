//! Pools of addresses, and who has which.
//!
//! A holder, a user with a device, has one address of each family at most, and keeps it: when he comes back after his lease has
//! ended, he gets the same, unless somebody else needed it meanwhile, the oldest first. Some addresses are reserved for a user or
//! a device. No address is had by two, and none is given to another within the quarantine after its lease.
//!
//! A lease lasts [`LeaseConfig::valid`]. The client renews it from `t1` on by asking again; `t1` and `t2` are those of
//! DHCP (RFC 2131 § 4.4.5). Pools are ranges, never lists: one of 2^64 addresses takes no more memory than one of two. Memory is bounded
//! by [`LeaseConfig::most`] leases a family, held or remembered, of some 200 bytes.
//!
//! The host stores each lease that is given, and restores them after a restart.
mod pool;
mod range;

pub use range::AddressRange;

use crate::crypto::{PublicKey, Rng};
use crate::error::NoRandomness;
use crate::memory::{NoMemory, push};
use crate::order::sort;
use crate::policy::session::UserId;
use crate::time::Instant;
use crate::tunnel::clock::Clock;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use pool::Pool;
use range::{Family, Ranges, number};

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The user; `None`: a peer that needs no login.
    pub user: Option<UserId>,
    /// The peer.
    pub device: PublicKey,
}

impl Holder {
    /// In the form that is hashed.
    fn key(&self) -> PublicKey {
        let mut bytes = *self.device.as_bytes();
        let user = self.user.map_or(u64::MAX, |user| user.0);
        bytes.iter_mut().zip(user.to_be_bytes()).for_each(|(place, byte)| *place ^= byte);
        PublicKey::from_bytes(bytes)
    }
}

/// Whom an address is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReservedFor {
    /// A user, at the first of his devices that asks.
    User(UserId),
    /// A peer, whoever is logged in there.
    Device(PublicKey),
}

impl ReservedFor {
    fn is_for(&self, holder: &Holder) -> bool {
        match self {
            Self::User(user) => holder.user == Some(*user),
            Self::Device(device) => holder.device == *device,
        }
    }
}

/// The pools of a gateway.
#[derive(Clone, Copy, Debug)]
pub struct LeaseConfig<'a> {
    /// What may be given, of both families. They may overlap.
    pub ranges: &'a [AddressRange],
    /// What may not: the gateway's own addresses, for one.
    pub excluded: &'a [AddressRange],
    /// What is kept for somebody. It need not be in a range, and may be excluded.
    pub reserved: &'a [(IpAddr, ReservedFor)],
    /// How long a lease lasts; a second at least.
    pub valid: Duration,
    /// How long after its lease an address is given to nobody else: twice what clocks may differ by.
    pub quarantine: Duration,
    /// Leases of each family, held or remembered, at most.
    pub most: usize,
}

impl LeaseConfig<'_> {
    /// No addresses, leases of an hour, and a minute of quarantine.
    #[must_use]
    pub const fn new() -> Self {
        let (valid, quarantine) = (Duration::from_secs(3600), Duration::from_secs(60));
        Self { ranges: &[], excluded: &[], reserved: &[], valid, quarantine, most: 1 << 20 }
    }
}

impl Default for LeaseConfig<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// Why there are no pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseConfigError {
    /// This address is reserved twice.
    ReservedTwice(IpAddr),
    /// There is no memory.
    NoMemory,
    /// There is no randomness.
    NoRandomness,
}

impl fmt::Display for LeaseConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedTwice(address) => write!(f, "{address} is reserved twice"),
            Self::NoMemory => f.write_str("there is no memory for the pools"),
            Self::NoRandomness => NoRandomness.fmt(f),
        }
    }
}

impl core::error::Error for LeaseConfigError {}

impl From<NoMemory> for LeaseConfigError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseError {
    /// The gateway has no addresses of this family.
    NoPool,
    /// All are had, or were until a moment ago.
    Exhausted,
    /// The address is not of the pool, or reserved for somebody else.
    Outside,
    /// The address is somebody's, or the holder has another.
    Taken,
    /// There is no memory.
    NoMemory,
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPool => "there is no pool of this family",
            Self::Exhausted => "the pool is exhausted",
            Self::Outside => "the address is not of the pool",
            Self::Taken => "the address is somebody's",
            Self::NoMemory => "there is no memory for a lease",
        })
    }
}

impl core::error::Error for LeaseError {}

impl From<NoMemory> for LeaseError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Whether an address is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish<A> {
    /// None.
    No,
    /// Any.
    #[default]
    Any,
    /// This one, if it is free or had by who asks; else any.
    This(A),
}

/// What was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// An IPv4 address; `None`: none was wanted.
    pub ip4: Result<Option<Ipv4Addr>, LeaseError>,
    /// An IPv6 address; `None`: none was wanted.
    pub ip6: Result<Option<Ipv6Addr>, LeaseError>,
    /// When to renew: half of `valid`.
    pub t1: Duration,
    /// When to renew at the latest: seven eighths of `valid`.
    pub t2: Duration,
    /// How long it lasts.
    pub valid: Duration,
}

/// The leases of a gateway. See the [module](self).
///
/// When [`poll_timeout`](Self::poll_timeout) has come, the host calls [`expire`](Self::expire) until it says `None`.
pub struct Leases {
    clock: Clock,
    valid: Duration,
    v4: Pool,
    v6: Pool,
}

impl Leases {
    /// Nobody has an address yet.
    ///
    /// # Errors
    /// [`LeaseConfigError`] when the pools make no sense, or something is missing for them.
    pub fn new(config: &LeaseConfig<'_>, rng: &mut dyn Rng, now: Instant) -> Result<Self, LeaseConfigError> {
        let mut pool = |family| -> Result<Pool, LeaseConfigError> {
            let mut secret = [0; 32];
            rng.fill(&mut secret).map_err(|NoRandomness| LeaseConfigError::NoRandomness)?;
            let of_family = |ranges: &[AddressRange]| {
                let own = ranges.iter().filter(|range| range.family == family);
                Ranges::union(own.map(|range| (range.first, range.last)))
            };
            let ranges = of_family(config.ranges)?.without(&of_family(config.excluded)?)?;
            let reserved = reserved_of(family, config.reserved)?;
            Ok(Pool::new(ranges, reserved, &secret, config.most, config.quarantine))
        };
        let (v4, v6) = (pool(Family::V4)?, pool(Family::V6)?);
        Ok(Self { clock: Clock::new(now), valid: config.valid.max(Duration::from_secs(1)), v4, v6 })
    }

    /// Gives or renews what a holder wants.
    pub fn lease(&mut self, now: Instant, holder: Holder, v4: Wish<Ipv4Addr>, v6: Wish<Ipv6Addr>) -> Leased {
        let now = self.enter(now);
        let until = now + self.valid;
        let ip4 = give(&mut self.v4, now, holder, until, v4, |address| address.to_bits().into());
        let ip6 = give(&mut self.v6, now, holder, until, v6, |address| address.to_bits());
        Leased {
            ip4: ip4.map(|given| given.map(|address| Ipv4Addr::from_bits(address as u32))),
            ip6: ip6.map(|given| given.map(Ipv6Addr::from_bits)),
            t1: self.valid / 2,
            t2: (self.valid / 8).saturating_mul(7),
            valid: self.valid,
        }
    }

    /// Takes a lease up again that was given before a restart: `left` of it, `None` when it has ended, and the address is only
    /// remembered.
    ///
    /// # Errors
    /// [`LeaseError`] when it does not go with the pools or with another lease. Nothing was changed then.
    pub fn restore(
        &mut self,
        now: Instant,
        holder: Holder,
        address: IpAddr,
        left: Option<Duration>,
    ) -> Result<(), LeaseError> {
        let now = self.enter(now);
        let (family, address) = number(address);
        let until = left.map(|left| now + left.min(self.valid));
        self.pool(family).restore(now, holder, address, until)
    }

    /// A holder gives back what he has, at the end of his session. Returns what that was.
    pub fn release(&mut self, now: Instant, holder: &Holder) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let now = self.enter(now);
        let ip4 = self.v4.release(now, holder).map(|address| Ipv4Addr::from_bits(address as u32));
        (ip4, self.v6.release(now, holder).map(Ipv6Addr::from_bits))
    }

    /// Ends a lease whose time is over, if there is one: whose, and which. The host closes the address. When it says `None`,
    /// [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn expire(&mut self, now: Instant) -> Option<(Holder, IpAddr)> {
        let now = self.enter(now);
        [Family::V4, Family::V6].into_iter().find_map(|family| {
            let (holder, address) = self.pool(family).expire(now)?;
            Some((holder, family.address(address)))
        })
    }

    /// When [`expire`](Self::expire) is due, on the host's clock; `None`: nobody has an address.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = self.v4.next_end().into_iter().chain(self.v6.next_end()).min()?;
        self.clock.on_host(next)
    }

    /// What a holder has.
    #[must_use]
    pub fn addresses_of(&self, holder: &Holder) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let ip4 = self.v4.address_of(holder).map(|address| Ipv4Addr::from_bits(address as u32));
        (ip4, self.v6.address_of(holder).map(Ipv6Addr::from_bits))
    }

    /// Of IPv4 and of IPv6: addresses that are had, and that there are for anybody.
    #[must_use]
    pub const fn usage(&self) -> [(usize, u128); 2] {
        [(self.v4.held(), self.v4.size()), (self.v6.held(), self.v6.size())]
    }

    fn enter(&mut self, now: Instant) -> Instant {
        self.clock.advance(now);
        self.clock.now()
    }

    const fn pool(&mut self, family: Family) -> &mut Pool {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

/// The reserved addresses of a family, in order.
fn reserved_of(
    family: Family,
    reserved: &[(IpAddr, ReservedFor)],
) -> Result<Vec<(u128, ReservedFor)>, LeaseConfigError> {
    let mut own = Vec::new();
    for (address, whose) in reserved {
        let (its_family, address) = number(*address);
        if its_family == family {
            push(&mut own, (address, *whose))?;
        }
    }
    sort(&mut own);
    let twice = own.windows(2).find_map(|pair| match pair {
        [one, other] if one.0 == other.0 => Some(one.0),
        _ => None,
    });
    twice.map_or(Ok(own), |address| Err(LeaseConfigError::ReservedTwice(family.address(address))))
}

fn give<A>(
    pool: &mut Pool,
    now: Instant,
    holder: Holder,
    until: Instant,
    wish: Wish<A>,
    number: impl Fn(A) -> u128,
) -> Result<Option<u128>, LeaseError> {
    let wish = match wish {
        Wish::No => return Ok(None),
        Wish::Any => None,
        Wish::This(address) => Some(number(address)),
    };
    if pool.is_empty() {
        return Err(LeaseError::NoPool);
    }
    pool.lease(now, holder, wish, until).map(Some)
}

#[cfg(test)]
mod tests;
