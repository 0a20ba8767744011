//! Stories in simulated time, with a host that is the store, the directory and the browser.
mod factors;
mod random;
mod stories;
mod trouble;

use super::*;
use crate::policy::code::{Digits, RecoveryCode, RecoveryHash, totp};
use crate::policy::tests::Seeded;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// The wall clock shows this when the host's clock shows nothing.
const WALL: u64 = 1_700_000_000;
const HOUR: Duration = Duration::from_secs(3600);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn peer(n: u8) -> PublicKey {
    PublicKey::from_bytes([n; 32])
}

/// A user of the store. His number is also that of his factor, of his rules, and of his group.
#[derive(Clone, Debug)]
struct Account {
    id: u64,
    requires: Alternatives,
    password: Option<&'static str>,
    moving: Option<Moving>,
    lifetime: Option<Duration>,
    idle: Option<Duration>,
    not_after: Option<UnixTime>,
}

impl Account {
    fn new(id: u64, requires: &[&[Factor]]) -> Self {
        let requires = Alternatives::new(requires).expect("few alternatives");
        let (password, moving) = (Some("secret"), Some(Moving::Time { period: 30 }));
        Self { id, requires, password, moving, lifetime: None, idle: None, not_after: None }
    }

    fn code(&self) -> Option<OneTimeCode> {
        let secret = OtpSecret::from_bytes(&[self.id as u8; 20]).expect("20 bytes");
        let moving = self.moving?;
        Some(OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving })
    }
}

/// What the host was asked, without what is secret in it or belongs to somebody.
fn kind_of(request: &Request) -> &'static str {
    match request {
        Request::FindUser { .. } => "find",
        Request::VerifyPassword { .. } => "password",
        Request::AcceptCode { .. } => "code",
        Request::ConsumeRecoveryCode { .. } => "recovery",
        Request::VerifyCertificate { .. } => "certificate",
        Request::AskText { .. } => "text",
        Request::BeginWeb { .. } => "web",
        Request::AwaitWeb { .. } => "browser",
        Request::OpenSession { .. } => "open",
    }
}

struct Host {
    sessions: Sessions,
    clock: Duration,
    accounts: BTreeMap<&'static str, Account>,
    last: BTreeMap<u64, u64>,
    recovery: BTreeSet<(u64, [u8; 32])>,
    key: RecoveryKey,
    next_session: u64,
    /// Requests of these kinds are kept, not answered.
    hold: Vec<&'static str>,
    held: Vec<(RequestId, Request)>,
    asked: Vec<&'static str>,
    outputs: Vec<Output>,
    access: BTreeMap<PublicKey, Access>,
    facts: Vec<Fact>,
    heard: BTreeMap<PublicKey, Instant>,
}

impl Host {
    fn new() -> Self {
        use Factor::{Certificate, Code, Password, Text, Web};
        let requires = Alternatives::new(&[&[Password, Code], &[Certificate, Code], &[Web], &[Text]]).expect("few");
        let settings = Settings::new(requires, SecretText::new("hash of nothing".to_string()));
        let key = RecoveryKey::from_bytes([9; 32]);
        let wall = Some(UnixTime::from_secs(WALL));
        let sessions = Sessions::new(settings, key.clone(), Box::new(Seeded(7)), Instant::ZERO, wall);
        let mut accounts = BTreeMap::new();
        accounts.insert("ada", Account::new(1, &[&[Password, Code]]));
        accounts.insert("bob", Account::new(2, &[&[Password]]));
        accounts.insert("cy", Account::new(3, &[&[Certificate, Code]]));
        accounts.insert("dee", Account::new(4, &[&[Web]]));
        accounts.insert("eve", Account { moving: Some(Moving::Counter), ..Account::new(5, &[&[Password, Code]]) });
        accounts.insert("fay", Account::new(6, &[&[Text]]));
        let mut host = Self {
            sessions: sessions.expect("randomness"),
            clock: Duration::ZERO,
            accounts,
            last: BTreeMap::new(),
            recovery: BTreeSet::new(),
            key,
            next_session: 100,
            hold: Vec::new(),
            held: Vec::new(),
            asked: Vec::new(),
            outputs: Vec::new(),
            access: BTreeMap::new(),
            facts: Vec::new(),
            heard: BTreeMap::new(),
        };
        for n in 1..=3 {
            host.sessions.add_peer(Instant::ZERO, peer(n), PeerKind::Login).expect("memory");
        }
        host.drain();
        host.outputs.clear();
        host
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.clock
    }

