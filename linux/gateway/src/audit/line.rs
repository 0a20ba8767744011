//! A line: JSON with a number, a time, an event, and at its end a hash over the line before it and itself.
//!
//! `{"seq":7,"time":"..","gateway":"..","event":"..", .., "hash":"64 digits"}`. The *body* is the line without the hash,
//! closed by its brace; the hash is SHA-256 over the hash of the line before (32 bytes; zeros before the first) and SHA-256 of
//! the body. Bytes count, not what they mean: there is one way to write a line, and any other is a change.
use super::{AuditError, Permitted};
use crate::name::Name;
use crate::time::Time;
use ring::digest::{Context, SHA256, digest};
use serde::{Serialize, Serializer};
use std::fmt;

/// The longest line in bytes, its line break included.
pub(super) const LONGEST: usize = 8192;
/// What stands before the hash of a line.
const MARK: &[u8] = b",\"hash\":\"";
/// What stands behind it.
const END: &[u8] = b"\"}";
/// Digits of a hash.
const DIGITS: usize = 64;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands for the hash of the line before the first.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(digest(&SHA256, bytes))
    }

    /// The hash of a line whose body has the hash `body`, after a line with this hash.
    #[must_use]
    pub(super) fn then(self, body: Self) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(&body.0);
        Self::from_digest(context.finish())
    }

    fn from_digest(digest: ring::digest::Digest) -> Self {
        let mut hash = Self::ZERO;
        hash.0.copy_from_slice(digest.as_ref());
        hash
    }

    /// Reads 64 hexadecimal digits in small letters.
    #[must_use]
    pub fn read(digits: &[u8]) -> Option<Self> {
        let mut hash = Self::ZERO;
        let is_small = digits.iter().all(|digit| !digit.is_ascii_uppercase());
        (is_small && hex::decode_to_slice(digits, &mut hash.0).is_ok()).then_some(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Hash({self})")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

/// The body of a line.
#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    time: Time,
    gateway: &'a Name,
    #[serde(flatten)]
    event: &'a super::Event,
}

/// Writes a line with its line break, and gives its hash.
pub(super) fn write(
    seq: u64,
    time: Time,
    gateway: &Name,
    event: &Permitted,
    previous: Hash,
) -> Result<(String, Hash), AuditError> {
    let body = Body { seq, time, gateway, event: event.event() };
    // Serialising strings, numbers and addresses does not fail.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let hash = previous.then(Hash::of(body.as_bytes()));
    let open = body.strip_suffix('}').unwrap_or_default();
    let line = format!("{open},\"hash\":\"{hash}\"}}\n");
    if open.is_empty() || line.len() > LONGEST { Err(AuditError::TooLong(line.len())) } else { Ok((line, hash)) }
}

/// A line that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// Its number.
    pub(super) seq: u64,
    /// The hash of its body.
    pub(super) body: Hash,
    /// The hash that it says it has.
    pub(super) hash: Hash,
}

impl Read {
    /// Reads a line without its line break. `None`: it is none.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
        let open = rest.strip_suffix(MARK)?;
        let hash = Hash::read(digits)?;
        let number = open.strip_prefix(b"{\"seq\":")?;
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, follows) = number.split_at_checked(digits)?;
        let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let body = Hash::of(&[open, b"}"].concat());
        follows.starts_with(b",").then_some(Self { seq, body, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Event, Level, Text};
    use super::*;

    #[test]
    fn a_line_is_written_as_it_is_documented_and_read_again() {
        let event = Event::GatewayStopped { reason: Text::new("a\n{\"seq\":2") };
        let event = Level::Full.permit(event).expect("it is permitted");
        let gateway = "gw".parse().expect("a name");
        let (line, hash) = write(1, Time::ZERO, &gateway, &event, Hash::ZERO).expect("a line");
        let body = r#"{"seq":1,"time":"1970-01-01T00:00:00.000Z","gateway":"gw","event":"gateway.stopped","reason":"a\\u{a}{\"seq\":2"}"#;
        assert_eq!(line, format!("{},\"hash\":\"{hash}\"}}\n", &body[..body.len() - 1]));
        assert_eq!(line.matches('\n').count(), 1);
        let read = Read::of(line.trim_end().as_bytes()).expect("a line");
        assert_eq!(read, Read { seq: 1, body: Hash::of(body.as_bytes()), hash });
        assert_eq!(Hash::ZERO.then(read.body), hash);
        // Reckoned by sha256sum.
        assert_eq!(Hash::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_is_no_line_is_not_read() {
        let digits = "0".repeat(64);
        let line = |begin: &str, end: &str| format!("{begin},\"hash\":\"{digits}\"}}{end}");
        assert!(Read::of(line("{\"seq\":1,\"x\":2", "").as_bytes()).is_some());
        for text in [
            String::new(),
            "}".into(),
            line("", ""),
            line("{\"seq\":,\"x\":2", ""),
            line("{\"seq\":1", ""),
            line("{\"seq\":-1,\"x\":2", ""),
            line("{\"seq\":99999999999999999999,\"x\":2", ""),
            line("{\"seq\":1,\"x\":2", " "),
            line("{\"seq\":1,\"x\":2", "").replace("000", "00g"),
            line(" {\"seq\":1,\"x\":2", ""),
        ] {
            assert_eq!(Read::of(text.as_bytes()), None, "{text}");
        }
        let large = line("{\"seq\":1,\"x\":2", "").replace("000", "ABC");
        assert_eq!(Read::of(large.as_bytes()), None, "there is one way to write a hash");
    }
}
