//! What was shown goes to whoever can tell whether it is right.
use super::factor::Factor;
use super::login::{Held, Login, Who, Work};
use super::output::FactEvent;
use super::peer::Peer;
use super::request::Request;
use super::settings::RETRY;
use super::shared::Shared;
use super::text::SecretText;
use super::user::{CODES, CodeFactor, FactorId};
use crate::memory::NoMemory;
use crate::policy::code::{Moving, RecoveryCode, RecoveryHash, hotp, totp};
use crate::time::UnixTime;
use core::time::Duration;

impl Shared {
    /// Asks the host about what was shown. Who it is, and whether anything before was wrong, changes nothing about what is asked
    /// but whom it is for.
    pub(super) fn check(&mut self, peer: &mut Peer, held: Held) {
        let key = peer.key;
        let Some(login) = peer.login.as_mut() else { return };
        let (work, request) = match held {
            Held::Password(password) => {
                let own = match &mut login.who {
                    Who::Known(user) => user.password.take(),
                    _ => None,
                };
                let real = own.is_some();
                let Ok(hash) = own.map_or_else(|| SecretText::copy(self.settings.nobodys_hash.as_str()), Ok) else {
                    return self.give_up(peer, FactEvent::Unavailable);
                };
                (Work::Password { real }, Request::VerifyPassword { hash, password })
            }
            Held::Code(entered) => {
                let wall = self.wall();
                match self.code_request(peer, wall, entered) {
                    Some(asked) => asked,
                    None => return self.give_up(peer, FactEvent::Unavailable),
                }
            }
            Held::Recovery(entered) => self.recovery_request(login, &entered),
            Held::Certificate(evidence) => {
                (Work::Identity(Factor::Certificate), Request::VerifyCertificate { peer: key, evidence })
            }
            Held::Text(text) => {
                let Ok(name) = SecretText::copy(login.name.as_str()) else {
                    return self.give_up(peer, FactEvent::Unavailable);
                };
                (Work::Identity(Factor::Text), Request::AskText { name, state: login.text_state.take(), text })
            }
            Held::Web => (Work::WebBegin, Request::BeginWeb { peer: key }),
        };
        if let Some(login) = peer.login.as_mut() {
            self.ask(login, work, request);
        }
    }

    /// Compares a code with those of all factors; the store is asked to accept its number only if all that was shown before was right too. `None`:
    /// nobody knows what time it is.
    fn code_request(&self, peer: &mut Peer, wall: Option<UnixTime>, entered: SecretText) -> Option<(Work, Request)> {
        let login = peer.login.as_mut()?;
        let own = login.user().map_or(&[][..], |user| user.codes.as_slice());
        let counts = |own: &CodeFactor| matches!(own.code.moving, Moving::Counter);
        if wall.is_none() && !own.iter().take(CODES).any(counts) {
            return None;
        }
        let mut found: Option<(Option<FactorId>, u64)> = None;
        // As many are compared for everybody, and all of them, whichever it is.
        for place in 0..CODES {
            let own = own.get(place);
            let (code, last) = own.map_or((&self.nobodys_code, None), |own| (&own.code, own.last));
            let number = match code.moving {
                Moving::Time { .. } => wall.and_then(|wall| totp::verify(code, wall, last, entered.as_str())),
                Moving::Counter => hotp::verify(code, last, entered.as_str()).or_else(|| {
                    let before = login.code_before.as_ref()?;
                    hotp::resync(code, last, before.as_str(), entered.as_str())
                }),
            };
            found = found.or(number.map(|number| (own.map(|own| own.id), number)));
        }
        let (factor, number) = found.filter(|_| login.is_sound).unwrap_or_default();
        login.code_before = Some(entered);
        Some((Work::Code { real: factor.is_some() }, Request::AcceptCode { factor, number }))
    }

    fn recovery_request(&self, login: &Login, entered: &SecretText) -> (Work, Request) {
        let code = RecoveryCode::read(entered.as_str());
        let user = login.user().map(|user| user.id).filter(|_| login.is_sound && code.is_some());
        let hash = code.map_or(RecoveryHash::from_bytes([0; 32]), |code| {
            code.hash(&self.recovery, user.map_or(u64::MAX, |user| user.0))
        });
        (Work::Recovery { real: user.is_some() }, Request::ConsumeRecoveryCode { user, hash })
    }

    /// The user is known by now: failures are counted under his own name. `Err`: it has failed too often.
    pub(super) fn identify(&mut self, peer: &mut Peer) -> Result<(), Duration> {
        let now = self.now();
        let Some(login) = peer.login.as_mut() else { return Ok(()) };
        let Some(tag) = login.user().map(|user| self.attempts.tag(user.name.as_str())) else { return Ok(()) };
        if tag == login.tag {
            return Ok(());
        }
        self.refund(login);
        login.tag = tag;
        let attempts = peer.attempts().map_err(|NoMemory| RETRY)?;
        self.attempts.charge(now, tag, attempts)?;
        if let Some(login) = peer.login.as_mut() {
            login.is_charged = true;
        }
        Ok(())
    }
}
