//! Text that may be a secret, and names.
use crate::memory::{NoMemory, copy_text};
use alloc::string::String;
use core::fmt;
use zeroize::Zeroizing;

/// Bytes of a name, a password and an answer to a challenge that are taken at most.
pub const NAME_LEN: usize = 128;
/// See [`NAME_LEN`].
pub const PASSWORD_LEN: usize = 256;
/// See [`NAME_LEN`].
pub const TEXT_LEN: usize = 1024;

/// Text that may be a secret: wiped on drop, redacted in `Debug`.
#[derive(Default, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn copy(text: &str) -> Result<Self, NoMemory> {
        copy_text(text).map(Self::new)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

/// A name as it is looked up and counted: without white space around it, in lower case. The name is the same however
/// somebody types it, so that no spelling of it has tries of its own.
pub(super) fn fold(name: &str) -> Result<SecretText, NoMemory> {
    let mut folded = String::new();
    // Lower case has at most three characters for one, of at most four bytes each.
    folded.try_reserve_exact(name.len().saturating_mul(3))?;
    name.trim().chars().flat_map(char::to_lowercase).for_each(|character| folded.push(character));
    Ok(SecretText::new(folded))
}
