//! The control channel: a conversation with a peer that rides inside the tunnel.
//!
//! [`address`] says which addresses it has, `frame` makes packets of messages and reads them. What is said, the other rooms
//! know; how it comes and goes, `tunnel` does.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]
pub mod address;
pub(crate) mod frame;
