//! What is measured.
#[cfg(feature = "boundary")]
pub mod boundary;
pub mod cores;
#[cfg(feature = "field")]
pub mod field;
pub mod handshakes;
pub mod instructions;
pub mod memory;
pub mod packets;
pub mod sizes;
pub mod wakeups;
