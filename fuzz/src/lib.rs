//! What the fuzzers run: one function for each reader of bytes, and one that lives through sequences of calls.
//!
//! The functions are ordinary code, so that a test can replay the corpus and mutations of it without a fuzzer; the
//! libFuzzer programs in `fuzz_targets/` only call them. Each panics when what it was given shows a fault.
mod c_api;
mod config;
mod control;
mod datagram;
mod filter;
pub mod mutate;
mod packet;
pub mod pair;
pub mod tunnel_ops;
mod uapi;
mod wire;

pub use c_api::c_api;
pub use config::config;
pub use control::control;
pub use datagram::datagram;
pub use filter::filter;
pub use packet::packet;
pub use tunnel_ops::tunnel_ops;
pub use uapi::uapi;
pub use wire::wire;

/// A fuzz target: its name, which is also its folder in `corpus/`, and what it runs.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("c_api", c_api),
    ("config", config),
    ("control", control),
    ("datagram", datagram),
    ("filter", filter),
    ("packet", packet),
    ("tunnel_ops", tunnel_ops),
    ("uapi", uapi),
    ("wire", wire),
];
