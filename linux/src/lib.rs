//! The Linux host: TUN, UDP and the wg-compatible control socket around an `underpass_core::Tunnel`.
//!
//! [`engine::Engine`] is one running tunnel: it owns the virtual interface, the sockets, the clocks and the threads.
//! `tun` and `udp` are its two sides; `clock` is where time comes from; `error` names every fault.
pub mod cli;
pub mod clock;
pub mod control;
pub mod demo;
pub mod engine;
pub mod error;
pub mod quick;
pub mod tun;
pub mod udp;

pub use engine::{Ended, Engine, EngineConfig, HostEvent, Workers};
pub use error::HostError;
