//! Handles: what C holds of a tunnel or a configuration.
use crate::config::underpass_config;
use crate::fork::Owner;
use crate::memory::Caller;
use alloc::boxed::Box;
use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use underpass_core::{Status, Tunnel};

/// No call is inside.
const IDLE: u32 = 0;
/// A panic left the tunnel half-way.
const POISONED: u32 = 1;

/// A call of this process is inside.
const fn busy(process: u32) -> u32 {
    process << 1 | 2
}

/// A tunnel: one virtual interface with its private key, its peers and its routes. Made by underpass_tunnel_new() or
/// underpass_tunnel_new_from_config(), released by underpass_tunnel_free(). It may be used from any thread, by one
/// call at a time.
pub struct underpass_tunnel {
    /// Who may touch the tunnel.
    state: AtomicU32,
    /// The process that it belongs to.
    owner: Owner,
    /// Random, so that the jobs of another tunnel are known for such.
    mark: Cell<u64>,
    /// What the host calls it.
    user: u64,
    tunnel: UnsafeCell<Tunnel>,
}

// A handle goes from thread to thread.
const fn is_send<T: Send>() {}
const _: () = is_send::<Tunnel>();

/// What is behind a handle. The first word says what it is; once it is released, nothing.
#[repr(C)]
struct Held<T> {
    kind: AtomicU32,
    value: T,
}

/// What handles are of.
trait Kind {
    const KIND: u32;
}

impl Kind for underpass_tunnel {
    const KIND: u32 = u32::from_ne_bytes(*b"UPtu");
}

impl Kind for underpass_config {
    const KIND: u32 = u32::from_ne_bytes(*b"UPco");
}

fn hand_over<T: Kind>(value: T) -> Result<*mut T, Status> {
    Ok(Box::into_raw(boxed(Held { kind: AtomicU32::new(T::KIND), value })?).cast())
}

/// How a tunnel is known outside the core.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    /// What tells its jobs from those of others.
    pub(crate) jobs: u64,
    /// What the host calls it.
    pub(crate) user: u64,
    /// The process whose call it is.
    pub(crate) process: u32,
}

/// The right to use a tunnel, of one call. Unless it is released, the tunnel is poisoned: a panic went by.
pub(crate) struct Claim<'c> {
    handle: &'c underpass_tunnel,
    process: u32,
    after: u32,
}

impl underpass_tunnel {
    /// Hands a tunnel over to C.
    pub(crate) fn give(tunnel: Tunnel, mark: u64, user: u64) -> Result<*mut Self, Status> {
        let (owner, mark) = (Owner::this(), Cell::new(mark));
        hand_over(Self { state: AtomicU32::new(IDLE), owner, mark, user, tunnel: UnsafeCell::new(tunnel) })
    }
}

impl underpass_config {
    /// Hands a configuration over to C.
    pub(crate) fn give(self) -> Result<*mut Self, Status> {
        hand_over(self)
    }
}

/// A value in memory of its own, as `Box::new` makes it, which ends the process when there is none.
pub(crate) fn boxed<T>(value: T) -> Result<Box<T>, Status> {
    const { assert!(size_of::<T>() > 0) };
    // SAFETY: the layout is not empty.
    let place = NonNull::new(unsafe { alloc::alloc::alloc(Layout::new::<T>()) }).ok_or(Status::Memory)?.cast::<T>();
    // SAFETY: the memory is new, as large as a value, aligned for one, and from where a box takes its own.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place.as_ptr()))
    }
}

impl<'c> Caller<'c> {
    /// Takes the tunnel for this call. In the child of a fork its sessions end first.
    pub(crate) fn claim(self, handle: *const underpass_tunnel) -> Result<Claim<'c>, Status> {
        let handle = &self.held(handle)?.value;
        let process = handle.owner.ask();
        let busy = busy(process.number);
        match handle.state.compare_exchange(IDLE, busy, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {}
            Err(state) if state == busy => return Err(Status::Busy),
            // Or a thread of the parent was inside when it forked: it will never come out here.
            Err(_) => return Err(Status::Poisoned),
        }
        let mut claim = Claim { handle, process: process.number, after: POISONED };
        if process.is_new {
            claim.take_over(process.number);
        }
        Ok(claim)
    }

    /// The configuration behind a handle: any number of calls may read it at a time.
    pub(crate) fn config(self, handle: *const underpass_config) -> Result<&'c underpass_config, Status> {
        Ok(&self.held(handle)?.value)
    }

    /// Takes a tunnel back from C, poisoned or not; its keys are wiped.
    pub(crate) fn free_tunnel(self, handle: *mut underpass_tunnel) -> Result<(), Status> {
        if handle.is_null() {
            return Ok(());
        }
        let tunnel = &self.held(handle)?.value;
        let busy = busy(tunnel.owner.ask().number);
        let mut state = tunnel.state.load(Ordering::Relaxed);
        while state != busy {
            match tunnel.state.compare_exchange_weak(state, busy, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return self.release(handle),
                Err(other) => state = other,
            }
        }
        Err(Status::Busy)
    }

    /// Takes a configuration back from C; its keys are wiped.
    pub(crate) fn free_config(self, handle: *mut underpass_config) -> Result<(), Status> {
        if handle.is_null() { Ok(()) } else { self.release(handle) }
    }

    fn release<T: Kind + 'c>(self, handle: *mut T) -> Result<(), Status> {
        // For whoever comes with it again while nothing else has taken its place.
        self.held(handle)?.kind.store(0, Ordering::Relaxed);
        // SAFETY: `hand_over` made it, and the header promises that no call is inside or follows.
        drop(unsafe { Box::from_raw(handle.cast::<Held<T>>()) });
        Ok(())
    }

    /// What is behind a handle, if it is one of this kind.
    fn held<T: Kind + 'c>(self, handle: *const T) -> Result<&'c Held<T>, Status> {
        let handle = NonNull::new(handle.cast_mut()).ok_or(Status::Null)?.cast::<Held<T>>();
        if !handle.is_aligned() {
            return Err(Status::Argument);
        }
        // SAFETY: the header promises a handle, of whatever kind, that was made here and is not freed before the call
        // returns: all begin with this word.
        let kind = unsafe { handle.cast::<AtomicU32>().as_ref() }.load(Ordering::Relaxed);
        if kind != T::KIND {
            return Err(Status::Argument);
        }
        // SAFETY: it is of this kind.
        Ok(unsafe { handle.as_ref() })
    }
}

impl Claim<'_> {
    /// How the tunnel is known outside the core.
    pub(crate) fn marks(&self) -> Marks {
        Marks { jobs: self.handle.mark.get(), user: self.handle.user, process: self.process }
    }

    /// The tunnel.
    pub(crate) fn tunnel(&mut self) -> &mut Tunnel {
        // SAFETY: whoever changed the state from idle to busy is alone with the tunnel until the claim is dropped.
        unsafe { &mut *self.handle.tunnel.get() }
    }

    /// This process is the child of a fork.
    #[cold]
    #[inline(never)]
    fn take_over(&mut self, process: u32) {
        self.tunnel().handle_fork();
        // Jobs that were begun before are the parent's.
        let Self { handle, .. } = self;
        handle.mark.set(handle.mark.get().wrapping_add(process.into()));
        handle.owner.take_over(process);
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
