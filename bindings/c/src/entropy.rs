//! Where a tunnel takes its randomness from.
use core::ffi::c_void;
use core::ptr;
use underpass_core::{NoRandomness, Rng};

/// A source of randomness: fills out with len bytes that nobody can guess, and returns 0; any other number: there is
/// none now. It is called by whatever thread calls the tunnel, while that call runs; it calls no function of that
/// tunnel, and neither throws nor jumps out.
// SAFETY: it is called with memory of `len` bytes, and with the data that came with it.
pub type underpass_entropy = Option<unsafe extern "C" fn(data: *mut c_void, out: *mut u8, len: usize) -> i32>;

/// The host's function, or the system.
pub(crate) struct Source {
    entropy: underpass_entropy,
    data: *mut c_void,
}

// SAFETY: the header says that the function is called by whatever thread calls the tunnel, by one at a time.
unsafe impl Send for Source {}

impl Source {
    pub(crate) const fn new(entropy: underpass_entropy, data: *mut c_void) -> Self {
        Self { entropy, data }
    }

    pub(crate) const fn system() -> Self {
        Self::new(None, ptr::null_mut())
    }
}

impl Rng for Source {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        let Some(entropy) = self.entropy else { return from_system(dest) };
        // SAFETY: the header says what the function is to be, and `dest` is as long as it is told.
        let status = unsafe { entropy(self.data, dest.as_mut_ptr(), dest.len()) };
        if status == 0 { Ok(()) } else { Err(NoRandomness) }
    }
}

#[cfg(feature = "std")]
fn from_system(dest: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(dest).map_err(|_| NoRandomness)
}

#[cfg(not(feature = "std"))]
use crate::no_os::from_system;
