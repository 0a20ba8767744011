//! CBOR (RFC 8949), the part of it that control messages are made of: unsigned integers, byte and text strings, arrays, maps,
//! `false` and `true`.
//!
//! What is written is deterministic (RFC 8949 § 4.2.1). What is read has definite lengths and the shortest heads. Keys of maps
//! are the numbers 0 to 63, each once; the value of a key that the reader does not know may be any well-formed CBOR, nested
//! up to 8 deep. No bytes make anything here panic, and nothing is taken from the heap.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
mod fault;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use fault::Fault;
pub use reader::Reader;
pub use writer::Writer;

/// The key by which a map lists the keys that its reader has to know.
pub const MUST: u8 = 0;
/// The greatest key of a map.
pub const MAX_KEY: u8 = 63;
/// How deep a value that is skipped may be nested.
const MAX_DEPTH: usize = 8;

/// Major types (RFC 8949 § 3.1).
const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
/// The whole items `false` and `true` (RFC 8949 § 3.3).
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
