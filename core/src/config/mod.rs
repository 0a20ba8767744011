//! Configuration: what a tunnel is made from, the changes it takes, and the wg-quick text that people write.
//!
//! Everything that configures a tunnel (wg-quick text, the `wg` protocol, bindings, tests) ends in [`Change`]s.
//! [`parse`] reads the dialect of `wg-quick(8)`, of which that of `wg setconf` is a part, and says all that is wrong
//! or odd in one go, each with its line, column, section and key; [`write()`] is its inverse. Neither panics on any
//! text, and no [`Diagnostic`] repeats any of the text it speaks of, since a misplaced key could stand anywhere.
//!
//! A text is cut into lines, each key is looked up in the [table of keys](settings::SETTINGS), its value goes to the draft of
//! the section it stands in, and the drafts are joined when the text ends.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]
#[cfg(feature = "control")]
mod access;
mod change;
mod diagnostic;
pub mod foreign;
mod interface;
pub(crate) mod layout;
mod lines;
mod loops;
mod parser;
mod peer;
mod quick;
mod reason;
pub mod settings;
mod spelling;
#[cfg(test)]
mod tests;
pub(crate) mod value;
mod writer;

#[cfg(feature = "control")]
pub(crate) use access::Gate;
#[cfg(feature = "control")]
pub use access::{Access, ControlRole};
pub use change::{AllowedIp, Change, Endpoint, NewPeer, PeerAction, PeerChange, TunnelConfig};
pub use diagnostic::{Diagnostic, Section, Severity};
pub use layout::{Layout, Padding};
pub use parser::{MAX_DIAGNOSTICS, Parsed, parse, parse_with};
pub use quick::{AmneziaSetting, KillSwitch, LinuxSettings, QuickConfig, Table};
pub use reason::Reason;
pub use writer::{write, write_to};
