//! A simulated network in simulated time, and the stories that tunnels live through in it.
//!
//! A [`World`] owns hosts (each a real `underpass_core::Tunnel` with clocks of its own), the wires and NATs between them,
//! an attacker in the middle, and one seed. Nothing here reads a clock or the machine's randomness: the same seed
//! replays the same run, byte for byte.
pub mod clock;
pub mod demo;
pub mod endpoints;
pub mod host;
pub mod inner;
pub mod ledger;
pub mod network;
pub mod outcome;
pub mod rng;
pub mod trace;
pub mod world;

pub use host::{DataPath, Spec};
pub use network::Kind;
pub use outcome::Outcome;
pub use world::{HostId, Shape, World};
