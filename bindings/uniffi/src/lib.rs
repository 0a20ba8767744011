//! The control plane of Underpass for Kotlin and Swift: keys, configurations, tunnels and their events, by uniffi.
//!
//! No packet passes here. The data plane is another package, linked into the same library: it takes a [`Tunnel`] by its
//! [`data_plane_id`](Tunnel::data_plane_id) from [`of_data_plane`], and works on it by [`Tunnel::with_core`].
//!
//! Whatever is called from Kotlin or Swift may be called by any thread at any time. A tunnel has one lock; no code of the
//! application runs under it.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
// A bug in the library must not end the application: panics are caught, so they must unwind.
#[cfg(panic = "abort")]
compile_error!("build with panic = \"unwind\": a bug in the library would end the whole program");
#[cfg(not(unix))]
compile_error!("the clock of this package is that of Linux, Android and Apple systems");

mod error;
pub mod logging;
mod words;

mod address;
mod clock;
mod keys;

mod config;
mod diagnostic;
mod events;
mod records;

mod changes;
mod floors;
mod options;
mod peers;

mod cell;
mod registry;
mod tunnel;

mod commands;

pub use address::{Endpoint, Network, Path, SocketAddress};
pub use changes::{AllowedIp, Padding, PeerAction, PeerChange, PresharedKeyChange, TunnelLimits};
pub use clock::Clock;
pub use config::{Configuration, MAX_TEXT};
pub use diagnostic::{Diagnostic, Section, Severity};
pub use error::TunnelError;
pub use events::{TunnelEvent, TunnelObserver};
pub use keys::{PresharedKey, PrivateKey, PublicKey};
pub use logging::{LogLevel, LogSink, set_logging};
pub use options::TunnelOptions;
pub use peers::{DropCount, PeerInfo, TunnelLayout, TunnelStatistics};
pub use records::{InterfaceConfiguration, PeerConfiguration, RoutingTable};
pub use registry::{live_tunnels, of_data_plane};
pub use tunnel::Tunnel;
pub use words::{DropReason, Health, SendError, Vocabulary, Word, vocabulary};

uniffi::setup_scaffolding!("underpass");

/// The version of the library, as `0.1.0`.
#[uniffi::export]
#[must_use]
pub fn library_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
