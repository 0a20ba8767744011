//! The C interface of Underpass. `include/underpass.h` is generated from this package; ARCHITECTURE.md tells how it is
//! built.
//!
//! An entry is a function of the header. It goes through the boundary, which catches panics and claims the handle; what it
//! needs of C's memory it asks of a `Caller`. From Rust, the entries are as unsafe as from C: what the header asks of
//! pointers is the caller's to keep.
#![cfg_attr(not(feature = "std"), no_std)]
#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "the documentation is that of the header, where brackets are brackets"
)]
#![allow(non_camel_case_types)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
// The boundary catches panics, so they must unwind.
#[cfg(all(feature = "std", panic = "abort"))]
compile_error!("build with panic = \"unwind\": a bug in the library would end the whole program");
#[cfg(all(not(feature = "std"), feature = "fast"))]
compile_error!("the fast backend asks an operating system what the CPU can: without one, take the portable backend");
#[cfg(not(target_has_atomic = "32"))]
compile_error!("this CPU has no compare-and-swap, by which a tunnel takes one call at a time");

extern crate alloc;

// The order of the header.
pub mod words;

pub mod keys;

pub mod address;

#[cfg(all(unix, feature = "std"))]
pub mod sockaddr;

pub mod config;

pub mod entropy;

pub mod options;

pub mod configure;

pub mod uapi;

pub mod batch;

pub mod steps;

pub mod facts;

pub mod drain;

pub mod commands;

pub mod peers;

pub mod handle;

pub mod job;

mod boundary;
mod fork;
mod memory;
#[cfg(not(feature = "std"))]
mod no_os;
mod overlap;
#[cfg(feature = "provoke")]
pub mod provoke;
mod said;
#[cfg(test)]
mod tests;
