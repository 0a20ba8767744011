//! Factors: what is shown here is shown once.
use super::{AdminError, Office, secrets};
use crate::audit::{Event, Text};
use crate::name::Name;
use crate::store::{NewCode, Rhythm};
use serde::{Serialize, Serializer};
use std::fmt;
use underpass_core::policy::session::CODES as MOST_CODES;
use zeroize::Zeroizing;

/// How many recovery codes a user gets.
const CODES: usize = 10;
/// Steps of one-time codes in seconds.
const PERIOD: u32 = 30;

/// The secret of a one-time code. It is shown this once, and not in `Debug`.
#[derive(Serialize)]
pub struct CodeShown {
    /// Whose it is.
    pub user: Name,
    /// In base32, to type.
    #[serde(serialize_with = "plain")]
    pub secret: Zeroizing<String>,
    /// As an address, for a QR code.
    #[serde(serialize_with = "plain")]
    pub uri: Zeroizing<String>,
}

/// Recovery codes. They are shown this once, and not in `Debug`.
#[derive(Serialize)]
pub struct RecoveryShown {
    /// Whose they are.
    pub user: Name,
    /// The codes.
    #[serde(serialize_with = "plain_list")]
    pub codes: Vec<Zeroizing<String>>,
}

impl Office<'_> {
    /// Adds a one-time code to a user's factors and shows its secret.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn add_code(&mut self, name: &Name) -> Result<CodeShown, AdminError> {
        let (user, gateway) = (self.user(name)?, self.gateway.clone());
        if self.store.codes(user.id)?.len() >= MOST_CODES {
            return Err(AdminError::Codes);
        }
        let secret = secrets::secret()?;
        let base32 = secrets::base32(&secret);
        let uri = secrets::otpauth(gateway.as_str(), name.as_str(), &base32);
        let code = NewCode { rhythm: Rhythm::Time { period: PERIOD }, algorithm: 1, digits: 6, secret };
        self.carry_out(
            |store, at| Ok(store.add_code(at, user.id, &code)?),
            |_, actor| Some(Event::FactorAdded { actor, user: name.clone(), factor: Text::new("totp") }),
        )?;
        Ok(CodeShown { user: user.name, secret: base32, uri })
    }

    /// Removes all one-time codes and recovery codes of a user. Gives how many one-time codes there were.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn remove_codes(&mut self, name: &Name) -> Result<u64, AdminError> {
        let user = self.user(name)?;
        self.carry_out(
            |store, at| Ok(store.remove_codes(at, user.id)?),
            |count, actor| Some(Event::FactorRemoved { actor, user: name.clone(), count: *count }),
        )
    }

    /// Makes recovery codes for a user and shows them. Older ones are void.
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn make_recovery(&mut self, name: &Name) -> Result<RecoveryShown, AdminError> {
        let user = self.user(name)?;
        let codes = (0..CODES).map(|_| secrets::recovery()).collect::<Result<Vec<_>, _>>()?;
        let hashes: Vec<_> = codes.iter().map(|code| secrets::hash_of_recovery(user.id, code)).collect();
        self.carry_out(
            |store, at| Ok(store.set_recovery(at, user.id, &hashes)?),
            |(), actor| Some(Event::RecoveryMade { actor, user: name.clone(), count: CODES as u64 }),
        )?;
        Ok(RecoveryShown { user: user.name, codes })
    }
}

pub(super) fn plain<S: Serializer>(secret: &Zeroizing<String>, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(secret)
}

fn plain_list<S: Serializer>(secrets: &[Zeroizing<String>], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(secrets.iter().map(|secret| secret.as_str()))
}

impl fmt::Debug for CodeShown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "CodeShown(of {})", self.user)
    }
}

impl fmt::Debug for RecoveryShown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RecoveryShown(of {})", self.user)
    }
}
