//! Factors: one-time codes and recovery codes.
use super::{Result, UserId};
use crate::time::Time;
use std::fmt;
use zeroize::Zeroizing;

/// The number of a one-time code factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct CodeId(pub i64);

/// What moves a one-time code on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// The time, in steps of this many seconds (RFC 6238).
    Time {
        /// Length of a step.
        period: u32,
    },
    /// A counter (RFC 4226).
    Counter,
}

/// A one-time code factor to be added.
pub struct NewCode {
    /// What moves it on.
    pub rhythm: Rhythm,
    /// The hash function, by its number: 1 SHA-1, 2 SHA-256, 3 SHA-512.
    pub algorithm: u8,
    /// Digits of a code, 6 to 8.
    pub digits: u8,
    /// The secret.
    pub secret: Zeroizing<Vec<u8>>,
}

/// A one-time code factor.
pub struct Code {
    /// The number.
    pub id: CodeId,
    /// What it is.
    pub code: NewCode,
    /// The last step or counter that was accepted.
    pub last: Option<u64>,
}

impl fmt::Debug for NewCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "NewCode({:?}, algorithm {}, {} digits)", self.rhythm, self.algorithm, self.digits)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Code({}, {:?}, last {:?})", self.id.0, self.code, self.last)
    }
}

/// The hash of a recovery code. The store never has the code itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashOfCode(pub [u8; 32]);

impl fmt::Debug for HashOfCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HashOfCode(..)")
    }
}

/// One-time codes and recovery codes.
pub trait Factors {
    /// Adds a one-time code factor to a user. Several can be there: a new telephone is added before the old one goes.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user. [`Failed`](super::StoreError::Failed): digits or algorithm out of
    /// their range.
    fn add_code(&mut self, at: Time, user: UserId, code: &NewCode) -> Result<CodeId>;

    /// The one-time code factors of a user.
    ///
    /// # Errors
    /// The store's own.
    fn codes(&mut self, user: UserId) -> Result<Vec<Code>>;

    /// Accepts `step`, or the counter, if it is later than every one accepted before. `true` for exactly one caller.
    ///
    /// An answer of success may only leave after this returned `true`. A factor that is gone accepts nothing.
    ///
    /// # Errors
    /// [`TooLarge`](super::StoreError::TooLarge), and the store's own. Then nothing is accepted.
    fn accept_step(&mut self, code: CodeId, step: u64) -> Result<bool>;

    /// Removes all one-time codes and recovery codes of a user. Returns how many one-time codes there were.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user.
    fn remove_codes(&mut self, at: Time, user: UserId) -> Result<u64>;

    /// Replaces the recovery codes of a user.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user.
    fn set_recovery(&mut self, at: Time, user: UserId, hashes: &[HashOfCode]) -> Result<()>;

    /// Takes a recovery code. `true` for exactly one caller.
    ///
    /// # Errors
    /// The store's own. Then nothing is taken.
    fn take_recovery(&mut self, user: UserId, hash: &HashOfCode) -> Result<bool>;

    /// How many recovery codes a user has left.
    ///
    /// # Errors
    /// The store's own.
    fn recovery_left(&mut self, user: UserId) -> Result<u64>;
}
