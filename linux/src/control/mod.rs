//! The control socket: what `wg` talks to.
//!
//! A userspace WireGuard interface `wg0` is configured through the unix socket `/var/run/wireguard/wg0.sock`, in the
//! cross-platform control protocol: requests `get=1` and `set=1` as lines of `key=value`, each request and each answer
//! ended by an empty line. [`socket`] makes the socket, [`server`] answers on it, [`device`] is what is asked;
//! [`client`] is the other side, and [`status`] what it learns.
pub mod client;
pub mod device;
pub mod server;
pub mod socket;
pub mod status;

mod abort;
mod answer;
mod connection;

pub use device::{Device, EngineDevice};
pub use server::{ControlServer, Over};
pub use socket::{ControlSocket, SocketError};

#[cfg(test)]
mod tests;
