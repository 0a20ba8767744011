//! What is said on the control channel: the requests under `/v1`, their replies, and how they stand in CBOR.
//!
//! `docs/control.cddl` is the schema. Keys are integers; a reader passes over those that it does not know, unless key 0 lists
//! them as ones that it has to know. Numbers of methods, states and reasons that a reader does not know are kept. Counts and
//! lengths have caps, and a body beyond one is refused whole.
//!
//! Paths `/v1/kem` and `/v1/kem/commit`, and the keys of [`Hello`] that belong to them, are kept for a post-quantum step.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
mod auth;
mod config;
mod enrol;
mod hello;
mod lease;
mod probe;
mod session;
mod target;
#[cfg(test)]
mod tests;
mod text;

pub use auth::{Challenge, LoginId, LoginNext, LoginReply, LoginStart, Outcome};
pub use config::{Config, MAX_DNS, MAX_DOMAINS, MAX_ROUTES};
pub use enrol::{Authenticator, Enrol, Enrolled};
pub use hello::{Hello, Method};
pub use lease::{Lease, LeaseRequest};
pub use probe::{Probe, Probed};
pub use session::{Reason, Session, SessionState};
pub(super) use target::Target;
pub use text::is_domain;

use super::cbor::{Fault, Reader, Writer};
use super::coap::Code;
use super::{MAX_BODY, Wiped};

/// What a client asks its gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// `GET /v1`: who is there, and what it takes to log in.
    Hello,
    /// `POST /v1/auth`: begins a login.
    Login(LoginStart),
    /// `POST /v1/auth/<id>`: goes on with it.
    LoginNext(LoginNext),
    /// `POST /v1/lease`: asks for addresses, or to keep them.
    Lease(LeaseRequest),
    /// `GET /v1/config`: the settings.
    Config,
    /// `GET /v1/session`: how the login stands.
    Session,
    /// `DELETE /v1/session`: ends it.
    Logout,
    /// `POST /v1/probe`: a message of a certain length, to see whether it arrives.
    Probe(Probe),
    /// `POST /v1/enrol`: enrols a device, from the peer of an enrolment key.
    Enrol(Enrol),
}

/// What the gateway answers, or says unasked: [`Config`] and [`Session`] to those who watch them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// To [`Request::Hello`].
    Hello(Hello),
    /// To [`Request::Login`] and [`Request::LoginNext`].
    Login(LoginReply),
    /// To [`Request::Lease`].
    Lease(Lease),
    /// To [`Request::Config`].
    Config(Config),
    /// To [`Request::Session`].
    Session(Session),
    /// To [`Request::Logout`].
    LoggedOut,
    /// To [`Request::Probe`].
    Probed(Probed),
    /// To [`Request::Enrol`].
    Enrolled(Enrolled),
}

/// A request that was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, as a CoAP code of the classes 4 and 5.
    pub code: Code,
    /// Seconds after which trying again may help.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal that says only why.
    #[must_use]
    pub const fn of(code: Code) -> Self {
        Self { code, retry_after: None }
    }
}

/// What a client may watch: it is told of each change (RFC 7641).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// The settings.
    Config,
    /// The state of the login.
    Session,
}

impl Request {
    /// Where it goes.
    pub(super) const fn target(&self) -> Target {
        match self {
            Self::Hello => Target::Hello,
            Self::Login(_) => Target::Login,
            Self::LoginNext(next) => Target::LoginNext(next.login),
            Self::Lease(_) => Target::Lease,
            Self::Config => Target::Config,
            Self::Session => Target::Session,
            Self::Logout => Target::Logout,
            Self::Probe(_) => Target::Probe,
            Self::Enrol(_) => Target::Enrol,
        }
    }

    /// Writes the body; empty where the request has none.
    ///
    /// # Errors
    /// What the gateway would refuse to read.
    pub fn encode(&self) -> Result<Wiped, Fault> {
        let body = match self {
            Self::Hello | Self::Config | Self::Session | Self::Logout => return Ok(Wiped::default()),
            Self::Login(login) => written(|out| login.write(out))?,
            Self::LoginNext(next) => written(|out| next.write(out))?,
            Self::Lease(lease) => written(|out| lease.write(out))?,
            Self::Probe(probe) => written(|out| probe.write(out))?,
            Self::Enrol(enrol) => written(|out| enrol.write(out))?,
        };
        Self::decode(self.target(), &body).map(|_| body)
    }

