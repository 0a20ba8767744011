//! The control channel: requests and replies between a client and its gateway, inside the tunnel.
//!
//! CoAP (RFC 7252) with block-wise transfer (RFC 7959) and observe (RFC 7641) over UDP, with bodies in CBOR (RFC 8949) that
//! `docs/control.cddl` describes. The UDP payloads come in and go out as bytes; who carries them is no matter here. The
//! peer's static key is its identity: there are no tokens that could be stolen.
//!
//! [`Server`] is the gateway's end, for many peers; [`Client`] is the other. Both are state machines without I/O. After each
//! call the host drains `poll_transmit`, and calls `handle_timeout` at `poll_timeout`. [`message`] has what is said, and
//! [`local`] what a client takes of it.
//!
//! In a tunnel, [`address`] says which addresses the channel has, and `frame` makes packets of messages and reads them; how they
//! come and go, `tunnel` does.
//!
//! Feature `control`.
pub mod address;
mod cbor;
mod client;
mod coap;
mod exchange;
pub(crate) mod frame;
pub mod local;
pub mod message;
mod server;
#[cfg(test)]
mod tests;
mod wiped;

pub use cbor::Fault;
pub use client::{AskError, AskId, Client, Event, Failure};
pub use coap::Code;
pub use exchange::Transmit;
pub use server::{AnswerError, Counters, Received, RequestId, Server, ServerLimits};
pub use wiped::Wiped;

/// Bytes of a body at most, in either direction, after its blocks are put together.
pub const MAX_BODY: usize = 16 * 1024;