    fn wall(&self) -> UnixTime {
        UnixTime::from_secs(WALL) + self.clock
    }

    /// Lets time pass; deadlines are met on the way, each at its time.
    fn pass(&mut self, time: Duration) {
        let end = self.clock + time;
        while let Some(at) = self.sessions.poll_timeout().filter(|at| at.as_nanos() <= end.as_nanos() as u64) {
            self.clock = Duration::from_nanos(at.as_nanos());
            self.timeout();
        }
        self.clock = end;
        self.timeout();
    }

    fn timeout(&mut self) {
        let now = self.now();
        let heard = self.heard.clone();
        self.sessions.handle_timeout(now, &|peer| heard.get(peer).copied());
        let next = self.sessions.poll_timeout();
        assert!(next.is_none_or(|next| next > now), "{next:?} is due at {now:?}");
        self.drain();
    }

    /// Answers what is asked, and takes note of what is said.
    fn drain(&mut self) {
        loop {
            while let Some(output) = self.sessions.poll_output() {
                if let Output::Access { peer, access, .. } = output {
                    self.access.insert(peer, access);
                }
                self.outputs.push(output);
            }
            while let Some(fact) = self.sessions.poll_fact() {
                self.facts.push(fact);
            }
            let Some((id, request)) = self.sessions.poll_request() else { return };
            self.asked.push(kind_of(&request));
            if self.hold.contains(&kind_of(&request)) {
                self.held.push((id, request));
                continue;
            }
            let reply = self.work(&request);
            self.complete(id, reply).expect("the login waits for it");
        }
    }

    fn complete(&mut self, id: RequestId, reply: Reply) -> Result<(), Stale> {
        let now = self.now();
        self.sessions.complete(now, id, reply)
    }

    /// Answers the requests that were kept.
    fn release(&mut self) {
        self.hold.clear();
        for (id, request) in core::mem::take(&mut self.held) {
            let reply = self.work(&request);
            self.complete(id, reply).expect("the login waits for it");
        }
        self.drain();
    }

    fn account(&self, id: u64) -> Option<(&'static str, &Account)> {
        self.accounts.iter().find(|(_, account)| account.id == id).map(|(name, account)| (*name, account))
    }

    fn user(&self, name: &str) -> Option<Box<User>> {
        let account = self.accounts.get(name)?;
        let codes = account.code().into_iter().map(|code| {
            let last = self.last.get(&account.id).copied();
            CodeFactor { id: FactorId(account.id), code, last }
        });
        Some(Box::new(User {
            id: UserId(account.id),
            name: SecretText::new(name.to_string()),
            rules: RulesId(account.id),
            groups: [GroupId(account.id)].to_vec(),
            requires: account.requires,
            password: account.password.map(|password| SecretText::new(format!("hash of {password}"))),
            codes: codes.collect(),
            lifetime: account.lifetime,
            idle: account.idle,
            not_after: account.not_after,
        }))
    }

    /// Does what is requested, as the store and the directory would.
    fn work(&mut self, request: &Request) -> Reply {
        match request {
            Request::FindUser { name } => Reply::User(self.user(name.as_str())),
            Request::VerifyPassword { hash, password } => {
                Reply::Verified(hash.as_str() == format!("hash of {}", password.as_str()))
            }
            Request::AcceptCode { factor: None, .. } | Request::ConsumeRecoveryCode { user: None, .. } => {
                Reply::Verified(false)
            }
            Request::AcceptCode { factor: Some(factor), number } => {
                let is_new = self.last.get(&factor.0).is_none_or(|last| last < number);
                if is_new {
                    self.last.insert(factor.0, *number);
                }
                Reply::Verified(is_new)
            }
            Request::ConsumeRecoveryCode { user: Some(user), hash } => {
                Reply::Verified(self.recovery.remove(&(user.0, *hash.as_bytes())))
            }
            Request::VerifyCertificate { evidence, .. } => {
                Reply::Identity(core::str::from_utf8(evidence).ok().and_then(|name| self.user(name)))
            }
            Request::AskText { name, state: None, text } if text.as_str() == "first" => {
                let state = name.as_str().as_bytes().to_vec();
                Reply::More { prompt: SecretText::new("and?".to_string()), echo: true, state }
            }
            Request::AskText { state: Some(state), text, .. } if text.as_str() == "second" => {
                Reply::Identity(core::str::from_utf8(state).ok().and_then(|name| self.user(name)))
            }
            Request::AskText { .. } => Reply::Identity(None),
            Request::BeginWeb { .. } => {
                let prompt = SecretText::new("https://login.example/ ABCD".to_string());
                Reply::WebBegun { handle: 77, prompt, expires: secs(600) }
            }
            Request::AwaitWeb { handle } => {
                assert_eq!(*handle, 77);
                Reply::Identity(self.user("dee"))
            }
            Request::OpenSession { user, .. } => {
                self.next_session += 1;
                Reply::Opened(self.account(user.0).map(|_| SessionId(self.next_session)))
            }
        }
    }

