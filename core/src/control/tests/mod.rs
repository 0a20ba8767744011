//! Stories of a client and its gateway over a channel that loses, doubles and reorders, in simulated time.
mod blocks;
mod hostile;
mod login;
mod watching;
mod world;

pub use world::{Chance, World, admit, raw, seconds, thing};
