//! Who is measured: the bare cipher, the core, and the other implementations by their plain calls for one peer.
#[cfg(feature = "peers")]
pub mod boringtun;
#[cfg(feature = "boundary")]
pub mod boringtun_c;
#[cfg(feature = "peers")]
pub mod gotatun;
#[cfg(feature = "phone")]
pub mod jvm;
pub mod ours;
#[cfg(feature = "boundary")]
pub mod ours_c;
mod raw;
#[cfg(feature = "peers")]
pub mod sanstun;

#[cfg(feature = "peers")]
pub use self::boringtun::{Boringtun, BoringtunGreeting};
#[cfg(feature = "peers")]
pub use self::gotatun::{Gotatun, GotatunGreeting};
#[cfg(feature = "peers")]
pub use self::sanstun::{Sanstun, SanstunGreeting};
pub use ours::{Manner, Ours};
pub use raw::Raw;

use std::time::{Duration, Instant};

/// Packets that are sealed, and then opened, in one go: what a read of the virtual interface with offloads brings.
pub const FLIGHT: usize = 64;

/// Someone who seals packets and opens datagrams.
pub trait Party {
    /// Its name in tables.
    fn name(&self) -> String;
    /// Seals [`FLIGHT`] packets and opens them at the other end, checked; returns the time spent in each.
    ///
    /// What is timed is calls into the implementation alone, inside functions called `measured_*`.
    fn flight(&mut self) -> (Duration, Duration);
}

/// Someone who shakes hands.
pub trait Greeter {
    /// Its name in tables.
    fn name(&self) -> String;
    /// One handshake of two ends, until the responder has the initiator's confirmation: the time spent by the initiator
    /// and by the responder.
    fn handshake(&mut self) -> (Duration, Duration);
    /// Looks at `times` initiations whose first MAC is wrong.
    fn reject(&mut self, times: usize) -> Duration;
    /// Answers `times` initiations with a cookie reply.
    fn cookies(&mut self, times: usize) -> Duration;
}

/// The time that `act` takes, and its outcome.
pub fn timed<T>(act: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let outcome = act();
    (started.elapsed(), outcome)
}

/// [`FLIGHT`] packets of `len` bytes with an IPv4 header from tunnel 0 to tunnel 1.
#[cfg(feature = "peers")]
fn packets(len: usize) -> Vec<Vec<u8>> {
    let mut packet = vec![0; len];
    underpass_budget::write_header(&mut packet, 0, 1);
    vec![packet; FLIGHT]
}
