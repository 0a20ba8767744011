//! What a gateway needs of Linux around `underpass_gateway`: its configuration, its keys, its places on the disk.
//!
//! | file | what it does |
//! |---|---|
//! | `config` | reads the configuration |
//! | `keys` | reads private and preshared keys, if nobody else can |
//! | `places` | opens the store and the audit log that a configuration names |
pub mod config;
pub mod keys;
pub mod places;
