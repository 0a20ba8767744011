//! A client begins a login, or goes on with one.
use super::login::{Credential, Held, Login, Stage, Who, Work};
use super::output::{Answer, FactEvent, LoginId};
use super::peer::{Peer, PeerKind};
use super::request::Request;
use super::settings::{CHALLENGE_TIME, POLL, RETRY};
use super::shared::Shared;
use super::text::{NAME_LEN, SecretText, fold};
use crate::memory::{Boxed, NoMemory};

impl Shared {
    pub(super) fn start(&mut self, peer: &mut Peer, name: &str, credential: Credential<'_>) {
        peer.client_waits = true;
        if let Some(login) = peer.login.as_ref().filter(|login| login.is_busy() && !login.awaits_web()) {
            let login = login.id;
            return self.say(peer, Answer::Wait { login, after: POLL });
        }
        if peer.kind != PeerKind::Login || name.len() > NAME_LEN || !credential.fits() {
            return self.say(peer, Answer::Reject);
        }
        if self.store_away.is_some() {
            self.note(peer, FactEvent::Unavailable);
            return self.say(peer, Answer::RetryAfter(RETRY));
        }
        if self.begin(peer, name, credential).is_err() {
            self.note(peer, FactEvent::Unavailable);
            self.say(peer, Answer::RetryAfter(RETRY));
        }
    }

    /// Makes the login, if there is place for it.
    fn begin(&mut self, peer: &mut Peer, name: &str, credential: Credential<'_>) -> Result<(), NoMemory> {
        let now = self.now();
        if let Err(wait) = self.attempts.start(now, peer.attempts()?) {
            self.note(peer, FactEvent::Limited(wait));
            self.say(peer, Answer::RetryAfter(wait));
            return Ok(());
        }
        let name = fold(name)?;
        if self.logins >= self.settings.logins && peer.login.is_none() {
            return Err(NoMemory);
        }
        let id = self.login_id().ok_or(NoMemory)?;
        let tag = match name.as_str() {
            "" => self.attempts.tag_of_peer(&peer.key),
            name => self.attempts.tag(name),
        };
        let login = Boxed::new(Login::new(id, name, tag, now + CHALLENGE_TIME))?;
        let held = Held::copy(credential)?;
        if peer.login.as_ref().is_some_and(|login| !matches!(login.stage, Stage::Over(_))) {
            self.note(peer, FactEvent::Abandoned);
        }
        self.put_login(peer, login);
        self.note(peer, FactEvent::LoginBegun(credential.factor()));
        self.present(peer, held);
        Ok(())
    }

    pub(super) fn go_on(&mut self, peer: &mut Peer, id: LoginId, challenge: u32, credential: Credential<'_>) {
        peer.client_waits = true;
        let Some(login) = peer.login.as_mut().filter(|login| login.id == id) else {
            return self.say(peer, Answer::Reject);
        };
        match core::mem::replace(&mut login.stage, Stage::Between) {
            Stage::Over(answer) => {
                self.drop_login(peer);
                self.say(peer, answer);
            }
            Stage::Client { kind }
                if login.challenge == challenge && credential.factor() == kind && credential.fits() =>
            {
                match Held::copy(credential) {
                    Ok(held) => self.present(peer, held),
                    Err(NoMemory) => self.give_up(peer, FactEvent::Unavailable),
                }
            }
            // Another challenge is asked, or another kind of answer.
            stage @ Stage::Client { .. } => {
                login.stage = stage;
                self.ask_client(peer);
            }
            stage => {
                login.stage = stage;
                if login.awaits_web() && login.challenge != challenge {
                    return self.ask_client(peer);
                }
                self.say(peer, Answer::Wait { login: id, after: POLL });
            }
        }
    }

    /// Something was shown. It is counted as a failure until it turns out to be none.
    fn present(&mut self, peer: &mut Peer, held: Held) {
        let now = self.now();
        let Some(login) = peer.login.as_mut() else { return };
        let allowed = match peer.attempts.as_deref() {
            Some(attempts) => self.attempts.charge(now, login.tag, attempts),
            None => Err(RETRY),
        };
        if let Err(wait) = allowed {
            self.note(peer, FactEvent::Limited(wait));
            return self.conclude(peer, Answer::RetryAfter(wait));
        }
        login.is_charged = true;
        let by_name = matches!(held, Held::Password(_) | Held::Code(_) | Held::Recovery(_));
        if !by_name || !matches!(login.who, Who::Unasked) {
            return self.check(peer, held);
        }
        match SecretText::copy(login.name.as_str()) {
            Ok(name) => self.ask(login, Work::Find(held), Request::FindUser { name }),
            Err(NoMemory) => self.give_up(peer, FactEvent::Unavailable),
        }
    }
}
