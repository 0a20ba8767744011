//! Logging in at a gateway, the client's side.
//!
//! The conversation runs on the control channel inside the tunnel ([`underpass_core::control`]). The tunnel's process opens that
//! channel only for whoever is connected to its [`relay`]; the process of `underpass login` is, for as long as it runs.
//!
//! | file | what it does |
//! |---|---|
//! | `driver` | the conversation as a state machine without I/O: what to send, to ask the user, to set |
//! | `prove` | its part about who the user is: password, code, questions, web page |
//! | `stay` | its part about what was granted: lease, settings, session, and how they are kept |
//! | `enrol` | the same for a device that the gateway does not know yet |
//! | `end` | why a login ends |
//! | `settings` | from what was granted to a configuration, within the client's own |
//! | `relay` | the tunnel's end of the socket between the two processes |
//! | `link` | the other end |
mod driver;
mod end;
mod enrol;
pub mod link;
mod prove;
pub mod relay;
pub mod settings;
mod stay;
#[cfg(test)]
mod tests;

pub use driver::{Driver, Output};
pub use end::End;
pub use prove::{Question, Wants};
pub use settings::Policy;
pub use stay::Grant;
