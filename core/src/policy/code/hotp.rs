//! Codes by counter (RFC 4226).
use super::OneTimeCode;
use super::otp::Entered;

/// Counters that are tried from the next expected one on (RFC 4226 § 7.2: "s"). Somebody who makes more codes than that
/// without using them has to [resynchronise](resync).
pub const LOOK_AHEAD: u64 = 10;
/// Counters among which two consecutive codes are looked for (RFC 4226 § 7.4).
pub const RESYNC_WINDOW: u64 = 100;

/// The counter that `entered` is the code of, among [`LOOK_AHEAD`] after the `last` accepted one (`None`: none yet, and
/// counting begins at 0). The caller stores it as the last accepted one by compare-and-set.
#[must_use]
pub fn verify(factor: &OneTimeCode, last: Option<u64>, entered: &str) -> Option<u64> {
    let entered = Entered::read(entered, factor.digits)?;
    factor.find(&entered, next(last)?, LOOK_AHEAD, last)
}

/// The counter that `second` is the code of when `first` is the code of the counter before it, among [`RESYNC_WINDOW`] after
/// the `last` accepted one. The caller stores it as with [`verify`].
#[must_use]
pub fn resync(factor: &OneTimeCode, last: Option<u64>, first: &str, second: &str) -> Option<u64> {
    let (first, second) = (Entered::read(first, factor.digits)?, Entered::read(second, factor.digits)?);
    let start = next(last)?;
    let mut from = start;
    // The first code may be that of several counters.
    while let Some(counter) = factor.find(&first, from, RESYNC_WINDOW.saturating_sub(from.saturating_sub(start)), last)
    {
        from = counter.checked_add(1)?;
        if let Some(found) = factor.find(&second, from, 1, last) {
            return Some(found);
        }
    }
    None
}

/// The counter after `last`.
const fn next(last: Option<u64>) -> Option<u64> {
    match last {
        Some(last) => last.checked_add(1),
        None => Some(0),
    }
}
