//! The tunnels that are open, by the number under which the data plane finds them.
use crate::error::TunnelError;
use crate::keys::System;
use crate::tunnel::Tunnel;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use underpass_core::Rng;

/// Nobody waits for another lock, nor calls anything, while this one is held.
static OPEN: Mutex<BTreeMap<u64, Weak<Tunnel>>> = Mutex::new(BTreeMap::new());

/// The tunnel with this [`data_plane_id`](Tunnel::data_plane_id); `None`: there is none, or not any more.
#[must_use]
pub fn of_data_plane(id: u64) -> Option<Arc<Tunnel>> {
    open().get(&id).and_then(Weak::upgrade)
}

/// How many tunnels are open, for tests that look for leaks.
#[uniffi::export]
#[must_use]
pub fn live_tunnels() -> u64 {
    open().len() as u64
}

/// A number that nobody can guess, taken for a tunnel that is to come.
pub(crate) fn reserve() -> Result<u64, TunnelError> {
    loop {
        let mut bytes = [0; 8];
        System.fill(&mut bytes)?;
        let id = u64::from_ne_bytes(bytes);
        let mut open = open();
        if id != 0 && !open.contains_key(&id) {
            open.insert(id, Weak::new());
            return Ok(id);
        }
    }
}

/// Lists a tunnel under its number.
pub(crate) fn list(id: u64, tunnel: &Arc<Tunnel>) {
    open().insert(id, Arc::downgrade(tunnel));
}

/// Takes a tunnel off the list.
pub(crate) fn unlist(id: u64) {
    open().remove(&id);
}

fn open() -> MutexGuard<'static, BTreeMap<u64, Weak<Tunnel>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
