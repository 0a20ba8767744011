//! What a gateway needs of Linux around `underpass_gateway`.
//!
//! | file | what it does |
//! |---|---|
//! | `config` | reads the configuration |
//! | `keys` | reads private and preshared keys, if nobody else can |
//! | `local` | local time, which hours of rules are in |
//! | `places` | opens the store and the audit log that a configuration names |
//! | `surroundings` | rules of the firewall, addresses, routes |
//! | `forwarding` | has the machine forward packets, and remembers whether it did before |
//! | `inbox` | what the thread of the service waits for |
//! | `driver` | that thread: it takes messages from the engine to the service, and does to the tunnel what that decides |
//! | `metrics` | what a gateway counts, for Prometheus |
//! | `status` | the file that says how a gateway is |
pub mod config;
pub mod driver;
pub mod forwarding;
pub mod inbox;
pub mod keys;
pub mod local;
pub mod metrics;
pub mod places;
pub mod status;
pub mod surroundings;
