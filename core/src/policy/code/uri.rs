//! `otpauth://` URIs, which authenticators read from QR codes (the Key URI Format of Google Authenticator).
use super::{Algorithm, Moving, OneTimeCode};
use core::fmt::{self, Write};

/// Writes the URI by which an authenticator takes up `factor`. `next` is the counter of the first code, for HOTP. Takes no
/// memory from the heap; what it writes is as secret as the secret.
///
/// # Errors
/// Those of `out`.
pub fn write_uri(factor: &OneTimeCode, issuer: &str, account: &str, next: u64, out: &mut dyn Write) -> fmt::Result {
    let kind = match factor.moving {
        Moving::Counter => "hotp",
        Moving::Time { .. } => "totp",
    };
    write!(out, "otpauth://{kind}/{}:{}?secret=", Encoded(issuer), Encoded(account))?;
    factor.secret.write_base32(out)?;
    let algorithm = match factor.algorithm {
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha512 => "SHA512",
    };
    let digits = factor.digits.count();
    write!(out, "&issuer={}&algorithm={algorithm}&digits={digits}", Encoded(issuer))?;
    match factor.moving {
        Moving::Counter => write!(out, "&counter={next}"),
        Moving::Time { period } => write!(out, "&period={period}"),
    }
}

/// Text with everything percent-encoded but unreserved characters (RFC 3986 § 2.3).
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => f.write_char(char::from(byte)),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}
