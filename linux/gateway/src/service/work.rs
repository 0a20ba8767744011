//! What a login needs of the store and of the workers.
use super::{Now, Service};
use crate::name::Name;
use crate::password::{Done, Job, JobId, Outcome, Password, Verdict, Work};
use crate::store::{self, Code, CodeId, HashOfCode, NewSession, Opened, Rhythm, StoreError};
use std::time::Duration;
use underpass_core::PublicKey;
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret};
use underpass_core::policy::session::{
    CODES, CodeFactor, FactorId, FactorSet, Reply, Request, RequestId, RulesId, SecretText, SessionId, Stale, User,
    UserId,
};
use zeroize::Zeroizing;

/// The core gets the same number of rules for everybody. Which rules apply to a user is looked up when the session opens.
pub(super) const RULES: RulesId = RulesId(0);
/// Numbers that the store gives nobody: what is done for a name that there is not takes as long.
const NOBODY: store::UserId = store::UserId(-1);
const NO_CODE: CodeId = CodeId(-1);

impl Service {
    /// Does what was requested, or gives it to the workers.
    pub(super) fn work(&mut self, now: Now, id: RequestId, request: Request) {
        let reply = match request {
            Request::VerifyPassword { hash, password } => return self.verify(now, id, &hash, &password),
            Request::OpenSession { peer, user, factors, lifetime } => {
                let reply = self.open(now, peer, user, factors, lifetime);
                return self.opened(now, id, peer, reply.unwrap_or(Reply::Unavailable));
            }
            Request::FindUser { name } => {
                let found = self.find(name.as_str());
                self.stored(now, found).map(Reply::User)
            }
            Request::AcceptCode { factor, number } => {
                let code = factor.map_or(NO_CODE, |factor| CodeId(factor.0 as i64));
                let accepted = self.store.accept_step(code, number);
                self.stored(now, accepted).map(Reply::Verified)
            }
            Request::ConsumeRecoveryCode { user, hash } => {
                let user = user.map_or(NOBODY, row_of);
                let taken = self.store.take_recovery(user, &HashOfCode(*hash.as_bytes()));
                self.stored(now, taken).map(Reply::Verified)
            }
            Request::VerifyCertificate { peer, evidence } => self.certify(now, peer, &evidence),
            // Questions and browsers: settings with these factors are refused.
            _ => None,
        };
        self.complete(now, id, reply.unwrap_or(Reply::Unavailable));
    }

    /// Takes what the workers have found out.
    pub(super) fn collect(&mut self, now: Now) {
        while let Some(Done { id, outcome }) = self.workers.collect() {
            let Some(request) = self.jobs.remove(&id.0) else { continue };
            let reply = match outcome {
                Outcome::Verified(verdict) => Reply::Verified(matches!(verdict, Verdict::Right { .. })),
                // The stored hash is none: no password is right.
                Outcome::Failed(_) => Reply::Verified(false),
                Outcome::Hashed(_) | Outcome::Died => Reply::Unavailable,
            };
            self.complete(now, request, reply);
        }
    }

    /// A login that has ended meanwhile needs no reply.
    fn complete(&mut self, now: Now, id: RequestId, reply: Reply) {
        let _stale = self.sessions.complete(now.at, id, reply);
    }

    fn verify(&mut self, now: Now, id: RequestId, hash: &SecretText, password: &SecretText) {
        // What is no password is wrong for everybody, so that nothing has to take as long.
        let Ok(password) = Password::new(password.as_str()) else {
            return self.complete(now, id, Reply::Verified(false));
        };
        let job = JobId(self.next_job);
        self.next_job = self.next_job.wrapping_add(1);
        let phc = Some(Zeroizing::new(hash.as_str().to_owned()));
        match self.workers.submit(Job { id: job, work: Work::Verify { password, phc } }) {
            Ok(()) => drop(self.jobs.insert(job.0, id)),
            Err(_) => self.complete(now, id, Reply::Unavailable),
        }
    }

    /// The user of a name. For a name that there is not, the store is asked the same.
    pub(super) fn find(&mut self, name: &str) -> store::Result<Option<Box<User>>> {
        let Ok(name) = name.parse::<Name>() else { return Ok(None) };
        let user = self.store.user(&name)?.filter(|user| user.enabled);
        let id = user.as_ref().map_or(NOBODY, |user| user.id);
        let groups = self.store.groups_of(id)?;
        let password = self.store.password(id)?;
        let codes = self.store.codes(id)?;
        let Some(user) = user else { return Ok(None) };
        let requires = self.plan.requires(&user.name, &groups);
        let id = UserId(user.id.0 as u64);
        let found = User {
            id,
            name: SecretText::new(user.name.to_string()),
            rules: RULES,
            groups: Vec::new(),
            requires,
            password: password.map(|mut phc| SecretText::new(std::mem::take(&mut *phc))),
            // The newest first: an older one may be forgotten somewhere.
            codes: codes.into_iter().rev().take(CODES).map(factor_of).collect::<store::Result<_>>()?,
            lifetime: None,
            idle: None,
            not_after: None,
        };
        self.names.insert(id, user.name);
        Ok(Some(Box::new(found)))
    }

    /// Writes a session down, if there is a log that will have it.
    fn open(
        &mut self,
        now: Now,
        peer: PublicKey,
        user: UserId,
        factors: FactorSet,
        lifetime: Duration,
    ) -> Option<Reply> {
        if !self.can_record(now) {
            return None;
        }
        let until = now.time().after(lifetime);
        let session = NewSession { device: &peer, user: row_of(user), gateway: &self.plan.name, until };
        let opened = self.store.open_session(now.time(), &session);
        let Opened::Open { epoch, .. } = self.stored(now, opened)? else { return Some(Reply::Opened(None)) };
        self.unended.remove(&peer);
        if let Some(state) = self.peers.get_mut(&peer) {
            state.shown = factors;
        }
        Some(Reply::Opened(Some(SessionId(epoch))))
    }

    /// A session that nobody waits for any more is closed again.
    fn opened(&mut self, now: Now, id: RequestId, peer: PublicKey, reply: Reply) {
        if let Err(Stale(Reply::Opened(Some(session)))) = self.sessions.complete(now.at, id, reply) {
            self.end_in_store(now, peer, session);
        }
    }
}

/// The number of a user in the store.
pub(super) const fn row_of(user: UserId) -> store::UserId {
    store::UserId(user.0 as i64)
}

/// A one-time code in the types of the core.
fn factor_of(code: Code) -> store::Result<CodeFactor> {
    let senseless = |what: &str| StoreError::Senseless(format!("the code {} has {what}", code.id.0));
    let algorithm = match code.code.algorithm {
        1 => Algorithm::Sha1,
        2 => Algorithm::Sha256,
        3 => Algorithm::Sha512,
        _ => return Err(senseless("an unknown algorithm")),
    };
    let moving = match code.code.rhythm {
        Rhythm::Counter => Moving::Counter,
        Rhythm::Time { period } => {
            let period = u16::try_from(period).ok().filter(|period| *period > 0);
            Moving::Time { period: period.ok_or_else(|| senseless("an odd period"))? }
        }
    };
    let digits = Digits::new(code.code.digits).ok_or_else(|| senseless("an odd number of digits"))?;
    let secret = OtpSecret::from_bytes(&code.code.secret).map_err(|error| senseless(&error.to_string()))?;
    let id = FactorId(code.id.0 as u64);
    Ok(CodeFactor { id, code: OneTimeCode { secret, algorithm, digits, moving }, last: code.last })
}
