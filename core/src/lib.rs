//! A WireGuard tunnel as a state machine without I/O.
//!
//! [`Tunnel`] is the whole of it: one virtual interface, its private key, its peers and its routes.
//! The host (the program around it) owns sockets, the virtual interface, clocks and threads, and
//! passes packets, datagrams and the time in; the tunnel answers with packets, datagrams, events
//! and the next deadline. Nothing here allocates per packet, reads a clock or blocks.
//!
//! A host reads packets from a virtual interface and datagrams from a socket, hands each to the tunnel, and drains it:
//!
//! ```
//! use underpass_core::packet::ecn::Ecn;
//! use underpass_core::tunnel::{Event, Inbound, Outbound, PacketBuf, Path};
//! use underpass_core::{Instant, Tunnel};
//!
//! /// What a host does with what a tunnel hands it.
//! trait Host {
//!     /// To the virtual interface.
//!     fn write(&mut self, packet: &[u8]);
//!     /// To the network, from and to the addresses of `path`.
//!     fn send(&mut self, path: Path, ecn: Ecn, datagram: &[u8]);
//!     /// To whoever watches.
//!     fn note(&mut self, event: Event);
//! }
//!
//! /// The virtual interface gave a packet. It is sealed where it lies: `buf` has room around it.
//! fn packet_read(tunnel: &mut Tunnel, host: &mut impl Host, now: Instant, packet: PacketBuf<'_>) {
//!     match tunnel.handle_packet(now, packet) {
//!         Outbound::Datagram { transmit, datagram } => host.send(transmit.path, transmit.ecn, datagram),
//!         Outbound::Bounce { packet, .. } => host.write(packet),
//!         _ => {} // Staged, or dropped and counted.
//!     }
//! }
//!
//! /// The network gave a datagram. It is opened where it lies.
//! fn datagram_received(tunnel: &mut Tunnel, host: &mut impl Host, now: Instant, path: Path, ecn: Ecn, bytes: &mut [u8]) {
//!     match tunnel.handle_datagram(now, path, ecn, bytes) {
//!         Inbound::Packet { packet, .. } => host.write(packet),
//!         Inbound::Reply(cookie) => host.send(path, Ecn::NotCapable, cookie),
//!         _ => {} // Taken in, or dropped and counted.
//!     }
//! }
//!
//! /// After either, and after `handle_timeout`. Returns when `handle_timeout` is due; `None`: nothing is.
//! fn drain(tunnel: &mut Tunnel, host: &mut impl Host, now: Instant, buf: &mut [u8]) -> Option<Instant> {
//!     while let Ok(Some(transmit)) = tunnel.poll_transmit(now, buf) {
//!         host.send(transmit.path, transmit.ecn, &buf[..transmit.len]);
//!     }
//!     while let Some(event) = tunnel.poll_event() {
//!         host.note(event);
//!     }
//!     tunnel.poll_timeout()
//! }
//! ```
//!
//! Memory that runs out ends no program. Configuring asks for all that it needs first, and answers
//! [`ConfigReason::NoMemory`]; a packet or handshake message is dropped and counted as [`DropReason::NoMemory`], and the
//! handshake tried again; what a queue has no place for is looked for again a second later. What is made for hosts in Rust
//! takes memory as Rust does: [`config::write()`], keys as strings, [`PeerView::snapshot`](tunnel::PeerView::snapshot),
//! clones and conversions of configurations, lists of rules,
//! [`SealJob::crypt_all`](tunnel::SealJob::crypt_all). Nothing else does.
//!
//! The modules are layers: each imports only from those above it in the list below. Those that are private, `internals`
//! shows to fuzzing, benchmarks and vectors; what it holds is no part of the surface.
#![no_std]
#![forbid(unsafe_code)]
// No input can panic: what might is not written outside of tests. Arithmetic that might is denied where bytes are parsed.
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::panic, clippy::string_slice, clippy::unreachable, clippy::unwrap_used)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod error;
pub mod limits;
mod memory;
mod order;
pub mod stats;
mod time;

pub mod status;

mod crypto;
pub mod packet;
mod wire;

mod cookie;
#[cfg(feature = "filter")]
pub mod filter;
mod noise;
mod route;
mod session;
mod timers;

pub mod config;

#[cfg(feature = "control")]
pub mod control;

mod peer;

pub mod tunnel;

#[cfg(feature = "policy")]
pub mod policy;

pub mod uapi;

#[doc(hidden)]
pub mod internals;

#[cfg(feature = "control")]
pub use config::{Access, ControlRole};
pub use config::{AllowedIp, Change, Endpoint, NewPeer, PeerChange, TunnelConfig};
pub use crypto::{PresharedKey, PrivateKey, PublicKey, Rng};
pub use error::{ConfigError, ConfigReason, NoRandomness};
pub use limits::Limits;
pub use noise::Tai64N;
pub use peer::PeerId;
pub use stats::DropReason;
pub use status::Status;
pub use time::{Instant, UnixTime};
pub use tunnel::Tunnel;
