//! mac1, mac2 and cookie replies (paper § 5.3, § 5.4.4, § 5.4.7), and the judgement of load.
//!
//! Every handshake message ends in two MACs. *mac1* proves that its sender knows our public key: it is tested before
//! anything else, and what fails it gets no answer. *mac2* proves that its sender receives what is sent to the
//! address it speaks from: it is asked for under load only ([`load`]), by a cookie reply instead of an answer.
//!
//! ```text
//! Stamp::stamp ── initiation, mac1 ─────────▶ MacKeys::verify_mac1 ▶ Load::admit: Cookie
//! Stamp::accept ◀── cookie reply ─────────── CookieJar::reply
//! Stamp::stamp ── initiation, mac1, mac2 ──▶ … ▶ Load::admit ▶ CookieJar::verify_mac2: Accept
//! ```
//!
//! A cookie reply is stateless for the responder, and for the initiator it is a hint, no more: it moves no
//! endpoint, arms no timer and triggers no message. The next one carries mac2.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub(crate) mod bucket;
mod jar;
pub mod load;
mod mac;
mod sources;
mod stamp;

pub use jar::CookieJar;
pub use mac::MacKeys;
pub use stamp::Stamp;

use core::time::Duration;

/// A cookie is used for this much less than its secret lives, so that it does not die on the way.
pub const COOKIE_LATENCY: Duration = Duration::from_secs(5);

/// A MAC under a key that its sender was given for the address it speaks from.
type Cookie = [u8; 16];

#[cfg(test)]
mod tests;
