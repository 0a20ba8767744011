//! How a peer's login stands.
use super::text::line;
use super::{Fault, Reader, Writer, need};
use alloc::string::String;

/// Bytes of a user's name at most.
const MAX_USER: usize = 256;

/// What a peer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// Log in, nothing else.
    Locked,
    /// Go on logging in, and reach what that takes.
    Challenged,
    /// What its rules allow.
    Open,
    /// The same for a short while: the login has ended and may be renewed.
    Grace,
    /// Nothing: it was revoked.
    Revoked,
    /// A state that this version does not know; it is taken as [`Locked`](Self::Locked).
    Other(u8),
}

/// Why a login has changed, or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its time is over.
    Expired,
    /// Nothing was sent for too long.
    Idle,
    /// The user has logged out.
    LoggedOut,
    /// Somebody has revoked it.
    Revoked,
    /// The same peer has logged in anew.
    NewLogin,
    /// The quota is used up.
    Quota,
    /// The gateway goes down.
    Shutdown,
    /// The user has to log in again before it expires.
    LoginDue,
    /// A reason that this version does not know.
    Other(u8),
}

/// How the login of a peer stands. Times are seconds since 1970 by the gateway's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What the peer may do.
    pub state: SessionState,
    /// Who is logged in.
    pub user: Option<String>,
    /// Since when.
    pub since: Option<u64>,
    /// Until when.
    pub expires: Option<u64>,
    /// When the user has to log in again, while traffic goes on until `expires`.
    pub login_due: Option<u64>,
    /// Seconds of silence after which it ends.
    pub idle_after: Option<u32>,
    /// Bytes that are left of the quota.
    pub quota_left: Option<u64>,
    /// Why it is so.
    pub reason: Option<Reason>,
}

impl SessionState {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Locked => 0,
            Self::Challenged => 1,
            Self::Open => 2,
            Self::Grace => 3,
            Self::Revoked => 4,
            Self::Other(number) => number,
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match from.number()? {
            0 => Self::Locked,
            1 => Self::Challenged,
            2 => Self::Open,
            3 => Self::Grace,
            4 => Self::Revoked,
            number => Self::Other(number),
        })
    }
}

impl Reason {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Expired => 1,
            Self::Idle => 2,
            Self::LoggedOut => 3,
            Self::Revoked => 4,
            Self::NewLogin => 5,
            Self::Quota => 6,
            Self::Shutdown => 7,
            Self::LoginDue => 8,
            Self::Other(number) => number,
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(match from.number()? {
            1 => Self::Expired,
            2 => Self::Idle,
            3 => Self::LoggedOut,
            4 => Self::Revoked,
            5 => Self::NewLogin,
            6 => Self::Quota,
            7 => Self::Shutdown,
            8 => Self::LoginDue,
            number => Self::Other(number),
        })
    }
}

const STATE: u8 = 1;
const USER: u8 = 2;
const SINCE: u8 = 3;
const EXPIRES: u8 = 4;
const LOGIN_DUE: u8 = 5;
const IDLE_AFTER: u8 = 6;
const QUOTA_LEFT: u8 = 7;
const REASON: u8 = 8;

impl Session {
    /// A session of which nothing but the state is said.
    #[must_use]
    pub const fn of(state: SessionState) -> Self {
        let (user, since, expires, login_due) = (None, None, None, None);
        Self { state, user, since, expires, login_due, idle_after: None, quota_left: None, reason: None }
    }

    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(STATE).uint(self.state.number());
            map.optional(USER, self.user.as_deref(), |out, user| out.text(user));
            map.optional(SINCE, self.since, |out, time| out.uint(time));
            map.optional(EXPIRES, self.expires, |out, time| out.uint(time));
            map.optional(LOGIN_DUE, self.login_due, |out, time| out.uint(time));
            map.optional(IDLE_AFTER, self.idle_after, |out, seconds| out.uint(seconds));
            map.optional(QUOTA_LEFT, self.quota_left, |out, bytes| out.uint(bytes));
            map.optional(REASON, self.reason, |out, reason| out.uint(reason.number()));
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut session, mut state) = (Self::of(SessionState::Locked), None);
        from.map(|key, from| {
            match key {
                STATE => state = Some(SessionState::read(from)?),
                USER => session.user = Some(line(from, MAX_USER)?),
                SINCE => session.since = Some(from.uint()?),
                EXPIRES => session.expires = Some(from.uint()?),
                LOGIN_DUE => session.login_due = Some(from.uint()?),
                IDLE_AFTER => session.idle_after = Some(from.number()?),
                QUOTA_LEFT => session.quota_left = Some(from.uint()?),
                REASON => session.reason = Some(Reason::read(from)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { state: need(state, STATE)?, ..session })
    }
}
