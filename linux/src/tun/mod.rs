//! The virtual interface: packets in bundles, split and gathered on the way.
//!
//! - `device` is the interface itself;
//! - `vnet` is the header before every packet it gives and takes;
//! - `segment` splits what it gives, `coalesce` gathers what it takes, `flow` tells which packets go together;
//! - `checksum` is the arithmetic below both.
pub mod checksum;
pub mod coalesce;
pub mod device;
pub mod flow;
pub mod segment;
pub mod vnet;

#[cfg(test)]
mod tests;
