//! Handles: what C holds of a tunnel or a configuration.
use crate::config::underpass_config;
use crate::memory::Caller;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use underpass_core::{Status, Tunnel};

/// No call is inside.
const IDLE: u32 = 0;
/// One is.
const BUSY: u32 = 1;
/// A panic left the tunnel half-way.
const POISONED: u32 = 2;

/// A tunnel: one virtual interface with its private key, its peers and its routes. Made by underpass_tunnel_new() or
/// underpass_tunnel_new_from_config(), released by underpass_tunnel_free(). It may be used from any thread, by one call at
/// a time.
pub struct underpass_tunnel {
    /// Who may touch the tunnel.
    state: AtomicU32,
    /// Random, so that the jobs of another tunnel are known for such.
    mark: u64,
    tunnel: UnsafeCell<Tunnel>,
}

// A handle goes from thread to thread.
const fn is_send<T: Send>() {}
const _: () = is_send::<Tunnel>();

/// The right to use a tunnel, of one call. Unless it is released, the tunnel is poisoned: a panic went by.
pub(crate) struct Claim<'c> {
    handle: &'c underpass_tunnel,
    after: u32,
}

impl underpass_tunnel {
    /// Hands a tunnel over to C.
    pub(crate) fn give(tunnel: Tunnel, mark: u64) -> Result<*mut Self, Status> {
        give(Self { state: AtomicU32::new(IDLE), mark, tunnel: UnsafeCell::new(tunnel) })
    }
}

impl underpass_config {
    /// Hands a configuration over to C.
    pub(crate) fn give(self) -> Result<*mut Self, Status> {
        give(self)
    }
}

/// Moves a value to memory of its own, as a `Box` would, which ends the process when there is none.
fn give<T>(value: T) -> Result<*mut T, Status> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the layout is not empty.
    let place = NonNull::new(unsafe { std::alloc::alloc(Layout::new::<T>()) }).ok_or(Status::Memory)?.cast::<T>();
    // SAFETY: the memory is new, as large as a value and aligned for one.
    unsafe { place.write(value) };
    Ok(place.as_ptr())
}

impl<'c> Caller<'c> {
    /// Takes the tunnel for this call.
    pub(crate) fn claim(self, handle: *const underpass_tunnel) -> Result<Claim<'c>, Status> {
        let handle = self.shared(handle)?;
        match handle.state.compare_exchange(IDLE, BUSY, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Claim { handle, after: POISONED }),
            Err(POISONED) => Err(Status::Poisoned),
            Err(_) => Err(Status::Busy),
        }
    }

    /// The configuration behind a handle: any number of calls may read it at a time.
    pub(crate) fn config(self, handle: *const underpass_config) -> Result<&'c underpass_config, Status> {
        self.shared(handle)
    }

    /// Takes a tunnel back from C, poisoned or not; its keys are wiped.
    pub(crate) fn free_tunnel(self, handle: *mut underpass_tunnel) -> Result<(), Status> {
        if handle.is_null() {
            return Ok(());
        }
        let state = &self.shared(handle)?.state;
        let take = |from| state.compare_exchange(from, BUSY, Ordering::Acquire, Ordering::Relaxed);
        take(IDLE).or_else(|_| take(POISONED)).map_err(|_| Status::Busy)?;
        // SAFETY: `give` made it, no call is inside, and the header promises that none follows.
        drop(unsafe { Box::from_raw(handle) });
        Ok(())
    }

    /// Takes a configuration back from C; its keys are wiped.
    pub(crate) fn free_config(self, handle: *mut underpass_config) -> Result<(), Status> {
        if !handle.is_null() {
            self.shared(handle)?;
            // SAFETY: `give` made it, and the header promises that no call is inside or follows.
            drop(unsafe { Box::from_raw(handle) });
        }
        Ok(())
    }

    fn shared<T>(self, handle: *const T) -> Result<&'c T, Status> {
        let handle = NonNull::new(handle.cast_mut()).ok_or(Status::Null)?;
        if !handle.is_aligned() {
            return Err(Status::Argument);
        }
        // SAFETY: the header promises a handle that was made here and is not freed before the call returns.
        Ok(unsafe { handle.as_ref() })
    }
}

impl Claim<'_> {
    /// What tells the tunnel's jobs from those of others.
    pub(crate) fn mark(&self) -> u64 {
        self.handle.mark
    }

    /// The tunnel.
    pub(crate) fn tunnel(&mut self) -> &mut Tunnel {
        // SAFETY: whoever changed the state from idle to busy is alone with the tunnel until the claim is dropped.
        unsafe { &mut *self.handle.tunnel.get() }
    }

    /// Ends the call in good order.
    pub(crate) fn release(mut self) {
        self.after = IDLE;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.handle.state.store(self.after, Ordering::Release);
    }
}
