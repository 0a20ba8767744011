//! Recovery codes: for who has lost his authenticator. Each is taken once.
use super::secret::{decode, encode};
use crate::crypto::Rng;
use crate::crypto::hash::keyed_hash;
use crate::error::NoRandomness;
use core::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How many a user has at a time.
pub const RECOVERY_CODES: usize = 10;
/// Bytes of a code: 80 bits, which nobody guesses and a plain keyed hash may guard.
const CODE_LEN: usize = 10;
/// Characters of a code, in groups of [`GROUP`].
const CHARACTERS: usize = 16;
const GROUP: usize = 4;
/// Characters of text that are read at most.
const MAX_TEXT: usize = 64;
/// What the hash is for, so that the key may have other uses.
const LABEL: &[u8] = b"underpass recovery code v1";

/// A recovery code. Wiped on drop, redacted in `Debug`; `Display` shows it, in groups of four: `ABCD-EFGH-IJKL-MNOP`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; CODE_LEN]);

impl RecoveryCode {
    /// Makes the [`RECOVERY_CODES`] of a user.
    ///
    /// # Errors
    /// [`NoRandomness`], from `rng`.
    pub fn generate(rng: &mut dyn Rng) -> Result<[Self; RECOVERY_CODES], NoRandomness> {
        let mut codes = [const { Self([0; CODE_LEN]) }; RECOVERY_CODES];
        codes.iter_mut().try_for_each(|code| rng.fill(&mut code.0))?;
        Ok(codes)
    }

    /// Reads a code as somebody typed it: in either case, with or without hyphens and spaces. The digits 0, 1 and 8, which
    /// no code has, stand for the letters that look like them.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut typed = zeroize::Zeroizing::new([0_u8; CHARACTERS]);
        let mut places = typed.iter_mut();
        if text.len() > MAX_TEXT {
            return None;
        }
        for byte in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            *places.next()? = match byte {
                b'0' => b'O',
                b'1' => b'I',
                b'8' => b'B',
                other => other,
            };
        }
        if places.len() > 0 {
            return None;
        }
        let mut code = Self([0; CODE_LEN]);
        let typed = core::str::from_utf8(&*typed).ok()?;
        (decode(typed, &mut code.0) == Ok(CODE_LEN)).then_some(code)
    }

    /// What is stored of it, for the user of this number. The same code of another user has another hash.
    #[must_use]
    pub fn hash(&self, key: &RecoveryKey, user: u64) -> RecoveryHash {
        RecoveryHash(keyed_hash(&key.0, &[LABEL, &user.to_be_bytes(), &self.0]))
    }
}

impl fmt::Display for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode(&self.0, &mut Groups { out: f, written: 0 })
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(redacted)")
    }
}

/// Puts a hyphen between groups.
struct Groups<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    written: usize,
}

impl fmt::Write for Groups<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| {
            if self.written > 0 && self.written.is_multiple_of(GROUP) {
                self.out.write_str("-")?;
            }
            self.written = self.written.saturating_add(1);
            self.out.write_fmt(format_args!("{character}"))
        })
    }
}

/// The gateway's key for hashes of recovery codes. It is kept apart from them: whoever has read the store alone cannot test
/// a guess. Wiped on drop, redacted in `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryKey([u8; 32]);

impl RecoveryKey {
    /// Takes the 32 bytes of the key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(redacted)")
    }
}

/// What is stored of a recovery code: a keyed BLAKE2s hash of 32 bytes. The store deletes it when it is used, in one
/// statement that says whether it was there. Compared in constant time.
#[derive(Clone, Copy, Debug, Eq)]
pub struct RecoveryHash([u8; 32]);

impl RecoveryHash {
    /// Takes the 32 bytes of a hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for RecoveryHash {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for RecoveryHash {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}
