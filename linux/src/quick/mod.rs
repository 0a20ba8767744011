//! What `underpass up` and `underpass down` do around a tunnel: addresses, routes, name servers, hooks.
//!
//! A configuration and a few [`facts`] about the machine make a [`plan`]: a list of typed [`step`]s, each of which
//! knows what does it and what undoes it. [`carry_out()`] goes through the plan and, when a step fails, back through what
//! was done. Nothing but [`facts`] and [`machine`] touches the machine, so plans are tested without one. What the steps
//! do is what wg-quick(8) does, down to the names it leaves in the firewall: either can take down what the other put up.
pub mod carry_out;
pub mod change;
pub mod facts;
pub mod file;
pub mod firewall;
pub mod invocation;
pub mod machine;
pub mod mask;
pub mod mtu;
pub mod names;
pub mod plan;
pub mod process;
pub mod reconcile;
pub mod record;
pub mod rules;
pub mod save;
pub mod seen;
pub mod shelf;
pub mod spelling;
pub mod step;

pub use carry_out::{Host, carry_out, take_down};
pub use facts::Facts;
pub use file::ConfigFile;
pub use plan::Plan;
pub use record::Record;
pub use seen::Seen;
pub use shelf::{Kept, Shelf};
pub use step::{Action, Family, Step};

#[cfg(test)]
mod tests;
