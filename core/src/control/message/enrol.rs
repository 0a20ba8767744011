//! Enrolling a device: it tells the key that it made itself, and proves the first code of a new authenticator.
use super::config::Config;
use super::text::line;
use super::{Fault, Reader, Writer, need};
use crate::control::Wiped;
use crate::crypto::PublicKey;
use alloc::string::String;

/// Bytes of a device's name at most.
const MAX_NAME: usize = 64;
/// Bytes of a code at most.
const MAX_CODE: usize = 16;
/// Bytes of a user's name at most.
const MAX_USER: usize = 256;
/// Bytes of an authenticator's address at most.
const MAX_URI: usize = 1024;
/// What such an address begins with.
const URI: &str = "otpauth://";

/// Asks to enrol a device. The peer is the one of an enrolment key. Asked again with the same key, the answer is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrol {
    /// The device's own public key. The private key never leaves the device.
    pub device: PublicKey,
    /// What the device is to be called, of 64 bytes at most.
    pub name: String,
    /// A code of the authenticator that an answer before this had, of 16 bytes at most.
    pub code: Option<Wiped>,
}

/// How an enrolment stands, with the settings for the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Whose device it is, of 256 bytes at most.
    pub user: String,
    /// The settings. Addresses are leased at a login.
    pub config: Config,
    /// The user's new authenticator, whose code is wanted; `None`: the device is enrolled.
    pub authenticator: Option<Authenticator>,
}

/// A new authenticator. It counts when a code of it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// Its secret, as authenticators read it: `otpauth://`, printable ASCII, of 1024 bytes at most.
    pub uri: Wiped,
    /// How many codes may still be tried.
    pub tries: u8,
}

/// Keys of [`Enrol`].
mod asks {
    pub const DEVICE: u8 = 1;
    pub const NAME: u8 = 2;
    pub const CODE: u8 = 3;
}

impl Enrol {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(asks::DEVICE).bytes(self.device.as_bytes());
            map.key(asks::NAME).text(&self.name);
            map.optional(asks::CODE, self.code.as_deref(), |out, code| out.bytes(code));
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut device, mut name, mut code) = (None, None, None);
        from.map(|key, from| {
            match key {
                asks::DEVICE => device = Some(key_of_device(from)?),
                asks::NAME => name = Some(line(from, MAX_NAME)?),
                asks::CODE => code = Some(short(from)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { device: need(device, asks::DEVICE)?, name: need(name, asks::NAME)?, code })
    }
}

/// Keys of [`Enrolled`].
mod enrolled {
    pub const USER: u8 = 1;
    pub const CONFIG: u8 = 2;
    pub const AUTHENTICATOR: u8 = 3;
}

impl Enrolled {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(enrolled::USER).text(&self.user);
            self.config.write(map.key(enrolled::CONFIG));
            map.optional(enrolled::AUTHENTICATOR, self.authenticator.as_ref(), |out, new| new.write(out));
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut user, mut config, mut authenticator) = (None, None, None);
        from.map(|key, from| {
            match key {
                enrolled::USER => user = Some(line(from, MAX_USER)?),
                enrolled::CONFIG => config = Some(Config::read(from)?),
                enrolled::AUTHENTICATOR => authenticator = Some(Authenticator::read(from)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { user: need(user, enrolled::USER)?, config: need(config, enrolled::CONFIG)?, authenticator })
    }
}

/// Keys of [`Authenticator`].
mod authenticator {
    pub const URI: u8 = 1;
    pub const TRIES: u8 = 2;
}

impl Authenticator {
    fn write(&self, out: &mut Writer<'_>) {
        // What is no text is written as an empty one, which the reader refuses.
        let uri = core::str::from_utf8(&self.uri).unwrap_or_default();
        out.map(|map| {
            map.key(authenticator::URI).text(uri);
            map.key(authenticator::TRIES).uint(self.tries);
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut uri, mut tries) = (None, None);
        from.map(|key, from| {
            match key {
                authenticator::URI => uri = Some(otpauth(from)?),
                authenticator::TRIES => tries = Some(from.number()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { uri: need(uri, authenticator::URI)?, tries: need(tries, authenticator::TRIES)? })
    }
}

/// A public key that somebody can have.
fn key_of_device(from: &mut Reader<'_>) -> Result<PublicKey, Fault> {
    let key = PublicKey::from_bytes(from.array_of_bytes()?);
    if key.is_low_order() { Err(Fault::Range) } else { Ok(key) }
}

fn short(from: &mut Reader<'_>) -> Result<Wiped, Fault> {
    let code = from.bytes()?;
    if code.len() > MAX_CODE { Err(Fault::Range) } else { Ok(Wiped::copy(code)?) }
}

/// An address for authenticators and for nothing else, without spaces.
fn otpauth(from: &mut Reader<'_>) -> Result<Wiped, Fault> {
    let uri = from.text(MAX_URI)?;
    let is_otpauth = uri.starts_with(URI) && uri.bytes().all(|byte| byte.is_ascii_graphic());
    if is_otpauth { Ok(Wiped::copy(uri.as_bytes())?) } else { Err(Fault::Range) }
}
