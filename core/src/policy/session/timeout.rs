//! Deadlines that have come, and facts that come from elsewhere than from clients.
use super::grant::{Grant, Term, Turn};
use super::login::Stage;
use super::output::{FactEvent, Push, Reason};
use super::peer::{Peer, PeerKind};
use super::shared::Shared;
use super::user::{GroupId, RulesId, SessionId, UserId};
use super::{SessionError, Sessions};
use crate::crypto::PublicKey;
use crate::memory::{Boxed, NoMemory, list};
use crate::time::{Instant, UnixTime};
use crate::tunnel::clock::WallClock;
use alloc::vec::Vec;
use core::time::Duration;

/// A session that is taken up again after a restart.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// What he may reach.
    pub rules: RulesId,
    /// The groups that he is in.
    pub groups: Vec<GroupId>,
    /// How much longer it lasts.
    pub left: Duration,
    /// How long it stays open without a packet.
    pub idle: Option<Duration>,
    /// When it ends at the latest.
    pub not_after: Option<UnixTime>,
}

impl Sessions {
    /// A deadline has come. `heard` says when the last authentic packet of a peer came, on the host's clock; it is asked only for
    /// peers of which that matters now. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant, heard: &dyn Fn(&PublicKey) -> Option<Instant>) {
        self.enter(now);
        let internal = self.shared.now();
        if self.shared.offline_at().is_some_and(|at| at <= internal) {
            self.every_peer(|peer, shared| {
                if peer.grant.is_some() {
                    shared.end(peer, Reason::Offline);
                }
            });
        }
        while let Some((slot, bound)) = self.deadlines.top() {
            if bound > internal {
                break;
            }
            self.with(slot, |peer, shared| {
                let heard = || heard(&peer.key).map(|at| internal - now.since(at));
                let heard =
                    if peer.grant.as_ref().is_some_and(|grant| grant.deadline() <= internal) { heard() } else { None };
                shared.pass(peer, heard);
            });
            let exact = self.peers.at(slot).map_or(Instant::MAX, |peer| peer.deadline().min(super::NEVER));
            self.deadlines.move_top_later(exact);
        }
        self.settle_top();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, on the host's clock. `None`: nothing is open, and nothing is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = self.deadlines.top().map(|(_, at)| at).filter(|at| *at < super::NEVER);
        let at = self.shared.offline_at().into_iter().chain(next).min()?;
        self.shared.clock.on_host(at)
    }

    /// The wall clock was read; `None`: nobody knows what time it is.
    pub fn handle_wall_clock(&mut self, now: Instant, wall: Option<UnixTime>) {
        self.enter(now);
        self.shared.wall = wall.map(|wall| WallClock::new(self.shared.now(), wall));
        let now = self.shared.now();
        self.every_peer(|peer, _| {
            if let Some(grant) = peer.grant.as_mut() {
                grant.bound(now, wall);
            }
        });
        self.settle_top();
    }

    /// The store went away, or is back. While it is away nobody logs in, and sessions that are open end by the offline limit.
    pub fn handle_store(&mut self, now: Instant, is_there: bool) {
        self.enter(now);
        let now = self.shared.now();
        self.shared.store_away = if is_there { None } else { Some(self.shared.store_away.unwrap_or(now)) };
    }

    /// Ends the session of a peer: a logout, a quota, an operator. A revocation and a logout also end a login under way.
    ///
    /// # Errors
    /// [`SessionError::UnknownPeer`].
    pub fn end_session(&mut self, now: Instant, peer: &PublicKey, reason: Reason) -> Result<(), SessionError> {
        self.by_key(now, peer, |peer, shared| shared.end(peer, reason))
    }

    /// Ends all sessions and logins of a user; returns how many peers that were.
    pub fn end_sessions_of(&mut self, now: Instant, user: UserId, reason: Reason) -> usize {
        self.enter(now);
        let mut ended = 0_usize;
        self.every_peer(|peer, shared| {
            let logs_in = peer.login.as_ref().and_then(|login| login.user()).is_some_and(|known| known.id == user);
            let is_in = peer.grant.as_ref().is_some_and(|grant| grant.user == user);
            if is_in {
                shared.end(peer, reason);
            } else if logs_in {
                shared.conclude(peer, super::output::Answer::Reject);
            }
            ended = ended.saturating_add(usize::from(is_in || logs_in));
        });
        self.settle_top();
        ended
    }

    /// A user's rules or groups have changed. His sessions go on under the new ones.
    ///
    /// # Errors
    /// [`SessionError::NoMemory`]: the rules are the new ones, but no groups are known of some of his sessions.
    pub fn change_user(
        &mut self,
        now: Instant,
        user: UserId,
        rules: RulesId,
        groups: &[GroupId],
    ) -> Result<(), SessionError> {
        self.enter(now);
        let mut outcome = Ok(());
        self.every_peer(|peer, _| {
            let Some(grant) = peer.grant.as_mut().filter(|grant| grant.user == user) else { return };
            match list(groups.len()) {
                Ok(mut own) => {
                    own.extend_from_slice(groups);
                    grant.groups = own;
                }
                Err(NoMemory) => {
                    grant.groups.clear();
                    outcome = Err(SessionError::NoMemory);
                }
            }
            grant.rules = rules;
        });
        self.settle_top();
        outcome
    }

    /// Takes a session up again that was open before the gateway restarted.
    ///
    /// # Errors
    /// [`SessionError`] when there is no such peer, it needs no session or has one, or there is no memory.
    pub fn resume(&mut self, now: Instant, peer: &PublicKey, resumed: Resumed) -> Result<(), SessionError> {
        let reauth_before = self.shared.settings.reauth_before;
        let mut outcome = Ok(());
        self.by_key(now, peer, |peer, shared| outcome = shared.resume(peer, resumed, reauth_before))?;
        outcome
    }

    fn every_peer(&mut self, mut act: impl FnMut(&mut Peer, &mut Shared)) {
        for slot in self.slots() {
            self.with(slot, &mut act);
        }
    }
}