    /// The code of a user, for so many steps from now, or for that counter.
    fn code(&self, name: &str, number: i64) -> String {
        let code = self.accounts[name].code().expect("a code");
        let now = totp::step_at(&code, self.wall());
        format!("{:06}", code.code(now.saturating_add_signed(number)))
    }

    /// A code that is wrong at any time that matters.
    fn wrong_code(&self, name: &str) -> String {
        let near: Vec<String> = (-3..=120).map(|number| self.code(name, number)).collect();
        (0..).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).expect("one is not among them")
    }

    fn start(&mut self, n: u8, name: &str, credential: Credential<'_>) -> Option<Answer> {
        let now = self.now();
        self.sessions.start(now, &peer(n), name, credential).expect("the peer is known");
        self.drain();
        self.answer_of(n)
    }

    fn answer(&mut self, n: u8, challenge: &Challenge, credential: Credential<'_>) -> Option<Answer> {
        let now = self.now();
        let (login, id) = (challenge.login, challenge.id);
        self.sessions.answer(now, &peer(n), login, id, credential).expect("the peer is known");
        self.drain();
        self.answer_of(n)
    }

    /// The answer that was given last to a peer, once.
    fn answer_of(&mut self, n: u8) -> Option<Answer> {
        let at = self
            .outputs
            .iter()
            .rposition(|output| matches!(output, Output::Answer { peer: to, .. } if *to == peer(n)))?;
        match self.outputs.remove(at) {
            Output::Answer { answer, .. } => Some(answer),
            _ => None,
        }
    }

    /// A login with a password and the code of the present step.
    fn login(&mut self, n: u8, name: &str) -> Answer {
        let answer = self.start(n, name, Credential::Password("secret"));
        let Some(Answer::Challenge(challenge)) = answer else { return answer.expect("an answer") };
        let code = self.code(name, 0);
        self.answer(n, &challenge, Credential::Code(&code)).expect("an answer")
    }

    fn state(&self, n: u8) -> State {
        self.sessions.view(&peer(n)).expect("the peer is known").state
    }

    fn access(&self, n: u8) -> Access {
        let view = self.sessions.view(&peer(n)).expect("the peer is known");
        assert_eq!(self.access.get(&peer(n)), Some(&view.access), "what was said is what is so");
        view.access
    }

    fn events(&mut self) -> Vec<FactEvent> {
        core::mem::take(&mut self.facts).into_iter().map(|fact| fact.event).collect()
    }

    fn pushes(&mut self, n: u8) -> Vec<Push> {
        let of = |output: &Output| match output {
            Output::Push { peer: to, push } if *to == peer(n) => Some(*push),
            _ => None,
        };
        let pushes = self.outputs.iter().filter_map(of).collect();
        self.outputs.retain(|output| of(output).is_none());
        pushes
    }
}

#[track_caller]
fn challenge(answer: Option<Answer>) -> Challenge {
    match answer {
        Some(Answer::Challenge(challenge)) => challenge,
        other => panic!("no challenge but {other:?}"),
    }
}

#[track_caller]
fn is_done(answer: &Option<Answer>) -> bool {
    matches!(answer, Some(Answer::Done { .. }))
}

const LOCKED: Access = Access::Locked;

const fn open(rules: u64) -> Access {
    Access::Open(RulesId(rules))
}

fn recovery_codes(host: &mut Host, user: u64) -> Vec<String> {
    let codes = RecoveryCode::generate(&mut Seeded(3)).expect("randomness");
    let hashes: Vec<RecoveryHash> = codes.iter().map(|code| code.hash(&host.key, user)).collect();
    host.recovery.extend(hashes.iter().map(|hash| (user, *hash.as_bytes())));
    codes.iter().map(ToString::to_string).collect()
}
