//! Enrolments: an administrator begins one, and the service ends it for the device.
use super::factors::plain;
use super::{AdminError, Office, secrets};
use crate::audit::Event;
use crate::name::Name;
use crate::store::{Device, NewDevice};
use crate::time::Time;
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use underpass_core::PublicKey;
use zeroize::Zeroizing;

/// An enrolment that has begun. Its key is shown this once, and not in `Debug`.
#[derive(Serialize)]
pub struct EnrolmentShown {
    /// For whom.
    pub user: Name,
    /// Until when it is good.
    pub until: Time,
    /// The private half of the one-time key, in base64. It is kept nowhere, and good for nothing but an enrolment.
    #[serde(serialize_with = "plain")]
    pub key: Zeroizing<String>,
}

/// A device that enrols itself.
#[derive(Clone, Copy, Debug)]
pub struct Enrolling<'a> {
    /// Whose device.
    pub user: &'a Name,
    /// The key of the enrolment.
    pub key: &'a PublicKey,
    /// The device.
    pub device: &'a NewDevice,
    /// The step of the code that was shown, where one is wanted.
    pub step: Option<u64>,
    /// From which outer address.
    pub src: SocketAddr,
    /// When the enrolment is forgotten.
    pub end: Time,
}

impl Office<'_> {
    /// Begins an enrolment: one device of a user can enrol itself within `valid`. An older one is void.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn begin_enrolment(&mut self, name: &Name, valid: Duration) -> Result<EnrolmentShown, AdminError> {
        let (user, until) = (self.user(name)?, self.at.after(valid));
        let key = secrets::enrolment_key()?;
        let public = key.public_key();
        self.carry_out(
            |store, at| Ok(store.add_enrolment(at, user.id, &public, until)?),
            |(), actor| Some(Event::EnrolmentBegun { actor, user: name.clone(), until }),
        )?;
        Ok(EnrolmentShown { user: user.name, until, key: key.to_base64() })
    }

    /// Adds the device that claimed an enrolment. `None`: the enrolment is good no more.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn enrol(&mut self, enrolling: &Enrolling<'_>) -> Result<Option<Device>, AdminError> {
        let Enrolling { user, key, device, step, src, end } = *enrolling;
        self.carry_out(
            |store, at| Ok(store.enrol(at, key, device, step, end)?),
            |added, _| {
                let added = added.as_ref()?;
                let (user, device, name) = (user.clone(), added.key.into(), added.name.clone());
                Some(Event::DeviceEnrolled { user, device, name, totp: step.is_some(), src })
            },
        )
    }
}

impl fmt::Debug for EnrolmentShown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "EnrolmentShown(of {}, until {})", self.user, self.until)
    }
}
