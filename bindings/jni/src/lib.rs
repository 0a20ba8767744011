//! The library of Underpass for Kotlin and Java. It has two doors: the control plane, which uniffi makes of `underpass-uniffi`, and
//! the data plane, which is `underpass-feed` and goes by JNI.
//!
//! In feed mode the application owns all sockets and the virtual interface. Packets and datagrams lie in the slots of one
//! direct buffer, what is said of them in another, and one call hands over a batch. A feed is named by a random number; no
//! function takes an address. Or else the `pump` carries a tunnel by itself, on Linux and Android, given the descriptor of the
//! interface.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
// A bug in the library must not end the application: panics are caught, so they must unwind.
#[cfg(panic = "abort")]
compile_error!("build with panic = \"unwind\": a bug in the library would end the whole program");

#[cfg(all(feature = "pump", any(target_os = "linux", target_os = "android")))]
pub mod pump;

mod door;
