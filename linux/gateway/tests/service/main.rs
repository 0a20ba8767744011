//! The service of a gateway beside a real tunnel, in simulated time: clients with tunnels and control channels of their own.
mod ending;
mod enrolling;
mod fragile;
mod hostile;
mod login;
mod outage;
mod place;
mod random;
mod rules;
mod start;
mod talk;
mod world;
