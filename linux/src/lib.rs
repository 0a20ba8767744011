//! The Linux host: TUN, UDP and the wg-compatible control socket around an `underpass_core::Tunnel`.
//!
//! [`engine::Engine`] is one running tunnel: it owns the virtual interface, the sockets, the clocks and the threads.
//! `tun` and `udp` are its two sides; `error` names every fault. What the pump for Android does alike is in
//! `underpass_carry`: the sockets, the clock, and packets side by side.
pub mod cli;
pub mod confine;
pub mod control;
pub mod demo;
pub mod dns;
pub mod engine;
pub mod error;
#[cfg(feature = "gateway")]
pub mod gateway;
pub mod guard;
pub mod login;
pub mod notify;
pub mod own_directory;
pub mod quick;
pub mod tun;
pub mod watched;

pub use underpass_carry::{clock, udp};

pub use engine::{Ended, Engine, EngineConfig, HostEvent, Messages, Workers};
pub use error::HostError;
