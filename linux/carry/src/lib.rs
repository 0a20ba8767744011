//! What the Linux host and the pump for Android do alike: datagrams and packets in batches, in place, and waiting for a
//! deadline.
//!
//! - `udp` are the sockets;
//! - `train` is what leaves: packets sealed side by side and sent as one;
//! - `bundle` is what comes: datagrams opened where they lie;
//! - `recycle` is why neither allocates per packet;
//! - `alarm` and `clock` are time; `fault` names what can go wrong.
//!
//! The loops around these are two, for their virtual interfaces have little in common: that of Linux gives and takes bundles,
//! that of Android one packet a call.
pub mod alarm;
pub mod bundle;
pub mod clock;
pub mod fault;
pub mod recycle;
pub mod train;
pub mod udp;

pub use fault::Fault;
pub use quinn_udp::RecvMeta;
