//! What a gateway keeps and decides beside its packets. It is a library: the `underpass` command mounts it.
//!
//! - [`store`] keeps users, factors, devices, leases and sessions behind one trait; SQLite and, as a
//!   feature, PostgreSQL are the implementations.
//! - [`password`] checks passwords on threads of its own, by request and answer.
//! - [`settings`] reads the configuration, [`nat`] makes the firewall's rules of it.
//! - [`certificate`] says who the holder of a client certificate is.
//! - [`audit`] records who did what, so that nobody can change it unnoticed.
//! - [`admin`] is what administrators do, and [`command`] its command line.
//! - [`service`] joins these with the core: logins over the control channel, sessions, leases.
//!
//! Nothing here touches a packet, and nothing here may run on the thread that moves packets: every call may wait for a disk.
#![forbid(unsafe_code)]

pub mod admin;
pub mod audit;
pub mod certificate;
pub mod command;
pub mod name;
pub mod nat;
pub mod password;
pub mod service;
pub mod settings;
pub mod store;
pub mod time;

pub use name::{BadName, Name};
pub use time::Time;
