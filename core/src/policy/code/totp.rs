//! Codes by time (RFC 6238).
use super::otp::Entered;
use super::{Moving, OneTimeCode};
use crate::time::UnixTime;

/// Steps before and after the present one whose codes are taken (RFC 6238 § 5.2): authenticators' clocks err, and people
/// take their time.
pub const SKEW: u64 = 1;
/// Steps that are looked at.
const WINDOW: u64 = 2 * SKEW + 1;

/// The time step at `wall`, counted from 1970 (RFC 6238 § 4.2). For a factor that counts, 0.
#[must_use]
pub fn step_at(factor: &OneTimeCode, wall: UnixTime) -> u64 {
    match factor.moving {
        Moving::Time { period } => wall.as_duration().as_secs().checked_div(u64::from(period)).unwrap_or_default(),
        Moving::Counter => 0,
    }
}

/// The step that `entered` is the code of: the present one or one of [`SKEW`] beside it, and later than the `last` accepted
/// one. The caller stores it as the last accepted one by compare-and-set.
#[must_use]
pub fn verify(factor: &OneTimeCode, wall: UnixTime, last: Option<u64>, entered: &str) -> Option<u64> {
    let entered = Entered::read(entered, factor.digits)?;
    factor.find(&entered, step_at(factor, wall).saturating_sub(SKEW), WINDOW, last)
}
