//! Why a login ends.
use std::fmt;
use underpass_core::control::message::{Method, Reason, Refusal, SessionState};
use underpass_core::control::{AskError, Code, Failure};

/// Why a login has ended, or came to nothing. It prints as a reason, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The user has logged out.
    LoggedOut {
        /// Whether the gateway has said so. If not, it ends the session when its time is over.
        is_heard: bool,
    },
    /// The device is enrolled.
    Enrolled,
    /// The gateway has ended the session.
    ByGateway(SessionState, Option<Reason>),
    /// What the user said was wrong too often, or another try has to wait for too long.
    Rejected {
        /// Seconds after which the gateway looks at another try.
        retry_after: Option<u32>,
    },
    /// There is nobody to answer what is asked.
    Unanswered,
    /// None of the gateway's ways to log in can be gone here. Those are they.
    NoWay(Vec<Vec<Method>>),
    /// This peer needs no login.
    NoLogin,
    /// The gateway refused something.
    Refused(&'static str, Refusal),
    /// Something came to nothing.
    Failed(&'static str, Failure),
    /// Something could not be asked.
    Unasked(AskError),
    /// The addresses are somebody else's by now: the gateway could not be asked to leave them.
    LeaseLost,
    /// There is no memory for the settings.
    NoMemory,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedOut { is_heard: true } => f.write_str("logged out"),
            Self::LoggedOut { is_heard: false } => {
                f.write_str("logged out, but the gateway did not answer: its session ends when its time is over")
            }
            Self::Enrolled => f.write_str("the device is enrolled"),
            Self::ByGateway(state, reason) => write!(f, "the gateway ended the session: {}", why(*state, *reason)),
            Self::Rejected { retry_after: None } => f.write_str("the login was rejected"),
            Self::Rejected { retry_after: Some(seconds) } => {
                write!(f, "the login was rejected; the gateway looks at another try in {seconds} s")
            }
            Self::Unanswered => f.write_str("the login was not completed: nobody answers what the gateway asks"),
            Self::NoWay(ways) => {
                f.write_str("the gateway asks for what this program cannot show: ")?;
                for (number, way) in ways.iter().enumerate() {
                    f.write_str(if number > 0 { ", or " } else { "" })?;
                    for (number, method) in way.iter().enumerate() {
                        write!(f, "{}{}", if number > 0 { " and " } else { "" }, name(*method))?;
                    }
                }
                Ok(())
            }
            Self::NoLogin => f.write_str("the gateway wants no login of this machine: use `underpass up`"),
            Self::Refused(what, Refusal { code, retry_after }) => {
                write!(f, "the gateway refused {what}: {} ({code})", meaning(*code))?;
                retry_after.map_or(Ok(()), |seconds| write!(f, "; try again in {seconds} s"))
            }
            Self::Failed(what, failure) => write!(f, "{what} failed: {failure}"),
            Self::Unasked(fault) => fault.fmt(f),
            Self::LeaseLost => f.write_str("the lease of the addresses is over, and the gateway did not renew it"),
            Self::NoMemory => f.write_str("there is no memory for the settings"),
        }
    }
}

/// Why the gateway ended a session.
const fn why(state: SessionState, reason: Option<Reason>) -> &'static str {
    match (reason, state) {
        (Some(Reason::Expired), _) => "its time is over",
        (Some(Reason::Idle), _) => "nothing was sent for too long",
        (Some(Reason::LoggedOut), _) => "the user has logged out",
        (Some(Reason::Revoked), _) | (None, SessionState::Revoked) => "it was revoked",
        (Some(Reason::NewLogin), _) => "the user has logged in elsewhere",
        (Some(Reason::Quota), _) => "the quota is used up",
        (Some(Reason::Shutdown), _) => "the gateway goes down",
        (Some(Reason::LoginDue), _) => "a new login was due",
        _ => "it does not say why",
    }
}

/// What a refusal means to a user.
const fn meaning(code: Code) -> &'static str {
    match code {
        Code::UNAUTHORIZED => "nobody is logged in here",
        Code::FORBIDDEN => "not allowed",
        Code::CONFLICT => "it knows this key already",
        Code::UNAVAILABLE => "not now",
        Code::TOO_MANY_REQUESTS => "too many requests",
        Code::NOT_FOUND | Code::METHOD_NOT_ALLOWED => "it does not know what that is",
        _ => "it cannot",
    }
}

/// What a method is called.
fn name(method: Method) -> String {
    match method {
        Method::Password => "a password".into(),
        Method::Code => "a one-time code".into(),
        Method::KeyCertificate => "a certificate of the tunnel's key".into(),
        Method::SigningCertificate => "a certificate with a signature".into(),
        Method::Questions => "answers to questions".into(),
        Method::Web => "a web page".into(),
        Method::Eap => "EAP".into(),
        Method::Recovery => "a recovery code".into(),
        method => format!("method {}", method.number()),
    }
}
