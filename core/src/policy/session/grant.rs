//! A session that is open: what it allows, and when it ends.
use super::output::{Push, Reason, State};
use super::settings::GRACE;
use super::user::{GroupId, RulesId, SessionId, UserId};
use crate::time::{Instant, UnixTime};
use alloc::vec::Vec;
use core::time::Duration;

/// The shortest that a session lasts, or may be without a packet.
const SHORTEST: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    ReauthDue,
    Grace,
}

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) lifetime: Duration,
    pub(super) reauth_before: Duration,
    pub(super) idle: Option<Duration>,
    pub(super) not_after: Option<UnixTime>,
}

/// A session. Times are internal.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) session: SessionId,
    pub(super) user: UserId,
    pub(super) rules: RulesId,
    pub(super) groups: Vec<GroupId>,
    pub(super) since: Instant,
    term: Term,
    /// When it ends: never later than `since` and the lifetime.
    pub(super) until: Instant,
    phase: Phase,
    /// The last packet that is known of.
    heard: Instant,
}

/// What has become of a session by now.
pub(super) enum Turn {
    Tell(Push),
    End(Reason),
}

impl Grant {
    pub(super) fn new(user: UserId, rules: RulesId, groups: Vec<GroupId>, now: Instant, term: Term) -> Self {
        let (session, phase) = (SessionId(0), Phase::Open);
        let mut grant = Self { session, user, rules, groups, since: now, term, until: now, phase, heard: now };
        grant.begin(now, None);
        grant
    }

    /// The session begins at `now`.
    pub(super) fn begin(&mut self, now: Instant, wall: Option<UnixTime>) {
        (self.since, self.heard, self.phase) = (now, now, Phase::Open);
        self.bound(now, wall);
    }

    /// Finds the end anew: the wall clock may have been set.
    pub(super) fn bound(&mut self, now: Instant, wall: Option<UnixTime>) {
        let mut until = self.since + self.term.lifetime.max(SHORTEST);
        match (self.term.not_after, wall) {
            (Some(end), Some(wall)) => until = until.min(now + end.as_duration().saturating_sub(wall.as_duration())),
            // Without a wall clock the end stays what it was.
            (Some(_), None) if self.until > self.since => until = until.min(self.until),
            _ => {}
        }
        self.until = until;
        if now < self.reauth_at() {
            self.phase = Phase::Open;
        }
    }

    /// How long it lasts from its beginning.
    pub(super) fn lifetime(&self) -> Duration {
        self.until.since(self.since)
    }

    /// When it is time to log in again.
    pub(super) fn reauth_at(&self) -> Instant {
        self.until - self.term.reauth_before.min(self.lifetime() / 2)
    }

    fn grace_at(&self) -> Instant {
        self.until - GRACE.min(self.lifetime() / 4)
    }

    fn idle_at(&self) -> Instant {
        self.term.idle.map_or(Instant::MAX, |idle| self.heard + idle.max(SHORTEST))
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Instant {
        let next = match self.phase {
            Phase::Open => self.reauth_at(),
            Phase::ReauthDue => self.grace_at(),
            Phase::Grace => self.until,
        };
        next.min(self.until).min(self.idle_at())
    }

    /// What is due at `now`; `None`: nothing. `heard` is when the last packet came.
    pub(super) fn turn(&mut self, now: Instant, heard: Option<Instant>) -> Option<Turn> {
        if now >= self.until {
            return Some(Turn::End(Reason::Expired));
        }
        if let Some(heard) = heard {
            self.heard = self.heard.max(heard.min(now));
        }
        if now >= self.idle_at() {
            return Some(Turn::End(Reason::Idle));
        }
        let left = self.until.since(now);
        let (phase, push) = match self.phase {
            _ if now >= self.grace_at() => (Phase::Grace, Push::Ending(left)),
            _ if now >= self.reauth_at() => (Phase::ReauthDue, Push::ReauthDue(left)),
            phase => (phase, Push::Opened),
        };
        (phase > self.phase).then(|| {
            self.phase = phase;
            Turn::Tell(push)
        })
    }

    pub(super) const fn state(&self) -> State {
        match self.phase {
            Phase::Open => State::Open,
            Phase::ReauthDue => State::ReauthDue,
            Phase::Grace => State::Grace,
        }
    }
}
