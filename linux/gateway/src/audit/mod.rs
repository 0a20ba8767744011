//! The audit log: who did what, in a form that cannot be changed unnoticed. `docs/audit.md` is for those who read it.
//!
//! An [`Event`] goes to the [`Recorder`], where the [`Level`] is asked first: what it does not permit never becomes a line.
//! What it permits becomes a line of JSON with a number and a hash over the line before it ([`log`]), goes to syslog if that is
//! wanted ([`syslog`]), and is covered by the next signed checkpoint in a second place ([`checkpoint`]). [`verify`] finds what was
//! done to lines since.
//!
//! Nothing secret has a type that an event could carry. What strangers wrote comes as [`Text`], which is short, and has
//! neither line breaks nor control characters.
pub mod checkpoint;
pub mod error;
pub mod event;
mod level;
mod line;
pub mod log;
mod places;
pub mod query;
mod recorder;
pub mod syslog;
mod text;
pub mod verify;

pub use error::AuditError;
pub use event::{Event, KINDS, Kind};
pub use level::{Level, Permitted};
pub use line::Hash;
pub use recorder::{Hold, ROTATE_AT, Recorder, Settings};
pub use text::{LONGEST as LONGEST_TEXT, Text};

#[cfg(test)]
mod tests;
