//! Bytes that are wiped when they are dropped, and never shown.
use crate::memory::{self, NoMemory};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that may hold a password or a code: wiped when dropped, compared in constant time, printed as their length.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    /// A copy of `bytes` without room to grow.
    pub(super) fn copy(bytes: &[u8]) -> Result<Self, NoMemory> {
        memory::copy(bytes).map(Self)
    }

    /// Nothing, with room for just `len` bytes.
    pub(super) fn with_room(len: usize) -> Result<Self, NoMemory> {
        memory::list(len).map(Self)
    }

    /// `len` zeros.
    pub(super) fn zeros(len: usize) -> Result<Self, NoMemory> {
        let mut bytes = memory::list(len)?;
        bytes.resize(len, 0);
        Ok(Self(bytes))
    }

    /// Adds `bytes` if there is room for them; `false`: there is none, and nothing was changed. It never moves the bytes to
    /// other memory, which would leave a copy behind.
    #[must_use]
    pub(super) fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.0.capacity().saturating_sub(self.0.len()) >= bytes.len();
        if fits {
            self.0.extend_from_slice(bytes);
        }
        fits
    }

    /// Adds `bytes`, in larger memory if need be; what they lay in before is wiped.
    pub(super) fn grow(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        if !self.append(bytes) {
            let len = self.0.len().saturating_add(bytes.len());
            let mut larger = Self::with_room(len.saturating_mul(2))?;
            larger.0.extend_from_slice(&self.0);
            larger.0.extend_from_slice(bytes);
            *self = larger;
        }
        Ok(())
    }

    /// The bytes, to write over them.
    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Bytes of memory that it takes.
    pub(super) fn room(&self) -> usize {
        self.0.capacity()
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Wiped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Clone for Wiped {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl PartialEq for Wiped {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Wiped {}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wiped({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wiped_is_not_shown_and_grows_by_moving() {
        let mut secret = Wiped::copy(b"hunter2").expect("memory");
        assert!(!secret.append(b"!"), "no room");
        secret.grow(b"!").expect("memory");
        assert_eq!(&*secret, b"hunter2!");
        assert_eq!(std::format!("{secret:?}"), "Wiped(8 bytes)");
        assert_eq!(secret, Wiped::from(b"hunter2!".to_vec()));
        assert_ne!(secret, Wiped::from(b"hunter2?".to_vec()));
    }
}
