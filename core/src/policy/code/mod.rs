//! One-time codes: HOTP (RFC 4226), TOTP (RFC 6238), and recovery codes.
//!
//! Nothing here remembers what was accepted. A check says which counter (HOTP) or time step (TOTP) a code belongs to; the caller
//! stores that number *before* it answers, by a compare-and-set that succeeds only when the number is greater than the last one
//! accepted for the factor. So a code is accepted once, also when two logins present it at the same time, and also after a crash.
//!
//! All numbers of a window are computed and compared in constant time: how long a check takes tells neither whether a code
//! was right nor which number it belongs to.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod hotp;
mod otp;
mod recovery;
mod secret;
pub mod totp;
mod uri;

pub use otp::{Algorithm, Digits, Moving, OneTimeCode};
pub use recovery::{RECOVERY_CODES, RecoveryCode, RecoveryHash, RecoveryKey};
pub use secret::{OtpSecret, SecretError};
pub use uri::write_uri;

#[cfg(test)]
mod tests;
