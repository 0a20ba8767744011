//! What the host found out.
use super::factor::Factor;
use super::login::{Login, Stage, Who, Work};
use super::output::{Answer, Challenge, FactEvent};
use super::peer::Peer;
use super::request::{Reply, Request, Stale};
use super::settings::{CHALLENGE_TIME, TEXT_ROUNDS, WEB_TIME};
use super::shared::Shared;
use super::text::SecretText;
use super::user::User;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

impl Shared {
    /// Takes the reply to the request of this number.
    pub(super) fn reply(&mut self, peer: &mut Peer, number: u64, reply: Reply) -> Result<(), Stale> {
        let work = match peer.login.as_mut() {
            Some(login) => take_work(login, number),
            None => None,
        };
        let Some(work) = work else { return Err(Stale(reply)) };
        match (work, reply) {
            (Work::Find(held), Reply::User(found)) => {
                if self.found(peer, found) {
                    self.check(peer, held);
                }
            }
            (Work::Password { real }, Reply::Verified(right)) => self.shown(peer, Factor::Password, real && right),
            (Work::Code { real }, Reply::Verified(right)) => self.code_shown(peer, real && right),
            (Work::Recovery { real }, Reply::Verified(right)) => {
                if real && right {
                    self.note(peer, FactEvent::RecoveryUsed);
                }
                self.code_shown(peer, real && right);
            }
            (Work::Identity(factor), Reply::Identity(found)) => self.identified(peer, factor, found),
            (Work::Identity(Factor::Text), Reply::More { prompt, echo, state }) => self.more(peer, prompt, echo, state),
            (Work::WebBegin, Reply::WebBegun { handle, prompt, expires }) => {
                self.web_begun(peer, handle, prompt, expires)
            }
            (Work::Open(grant), Reply::Opened(Some(session))) => self.opened(peer, grant, session),
            (Work::Open(_), Reply::Opened(None)) => {
                self.note(peer, FactEvent::Rejected);
                self.conclude(peer, Answer::Reject);
            }
            // Unavailable, or a reply to something else: nothing is known, and nobody gets in.
            _ => self.give_up(peer, FactEvent::Unavailable),
        }
        Ok(())
    }

    /// The user was looked up. `false`: the login has ended.
    fn found(&mut self, peer: &mut Peer, found: Option<Box<User>>) -> bool {
        if let Some(login) = peer.login.as_mut() {
            login.is_sound &= found.is_some();
            login.who = found.map_or(Who::Nobody, Who::Known);
        }
        match self.identify(peer) {
            Ok(()) => true,
            Err(wait) => {
                self.note(peer, FactEvent::Limited(wait));
                self.conclude(peer, Answer::RetryAfter(wait));
                false
            }
        }
    }

    /// A certificate, a back end or a browser says who it is. Whoever was known before has to be the same.
    fn identified(&mut self, peer: &mut Peer, factor: Factor, found: Option<Box<User>>) {
        let Some(login) = peer.login.as_mut() else { return };
        let right = match (&mut login.who, &found) {
            (Who::Known(user), Some(found)) => {
                // What is said of him now may end sooner: a certificate does.
                user.not_after = [user.not_after, found.not_after].into_iter().flatten().min();
                user.id == found.id
            }
            (Who::Nobody, _) | (_, None) => false,
            (Who::Unasked, Some(_)) => true,
        };
        if matches!(login.who, Who::Unasked) && !self.found(peer, found) {
            return;
        }
        self.shown(peer, factor, right);
    }

    /// A back end asks for more.
    fn more(&mut self, peer: &mut Peer, prompt: SecretText, echo: bool, state: Vec<u8>) {
        let Some(login) = peer.login.as_mut() else { return };
        login.text_rounds = login.text_rounds.saturating_add(1);
        if login.text_rounds > TEXT_ROUNDS {
            return self.give_up(peer, FactEvent::Unavailable);
        }
        login.text_state = Some(state);
        self.challenge(peer, Factor::Text, Some((prompt, echo)));
    }

    /// A browser may begin. The client is told where, and the host waits for what comes of it.
    fn web_begun(&mut self, peer: &mut Peer, handle: u64, prompt: SecretText, expires: Duration) {
        let now = self.now();
        let expires = expires.min(WEB_TIME);
        let Some(login) = peer.login.as_mut() else { return };
        self.refund(login);
        login.challenge = login.challenge.saturating_add(1);
        login.prompt = Some((prompt, true));
        login.ends = now + expires;
        self.ask(login, Work::Identity(Factor::Web), Request::AwaitWeb { handle });
        if let Stage::Host { until, .. } = &mut login.stage {
            *until = now + expires;
        }
        if peer.client_waits {
            self.ask_client(peer);
        }
    }

    /// Shows a challenge to the client and waits for its answer. The credential before it was not wrong, as far as it is told.
    pub(super) fn challenge(&mut self, peer: &mut Peer, kind: Factor, text: Option<(SecretText, bool)>) {
        let ends = self.now() + CHALLENGE_TIME;
        let Some(login) = peer.login.as_mut() else { return };
        self.refund(login);
        login.challenge = login.challenge.saturating_add(1);
        login.ends = ends;
        login.prompt = text;
        login.stage = Stage::Client { kind };
        if peer.client_waits {
            self.ask_client(peer);
        }
    }

    /// Says which challenge is asked.
    pub(super) fn ask_client(&mut self, peer: &mut Peer) {
        let Some(login) = peer.login.as_ref() else { return };
        let kind = match &login.stage {
            Stage::Client { kind } => *kind,
            _ if login.awaits_web() => Factor::Web,
            _ => return,
        };
        let prompt = login.prompt.as_ref().map(|(prompt, _)| SecretText::copy(prompt.as_str()));
        let Ok(prompt) = prompt.transpose() else { return self.give_up(peer, FactEvent::Unavailable) };
        let echo = login.prompt.as_ref().is_some_and(|(_, echo)| *echo);
        let challenge = Challenge {
            login: login.id,
            id: login.challenge,
            kind,
            prompt,
            echo,
            digits: (kind == Factor::Code).then(|| self.settings.digits.count()),
            expires: login.ends.since(self.now()),
        };
        self.say(peer, Answer::Challenge(challenge));
    }
}

/// What the request of this number is for, if the login waits for it.
fn take_work(login: &mut Login, number: u64) -> Option<Work> {
    match core::mem::replace(&mut login.stage, Stage::Between) {
        Stage::Host { number: own, work, request: None, .. } if own == number => Some(work),
        stage => {
            login.stage = stage;
            None
        }
    }
}
