//! What all logins of a gateway share: everything but the peers.
use super::login::{Login, Stage, Work};
use super::output::{Answer, Fact, FactEvent, LoginId};
use super::peer::Peer;
use super::request::Request;
use super::settings::{CHALLENGE_TIME, RETRY, Settings};
use super::text::SecretText;
use crate::crypto::Rng;
use crate::memory::Boxed;
use crate::policy::attempts::Attempts;
use crate::policy::code::{OneTimeCode, RecoveryKey};
use crate::time::{Instant, UnixTime};
use crate::tunnel::clock::{Clock, WallClock};
use alloc::boxed::Box;
use alloc::collections::VecDeque;

pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) rng: Box<dyn Rng>,
    pub(super) clock: Clock,
    /// Without it no code by time is taken.
    pub(super) wall: Option<WallClock>,
    pub(super) attempts: Attempts,
    pub(super) recovery: RecoveryKey,
    /// What the code of somebody who does not exist is compared with.
    pub(super) nobodys_code: OneTimeCode,
    /// The number of the latest request.
    pub(super) requests: u64,
    /// Logins under way, and sessions that are open.
    pub(super) logins: usize,
    pub(super) open: usize,
    /// Since when the store is away.
    pub(super) store_away: Option<Instant>,
    pub(super) facts: VecDeque<Fact>,
    pub(super) lost_facts: u64,
}

impl Shared {
    pub(super) const fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(super) fn wall(&self) -> Option<UnixTime> {
        self.wall.map(|wall| wall.read(self.now()))
    }

    /// When sessions end because the store is away.
    pub(super) fn offline_at(&self) -> Option<Instant> {
        self.store_away.filter(|_| self.open > 0).map(|since| since + self.settings.offline_limit)
    }

    /// Notes something about the login down for the audit log.
    pub(super) fn note(&mut self, peer: &Peer, event: FactEvent) {
        let user = peer.login.as_ref().and_then(|login| login.user()).map(|user| user.id);
        self.note_fact(Fact { peer: peer.key, user, session: None, event });
    }

    /// Notes something about the open session down.
    pub(super) fn note_session(&mut self, peer: &Peer, event: FactEvent) {
        let (user, session) = peer.grant.as_ref().map(|grant| (grant.user, grant.session)).unzip();
        self.note_fact(Fact { peer: peer.key, user, session, event });
    }

    fn note_fact(&mut self, fact: Fact) {
        if self.facts.len() >= self.settings.facts || self.facts.try_reserve(1).is_err() {
            self.lost_facts = self.lost_facts.saturating_add(1);
            return;
        }
        self.facts.push_back(fact);
    }

    /// Begins a login in the place of any other.
    pub(super) fn put_login(&mut self, peer: &mut Peer, login: Boxed<Login>) {
        self.drop_login(peer);
        self.logins = self.logins.saturating_add(1);
        peer.login = Some(login);
    }

    /// Ends a login: its failure is not counted, and what it held is wiped.
    pub(super) fn drop_login(&mut self, peer: &mut Peer) {
        if let Some(mut login) = peer.login.take() {
            self.refund(&mut login);
            self.logins = self.logins.saturating_sub(1);
        }
    }

    /// The credential was not wrong.
    pub(super) fn refund(&mut self, login: &mut Login) {
        if core::mem::take(&mut login.is_charged) {
            self.attempts.refund(login.tag);
        }
    }

    /// Asks the host for something.
    pub(super) fn ask(&mut self, login: &mut Login, work: Work, request: Request) {
        self.requests = self.requests.saturating_add(1);
        let until = self.now() + self.settings.request_timeout;
        login.stage = Stage::Host { number: self.requests, until, work, request: Some(request) };
    }

    /// Ends the login with an answer: at once if the client waits for one, else when it asks.
    pub(super) fn conclude(&mut self, peer: &mut Peer, answer: Answer) {
        if core::mem::take(&mut peer.client_waits) {
            self.drop_login(peer);
            peer.answer = Some(answer);
            return;
        }
        let ends = self.now() + CHALLENGE_TIME;
        if let Some(mut login) = peer.login.take() {
            self.refund(&mut login);
            let mut over = Login::new(login.id, SecretText::default(), login.tag, ends);
            over.stage = Stage::Over(answer);
            *login = over;
            peer.login = Some(login);
        }
    }

    /// Answers the client's latest call.
    pub(super) fn say(&self, peer: &mut Peer, answer: Answer) {
        peer.client_waits = false;
        peer.answer = Some(answer);
    }

    /// Ends the login because something could not be reached.
    pub(super) fn give_up(&mut self, peer: &mut Peer, why: FactEvent) {
        self.note(peer, why);
        self.conclude(peer, Answer::RetryAfter(RETRY));
    }

    /// A name for a login.
    pub(super) fn login_id(&mut self) -> Option<LoginId> {
        let mut id = [0; 8];
        self.rng.fill(&mut id).ok().map(|()| LoginId(id))
    }
}
