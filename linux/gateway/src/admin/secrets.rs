//! Secrets that are shown once: made here, and kept as hashes where a hash is enough.
use super::AdminError;
use crate::store::{HashOfCode, UserId};
use data_encoding::BASE32_NOPAD;
use std::fmt::Write as _;
use underpass_core::PrivateKey;
use underpass_core::policy::code::{RecoveryCode, RecoveryKey};
use zeroize::Zeroizing;

/// Bytes of the secret of a one-time code: as long as the hash (RFC 4226 § 4, R6).
const SECRET: usize = 20;
/// Bytes of a recovery code: 80 bits.
const RECOVERY: usize = 10;
/// Bytes of a key.
const KEY_LEN: usize = 32;
/// Characters of a recovery code between dashes.
const GROUP: usize = 4;

/// The secret of a one-time code.
pub(crate) fn secret() -> Result<Zeroizing<Vec<u8>>, AdminError> {
    random::<SECRET>().map(|bytes| Zeroizing::new(bytes.to_vec()))
}

/// A secret in the form that authenticator apps take: base32 in capital letters, without padding.
pub(crate) fn base32(secret: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(BASE32_NOPAD.encode(secret))
}

/// A recovery code: 16 characters in groups of four.
pub(super) fn recovery() -> Result<Zeroizing<String>, AdminError> {
    let digits = Zeroizing::new(BASE32_NOPAD.encode(random::<RECOVERY>()?.as_slice()).to_ascii_lowercase());
    let mut code = Zeroizing::new(String::with_capacity(2 * RECOVERY));
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            code.push('-');
        }
        code.push(digit);
    }
    Ok(code)
}

/// The one-time key of an enrolment.
pub(super) fn enrolment_key() -> Result<PrivateKey, AdminError> {
    random::<KEY_LEN>().map(|bytes| PrivateKey::from_bytes(*bytes).clamped())
}

/// The key of the hashes of recovery codes, here and in the core. It is no secret: the 80 bits of a code are what keeps it from being
/// guessed.
pub const RECOVERY_KEY: RecoveryKey = RecoveryKey::from_bytes(*b"underpass gateway recovery key 1");

/// By what a recovery code is kept: the core's hash of the user's number and the code. Dashes, spaces and capitals do not count.
/// What is no code has the hash of none.
#[must_use]
pub fn hash_of_recovery(user: UserId, code: &str) -> HashOfCode {
    let hash = RecoveryCode::read(code).map(|code| code.hash(&RECOVERY_KEY, user.0 as u64));
    HashOfCode(hash.map_or([0; 32], |hash| *hash.as_bytes()))
}

/// The address of a secret as authenticator apps read it from a QR code.
pub(crate) fn otpauth(issuer: &str, user: &str, base32: &str) -> Zeroizing<String> {
    let (issuer, user) = (percent(issuer), percent(user));
    // The defaults of the form: SHA-1, six digits, steps of 30 seconds. Some apps know nothing else.
    Zeroizing::new(format!(
        "otpauth://totp/{issuer}:{user}?secret={base32}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    ))
}

/// Writes what is not unreserved (RFC 3986 § 2.3) as `%` and digits.
fn percent(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, AdminError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| AdminError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_the_form_that_others_read() {
        // RFC 4648 § 10.
        assert_eq!(base32(b"foobar").as_str(), "MZXW6YTBOI");
        assert_eq!(base32(&secret().expect("randomness")).len(), 32);
        let uri = otpauth("gw-1", "a+b@example.org", "MZXW6YTBOI");
        let want =
            "otpauth://totp/gw-1:a%2Bb%40example.org?secret=MZXW6YTBOI&issuer=gw-1&algorithm=SHA1&digits=6&period=30";
        assert_eq!(uri.as_str(), want);
        let code = recovery().expect("randomness");
        assert_eq!((code.len(), code.matches('-').count()), (19, 3));
        assert_ne!(recovery().expect("randomness"), code);
    }

    #[test]
    fn a_recovery_code_is_the_same_however_it_is_typed_and_another_for_others() {
        let (alice, bert) = (UserId(1), UserId(2));
        let hash = hash_of_recovery(alice, "abcd-efgh-ijkl-mnop");
        assert_eq!(hash, hash_of_recovery(alice, "ABCDEFGH ijklmnop"));
        assert_ne!(hash, hash_of_recovery(bert, "abcd-efgh-ijkl-mnop"));
    }

    #[test]
    fn no_two_enrolments_have_the_same_key() {
        let key = || enrolment_key().expect("randomness").public_key();
        assert_ne!(key(), key());
    }
}
