//! The conversation with the gateway, without I/O.
//!
//! The host hands in what comes ([`handle_message`](Driver::handle_message)), the time when it is due
//! ([`handle_timeout`](Driver::handle_timeout)), and what the user answers ([`answer`](Driver::answer)).
use super::End;
use super::enrol::Enrolment;
use super::prove::{Proof, Question};
use super::settings::Policy;
use super::stay::{Grant, Stay};
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use underpass_core::control::message::{Config, Hello, Reply, Request, SessionState, Watch};
use underpass_core::control::{AskId, Client, Event, Transmit, Wiped};
use underpass_core::{Instant, Rng};

/// How long the gateway may take to hear of a logout.
const GOODBYE: Duration = Duration::from_secs(5);

/// What the host is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Show the gateway's greeting.
    Banner(String),
    /// Ask the user, and hand in the [`answer`](Driver::answer).
    Ask(Question),
    /// Show a page that the user is to open.
    Page {
        /// What the gateway says about it.
        prompt: String,
        /// Where it is.
        url: Option<String>,
    },
    /// What the user said was wrong. Another question follows, after this time.
    Rejected(Duration),
    /// Apply settings, the first or others than before.
    Granted(Box<Grant>),
    /// A new login is due, or the session ends in so long. [`Driver::log_in_again`] begins it.
    LoginDue(Option<Duration>),
    /// The new login counts; the session ends in so long.
    Renewed(Option<Duration>),
    /// The new login came to nothing; what was granted goes on while its time lasts.
    NotRenewed(End),
    /// Show a new authenticator to its user. A code of it is asked for next.
    Authenticator {
        /// Whose it is.
        user: String,
        /// Its secret, as authenticators read it.
        uri: Wiped,
    },
    /// The device is enrolled: keep its key, with the settings.
    Enrolled {
        /// Whose it is.
        user: String,
        /// The settings.
        config: Box<Config>,
    },
    /// The login is over. Nothing follows.
    Over(End),
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Hello,
    Enrol,
    Proof,
    Lease,
    Config,
    Session,
    Logout,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Hello => "greeting the gateway",
            Self::Enrol => "the enrolment",
            Self::Proof => "the login",
            Self::Lease => "the request for addresses",
            Self::Config => "the request for settings",
            Self::Session => "the question how the session stands",
            Self::Logout => "the logout",
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody is logged in.
    Outside,
    /// The user is logged in; what is granted is on its way.
    Entering,
    /// It was granted.
    Inside,
    /// The gateway is told of the logout.
    Leaving { until: Instant },
    /// It has ended.
    Over,
}

/// The conversation. After each call, the host sends what [`poll_transmit`](Self::poll_transmit) gives, does what
/// [`poll_output`](Self::poll_output) says, in order, and asks [`poll_timeout`](Self::poll_timeout).
pub struct Driver {
    client: Client,
    pub(super) rng: Box<dyn Rng>,
    pub(super) policy: Policy,
    /// Who logs in, if it is known beforehand.
    pub(super) user: Option<String>,
    pub(super) stage: Stage,
    asked: Vec<(AskId, Purpose)>,
    pub(super) proof: Option<Proof>,
    pub(super) enrolment: Option<Enrolment>,
    pub(super) stay: Stay,
    /// The gateway's greeting, and when it came: it tells the gateway's clock.
    pub(super) hello: Option<(Instant, Hello)>,
    outputs: VecDeque<Output>,
}

impl Driver {
    /// Begins: the gateway is greeted. `user` is who logs in; without one, the user is asked. A session that is open already is
    /// taken up where no user is named.
    #[must_use]
    pub fn new(now: Instant, rng: Box<dyn Rng>, policy: Policy, user: Option<String>) -> Self {
        let mut driver = Self::idle(now, rng, policy, user);
        driver.ask(now, Purpose::Hello, &Request::Hello);
        driver
    }

