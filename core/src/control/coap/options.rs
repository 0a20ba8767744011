//! Options (RFC 7252 § 3.1, § 5.4, § 12.2).
use super::PAYLOAD_MARKER;

/// Numbers of options. Odd ones are critical: who does not know one may not process the message.
pub mod number {
    /// RFC 7252 § 5.10.1.
    pub const URI_HOST: u16 = 3;
    /// RFC 7252 § 5.10.6.
    pub const ETAG: u16 = 4;
    /// RFC 7641 § 2.
    pub const OBSERVE: u16 = 6;
    /// RFC 7252 § 5.10.1.
    pub const URI_PORT: u16 = 7;
    /// RFC 7252 § 5.10.1.
    pub const URI_PATH: u16 = 11;
    /// RFC 7252 § 5.10.3.
    pub const CONTENT_FORMAT: u16 = 12;
    /// RFC 7252 § 5.10.5.
    pub const MAX_AGE: u16 = 14;
    /// RFC 7252 § 5.10.4.
    pub const ACCEPT: u16 = 17;
    /// RFC 7959 § 2.1.
    pub const BLOCK2: u16 = 23;
    /// RFC 7959 § 2.1.
    pub const BLOCK1: u16 = 27;
    /// RFC 7959 § 4.
    pub const SIZE2: u16 = 28;
    /// RFC 7252 § 5.10.2.
    pub const PROXY_URI: u16 = 35;
    /// RFC 7252 § 5.10.2.
    pub const PROXY_SCHEME: u16 = 39;
    /// RFC 7252 § 5.10.9.
    pub const SIZE1: u16 = 60;
}

/// The options of a message in their order: number and value.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> Options<'a> {
    /// Options that stand at the beginning of `bytes`.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, number: 0 }
    }

    /// What has not been read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads the next option; `None`: it is broken. `Some(None)`: there is none, the bytes end or the payload follows.
    pub(super) fn step(&mut self) -> Option<Option<(u16, &'a [u8])>> {
        let Some((first, rest)) = self.rest.split_first() else { return Some(None) };
        if *first == PAYLOAD_MARKER {
            return Some(None);
        }
        let (delta, rest) = extended(first >> 4, rest)?;
        let (len, rest) = extended(first & 0x0f, rest)?;
        self.number = self.number.checked_add(delta)?;
        let (value, rest) = rest.split_at_checked(len.into())?;
        self.rest = rest;
        Some(Some((self.number, value)))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        self.step().flatten()
    }
}

/// The number that four bits stand for, with the bytes that extend it.
fn extended(bits: u8, rest: &[u8]) -> Option<(u16, &[u8])> {
    match bits {
        13 => rest.split_first().map(|(byte, rest)| (u16::from(*byte).saturating_add(13), rest)),
        14 => {
            let (bytes, rest) = rest.split_first_chunk::<2>()?;
            Some((u16::from_be_bytes(*bytes).checked_add(269)?, rest))
        }
        15 => None,
        number => Some((number.into(), rest)),
    }
}

/// The number that an option's value is (RFC 7252 § 3.2): 0 to 4 bytes.
#[must_use]
pub fn uint(value: &[u8]) -> Option<u32> {
    (value.len() <= 4).then(|| value.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}
