//! What HOTP and TOTP share: the computation (RFC 4226 § 5.3), and a code as somebody entered it.
use super::OtpSecret;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The hash below HMAC (RFC 6238 § 1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-1, which every authenticator knows.
    #[default]
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How many digits a code has: 6 to 8 (RFC 4226 § 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits(u8);

impl Digits {
    /// Six, as nearly everywhere.
    pub const SIX: Self = Self(6);

    /// `None` for anything but 6, 7 or 8.
    #[must_use]
    pub const fn new(digits: u8) -> Option<Self> {
        if matches!(digits, 6..=8) { Some(Self(digits)) } else { None }
    }

    /// The number of digits.
    #[must_use]
    pub const fn count(self) -> u8 {
        self.0
    }

    /// Ten to that power.
    const fn modulus(self) -> u32 {
        match self.0 {
            6 => 1_000_000,
            7 => 10_000_000,
            _ => 100_000_000,
        }
    }
}

/// What moves from code to code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moving {
    /// A counter: HOTP (RFC 4226).
    Counter,
    /// Time, in steps of so many seconds since 1970, 1 to 3600: TOTP (RFC 6238). 30 is usual.
    Time {
        /// Seconds of a step. With 0, time stands still.
        period: u16,
    },
}

/// One factor of a user: the secret and the parameters that his authenticator has.
#[derive(Debug, PartialEq, Eq)]
pub struct OneTimeCode {
    /// The shared secret.
    pub secret: OtpSecret,
    /// The hash.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
    /// HOTP or TOTP.
    pub moving: Moving,
}

impl OneTimeCode {
    /// The code for a counter or time step, below 10^digits.
    #[must_use]
    pub fn code(&self, number: u64) -> u32 {
        let message = number.to_be_bytes();
        let key = self.secret.as_bytes();
        let bits = match self.algorithm {
            Algorithm::Sha1 => truncated::<Hmac<sha1::Sha1>>(key, message),
            Algorithm::Sha256 => truncated::<Hmac<sha2::Sha256>>(key, message),
            Algorithm::Sha512 => truncated::<Hmac<sha2::Sha512>>(key, message),
        };
        bits.checked_rem(self.digits.modulus()).unwrap_or_default()
    }

    /// The lowest of `count` numbers from `first` on whose code is `entered` and which is greater than `last`. All are
    /// computed, whichever it is.
    pub(super) fn find(&self, entered: &Entered, first: u64, count: u64, last: Option<u64>) -> Option<u64> {
        let (mut found, mut any) = (0_u64, subtle::Choice::from(0));
        for number in (0..count).filter_map(|at| first.checked_add(at)) {
            let is_new = last.is_none_or(|last| number > last);
            let matches = self.code(number).ct_eq(&entered.code) & subtle::Choice::from(u8::from(is_new));
            found.conditional_assign(&number, matches & !any);
            any |= matches;
        }
        bool::from(any).then_some(found)
    }
}

/// HMAC of the number, cut down to 31 bits (RFC 4226 § 5.3, dynamic truncation).
fn truncated<M: Mac + KeyInit>(key: &[u8], message: [u8; 8]) -> u32 {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 § 2)");
    mac.update(&message);
    let mac = mac.finalize().into_bytes();
    let offset = usize::from(mac.last().copied().unwrap_or_default() & 0xf);
    let word = mac.get(offset..offset.saturating_add(4)).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    u32::from_be_bytes(word.unwrap_or_default()) & 0x7fff_ffff
}

/// A code as it was entered. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Entered {
    code: u32,
}

impl Entered {
    /// Reads a code: just as many digits as the factor has. Spaces between them are passed over.
    pub(crate) fn read(text: &str, digits: Digits) -> Option<Self> {
        let (mut code, mut count) = (0_u32, 0_u8);
        for byte in text.bytes().filter(|byte| *byte != b' ') {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 || count == digits.count() {
                return None;
            }
            code = code.wrapping_mul(10).wrapping_add(digit.into());
            count = count.saturating_add(1);
        }
        (count == digits.count()).then_some(Self { code })
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entered(redacted)")
    }
}
