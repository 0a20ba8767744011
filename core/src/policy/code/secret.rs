//! The secret of a one-time code, and base32 (RFC 4648 § 6).
use crate::crypto::Rng;
use crate::error::NoRandomness;
use crate::memory::{NoMemory, copy};
use alloc::vec::Vec;
use core::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// Bytes of the shortest secret (RFC 4226 § 4, R6: 128 bits).
const MIN_LEN: usize = 16;
/// Bytes of the longest secret that is taken: the longest of RFC 6238, appendix B.
const MAX_LEN: usize = 64;
/// Bytes of a secret made here (RFC 4226 § 4, R6 recommends 160 bits).
const NEW_LEN: usize = 20;
/// Characters of text that are read at most: the longest secret in base32, in groups of four.
const MAX_TEXT: usize = 136;

/// Why bytes or text are no secret. Never carries what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// Not 16 to 64 bytes.
    Length,
    /// A character that is not of base32.
    Encoding,
    /// There is no memory for it.
    NoMemory,
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a secret has 16 to 64 bytes",
            Self::Encoding => "a secret is written in base32",
            Self::NoMemory => "there is no memory for a secret",
        })
    }
}

impl core::error::Error for SecretError {}

impl From<NoMemory> for SecretError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// The secret that an authenticator and the gateway share (RFC 4226 § 5.1): 16 to 64 bytes. Wiped on drop, redacted in
/// `Debug`, compared in constant time.
pub struct OtpSecret(Zeroizing<Vec<u8>>);

impl OtpSecret {
    /// Takes the bytes of a secret.
    ///
    /// # Errors
    /// [`SecretError`] when there are too few or too many, or no memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        if !(MIN_LEN..=MAX_LEN).contains(&bytes.len()) {
            return Err(SecretError::Length);
        }
        Ok(Self(Zeroizing::new(copy(bytes)?)))
    }

    /// Makes a secret of 20 bytes.
    ///
    /// # Errors
    /// [`NoRandomness`], from `rng`; also when there is no memory.
    pub fn generate(rng: &mut dyn Rng) -> Result<Self, NoRandomness> {
        let mut bytes = Zeroizing::new([0; NEW_LEN]);
        rng.fill(&mut *bytes)?;
        Self::from_bytes(&*bytes).map_err(|_| NoRandomness)
    }

    /// Reads base32 of either case. Spaces and hyphens between groups, and padding at the end, are passed over.
    ///
    /// # Errors
    /// [`SecretError`] when the text is no secret.
    pub fn from_base32(text: &str) -> Result<Self, SecretError> {
        if text.len() > MAX_TEXT {
            return Err(SecretError::Length);
        }
        let mut bytes = Zeroizing::new([0; MAX_LEN]);
        let len = decode(text.trim_end_matches('='), &mut *bytes)?;
        Self::from_bytes(bytes.get(..len).unwrap_or_default())
    }

    /// The bytes of the secret.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A copy, for whoever must keep one.
    ///
    /// # Errors
    /// [`SecretError::NoMemory`].
    pub fn try_clone(&self) -> Result<Self, SecretError> {
        Self::from_bytes(&self.0)
    }

    /// Writes the secret as base32 without padding, in upper case. Takes no memory from the heap.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_base32(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        encode(&self.0, out)
    }
}

impl ConstantTimeEq for OtpSecret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

impl PartialEq for OtpSecret {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for OtpSecret {}

impl fmt::Debug for OtpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtpSecret(redacted)")
    }
}

/// Writes `bytes` in base32 without padding. Neither a branch nor a table depends on them.
pub(super) fn encode(bytes: &[u8], out: &mut dyn fmt::Write) -> fmt::Result {
    for chunk in bytes.chunks(5) {
        let mut group = Zeroizing::new([0; 8]);
        group.iter_mut().skip(3).zip(chunk).for_each(|(place, byte)| *place = *byte);
        let bits = Zeroizing::new(u64::from_be_bytes(*group));
        let characters = chunk.len().saturating_mul(8).div_ceil(5);
        for shift in [35, 30, 25, 20, 15, 10, 5, 0].into_iter().take(characters) {
            let value = (*bits >> shift) as u8 & 31;
            out.write_char(char::from(letter(value)))?;
        }
    }
    Ok(())
}

/// Reads base32 into `bytes`; how many there are. Bits left over at the end are not looked at.
pub(super) fn decode(text: &str, bytes: &mut [u8]) -> Result<usize, SecretError> {
    let (mut held, mut bits, mut len) = (0_u32, 0_u32, 0);
    let mut fault = 0_i16;
    for character in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let value = value(character);
        fault |= value;
        held = (held << 5 | u32::from(value as u16 & 31)) & 0xfff;
        bits = bits.wrapping_add(5);
        if bits >= 8 {
            bits = bits.wrapping_sub(8);
            *bytes.get_mut(len).ok_or(SecretError::Length)? = (held >> bits) as u8;
            len = len.saturating_add(1);
        }
    }
    if fault < 0 { Err(SecretError::Encoding) } else { Ok(len) }
}

/// The character of a value below 32: A to Z, then 2 to 7.
const fn letter(value: u8) -> u8 {
    let is_digit = 25_u8.wrapping_sub(value) >> 7;
    let gap = b'A'.wrapping_add(26).wrapping_sub(b'2');
    value.wrapping_add(b'A').wrapping_sub(gap & 0_u8.wrapping_sub(is_digit))
}

/// The value of a character, -1 for one that is not of base32.
const fn value(character: u8) -> i16 {
    let upper = value_in(character, b'A', b'Z', 0);
    let lower = value_in(character, b'a', b'z', 0);
    let digit = value_in(character, b'2', b'7', 26);
    (upper | lower | digit).wrapping_sub(1)
}

/// One more than the value of a character between two others, the first of which has the value `base`; 0 beyond them.
const fn value_in(character: u8, first: u8, last: u8, base: i16) -> i16 {
    let c = character as i16;
    let (before, after) = ((first as i16).wrapping_sub(1), (last as i16).wrapping_add(1));
    let is_between = (before.wrapping_sub(c) & c.wrapping_sub(after)) >> 8;
    is_between & c.wrapping_sub(before).wrapping_add(base)
}
