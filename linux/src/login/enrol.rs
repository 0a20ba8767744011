//! Enrolling this device: the gateway learns the key that it made itself, and the user gets an authenticator.
use super::driver::Purpose;
use super::prove::{Question, Wants};
use super::{Driver, End, Output, Policy};
use std::time::Duration;
use underpass_core::control::Wiped;
use underpass_core::control::message::{Authenticator, Enrol, Enrolled, Request};
use underpass_core::{Instant, PublicKey, Rng};

/// An enrolment in progress.
#[derive(Debug)]
pub(super) struct Enrolment {
    device: PublicKey,
    name: String,
    /// How many codes of the new authenticator may still be tried, once it was shown.
    tries: Option<u8>,
    /// The user is asked for a code.
    is_asking: bool,
}

impl Driver {
    /// Enrols the device with this key, by the name that is shown to administrators. The tunnel's own key is the enrolment's.
    #[must_use]
    pub fn enrolling(now: Instant, rng: Box<dyn Rng>, device: PublicKey, name: String) -> Self {
        let mut driver = Self::idle(now, rng, Policy::default(), None);
        driver.enrolment = Some(Enrolment { device, name, tries: None, is_asking: false });
        driver.ask_enrolment(now, None);
        driver
    }

    fn ask_enrolment(&mut self, now: Instant, code: Option<Wiped>) {
        let Some(Enrolment { device, name, .. }) = &self.enrolment else { return };
        let enrol = Enrol { device: *device, name: name.clone(), code };
        self.ask(now, Purpose::Enrol, &Request::Enrol(enrol));
    }

    /// What the user says, if it is the code of a new authenticator; `false`: it is no enrolment.
    pub(super) fn answer_enrolment(&mut self, now: Instant, code: &Wiped) -> bool {
        let Some(enrolment) = &mut self.enrolment else { return false };
        if std::mem::take(&mut enrolment.is_asking) {
            // People put spaces into codes.
            let digits: Vec<u8> = code.iter().copied().filter(u8::is_ascii_graphic).collect();
            self.ask_enrolment(now, Some(Wiped::from(digits)));
        }
        true
    }

    /// How the enrolment stands.
    pub(super) fn enrolled(&mut self, enrolled: Enrolled) {
        let Some(enrolment) = &mut self.enrolment else { return };
        let Enrolled { user, config, authenticator } = enrolled;
        let Some(Authenticator { uri, tries }) = authenticator else {
            self.put(Output::Enrolled { user, config: Box::new(config) });
            return self.end(End::Enrolled);
        };
        enrolment.is_asking = true;
        let before = enrolment.tries.replace(tries);
        match before {
            None => self.put(Output::Authenticator { user, uri }),
            Some(_) => self.put(Output::Rejected(Duration::ZERO)),
        }
        let wants = Wants::Code(None);
        self.put(Output::Ask(Question { wants, prompt: "Code of the new authenticator:".into(), echo: true }));
    }
}
