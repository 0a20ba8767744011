//! The pumps by the numbers that Java has for them, and the tunnels that have one.
use super::{Pump, PumpError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use underpass_core::Status;

/// Nobody waits for another lock, nor calls anything, while one of these is held.
static PUMPS: Mutex<BTreeMap<i64, Arc<Pump>>> = Mutex::new(BTreeMap::new());
static CARRIED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// That a tunnel is carried by one pump and by no other.
#[derive(Debug)]
pub(crate) struct Claim(u64);

impl Claim {
    /// # Errors
    /// `Busy` when another pump carries it.
    pub(crate) fn on(tunnel: u64) -> Result<Self, PumpError> {
        let is_new = lock(&CARRIED).insert(tunnel);
        is_new.then_some(Self(tunnel)).ok_or(PumpError::Status(Status::Busy))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&CARRIED).remove(&self.0);
    }
}

/// A random number for a pump that is to come.
///
/// # Errors
/// `Random`.
pub(crate) fn number() -> Result<i64, PumpError> {
    loop {
        let number = underpass_feed::registry::random().map_err(PumpError::Status)?;
        if !lock(&PUMPS).contains_key(&number) {
            return Ok(number);
        }
    }
}

/// Lists a pump.
pub(crate) fn list(number: i64, pump: Pump) {
    lock(&PUMPS).insert(number, Arc::new(pump));
}

/// The pump of a number.
///
/// # Errors
/// `Null`: there is none, or not any more.
pub(crate) fn find(number: i64) -> Result<Arc<Pump>, PumpError> {
    lock(&PUMPS).get(&number).cloned().ok_or(PumpError::Status(Status::Null))
}

/// Takes a pump off the list; `None`: it is not on it.
pub(crate) fn unlist(number: i64) -> Option<Arc<Pump>> {
    lock(&PUMPS).remove(&number)
}

/// How many pumps are listed.
pub(crate) fn live() -> usize {
    lock(&PUMPS).len()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
