//! The library of Underpass for Swift. It has two doors: the control plane, which uniffi makes of `underpass-uniffi`, and the
//! data plane, which is `underpass-feed` and goes by the functions of `include/underpass_feed.h`.
//!
//! `ios/` is the Swift package over it; its `PacketFeed` is what an application calls.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
// A bug in the library must not end the application: panics are caught, so they must unwind.
#[cfg(panic = "abort")]
compile_error!("build with panic = \"unwind\": a bug in the library would end the whole program");

mod door;