impl Shared {
    /// What is due at a peer.
    fn pass(&mut self, peer: &mut Peer, heard: Option<Instant>) {
        let now = self.now();
        if let Some(login) = peer.login.as_ref().filter(|login| login.deadline() <= now) {
            let (is_web, is_busy) = (login.awaits_web(), login.is_busy());
            if is_busy && !is_web {
                self.give_up(peer, FactEvent::RequestTimedOut);
            } else {
                if !matches!(login.stage, Stage::Over(_)) {
                    self.note(peer, FactEvent::Abandoned);
                }
                self.drop_login(peer);
            }
        }
        match peer.grant.as_mut().and_then(|grant| grant.turn(now, heard)) {
            Some(Turn::End(reason)) => self.end(peer, reason),
            Some(Turn::Tell(push)) => {
                peer.push = Some(push);
                if matches!(push, Push::ReauthDue(_)) {
                    self.note_session(peer, FactEvent::ReauthDue);
                }
            }
            None => {}
        }
    }

    fn resume(&mut self, peer: &mut Peer, resumed: Resumed, reauth_before: Duration) -> Result<(), SessionError> {
        if peer.kind != PeerKind::Login || peer.grant.is_some() {
            return Err(SessionError::NotNeeded);
        }
        let (now, wall) = (self.now(), self.wall());
        let Resumed { session, user, rules, groups, left, idle, not_after } = resumed;
        if left.is_zero() || (not_after.is_some() && wall.is_none()) {
            return Err(SessionError::NotNeeded);
        }
        let term = Term { lifetime: left, reauth_before, idle, not_after };
        let mut grant = Boxed::new(Grant::new(user, rules, groups, now, term))?;
        grant.session = session;
        grant.begin(now, wall);
        if grant.lifetime().is_zero() {
            return Err(SessionError::NotNeeded);
        }
        peer.grant = Some(grant);
        peer.ended = None;
        self.open = self.open.saturating_add(1);
        self.note_session(peer, FactEvent::Opened);
        Ok(())
    }
}
