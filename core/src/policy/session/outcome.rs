//! Whether what was shown is enough, and what comes of it.
use super::factor::Factor;
use super::grant::{Grant, Term};
use super::login::{Who, Work};
use super::output::{Answer, FactEvent, Push, Reason};
use super::peer::Peer;
use super::request::Request;
use super::settings::WRONG_CODES;
use super::shared::Shared;
use super::user::SessionId;
use crate::memory::{Boxed, NoMemory};

impl Shared {
    /// A factor was shown. Wrong ones are told at the end only, so that nobody learns which of several it was.
    pub(super) fn shown(&mut self, peer: &mut Peer, factor: Factor, right: bool) {
        self.note(peer, if right { FactEvent::FactorRight(factor) } else { FactEvent::FactorWrong(factor) });
        let Some(login) = peer.login.as_mut() else { return };
        login.is_sound &= right;
        login.shown.insert(factor);
        let (shown, requires) = (login.shown, login.requires(&self.settings.requires));
        if !requires.are_met_by(shown) {
            return match requires.next(shown) {
                Some(missing) => self.challenge(peer, missing, None),
                None => self.reject(peer),
            };
        }
        if login.is_sound && login.user().is_some() { self.open(peer) } else { self.reject(peer) }
    }

    /// A code was shown. A wrong one may be tried again, whether or not all else was right.
    pub(super) fn code_shown(&mut self, peer: &mut Peer, right: bool) {
        let Some(login) = peer.login.as_mut() else { return };
        if right {
            return self.shown(peer, Factor::Code, true);
        }
        login.wrong_codes = login.wrong_codes.saturating_add(1);
        let is_last = login.wrong_codes >= WRONG_CODES;
        self.note(peer, FactEvent::FactorWrong(Factor::Code));
        if is_last {
            return self.reject(peer);
        }
        self.count_failure(peer);
        self.challenge(peer, Factor::Code, None);
    }

    /// Ends the login: something of what was shown was wrong, or is not enough for this user.
    fn reject(&mut self, peer: &mut Peer) {
        self.count_failure(peer);
        self.note(peer, FactEvent::Rejected);
        self.conclude(peer, Answer::Reject);
    }

    /// The client is about to be told that something was wrong: that counts. The charge stays.
    fn count_failure(&mut self, peer: &mut Peer) {
        let now = self.now();
        self.note(peer, FactEvent::Failed);
        let Some(login) = peer.login.as_mut() else { return };
        let tag = login.tag;
        login.is_charged = false;
        if let Some(attempts) = peer.attempts.as_deref_mut()
            && let Some(wait) = self.attempts.failed(now, tag, attempts)
        {
            self.note(peer, FactEvent::Limited(wait));
        }
    }

    /// All that is required was shown and right: the store is to write the session down.
    fn open(&mut self, peer: &mut Peer) {
        let (now, wall) = (self.now(), self.wall());
        let Some(login) = peer.login.as_mut() else { return };
        let Who::Known(user) = &mut login.who else { return self.reject(peer) };
        let term = Term {
            lifetime: user.lifetime.unwrap_or(self.settings.lifetime),
            reauth_before: self.settings.reauth_before,
            idle: user.idle.or(self.settings.idle),
            not_after: user.not_after,
        };
        if term.not_after.is_some() && wall.is_none() {
            return self.give_up(peer, FactEvent::Unavailable);
        }
        let mut grant = Grant::new(user.id, user.rules, core::mem::take(&mut user.groups), now, term);
        grant.begin(now, wall);
        let (user, factors, lifetime) = (grant.user, login.shown, grant.lifetime());
        if lifetime.is_zero() {
            self.note(peer, FactEvent::Rejected);
            return self.conclude(peer, Answer::Reject);
        }
        match Boxed::new(grant) {
            Ok(grant) => {
                let request = Request::OpenSession { peer: peer.key, user, factors, lifetime };
                self.ask(login, Work::Open(grant), request);
            }
            Err(NoMemory) => self.give_up(peer, FactEvent::Unavailable),
        }
    }

    /// The session is written down: it begins.
    pub(super) fn opened(&mut self, peer: &mut Peer, mut grant: Boxed<Grant>, session: SessionId) {
        let (now, wall) = (self.now(), self.wall());
        grant.session = session;
        grant.begin(now, wall);
        let lifetime = grant.lifetime();
        if let Some(mut login) = peer.login.take() {
            self.refund(&mut login);
            if let Some(attempts) = peer.attempts.as_deref_mut() {
                self.attempts.succeeded(login.tag, attempts);
            }
            peer.login = Some(login);
        }
        let before = peer.grant.as_ref().map(|before| before.user == grant.user);
        if before == Some(false) {
            self.note_session(peer, FactEvent::Ended(Reason::NewLogin));
        }
        if before.is_none() {
            self.open = self.open.saturating_add(1);
        }
        peer.grant = Some(grant);
        peer.ended = None;
        self.note_session(peer, if before == Some(true) { FactEvent::Extended } else { FactEvent::Opened });
        peer.push = Some(Push::Opened);
        self.conclude(peer, Answer::Done { session, lifetime });
    }

    /// Ends the session, and a login under way with it.
    pub(super) fn end(&mut self, peer: &mut Peer, reason: Reason) {
        self.end_grant(peer, reason);
        if peer.login.is_some() && (reason.is_revocation() || reason == Reason::Logout) {
            self.conclude(peer, Answer::Reject);
        }
        peer.ends_sessions |= reason.is_revocation();
    }

    /// Ends the session alone.
    pub(super) fn end_grant(&mut self, peer: &mut Peer, reason: Reason) {
        if peer.grant.is_some() {
            self.note_session(peer, FactEvent::Ended(reason));
            peer.grant = None;
            self.open = self.open.saturating_sub(1);
        }
        if peer.kind == super::PeerKind::Login {
            peer.ended = Some(reason);
            peer.push = Some(Push::Ended(reason));
        }
    }
}
