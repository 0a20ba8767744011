//! The cross-platform control protocol, by which `wg` speaks to a tunnel: `get=1` and `set=1` texts
//! (<https://www.wireguard.com/xplatform/>).
//!
//! The host reads bytes from the control socket into a [`RequestBuffer`]. For each request it finds there the host
//! answers [`Request::Get`] with [`write_get`], or gives the text of [`Request::Set`] to [`parse_set`], applies listen
//! port and firewall mark itself and the changes by [`Tunnel::configure`](crate::Tunnel::configure); either way it
//! ends the answer with [`write_status`]. A request is applied whole or not at all. No text can panic, and no
//! [`UapiError`] repeats any of it.
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used)]
mod fault;
mod get;
mod request;
mod set;
#[cfg(test)]
mod tests;

pub use fault::{EADDRINUSE, EINVAL, EIO, EMSGSIZE, ENOMEM, EPROTO, Fault, UapiError, write_status};
pub use get::{HostState, write_get};
pub use request::{MAX_REQUEST_LEN, Request, RequestBuffer};
pub use set::{SetRequest, parse_set};
