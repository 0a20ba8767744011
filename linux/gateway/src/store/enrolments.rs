//! Enrolments: one-time keys with which a device of a user makes itself known.
//!
//! The store has the public half of such a key alone. An enrolment is *claimed* by the first device that asks with it, and is that
//! device's from then on; *over* when the device is added. Then it stays for a short while, so that a device whose answer was lost can
//! ask again.
use super::{Device, NewDevice, Result, UserId};
use crate::name::Name;
use crate::time::Time;
use std::fmt;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// An enrolment.
#[derive(PartialEq, Eq)]
pub struct Enrolment {
    /// Its key.
    pub key: PublicKey,
    /// For whom, by number.
    pub user: UserId,
    /// For whom, by name.
    pub name: Name,
    /// Until when it is good.
    pub until: Time,
    /// The device that claimed it.
    pub device: Option<PublicKey>,
    /// The secret of the authenticator of which the device has to show a code.
    pub secret: Option<Zeroizing<Vec<u8>>>,
    /// How many codes were tried.
    pub tries: u8,
    /// Whether the device is added.
    pub is_over: bool,
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Enrolment({} of {}, until {}, tries {}", self.key, self.name, self.until, self.tries)?;
        write!(out, ", device {:?}, over {})", self.device.map(|device| device.to_string()), self.is_over)
    }
}

/// Enrolments.
pub trait Enrolments {
    /// Begins an enrolment of a device of a user. An older one of this user is no longer good.
    ///
    /// # Errors
    /// [`Missing`](super::StoreError::Missing): no such user, or a disabled one. [`Exists`](super::StoreError::Exists): the key is known.
    fn add_enrolment(&mut self, at: Time, user: UserId, key: &PublicKey, until: Time) -> Result<()>;

    /// The enrolment of a user, whether it is still good or not.
    ///
    /// # Errors
    /// The store's own.
    fn enrolment_of(&mut self, user: UserId) -> Result<Option<Enrolment>>;

    /// At most `limit` enrolments in the order of their keys, those behind `after`.
    ///
    /// # Errors
    /// The store's own.
    fn every_enrolment(&mut self, after: Option<&PublicKey>, limit: u32) -> Result<Vec<Enrolment>>;

    /// Claims an enrolment for a device: for exactly one, however many ask. With `secret`, and where the user has no one-time code, the
    /// device has to show a code of it; asked again, the secret is the one of the first time. Nothing is added yet.
    ///
    /// `None`: no such enrolment, expired, another device's, or of a user that is disabled.
    ///
    /// # Errors
    /// [`Exists`](super::StoreError::Exists) and [`Revoked`](super::StoreError::Revoked), about the device's key or name; the enrolment
    /// stays as it is.
    fn claim(
        &mut self,
        at: Time,
        key: &PublicKey,
        device: &NewDevice,
        secret: Option<&[u8]>,
    ) -> Result<Option<Enrolment>>;

    /// Counts a code that is about to be tried: `most` at most, of however many callers. With the last one, the enrolment ends at
    /// `end` at the latest. `false`: no more is to be tried.
    ///
    /// # Errors
    /// The store's own. Then nothing is to be tried.
    fn count_try(&mut self, at: Time, key: &PublicKey, device: &PublicKey, most: u8, end: Time) -> Result<bool>;

    /// Adds the device that claimed an enrolment, in one transaction with the one-time code whose `step` it showed. The enrolment is over,
    /// and is forgotten after `end`.
    ///
    /// `None`: no such enrolment, expired, over, another device's, of a user that is disabled, or a code is wanted and was not shown.
    ///
    /// # Errors
    /// [`Exists`](super::StoreError::Exists) and [`Revoked`](super::StoreError::Revoked); the enrolment stays as it is.
    fn enrol(
        &mut self,
        at: Time,
        key: &PublicKey,
        device: &NewDevice,
        step: Option<u64>,
        end: Time,
    ) -> Result<Option<Device>>;

    /// Forgets those whose time is over. Returns how many.
    ///
    /// # Errors
    /// The store's own.
    fn forget_enrolments(&mut self, at: Time) -> Result<u64>;
}

/// The one-time codes that authenticators get at an enrolment: SHA-1, six digits, steps of 30 seconds.
pub(super) const NEW_CODE: (u32, u8, u8) = (30, 1, 6);
