//! A login under way.
use super::factor::{Alternatives, Factor, FactorSet};
use super::grant::Grant;
use super::output::{Answer, LoginId};
use super::request::Request;
use super::settings::EVIDENCE_LEN;
use super::text::{PASSWORD_LEN, SecretText, TEXT_LEN};
use super::user::User;
use crate::memory::{Boxed, NoMemory, copy};
use crate::policy::attempts::NameTag;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// What a client shows.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// A password, of 256 bytes at most.
    Password(&'a str),
    /// A one-time code.
    Code(&'a str),
    /// A recovery code.
    Recovery(&'a str),
    /// A certificate chain, and a signature where the key is not the peer's own. 16 KiB at most.
    Certificate(&'a [u8]),
    /// Text for a back end, of 1024 bytes at most.
    Text(&'a str),
    /// The wish to log in in a browser.
    Web,
}

impl Credential<'_> {
    /// The factor that it is meant for.
    #[must_use]
    pub const fn factor(&self) -> Factor {
        match self {
            Self::Password(_) => Factor::Password,
            Self::Code(_) | Self::Recovery(_) => Factor::Code,
            Self::Certificate(_) => Factor::Certificate,
            Self::Text(_) => Factor::Text,
            Self::Web => Factor::Web,
        }
    }

    /// Whether it is no longer than it may be.
    pub(super) const fn fits(&self) -> bool {
        match self {
            Self::Password(text) | Self::Code(text) | Self::Recovery(text) => text.len() <= PASSWORD_LEN,
            Self::Certificate(evidence) => evidence.len() <= EVIDENCE_LEN,
            Self::Text(text) => text.len() <= TEXT_LEN,
            Self::Web => true,
        }
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential::{:?}(redacted)", self.factor())
    }
}

/// A credential of our own.
#[derive(Debug)]
pub(super) enum Held {
    Password(SecretText),
    Code(SecretText),
    Recovery(SecretText),
    Certificate(Vec<u8>),
    Text(SecretText),
    Web,
}

impl Held {
    pub(super) fn copy(credential: Credential<'_>) -> Result<Self, NoMemory> {
        Ok(match credential {
            Credential::Password(text) => Self::Password(SecretText::copy(text)?),
            Credential::Code(text) => Self::Code(SecretText::copy(text)?),
            Credential::Recovery(text) => Self::Recovery(SecretText::copy(text)?),
            Credential::Certificate(evidence) => Self::Certificate(copy(evidence)?),
            Credential::Text(text) => Self::Text(SecretText::copy(text)?),
            Credential::Web => Self::Web,
        })
    }
}

/// What a request is for. `real`: an answer that it was right counts.
#[derive(Debug)]
pub(super) enum Work {
    Find(Held),
    Password { real: bool },
    Code { real: bool },
    Recovery { real: bool },
    Identity(Factor),
    WebBegin,
    Open(Boxed<Grant>),
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The client's, to show this.
    Client { kind: Factor },
    /// The host's: with the request until it is polled, and what it is for.
    Host { number: u64, until: Instant, work: Work, request: Option<Request> },
    /// Nobody's: this is the outcome, which the client has not asked for yet.
    Over(Answer),
    /// Between two others, within a call.
    Between,
}

/// Who logs in.
#[derive(Debug)]
pub(super) enum Who {
    /// Not looked up yet.
    Unasked,
    /// There is no such user.
    Nobody,
    /// He.
    Known(Box<User>),
}

/// A login. It ends without access unless all that was shown was right.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) id: LoginId,
    pub(super) name: SecretText,
    /// What failures are counted under, and whether one is counted in advance.
    pub(super) tag: NameTag,
    pub(super) is_charged: bool,
    pub(super) who: Who,
    /// What was shown, right or wrong.
    pub(super) shown: FactorSet,
    /// Whether all of it was right.
    pub(super) is_sound: bool,
    pub(super) wrong_codes: u8,
    /// The wrong code before this one: a counter is resynchronised by two.
    pub(super) code_before: Option<SecretText>,
    pub(super) text_rounds: u8,
    pub(super) text_state: Option<Vec<u8>>,
    /// The number of the challenge that is asked.
    pub(super) challenge: u32,
    /// What is shown to the user with it, and whether what he enters may be shown.
    pub(super) prompt: Option<(SecretText, bool)>,
    pub(super) stage: Stage,
    /// When the client's time is over.
    pub(super) ends: Instant,
}

impl Login {
    pub(super) fn new(id: LoginId, name: SecretText, tag: NameTag, ends: Instant) -> Self {
        Self {
            id,
            name,
            tag,
            is_charged: false,
            who: Who::Unasked,
            shown: FactorSet::default(),
            is_sound: true,
            wrong_codes: 0,
            code_before: None,
            text_rounds: 0,
            text_state: None,
            challenge: 0,
            prompt: None,
            stage: Stage::Between,
            ends,
        }
    }

    /// The user, if he is known.
    pub(super) fn user(&self) -> Option<&User> {
        match &self.who {
            Who::Known(user) => Some(user),
            _ => None,
        }
    }

    /// What has to be shown: by this user, or by a name that there is not.
    pub(super) fn requires<'a>(&'a self, of_nobody: &'a Alternatives) -> &'a Alternatives {
        self.user().map_or(of_nobody, |user| &user.requires)
    }

    /// Whether the host works for it.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Host { .. })
    }

    /// Whether it has a request that was not polled.
    pub(super) const fn asks(&self) -> bool {
        matches!(self.stage, Stage::Host { request: Some(_), .. })
    }

    /// Whether a browser is at work.
    pub(super) const fn awaits_web(&self) -> bool {
        matches!(self.stage, Stage::Host { work: Work::Identity(Factor::Web), .. })
    }

    /// When there is something to do next.
    pub(super) const fn deadline(&self) -> Instant {
        match self.stage {
            Stage::Host { until, .. } => until,
            _ => self.ends,
        }
    }
}
