//! The data plane that the libraries for Kotlin and Swift have in common; each has a door of its own to it.
//!
//! In feed mode the application owns all sockets and the virtual interface. Packets and datagrams lie in the slots of one
//! slab, what is said of them in another buffer, and one call hands over a batch. A feed is named by a random number.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
// A bug in the library must not end the application: panics are caught, so they must unwind.
#[cfg(panic = "abort")]
compile_error!("build with panic = \"unwind\": a bug in the library would end the whole program");

pub mod answer;
pub mod facts;
pub mod memory;

pub mod feed;
pub mod registry;

#[cfg(test)]
mod tests;
