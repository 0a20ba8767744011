//! Where requests go: methods and paths.
use super::{LoginId, Watch};
use crate::control::coap::{Builder, Code, number};

/// A method and a path that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `GET /v1`.
    Hello,
    /// `POST /v1/auth`.
    Login,
    /// `POST /v1/auth/<id>`.
    LoginNext(LoginId),
    /// `POST /v1/lease`.
    Lease,
    /// `GET /v1/config`.
    Config,
    /// `GET /v1/session`.
    Session,
    /// `DELETE /v1/session`.
    Logout,
    /// `POST /v1/probe`.
    Probe,
    /// `POST /v1/enrol`.
    Enrol,
}

/// The first segment of every path.
const VERSION: &[u8] = b"v1";

impl Target {
    /// Reads a method and the segments of a path, of which those beyond the fourth do not matter.
    ///
    /// # Errors
    /// The code that says what is wrong.
    pub fn of(method: Code, path: &[&[u8]]) -> Result<Self, Code> {
        let by_method: &[(Code, Self)] = match path {
            [VERSION] => &[(Code::GET, Self::Hello)],
            [VERSION, b"auth"] => &[(Code::POST, Self::Login)],
            [VERSION, b"lease"] => &[(Code::POST, Self::Lease)],
            [VERSION, b"config"] => &[(Code::GET, Self::Config)],
            [VERSION, b"session"] => &[(Code::GET, Self::Session), (Code::DELETE, Self::Logout)],
            [VERSION, b"probe"] => &[(Code::POST, Self::Probe)],
            [VERSION, b"enrol"] => &[(Code::POST, Self::Enrol)],
            [VERSION, b"auth", id] => {
                let id = LoginId::from_hex(id).ok_or(Code::NOT_FOUND)?;
                return if method == Code::POST { Ok(Self::LoginNext(id)) } else { Err(Code::METHOD_NOT_ALLOWED) };
            }
            _ => return Err(Code::NOT_FOUND),
        };
        let found = by_method.iter().find(|(code, _)| *code == method);
        found.map(|(_, target)| *target).ok_or(Code::METHOD_NOT_ALLOWED)
    }

    /// The method.
    #[must_use]
    pub const fn method(self) -> Code {
        match self {
            Self::Hello | Self::Config | Self::Session => Code::GET,
            Self::Login | Self::LoginNext(_) | Self::Lease | Self::Probe | Self::Enrol => Code::POST,
            Self::Logout => Code::DELETE,
        }
    }

    /// The code of an answer that is no refusal.
    #[must_use]
    pub const fn success(self) -> Code {
        match self {
            Self::Hello | Self::Config | Self::Session => Code::CONTENT,
            Self::Login | Self::LoginNext(_) | Self::Lease | Self::Probe | Self::Enrol => Code::CHANGED,
            Self::Logout => Code::DELETED,
        }
    }

    /// What may be watched there.
    #[must_use]
    pub const fn watch(self) -> Option<Watch> {
        match self {
            Self::Config => Some(Watch::Config),
            Self::Session => Some(Watch::Session),
            _ => None,
        }
    }

    /// Adds the path to a message.
    pub fn write_path(self, message: &mut Builder) {
        message.option(number::URI_PATH, VERSION);
        let segment: &[u8] = match self {
            Self::Hello => return,
            Self::Login | Self::LoginNext(_) => b"auth",
            Self::Lease => b"lease",
            Self::Config => b"config",
            Self::Session | Self::Logout => b"session",
            Self::Probe => b"probe",
            Self::Enrol => b"enrol",
        };
        message.option(number::URI_PATH, segment);
        if let Self::LoginNext(id) = self {
            message.option(number::URI_PATH, &id.to_hex());
        }
    }
}

impl Watch {
    /// Where it is watched.
    pub(in crate::control) const fn target(self) -> Target {
        match self {
            Self::Config => Target::Config,
            Self::Session => Target::Session,
        }
    }

    /// A number for a table of all that may be watched.
    pub(in crate::control) const fn index(self) -> usize {
        match self {
            Self::Config => 0,
            Self::Session => 1,
        }
    }

    /// All that may be watched.
    pub(in crate::control) const ALL: [Self; 2] = [Self::Config, Self::Session];
}