    pub(super) fn idle(now: Instant, mut rng: Box<dyn Rng>, policy: Policy, user: Option<String>) -> Self {
        let client = Client::new(now, &mut *rng);
        Self {
            client,
            rng,
            policy,
            user,
            stage: Stage::Outside,
            asked: Vec::new(),
            proof: None,
            enrolment: None,
            stay: Stay::default(),
            hello: None,
            outputs: VecDeque::new(),
        }
    }

    /// Logs out, on behalf of somebody who has not done so.
    #[must_use]
    pub fn leaving(now: Instant, rng: Box<dyn Rng>) -> Self {
        let mut driver = Self::idle(now, rng, Policy::default(), None);
        driver.stage = Stage::Inside;
        driver.log_out(now);
        driver
    }

    /// The gateway is known to be there: no route is to cover it.
    pub fn know_endpoint(&mut self, endpoint: IpAddr) {
        self.policy.endpoint = Some(endpoint);
    }

    /// The gateway sent this.
    pub fn handle_message(&mut self, now: Instant, message: &[u8]) {
        let event = self.client.handle_message(now, &mut *self.rng, message);
        self.handle(now, event);
    }

    /// Does what is due. Afterwards [`poll_timeout`](Self::poll_timeout) is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let event = self.client.handle_timeout(now, &mut *self.rng);
        self.handle(now, event);
        if matches!(self.stage, Stage::Leaving { until } if until <= now) {
            let _unsaid = self.client.say_goodbye(&mut *self.rng);
            self.end(End::LoggedOut { is_heard: false });
        }
        self.prove_on(now);
        self.stay_on(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let leaving = match self.stage {
            Stage::Over => return None,
            Stage::Leaving { until } => Some(until),
            _ => None,
        };
        let own = [leaving, self.proof.as_ref().and_then(Proof::due), self.stay.due(self.stage)];
        own.into_iter().chain([self.client.poll_timeout()]).flatten().min()
    }

    /// The next message to send to the gateway.
    pub fn poll_transmit(&mut self) -> Option<Transmit<()>> {
        self.client.poll_transmit()
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// There is a new session of the tunnel with the gateway: what was said before the pause may be forgotten there.
    pub fn session_began(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Entering | Stage::Inside) {
            self.client.session_began(now, &mut *self.rng);
        }
    }

    /// Logs out.
    pub fn log_out(&mut self, now: Instant) {
        match self.stage {
            Stage::Outside => self.end(End::LoggedOut { is_heard: true }),
            Stage::Entering | Stage::Inside => {
                self.forget(now);
                self.proof = None;
                self.stage = Stage::Leaving { until: now + GOODBYE };
                self.ask(now, Purpose::Logout, &Request::Logout);
            }
            Stage::Leaving { .. } | Stage::Over => {}
        }
    }

