//! Logging in.
use super::hello::Method;
use super::text::{line, lines};
use super::{Fault, Reader, Writer, need};
use crate::control::Wiped;
use alloc::string::String;
use base16ct::lower;

/// Bytes of a user's name at most.
const MAX_USER: usize = 256;
/// Bytes of a factor's data at most: a chain of certificates is the longest.
const MAX_DATA: usize = 12 * 1024;
/// Bytes of what is shown to the user at most.
const MAX_PROMPT: usize = 1024;
/// Bytes of a link at most.
const MAX_URL: usize = 2048;

/// Names a login in progress. It is no secret: it is worth nothing to another peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginId(pub [u8; 8]);

impl LoginId {
    /// As it stands in a path: 16 lower-case digits.
    pub(super) fn to_hex(self) -> [u8; 16] {
        let mut digits = [0; 16];
        // It cannot fail: there is room for all digits.
        let _ = lower::encode(&self.0, &mut digits);
        digits
    }

    pub(super) fn from_hex(digits: &[u8]) -> Option<Self> {
        let mut id = [0; 8];
        let read = lower::decode(digits, &mut id).ok()?.len();
        (read == 8).then_some(Self(id))
    }
}

/// Begins a login with its first factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginStart {
    /// A random number of the client.
    pub nonce: [u8; 16],
    /// The user's name, of 256 bytes at most. Empty where a certificate tells it.
    pub user: String,
    /// What [`data`](Self::data) is.
    pub method: Method,
    /// The password, the code and so on: 12 KiB at most.
    pub data: Wiped,
}

/// Goes on with a login: the answer to a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginNext {
    /// Which login.
    pub login: LoginId,
    /// Which challenge is answered.
    pub challenge: u32,
    /// The answer: 12 KiB at most.
    pub data: Wiped,
}

/// How a login goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginReply {
    /// Which login.
    pub login: LoginId,
    /// What came of the factor.
    pub outcome: Outcome,
}

/// What came of a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The user is logged in.
    Done,
    /// Something more is asked.
    Challenge(Challenge),
    /// No. It says nothing of what was wrong.
    Rejected {
        /// Seconds after which another try is looked at.
        retry_after: Option<u32>,
    },
    /// Somebody else has to decide first: ask again, with the same challenge and no data.
    Wait {
        /// Seconds after which to ask.
        retry_after: Option<u32>,
    },
}

/// What is asked of the user next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Names the challenge.
    pub id: u32,
    /// What is asked for.
    pub method: Method,
    /// What to show, of 1024 bytes at most. Line feeds are its only control characters.
    pub prompt: String,
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
    /// How many digits a code has: 6 to 8.
    pub digits: Option<u8>,
    /// Seconds until the challenge ends.
    pub expires: u32,
    /// The page to open, of 2048 bytes at most: `https` alone.
    pub url: Option<String>,
}

/// Keys of [`LoginStart`].
mod start {
    pub const NONCE: u8 = 1;
    pub const USER: u8 = 2;
    pub const METHOD: u8 = 3;
    pub const DATA: u8 = 4;
}

impl LoginStart {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(start::NONCE).bytes(&self.nonce);
            map.key(start::USER).text(&self.user);
            map.key(start::METHOD).uint(self.method.number());
            map.key(start::DATA).bytes(&self.data);
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut nonce, mut user, mut method, mut data) = (None, None, None, None);
        from.map(|key, from| {
            match key {
                start::NONCE => nonce = Some(from.array_of_bytes()?),
                start::USER => user = Some(line(from, MAX_USER)?),
                start::METHOD => method = Some(Method::read(from)?),
                start::DATA => data = Some(secret(from)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            nonce: need(nonce, start::NONCE)?,
            user: need(user, start::USER)?,
            method: need(method, start::METHOD)?,
            data: need(data, start::DATA)?,
        })
    }
}

/// Keys of [`LoginNext`].
mod next {
    pub const CHALLENGE: u8 = 1;
    pub const DATA: u8 = 2;
}

