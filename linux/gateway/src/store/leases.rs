//! Leases: which device has which address.
use super::Result;
use crate::name::Name;
use crate::time::Time;
use std::net::IpAddr;
use std::time::Duration;
use underpass_core::PublicKey;

/// A range of addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: Name,
    /// The first address that may be given.
    pub first: IpAddr,
    /// The last address that may be given.
    pub last: IpAddr,
}

/// A wish for an address.
#[derive(Clone, Debug)]
pub struct LeaseRequest<'a> {
    /// From this pool.
    pub pool: &'a Pool,
    /// For this device.
    pub device: &'a PublicKey,
    /// Preferably this address.
    pub wanted: Option<IpAddr>,
    /// Until then.
    pub until: Time,
    /// For how long after its end a lease still belongs to its device: twice what clocks may differ by.
    pub rest: Duration,
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The pool's name.
    pub pool: Name,
    /// The address.
    pub address: IpAddr,
    /// Whose it is; `None`: reserved for nobody.
    pub device: Option<PublicKey>,
    /// Until when.
    pub until: Time,
}

/// What came of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// The address that the device has had before.
    Kept(IpAddr),
    /// An address that the device did not have.
    Given(IpAddr),
    /// Every address is somebody's.
    Exhausted,
}

/// Leases. An address has one holder, and a device one address of each pool.
///
/// A device gets the address that it had, else what it wants if that is free, else one that nobody has had yet, else the one
/// whose lease ended longest ago.
pub trait Leases {
    /// Gives an address or prolongs a lease.
    ///
    /// # Errors
    /// [`Range`](super::StoreError::Range): the pool is no range. [`Missing`](super::StoreError::Missing): no such device.
    fn lease(&mut self, at: Time, request: &LeaseRequest<'_>) -> Result<LeaseAnswer>;

    /// Keeps an address from being given: for nobody, or for one device. `false`: another device has it now.
    ///
    /// # Errors
    /// [`Range`](super::StoreError::Range): the address is not in the pool. [`Missing`](super::StoreError::Missing).
    fn reserve(&mut self, at: Time, pool: &Pool, address: IpAddr, device: Option<&PublicKey>) -> Result<bool>;

    /// Ends a device's lease of a pool at `at`. The address is kept for it as long as no other is free. `false`: it has none.
    ///
    /// # Errors
    /// The store's own.
    fn release(&mut self, at: Time, pool: &Name, device: &PublicKey) -> Result<bool>;

    /// All leases of a pool, in the order of their addresses.
    ///
    /// # Errors
    /// The store's own.
    fn leases(&mut self, pool: &Name) -> Result<Vec<Lease>>;
}
