//! Passwords: what counts as one, how it is hashed, and the threads that do it.
//!
//! Hashing is Argon2id (RFC 9106) with 19 MiB, two passes and one lane, which takes tens of milliseconds: it runs on [`Workers`],
//! never on a thread that moves packets. Requests and answers go by number. Whoever asks for a user who does not exist gives no
//! hash, and waits as long.
//!
//! Hashes are kept as PHC strings, which name their own cost: after a change of cost, [`Verdict::Right`] says that the
//! hash is to be made anew.
mod workers;

pub use workers::{Done, Job, JobId, MOST_THREADS, Outcome, Work, Workers};

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher as _, Version};
use precis_core::profile::Profile as _;
use precis_profiles::OpaqueString;
use std::borrow::Cow;
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The longest password in bytes of UTF-8, before and after it was normalised.
pub const LONGEST: usize = 256;
/// Bytes of salt.
const SALT: usize = 16;
/// Bytes of a hash.
const HASH: usize = 32;

/// A password, normalised as the profile OpaqueString of RFC 8265 § 4.2 says: however a keyboard composes an accent, it
/// is the same password. Wiped, and never shown.
pub struct Password(Zeroizing<String>);

/// Why a text is no password. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It is empty.
    #[error("the password is empty")]
    Empty,
    /// It is too long.
    #[error("the password has more than {LONGEST} bytes")]
    TooLong,
    /// It has a control character, or one that Unicode does not know.
    #[error("the password has a character that passwords cannot have")]
    Character,
}

impl Password {
    /// Checks and normalises `text`, which stays the caller's to wipe.
    ///
    /// # Errors
    /// [`BadPassword`].
    pub fn new(text: &str) -> Result<Self, BadPassword> {
        if text.is_empty() {
            return Err(BadPassword::Empty);
        }
        if text.len() > LONGEST {
            return Err(BadPassword::TooLong);
        }
        let normal = match OpaqueString::new().enforce(text).map_err(|_| BadPassword::Character)? {
            Cow::Borrowed(text) => Zeroizing::new(text.to_owned()),
            Cow::Owned(text) => Zeroizing::new(text),
        };
        if normal.len() > LONGEST { Err(BadPassword::TooLong) } else { Ok(Self(normal)) }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Password(..)")
    }
}

/// What hashing costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// The most that a stored hash may cost, so that a row of a database cannot take all memory.
    pub const MOST: Self = Self { memory: 256 * 1024, passes: 16, lanes: 8 };

    fn of(params: &Params) -> Self {
        Self { memory: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() }
    }

    fn params(self) -> Result<Params, HashError> {
        Params::new(self.memory, self.passes, self.lanes, Some(HASH)).map_err(|_| HashError::Cost)
    }

    fn is_within(self, most: Self) -> bool {
        self.memory <= most.memory && self.passes <= most.passes && self.lanes <= most.lanes
    }
}

/// 19 MiB, two passes, one lane.
impl Default for Cost {
    fn default() -> Self {
        Self { memory: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// Why there is no hash, or no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The stored hash is no PHC string of Argon2id, version 19.
    #[error("the stored hash is none of Argon2id")]
    Form,
    /// The cost is none of Argon2, or more than [`Cost::MOST`].
    #[error("hashing cannot cost this")]
    Cost,
    /// There is no memory, or no randomness for a salt.
    #[error("no memory or no randomness for hashing")]
    Means,
}

/// Whether a password is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Right {
        /// The hash has another cost than new ones: make it anew.
        rehash: bool,
    },
    /// It is not, or there is no such user.
    Wrong,
}

/// Hashes a password with a new salt. Gives a PHC string.
///
/// # Errors
/// [`HashError::Cost`] and [`HashError::Means`].
pub fn hash(password: &Password, cost: Cost) -> Result<Zeroizing<String>, HashError> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|_| HashError::Means)?;
    let argon = argon(cost.params()?);
    let hash = argon.hash_password_with_salt(password.0.as_bytes(), &salt).map_err(|_| HashError::Means)?;
    Ok(Zeroizing::new(hash.to_string()))
}

/// Compares a password with a PHC string. Without one, it is wrong, and that takes as long as a comparison at `cost`.
///
/// # Errors
/// [`HashError`], about the stored hash. Then the answer to the user is that the password is wrong.
pub fn verify(password: &Password, phc: Option<&str>, cost: Cost) -> Result<Verdict, HashError> {
    let stored = match phc {
        Some(phc) => Stored::read(phc),
        None => Stored::of_nobody(cost),
    };
    // What cannot be read takes as long, too.
    let stored = stored.or_else(|error| burn(password, cost).and(Err(error)))?;
    let mut found = Zeroizing::new([0; HASH]);
    let params = stored.cost.params()?;
    let hashed = argon(params).hash_password_into(password.0.as_bytes(), &stored.salt, found.as_mut_slice());
    hashed.map_err(|_| HashError::Means)?;
    let is_right = stored.hash.is_some_and(|hash| bool::from(found.as_slice().ct_eq(hash.as_bytes())));
    Ok(if is_right { Verdict::Right { rehash: stored.cost != cost } } else { Verdict::Wrong })
}

/// Takes as long as a comparison.
fn burn(password: &Password, cost: Cost) -> Result<(), HashError> {
    verify(password, None, cost).map(drop)
}

/// What to compare with.
struct Stored {
    cost: Cost,
    salt: Vec<u8>,
    hash: Option<Output>,
}

impl Stored {
    fn read(phc: &str) -> Result<Self, HashError> {
        let read = PasswordHash::new(phc).map_err(|_| HashError::Form)?;
        let cost = Cost::of(&Params::try_from(&read).map_err(|_| HashError::Form)?);
        let is_argon2id = read.algorithm == ARGON2ID_IDENT && read.version == Some(Version::V0x13.into());
        let (Some(salt), Some(hash), true) = (read.salt, read.hash, is_argon2id) else { return Err(HashError::Form) };
        if hash.len() != HASH {
            return Err(HashError::Form);
        }
        if !cost.is_within(Cost::MOST) {
            return Err(HashError::Cost);
        }
        Ok(Self { cost, salt: salt.to_vec(), hash: Some(hash) })
    }

    /// Of a user who does not exist, or has no password: nothing is right.
    fn of_nobody(cost: Cost) -> Result<Self, HashError> {
        Ok(Self { cost, salt: vec![0; SALT], hash: None })
    }
}

fn argon(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests;
