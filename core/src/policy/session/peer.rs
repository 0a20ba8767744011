//! One peer: its session, its login, and what is to be said about it.
use super::grant::Grant;
use super::login::{Login, Stage};
use super::output::{Access, Answer, Output, Push, Reason, State};
use super::user::RulesId;
use crate::crypto::PublicKey;
use crate::memory::{Boxed, NoMemory};
use crate::policy::attempts::PeerAttempts;
use crate::time::Instant;

/// Whether a peer has to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// Somebody has to log in.
    Login,
    /// The key is enough: a stock WireGuard client, or another site.
    Free(RulesId),
}

pub(super) struct Peer {
    pub(super) key: PublicKey,
    pub(super) kind: PeerKind,
    pub(super) grant: Option<Boxed<Grant>>,
    /// Why there is no session any more.
    pub(super) ended: Option<Reason>,
    pub(super) login: Option<Boxed<Login>>,
    pub(super) attempts: Option<Boxed<PeerAttempts>>,
    /// What the host was told last.
    pub(super) told: Option<Access>,
    /// The host is to end the peer's sessions.
    pub(super) ends_sessions: bool,
    /// Whether a client waits for an answer.
    pub(super) client_waits: bool,
    pub(super) answer: Option<Answer>,
    pub(super) push: Option<Push>,
    /// Whether it stands in the queue of outputs, and in that of requests.
    pub(super) in_outputs: bool,
    pub(super) in_requests: bool,
}

impl Peer {
    pub(super) const fn new(key: PublicKey, kind: PeerKind) -> Self {
        Self {
            key,
            kind,
            grant: None,
            ended: None,
            login: None,
            attempts: None,
            told: None,
            ends_sessions: false,
            client_waits: false,
            answer: None,
            push: None,
            in_outputs: false,
            in_requests: false,
        }
    }

    /// What may pass.
    pub(super) fn access(&self) -> Access {
        match (self.kind, &self.grant) {
            (PeerKind::Free(rules), _) => Access::Open(rules),
            (PeerKind::Login, Some(grant)) => Access::Open(grant.rules),
            (PeerKind::Login, None) if self.login.as_ref().is_some_and(|login| login.awaits_web()) => {
                Access::Provisional
            }
            (PeerKind::Login, None) => Access::Locked,
        }
    }

    pub(super) fn state(&self) -> State {
        let login = self.login.as_ref().filter(|login| !matches!(login.stage, Stage::Over(_)));
        match (self.kind, &self.grant, login, self.ended) {
            (PeerKind::Free(_), ..) => State::Free,
            (_, Some(grant), ..) => grant.state(),
            (_, _, Some(login), _) => State::Challenged(login.id),
            (_, _, _, Some(reason)) if reason.is_revocation() => State::Revoked(reason),
            (_, _, _, ended) => State::Locked(ended),
        }
    }

    /// When there is something to do next.
    pub(super) fn deadline(&self) -> Instant {
        let grant = self.grant.as_ref().map_or(Instant::MAX, |grant| grant.deadline());
        self.login.as_ref().map_or(grant, |login| login.deadline().min(grant))
    }

    /// Whether there is something to say.
    pub(super) fn has_output(&self) -> bool {
        self.told != Some(self.access()) || self.ends_sessions || self.answer.is_some() || self.push.is_some()
    }

    /// What is to be said next.
    pub(super) fn output(&mut self) -> Option<Output> {
        let (peer, access) = (self.key, self.access());
        if self.told != Some(access) || self.ends_sessions {
            self.told = Some(access);
            let end_sessions = core::mem::take(&mut self.ends_sessions);
            return Some(Output::Access { peer, access, end_sessions });
        }
        if let Some(answer) = self.answer.take() {
            return Some(Output::Answer { peer, answer });
        }
        self.push.take().map(|push| Output::Push { peer, push })
    }

    /// The failures at this peer, counted from now on.
    pub(super) fn attempts(&mut self) -> Result<&mut PeerAttempts, NoMemory> {
        if self.attempts.is_none() {
            self.attempts = Some(Boxed::new(PeerAttempts::default())?);
        }
        self.attempts.as_deref_mut().ok_or(NoMemory)
    }
}
