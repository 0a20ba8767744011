//! Enrolments: peers whose key is a one-time key, and which reach nothing but this.
//!
//! Such a peer is locked and cannot log in. It is removed when the enrolment expires, a minute after the device was added. Until
//! then a device that did not get the answer can ask again, and gets the same one.
use super::{Now, Peers, Service};
use crate::admin::{AdminError, Enrolling as Wanted, Office, base32, otpauth, secret};
use crate::audit::{Event, Text};
use crate::name::Name;
use crate::store::{self, Enrolment, NewDevice, StoreError};
use crate::time::Time;
use std::net::SocketAddr;
use std::time::Duration;
use underpass_core::config::PeerAction;
use underpass_core::control::message::{Authenticator, Config, Enrol, Enrolled, Refusal, Reply};
use underpass_core::control::{Code, Wiped};
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret, totp};
use underpass_core::policy::session::Factor;
use underpass_core::{Access, Change, NewPeer, PeerChange, PublicKey};

/// Codes that are looked at.
const TRIES: u8 = 5;
/// How long a completed enrolment is remembered. A client repeats a request for less time than that.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Seconds after which a client asks again when the store is away.
const RETRY: u32 = 10;
/// Audit lines about refusals of one enrolment at most, so that nobody can fill the disk.
const LINES: u8 = 5;
/// Seconds of a step of a code.
const PERIOD: u16 = 30;

/// The peer of an enrolment.
#[derive(Debug)]
pub(super) struct Enrolling {
    user: Name,
    until: Time,
    /// Refusals that are on record.
    told: u8,
}

/// Who asks.
struct Asking {
    key: PublicKey,
    user: Name,
    device: NewDevice,
    src: SocketAddr,
}

impl Service {
    pub(super) fn enrol(
        &mut self,
        now: Now,
        peers: &dyn Peers,
        key: PublicKey,
        wanted: Enrol,
    ) -> Result<Enrolled, Refusal> {
        let refused = Refusal::of(Code::FORBIDDEN);
        let user = self.enrolling.get(&key).ok_or(refused)?.user.clone();
        let name: Name = wanted.name.parse().map_err(|_| Refusal::of(Code::BAD_REQUEST))?;
        let device = NewDevice { key: wanted.device, name };
        let asking = Asking { key, user, device, src: super::record::source(peers, &key) };
        if self.is_away {
            return Err(LATER);
        }
        if self.peers.get(&wanted.device).is_some_and(|peer| peer.is_site) {
            return Err(self.refuse_device(now, &asking, "known", Code::CONFLICT));
        }
        let secret = secret().map_err(|_| LATER)?;
        let claimed = self.try_claim(now, &asking, &secret);
        let Some(enrolment) = self.checked(now, &asking, claimed.map_err(AdminError::from))? else {
            return Err(self.refuse_device(now, &asking, "claimed", Code::FORBIDDEN));
        };
        match (&enrolment.secret, wanted.code) {
            _ if enrolment.is_over => Ok(self.enrolled(&asking, None)),
            (None, _) => self.add_enrolled(now, &asking, None),
            (Some(_), None) => Ok(self.enrolled(&asking, self.authenticator(&enrolment, enrolment.tries))),
            (Some(_), Some(code)) => self.try_code(now, &asking, &enrolment, &code),
        }
    }

    /// Claims the enrolment for the device. An authenticator is offered where the user will be asked for codes.
    fn try_claim(&mut self, now: Now, asking: &Asking, secret: &[u8]) -> store::Result<Option<Enrolment>> {
        let Some(user) = self.store.user(&asking.user)? else { return Ok(None) };
        let groups = self.store.groups_of(user.id)?;
        let wants_codes = self.plan.requires(&user.name, &groups).iter().any(|set| set.has(Factor::Code));
        self.store.claim(now.time(), &asking.key, &asking.device, wants_codes.then_some(secret))
    }

    fn try_code(&mut self, now: Now, asking: &Asking, enrolment: &Enrolment, code: &[u8]) -> Result<Enrolled, Refusal> {
        // It counts before anybody looks at it.
        let end = now.time().after(REMEMBERED);
        let counted = self.store.count_try(now.time(), &asking.key, &asking.device.key, TRIES, end);
        let is_counted = self.stored(now, counted).ok_or(LATER)?;
        let step = enrolment.secret.as_deref().filter(|_| is_counted).and_then(|secret| step_of(now, secret, code));
        if step.is_some() {
            return self.add_enrolled(now, asking, step);
        }
        let tries = enrolment.tries.saturating_add(1);
        if !is_counted || tries >= TRIES {
            return Err(self.refuse_device(now, asking, "codes", Code::FORBIDDEN));
        }
        Ok(self.enrolled(asking, self.authenticator(enrolment, tries)))
    }

    /// Adds the device, if that can be recorded, and its peer.
    fn add_enrolled(&mut self, now: Now, asking: &Asking, step: Option<u64>) -> Result<Enrolled, Refusal> {
        let Asking { key, user, device, src } = asking;
        let end = now.time().after(REMEMBERED);
        let mut office = Office {
            store: &mut *self.store,
            recorder: &mut self.recorder,
            actor: Text::new(user.as_str()),
            gateway: self.plan.name.clone(),
            at: now.time(),
        };
        let added = office.enrol(&Wanted { user, key, device, step, src: *src, end });
        if self.checked(now, asking, added)?.is_none() {
            return Err(self.refuse_device(now, asking, "claimed", Code::FORBIDDEN));
        }
        self.add_device(now, device.key);
        if let Some(enrolling) = self.enrolling.get_mut(key) {
            enrolling.until = enrolling.until.min(end);
        }
        Ok(self.enrolled(asking, None))
    }

