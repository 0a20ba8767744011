//! Hello: what a client hears before it logs in.
use super::session::SessionState;
use super::text::{lines, list};
use super::{Fault, Reader, Writer, need};
use alloc::string::String;
use alloc::vec::Vec;

/// Ways to log in at most, and factors of each.
const MAX_WAYS: usize = 8;
const MAX_FACTORS: usize = 4;
/// Bytes of the banner at most.
const MAX_BANNER: usize = 1024;

/// The gateway's greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// A random number that signatures of the client cover.
    pub nonce: [u8; 32],
    /// How the peer's login stands.
    pub state: SessionState,
    /// The gateway's wall clock, in seconds since 1970.
    pub now: u64,
    /// Ways to log in, each a list of factors of which all are needed: at most 8 of at most 4. Empty: no login is needed.
    pub methods: Vec<Vec<Method>>,
    /// Bytes of a body that the gateway takes.
    pub max_body: u32,
    /// What the gateway can do besides, a bit each. None is given out yet.
    pub features: u64,
    /// A text to show, of 1024 bytes at most. Line feeds are its only control characters.
    pub banner: Option<String>,
}

/// A way of proving who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// A password.
    Password,
    /// A one-time code (RFC 4226, RFC 6238).
    Code,
    /// A certificate whose key is the peer's static key (RFC 8410).
    KeyCertificate,
    /// A certificate with a signature made by its key.
    SigningCertificate,
    /// Questions that the gateway asks in words.
    Questions,
    /// A web page that the user opens.
    Web,
    /// EAP messages (RFC 3748).
    Eap,
    /// A recovery code.
    Recovery,
    /// One that this version does not know.
    Other(u8),
}

impl Method {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Password => 1,
            Self::Code => 2,
            Self::KeyCertificate => 3,
            Self::SigningCertificate => 4,
            Self::Questions => 5,
            Self::Web => 6,
            Self::Eap => 7,
            Self::Recovery => 8,
            Self::Other(number) => number,
        }
    }

    /// The method of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Password,
            2 => Self::Code,
            3 => Self::KeyCertificate,
            4 => Self::SigningCertificate,
            5 => Self::Questions,
            6 => Self::Web,
            7 => Self::Eap,
            8 => Self::Recovery,
            number => Self::Other(number),
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        from.number().map(Self::from_number)
    }
}

const NONCE: u8 = 1;
const STATE: u8 = 2;
const NOW: u8 = 3;
const METHODS: u8 = 4;
// 5 and 6 are kept for the post-quantum step: its algorithms, and whether it is asked for.
const MAX_BODY: u8 = 7;
const FEATURES: u8 = 8;
const BANNER: u8 = 9;

impl Hello {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(NONCE).bytes(&self.nonce);
            map.key(STATE).uint(self.state.number());
            map.key(NOW).uint(self.now);
            map.key(METHODS).array(&self.methods, |out, factors| {
                out.array(factors, |out, method| out.uint(method.number()));
            });
            map.key(MAX_BODY).uint(self.max_body);
            map.key(FEATURES).uint(self.features);
            map.optional(BANNER, self.banner.as_deref(), |out, text| out.text(text));
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut nonce, mut state, mut now, mut methods) = (None, None, None, None);
        let (mut max_body, mut features, mut banner) = (None, None, None);
        from.map(|key, from| {
            match key {
                NONCE => nonce = Some(from.array_of_bytes()?),
                STATE => state = Some(SessionState::read(from)?),
                NOW => now = Some(from.uint()?),
                METHODS => methods = Some(list(from, MAX_WAYS, |from| list(from, MAX_FACTORS, Method::read))?),
                MAX_BODY => max_body = Some(from.number()?),
                FEATURES => features = Some(from.uint()?),
                BANNER => banner = Some(lines(from, MAX_BANNER)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            nonce: need(nonce, NONCE)?,
            state: need(state, STATE)?,
            now: need(now, NOW)?,
            methods: need(methods, METHODS)?,
            max_body: need(max_body, MAX_BODY)?,
            features: need(features, FEATURES)?,
            banner,
        })
    }
}