    /// Reads the body of a request to `target`.
    pub(super) fn decode(target: Target, body: &[u8]) -> Result<Self, Fault> {
        match target {
            Target::Hello => nothing(body).map(|()| Self::Hello),
            Target::Config => nothing(body).map(|()| Self::Config),
            Target::Session => nothing(body).map(|()| Self::Session),
            Target::Logout => nothing(body).map(|()| Self::Logout),
            Target::Login => read(body, LoginStart::read).map(Self::Login),
            Target::LoginNext(login) => read(body, |from| LoginNext::read(login, from)).map(Self::LoginNext),
            Target::Lease => read(body, LeaseRequest::read).map(Self::Lease),
            Target::Probe => read(body, Probe::read).map(Self::Probe),
            Target::Enrol => read(body, Enrol::read).map(Self::Enrol),
        }
    }
}

impl Reply {
    /// Whether it answers a request to `target`.
    pub(super) const fn answers(&self, target: Target) -> bool {
        match self {
            Self::Hello(_) => matches!(target, Target::Hello),
            Self::Login(_) => matches!(target, Target::Login | Target::LoginNext(_)),
            Self::Lease(_) => matches!(target, Target::Lease),
            Self::Config(_) => matches!(target, Target::Config),
            Self::Session(_) => matches!(target, Target::Session),
            Self::LoggedOut => matches!(target, Target::Logout),
            Self::Probed(_) => matches!(target, Target::Probe),
            Self::Enrolled(_) => matches!(target, Target::Enrol),
        }
    }

    /// Writes the body; empty for [`LoggedOut`](Self::LoggedOut).
    ///
    /// # Errors
    /// What the client would refuse to read.
    pub fn encode(&self) -> Result<Wiped, Fault> {
        let (body, target) = match self {
            Self::LoggedOut => return Ok(Wiped::default()),
            Self::Hello(hello) => (written(|out| hello.write(out))?, Target::Hello),
            Self::Login(login) => (written(|out| login.write(out))?, Target::Login),
            Self::Lease(lease) => (written(|out| lease.write(out))?, Target::Lease),
            Self::Config(config) => (written(|out| config.write(out))?, Target::Config),
            Self::Session(session) => (written(|out| session.write(out))?, Target::Session),
            Self::Probed(probed) => (written(|out| probed.write(out))?, Target::Probe),
            Self::Enrolled(enrolled) => (written(|out| enrolled.write(out))?, Target::Enrol),
        };
        Self::decode(target, &body).map(|_| body)
    }

    /// Reads the body of the answer to a request to `target`.
    pub(super) fn decode(target: Target, body: &[u8]) -> Result<Self, Fault> {
        match target {
            Target::Hello => read(body, Hello::read).map(Self::Hello),
            Target::Login | Target::LoginNext(_) => read(body, LoginReply::read).map(Self::Login),
            Target::Lease => read(body, Lease::read).map(Self::Lease),
            Target::Config => read(body, Config::read).map(Self::Config),
            Target::Session => read(body, Session::read).map(Self::Session),
            Target::Logout => nothing(body).map(|()| Self::LoggedOut),
            Target::Probe => read(body, Probed::read).map(Self::Probed),
            Target::Enrol => read(body, Enrolled::read).map(Self::Enrolled),
        }
    }
}

/// What `write` writes, in memory of just that length.
fn written(write: impl Fn(&mut Writer<'_>)) -> Result<Wiped, Fault> {
    let mut measure = Writer::new(&mut []);
    write(&mut measure);
    let len = measure.len();
    if len > MAX_BODY {
        return Err(Fault::TooLong);
    }
    let mut body = Wiped::zeros(len)?;
    write(&mut Writer::new(body.as_mut()));
    Ok(body)
}

/// Reads one item that is all of `body`.
fn read<'a, T>(body: &'a [u8], item: impl FnOnce(&mut Reader<'a>) -> Result<T, Fault>) -> Result<T, Fault> {
    let mut reader = Reader::new(body);
    let value = item(&mut reader)?;
    reader.end().map(|()| value)
}

fn nothing(body: &[u8]) -> Result<(), Fault> {
    if body.is_empty() { Ok(()) } else { Err(Fault::Trailing) }
}

/// The value of a key that the schema asks for.
fn need<T>(value: Option<T>, key: u8) -> Result<T, Fault> {
    value.ok_or(Fault::Missing(key))
}
