//! Random histories: of logins that overlap, replies that are late, wrong or missing, revocations, a store that comes and goes.
use super::*;
use proptest::prelude::*;

const NAMES: [&str; 8] = ["ada", "bob", "cy", "dee", "eve", "fay", "nobody", ""];
const PEERS: [u8; 3] = [1, 2, 3];
const REASONS: [Reason; 3] = [Reason::Logout, Reason::Quota, Reason::Revoked];

#[derive(Clone, Debug)]
enum Step {
    Start {
        n: usize,
        name: usize,
        shows: Shows,
    },
    Answer {
        n: usize,
        shows: Shows,
    },
    /// The host answers one of the requests that it has.
    Reply {
        at: usize,
        how: How,
    },
    Pass(u64),
    End {
        n: usize,
        reason: Reason,
    },
    EndUser(u64),
    Store(bool),
    Wall(Option<i64>),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Honest,
    Unavailable,
    /// A reply to something else.
    Confused,
}

#[derive(Clone, Copy, Debug)]
enum Shows {
    /// What the user would show.
    Fitting,
    Password(usize),
    Code(usize, i64),
    WrongCode,
    Recovery(usize),
    Certificate(usize),
    Text(bool),
    Web,
}

fn shows() -> impl Strategy<Value = Shows> {
    prop_oneof![
        30 => Just(Shows::Fitting),
        4 => (0..NAMES.len()).prop_map(Shows::Password),
        6 => (0..6_usize, -1..=1_i64).prop_map(|(name, step)| Shows::Code(name, step)),
        1 => Just(Shows::WrongCode),
        1 => (0..4_usize).prop_map(Shows::Recovery),
        2 => (0..NAMES.len()).prop_map(Shows::Certificate),
        2 => any::<bool>().prop_map(Shows::Text),
        2 => Just(Shows::Web),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..PEERS.len();
    let how = prop_oneof![12 => Just(How::Honest), 1 => Just(How::Unavailable), 1 => Just(How::Confused)];
    prop_oneof![
        6 => (n.clone(), 0..NAMES.len(), shows()).prop_map(|(n, name, shows)| Step::Start { n, name, shows }),
        6 => (n.clone(), shows()).prop_map(|(n, shows)| Step::Answer { n, shows }),
        14 => (0..3_usize, how).prop_map(|(at, how)| Step::Reply { at, how }),
        3 => prop_oneof![0..40_u64, 0..50_000_u64].prop_map(Step::Pass),
        1 => (n, prop::sample::select(&REASONS[..])).prop_map(|(n, reason)| Step::End { n, reason }),
        1 => (1..7_u64).prop_map(Step::EndUser),
        1 => any::<bool>().prop_map(Step::Store),
        1 => prop::option::of(-100..100_i64).prop_map(Step::Wall),
    ]
}

/// What has to be so, told from outside.
struct Model {
    host: Host,
    codes: Vec<String>,
    asked: [Option<Challenge>; 3],
    /// Under which name a login was begun last.
    names: [usize; 3],
    /// What the host has confirmed since the login of a peer began: factors, and whose.
    proven: BTreeMap<PublicKey, Vec<(Factor, u64)>>,
    /// Who is in, and since when.
    open: BTreeMap<PublicKey, (u64, Duration)>,
}

impl Model {
    fn new() -> Self {
        let mut host = Host::new();
        for (name, account) in &mut host.accounts {
            account.password = Some(name);
        }
        host.hold = ["find", "password", "code", "recovery", "certificate", "text", "web", "browser", "open"].to_vec();
        let codes = recovery_codes(&mut host, 1);
        Self { host, codes, asked: [None, None, None], names: [0; 3], proven: BTreeMap::new(), open: BTreeMap::new() }
    }

    fn take(&mut self, step: &Step) {
        let now = self.host.now();
        match *step {
            Step::Start { n, name, shows } => {
                self.names[n] = name;
                let shows = if matches!(shows, Shows::Fitting) { Self::fitting(name, None) } else { shows };
                let answer = self.show(shows, |host, credential| host.start(PEERS[n], NAMES[name], credential));
                self.told(n, answer);
            }
            Step::Answer { n, shows } => {
                let Some(asked) = self.asked[n].take() else { return };
                let is_fitting = matches!(shows, Shows::Fitting);
                let shows = if is_fitting { Self::fitting(self.names[n], Some(asked.kind)) } else { shows };
                let answer = self.show(shows, |host, credential| host.answer(PEERS[n], &asked, credential));
                self.asked[n] = Some(asked);
                self.told(n, answer);
            }
            Step::Reply { at, how } => self.reply(at, how),
            Step::Pass(time) => self.host.pass(secs(time)),
            Step::End { n, reason } => {
                self.host.sessions.end_session(now, &peer(PEERS[n]), reason).expect("the peer is known");
                self.host.drain();
                prop_locked(&self.host, PEERS[n]);
            }
            Step::EndUser(user) => {
                self.host.sessions.end_sessions_of(now, UserId(user), Reason::UserDisabled);
            }
            Step::Store(is_there) => self.host.sessions.handle_store(now, is_there),
            Step::Wall(shift) => {
                let wall = shift
                    .map(|shift| UnixTime::from_secs((WALL + self.host.clock.as_secs()).saturating_add_signed(shift)));
                self.host.sessions.handle_wall_clock(now, wall);
            }
        }
        self.host.timeout();
        self.check();
    }

    /// What the user of this name begins with, or answers.
    fn fitting(name: usize, asked: Option<Factor>) -> Shows {
        match (NAMES[name], asked) {
            (_, Some(Factor::Code)) => Shows::Code(name.min(5), 0),
            (_, Some(Factor::Text)) => Shows::Text(false),
            ("fay", _) => Shows::Text(true),
            ("cy", _) => Shows::Certificate(name),
            ("dee", _) => Shows::Web,
            _ => Shows::Password(name),
        }
    }

    fn show(&mut self, shows: Shows, act: impl FnOnce(&mut Host, Credential<'_>) -> Option<Answer>) -> Option<Answer> {
        let host = &mut self.host;
        match shows {
            Shows::Password(name) => act(host, Credential::Password(NAMES[name])),
            Shows::Code(name, step) => {
                let next = host.last.get(&5).map_or(0, |last| *last as i64 + 1);
                let step = if NAMES[name] == "eve" { next + step } else { step };
                let code = host.code(NAMES[name], step);
                act(host, Credential::Code(&code))
            }
            Shows::Fitting | Shows::WrongCode => act(host, Credential::Code("000000")),
            Shows::Recovery(at) => act(host, Credential::Recovery(&self.codes[at])),
            Shows::Certificate(name) => act(host, Credential::Certificate(NAMES[name].as_bytes())),
            Shows::Text(first) => act(host, Credential::Text(if first { "first" } else { "second" })),
            Shows::Web => act(host, Credential::Web),
        }
    }

    fn told(&mut self, n: usize, answer: Option<Answer>) {
        match answer {
            Some(Answer::Challenge(challenge)) => self.asked[n] = Some(challenge),
            Some(Answer::Wait { login, .. }) => {
                let (id, kind, prompt, echo, digits, expires) = (0, Factor::Web, None, false, None, secs(0));
                self.asked[n] = Some(Challenge { login, id, kind, prompt, echo, digits, expires });
            }
            _ => {}
        }
    }

    fn reply(&mut self, at: usize, how: How) {
        if self.host.held.is_empty() {
            return;
        }
        let at = at % self.host.held.len();
        let (id, request) = self.host.held.remove(at);
        let reply = match how {
            How::Honest => self.host.work(&request),
            How::Unavailable => Reply::Unavailable,
            How::Confused if kind_of(&request) == "find" => Reply::Verified(true),
            How::Confused => Reply::User(self.host.user("bob")),
        };
        let proof = match (&request, &reply) {
            (Request::VerifyPassword { hash, .. }, Reply::Verified(true)) => {
                self.host.accounts.get(&hash.as_str()["hash of ".len()..]).map(|account| (Factor::Password, account.id))
            }
            (Request::AcceptCode { factor: Some(factor), .. }, Reply::Verified(true)) => Some((Factor::Code, factor.0)),
            (Request::ConsumeRecoveryCode { user: Some(user), .. }, Reply::Verified(true)) => {
                Some((Factor::Code, user.0))
            }
            (Request::VerifyCertificate { .. }, Reply::Identity(Some(user))) => Some((Factor::Certificate, user.id.0)),
            (Request::AskText { .. }, Reply::Identity(Some(user))) => Some((Factor::Text, user.id.0)),
            (Request::AwaitWeb { .. }, Reply::Identity(Some(user))) => Some((Factor::Web, user.id.0)),
            _ => None,
        };
        let is_taken = self.host.complete(id, reply).is_ok();
        if let Some(proof) = proof.filter(|_| is_taken) {
            self.proven.entry(peer(PEERS[id.slot as usize])).or_default().push(proof);
        }
        self.host.drain();
        let n = id.slot as usize;
        let answer = self.host.answer_of(PEERS[n]);
        self.told(n, answer);
    }

    /// Holds what was said against what was proven.
    fn check(&mut self) {
        for fact in core::mem::take(&mut self.host.facts) {
            match fact.event {
                FactEvent::LoginBegun(_) => drop(self.proven.remove(&fact.peer)),
                FactEvent::Opened | FactEvent::Extended => {
                    let user = fact.user.expect("somebody is in").0;
                    let proven = self.proven.remove(&fact.peer).unwrap_or_default();
                    assert!(proven.iter().all(|(_, whose)| *whose == user), "{proven:?} opened {user}");
                    let shown: Vec<Factor> = proven.iter().map(|(factor, _)| *factor).collect();
                    let (_, account) = self.host.account(user).expect("he is in the store");
                    assert!(account.requires.are_met_by(FactorSet::of(&shown)), "{shown:?} opened {user}");
                    self.open.insert(fact.peer, (user, self.host.clock));
                }
                FactEvent::Ended(_) => drop(self.open.remove(&fact.peer)),
                _ => {}
            }
        }
        for n in PEERS {
            let (access, state) = (self.host.access(n), self.host.state(n));
            match self.open.get(&peer(n)) {
                Some((user, since)) => {
                    assert_eq!(access, open(*user));
                    assert!(self.host.clock < *since + 12 * HOUR, "nobody stays beyond his time");
                }
                None if matches!(state, State::Challenged(_)) => {
                    assert!(matches!(access, LOCKED | Access::Provisional))
                }
                None => assert_eq!(access, LOCKED),
            }
        }
        assert_eq!(self.host.sessions.open(), self.open.len());
        let busy = self.host.sessions.shared.logins;
        assert!(busy <= PEERS.len());
        if self.open.is_empty() && busy == 0 {
            assert_eq!(self.host.sessions.poll_timeout(), None);
        }
    }
}

#[track_caller]
fn prop_locked(host: &Host, n: u8) {
    assert!(matches!(host.access(n), LOCKED | Access::Provisional), "{:?}", host.access(n));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Nobody is in without having proven all that he has to, and what was said is what is so.
    #[test]
    fn nobody_is_in_who_has_not_proven_it(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in &steps {
            model.take(step);
        }
    }
}

/// The random histories get in often enough to say something.
#[test]
fn random_histories_open_sessions() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let histories = prop::collection::vec(step(), 120);
    let mut opened = BTreeSet::new();
    for _ in 0..200 {
        let mut model = Model::new();
        for step in &histories.new_tree(&mut runner).expect("a history").current() {
            model.take(step);
            opened.extend(model.open.values().map(|(user, _)| *user));
        }
    }
    assert_eq!(opened.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}