    /// What the store gave, or why the device is refused.
    fn checked<T>(&mut self, now: Now, asking: &Asking, answer: Result<T, AdminError>) -> Result<T, Refusal> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(AdminError::Store(StoreError::Exists { .. })) => {
                Err(self.refuse_device(now, asking, "known", Code::CONFLICT))
            }
            Err(AdminError::Store(StoreError::Revoked(_))) => {
                Err(self.refuse_device(now, asking, "revoked", Code::FORBIDDEN))
            }
            Err(AdminError::Store(error)) => {
                let _none = self.stored::<()>(now, Err(error));
                Err(LATER)
            }
            // What cannot be recorded is not done. If it was done and the line is missing, the next request of the device finds it done.
            Err(_) => {
                self.lost_lines = self.lost_lines.saturating_add(1);
                Err(LATER)
            }
        }
    }

    fn refuse_device(&mut self, now: Now, asking: &Asking, reason: &str, code: Code) -> Refusal {
        let told = self.enrolling.get_mut(&asking.key).map(|enrolling| &mut enrolling.told);
        if let Some(told) = told.filter(|told| **told < LINES) {
            *told += 1;
            let (user, device) = (asking.user.clone(), asking.device.key.into());
            self.emit(now, Event::EnrolmentRefused { user, device, reason: Text::new(reason), src: asking.src });
        }
        Refusal::of(code)
    }

    fn enrolled(&self, asking: &Asking, authenticator: Option<Authenticator>) -> Enrolled {
        let config = self.config_of(&asking.device.key);
        Enrolled { user: asking.user.to_string(), config, authenticator }
    }

    fn authenticator(&self, enrolment: &Enrolment, tried: u8) -> Option<Authenticator> {
        let secret = base32(enrolment.secret.as_deref()?);
        let mut uri = otpauth(self.plan.name.as_str(), enrolment.name.as_str(), &secret);
        let uri = Wiped::from(std::mem::take(&mut *uri).into_bytes());
        Some(Authenticator { uri, tries: TRIES.saturating_sub(tried) })
    }

    /// Makes the tunnel's peer for a user's enrolment what the store says: there if the enrolment is valid, else absent.
    pub(super) fn compare_enrolment(&mut self, now: Now, name: &Name) -> store::Result<()> {
        let user = self.store.user(name)?.filter(|user| user.enabled);
        let found = user.map(|user| self.store.enrolment_of(user.id)).transpose()?.flatten();
        let good = found.filter(|found| found.until > now.time());
        let is_other = |key: &PublicKey| good.as_ref().is_none_or(|good| good.key != *key);
        let of_user = self.enrolling.iter().filter(|(_, peer)| peer.user == *name).map(|(key, _)| *key);
        let gone: Vec<_> = of_user.filter(is_other).collect();
        gone.into_iter().for_each(|key| self.end_enrolment(key));
        if let Some(good) = good {
            self.begin_enrolment(good);
        }
        Ok(())
    }

    /// Reads all enrolments anew.
    pub(super) fn read_enrolments(&mut self, now: Now, batch: u32) -> store::Result<()> {
        let mut gone: Vec<_> = self.enrolling.keys().copied().collect();
        let mut after = None;
        loop {
            let page = self.store.every_enrolment(after.as_ref(), batch)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            for found in page.into_iter().filter(|found| found.until > now.time()) {
                gone.retain(|key| *key != found.key);
                self.begin_enrolment(found);
            }
        }
        gone.into_iter().for_each(|key| self.end_enrolment(key));
        Ok(())
    }

    /// Removes the peers of enrolments whose time is over.
    pub(super) fn expire_enrolments(&mut self, now: Now) {
        let is_over = |peer: &Enrolling| peer.until <= now.time();
        let over: Vec<_> = self.enrolling.iter().filter(|(_, peer)| is_over(peer)).map(|(key, _)| *key).collect();
        over.into_iter().for_each(|key| self.end_enrolment(key));
    }

    /// Adds the peer of an enrolment, locked. If it is there already, only its expiry is updated.
    fn begin_enrolment(&mut self, found: Enrolment) {
        if let Some(known) = self.enrolling.get_mut(&found.key) {
            known.until = found.until;
        } else if !self.peers.contains_key(&found.key) {
            let peer = NewPeer { access: Some(Access::Locked), ..NewPeer::new(found.key) };
            self.change(Change::Peer(peer.into()));
            self.enrolling.insert(found.key, Enrolling { user: found.name, until: found.until, told: 0 });
        }
    }

    fn end_enrolment(&mut self, key: PublicKey) {
        if self.enrolling.remove(&key).is_some() {
            self.server.forget(key);
            self.change(Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(key) }));
        }
    }
}

/// The store, or the log, cannot be written now.
const LATER: Refusal = Refusal { code: Code::UNAVAILABLE, retry_after: Some(RETRY) };

/// The longest answer with these settings.
pub(super) fn longest(config: Config) -> Reply {
    let name = "@".repeat(crate::name::LONGEST);
    let uri = otpauth(&name, &name, &base32(&[0; 20]));
    let authenticator = Some(Authenticator { uri: Wiped::from(uri.as_bytes().to_vec()), tries: TRIES });
    Reply::Enrolled(Enrolled { user: name, config, authenticator })
}

/// The step of the code of a new authenticator.
fn step_of(now: Now, secret: &[u8], code: &[u8]) -> Option<u64> {
    let secret = OtpSecret::from_bytes(secret).ok()?;
    let moving = Moving::Time { period: PERIOD };
    let code_of = OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving };
    totp::verify(&code_of, now.wall, None, std::str::from_utf8(code).ok()?)
}