    /// Whether the user is logging out.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving { .. })
    }

    fn handle(&mut self, now: Instant, event: Option<Event>) {
        match event {
            // What was given up is of no interest.
            Some(Event::Answered { id, reply }) if self.take(id).is_some() => self.answered(now, reply),
            Some(Event::Refused { id, refusal }) => match self.take(id) {
                Some(Purpose::Logout) => self.end(End::LoggedOut { is_heard: true }),
                Some(Purpose::Proof) => self.proof_refused(now, refusal),
                Some(purpose) => self.failed(now, purpose, End::Refused(purpose.name(), refusal)),
                None => {}
            },
            Some(Event::Failed { id, failure }) => match self.take(id) {
                Some(Purpose::Logout) => self.end(End::LoggedOut { is_heard: false }),
                Some(Purpose::Proof) => self.proof_failed(End::Failed(Purpose::Proof.name(), failure)),
                Some(purpose) => self.failed(now, purpose, End::Failed(purpose.name(), failure)),
                None => {}
            },
            Some(Event::Pushed(reply)) => self.answered(now, reply),
            Some(Event::WatchEnded(watch)) if self.stage == Stage::Inside => self.watch(now, watch),
            _ => {}
        }
    }

    fn answered(&mut self, now: Instant, reply: Reply) {
        match (self.stage, reply) {
            (Stage::Over, _) => {}
            (_, Reply::LoggedOut) => self.end(End::LoggedOut { is_heard: true }),
            (Stage::Leaving { .. }, _) => {}
            (Stage::Outside, Reply::Hello(hello)) => self.greeted(now, hello),
            (Stage::Outside, Reply::Enrolled(enrolled)) => self.enrolled(enrolled),
            (_, Reply::Login(reply)) => self.proved(now, reply),
            (Stage::Entering | Stage::Inside, Reply::Lease(lease)) => self.leased(now, lease),
            (Stage::Entering | Stage::Inside, Reply::Config(config)) => self.configured(now, config),
            (Stage::Entering | Stage::Inside, Reply::Session(session)) => self.session_is(now, session),
            _ => {}
        }
    }

    fn greeted(&mut self, now: Instant, hello: Hello) {
        if let Some(banner) = hello.banner.clone().filter(|banner| !banner.is_empty()) {
            self.put(Output::Banner(banner));
        }
        let is_open = matches!(hello.state, SessionState::Open | SessionState::Grace);
        let methods = hello.methods.clone();
        self.hello = Some((now, hello));
        if methods.is_empty() {
            self.end(End::NoLogin);
        } else if is_open && self.user.is_none() {
            self.enter(now);
        } else {
            self.begin_proof(now, methods);
        }
    }

    pub(super) fn ask(&mut self, now: Instant, purpose: Purpose, request: &Request) {
        let asked = self.client.ask(now, &mut *self.rng, request);
        match asked {
            Ok(id) => self.asked.push((id, purpose)),
            Err(fault) => self.unasked(purpose, End::Unasked(fault)),
        }
    }

    pub(super) fn watch(&mut self, now: Instant, watch: Watch) {
        let purpose = match watch {
            Watch::Config => Purpose::Config,
            Watch::Session => Purpose::Session,
        };
        let asked = self.client.watch(now, &mut *self.rng, watch);
        match asked {
            Ok(id) => self.asked.push((id, purpose)),
            Err(fault) => self.unasked(purpose, End::Unasked(fault)),
        }
    }

    fn unasked(&mut self, purpose: Purpose, end: End) {
        match purpose {
            Purpose::Proof => self.proof_failed(end),
            Purpose::Logout => self.end(End::LoggedOut { is_heard: false }),
            _ => self.end(end),
        }
    }

    /// Whether something is asked, and not answered yet.
    pub(super) fn is_asking(&self, purpose: Purpose) -> bool {
        self.asked.iter().any(|(_, other)| *other == purpose)
    }

    fn take(&mut self, id: AskId) -> Option<Purpose> {
        let place = self.asked.iter().position(|(other, _)| *other == id)?;
        Some(self.asked.swap_remove(place).1)
    }

    /// Nothing that was asked is of interest any more.
    fn forget(&mut self, now: Instant) {
        for (id, _) in std::mem::take(&mut self.asked) {
            self.client.cancel(now, &mut *self.rng, id);
        }
        for watch in [Watch::Config, Watch::Session] {
            self.client.unwatch(watch);
        }
    }

    pub(super) fn put(&mut self, output: Output) {
        if self.stage != Stage::Over {
            self.outputs.push_back(output);
        }
    }

    /// It is over, for the first reason that there is.
    pub(super) fn end(&mut self, end: End) {
        self.put(Output::Over(end));
        self.stage = Stage::Over;
        (self.proof, self.enrolment) = (None, None);
        self.asked.clear();
    }
}

/// A span as the gateway says it.
pub(super) fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// Nothing of what was said.
impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("stage", &self.stage).field("asked", &self.asked).finish_non_exhaustive()
    }
}