impl LoginNext {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(next::CHALLENGE).uint(self.challenge);
            map.key(next::DATA).bytes(&self.data);
        });
    }

    pub(super) fn read(login: LoginId, from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut challenge, mut data) = (None, None);
        from.map(|key, from| {
            match key {
                next::CHALLENGE => challenge = Some(from.number()?),
                next::DATA => data = Some(secret(from)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { login, challenge: need(challenge, next::CHALLENGE)?, data: need(data, next::DATA)? })
    }
}

/// Keys of [`LoginReply`], and the numbers of outcomes.
mod reply {
    pub const LOGIN: u8 = 1;
    pub const OUTCOME: u8 = 2;
    pub const CHALLENGE: u8 = 3;
    pub const RETRY_AFTER: u8 = 4;

    pub const DONE: u8 = 0;
    pub const ASKS: u8 = 1;
    pub const REJECTED: u8 = 2;
    pub const WAIT: u8 = 3;
}

impl LoginReply {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        let (number, challenge, retry_after) = match &self.outcome {
            Outcome::Done => (reply::DONE, None, None),
            Outcome::Challenge(challenge) => (reply::ASKS, Some(challenge), None),
            Outcome::Rejected { retry_after } => (reply::REJECTED, None, *retry_after),
            Outcome::Wait { retry_after } => (reply::WAIT, None, *retry_after),
        };
        out.map(|map| {
            map.key(reply::LOGIN).bytes(&self.login.0);
            map.key(reply::OUTCOME).uint(number);
            map.optional(reply::CHALLENGE, challenge, |out, challenge| challenge.write(out));
            map.optional(reply::RETRY_AFTER, retry_after, |out, seconds| out.uint(seconds));
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut login, mut number, mut challenge, mut retry_after) = (None, None, None, None);
        from.map(|key, from| {
            match key {
                reply::LOGIN => login = Some(LoginId(from.array_of_bytes()?)),
                reply::OUTCOME => number = Some(from.number::<u8>()?),
                reply::CHALLENGE => challenge = Some(Challenge::read(from)?),
                reply::RETRY_AFTER => retry_after = Some(from.number()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let outcome = match need(number, reply::OUTCOME)? {
            reply::DONE => Outcome::Done,
            reply::ASKS => Outcome::Challenge(need(challenge, reply::CHALLENGE)?),
            reply::REJECTED => Outcome::Rejected { retry_after },
            reply::WAIT => Outcome::Wait { retry_after },
            _ => return Err(Fault::Range),
        };
        Ok(Self { login: need(login, reply::LOGIN)?, outcome })
    }
}

/// Keys of [`Challenge`].
mod challenge {
    pub const ID: u8 = 1;
    pub const METHOD: u8 = 2;
    pub const PROMPT: u8 = 3;
    pub const ECHO: u8 = 4;
    pub const DIGITS: u8 = 5;
    pub const EXPIRES: u8 = 6;
    pub const URL: u8 = 7;
}

impl Challenge {
    fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(challenge::ID).uint(self.id);
            map.key(challenge::METHOD).uint(self.method.number());
            map.key(challenge::PROMPT).text(&self.prompt);
            map.key(challenge::ECHO).bool(self.echo);
            map.optional(challenge::DIGITS, self.digits, |out, digits| out.uint(digits));
            map.key(challenge::EXPIRES).uint(self.expires);
            map.optional(challenge::URL, self.url.as_deref(), |out, url| out.text(url));
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut id, mut method, mut prompt, mut echo) = (None, None, None, None);
        let (mut digits, mut expires, mut url) = (None, None, None);
        from.map(|key, from| {
            match key {
                challenge::ID => id = Some(from.number()?),
                challenge::METHOD => method = Some(Method::read(from)?),
                challenge::PROMPT => prompt = Some(lines(from, MAX_PROMPT)?),
                challenge::ECHO => echo = Some(from.bool()?),
                challenge::DIGITS => digits = Some(code_digits(from)?),
                challenge::EXPIRES => expires = Some(from.number()?),
                challenge::URL => url = Some(https(from)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            id: need(id, challenge::ID)?,
            method: need(method, challenge::METHOD)?,
            prompt: need(prompt, challenge::PROMPT)?,
            echo: need(echo, challenge::ECHO)?,
            digits,
            expires: need(expires, challenge::EXPIRES)?,
            url,
        })
    }
}

fn secret(from: &mut Reader<'_>) -> Result<Wiped, Fault> {
    let bytes = from.bytes()?;
    if bytes.len() > MAX_DATA { Err(Fault::Range) } else { Ok(Wiped::copy(bytes)?) }
}

fn code_digits(from: &mut Reader<'_>) -> Result<u8, Fault> {
    Some(from.number()?).filter(|digits| (6..=8).contains(digits)).ok_or(Fault::Range)
}

/// A link that a browser may be given: no other scheme, so that no program is started by it, and no spaces.
fn https(from: &mut Reader<'_>) -> Result<String, Fault> {
    let url = line(from, MAX_URL)?;
    let is_link = url.starts_with("https://") && url.bytes().all(|byte| byte.is_ascii_graphic());
    if is_link { Ok(url) } else { Err(Fault::Range) }
}
