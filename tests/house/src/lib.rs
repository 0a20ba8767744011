//! Checks of the house itself: the order of the layers, sizes, vocabulary, licences, and that the documents speak of
//! what exists.
//!
//! Each check is a function from sources to findings, so that it can be shown a made-up fault; `tests/` runs them all on
//! the tree. A finding is one line: where, and what is wrong.
pub mod documents;
pub mod languages;
pub mod layers;
pub mod licences;
pub mod prose;
pub mod public_api;
pub mod purity;
pub mod rust_version;
pub mod scenarios;
pub mod sizes;
pub mod source;
pub mod swift;
pub mod tree;

pub use source::Source;
pub use tree::Tree;
