//! The service of a gateway beside a real tunnel, in simulated time: clients with tunnels and control channels of their own.
mod certified;
mod ending;
mod enrolling;
mod fragile;
mod hostile;
mod login;
mod outage;
#[allow(dead_code, reason = "the tests of certificates use the rest")]
#[path = "../certificate/pki.rs"]
mod pki;
mod place;
mod random;
mod rules;
mod start;
mod talk;
mod world;
