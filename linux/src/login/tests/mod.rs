//! The conversation with a gateway in memory, in simulated time.
mod enrol;
mod enter;
mod stay;

use super::{Driver, Output, Policy, Question, Wants};
use std::collections::VecDeque;
use std::time::Duration;
use underpass_core::Instant;
use underpass_core::control::message::{
    Challenge, Config, Enrolled, Hello, Lease, LoginId, LoginReply, Method, Outcome, Refusal, Reply, Request, Session,
    SessionState,
};
use underpass_core::control::{Code, MAX_BODY, Received, Server, ServerLimits, Wiped};
use underpass_sim::rng::Rng;

/// Seconds since 1970 when a story begins, by the gateway's clock.
const EPOCH: u64 = 1_800_000_000;
const DELAY: Duration = Duration::from_millis(20);

/// The gateway's host: a user `ann` with a password and a code, and what it grants.
struct Host {
    ways: Vec<Vec<Method>>,
    session: Session,
    config: Config,
    /// Answers to leases, in turn; the last one stays.
    leases: VecDeque<Result<Lease, Refusal>>,
    /// What follows wrong answers.
    retry_after: Option<u32>,
    /// Answers to come before all others.
    scripted: VecDeque<Result<Outcome, Refusal>>,
    /// Answers to enrolments, in turn.
    enrolments: VecDeque<Result<Enrolled, Refusal>>,
    asked: Vec<Request>,
}

struct World {
    now: Instant,
    rng: Rng,
    driver: Driver,
    server: Server<u8>,
    host: Host,
    /// Whether datagrams arrive.
    is_joined: bool,
    outputs: VecDeque<Output>,
}

fn office() -> Config {
    Config {
        version: 1,
        v4: "10.9.0.2/24".parse().ok(),
        routes: vec!["10.0.0.0/8".parse().expect("a network")],
        ..Config::default()
    }
}

fn lease(renew_after: u32, valid_for: u32) -> Result<Lease, Refusal> {
    Ok(Lease { v4: "10.9.0.2".parse().ok(), v6: None, renew_after, rebind_after: valid_for, valid_for })
}

fn question(wants: Wants, prompt: &str, echo: bool) -> Output {
    Output::Ask(Question { wants, prompt: prompt.into(), echo })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    fn new(user: Option<&str>) -> Self {
        let now = Instant::ZERO + seconds(1000);
        let policy =
            Policy { allowed_ips: vec!["10.0.0.0/8".parse().expect("a network")], endpoint: "192.0.2.1".parse().ok() };
        let driver = Driver::new(now, Box::new(Rng::new(7)), policy, user.map(str::to_owned));
        let host = Host {
            ways: vec![vec![Method::KeyCertificate], vec![Method::Password, Method::Code]],
            session: Session::of(SessionState::Locked),
            config: office(),
            leases: [lease(300, 600)].into(),
            retry_after: None,
            scripted: VecDeque::new(),
            enrolments: VecDeque::new(),
            asked: Vec::new(),
        };
        let server = Server::new(ServerLimits::default());
        Self { now, rng: Rng::new(9), driver, server, host, is_joined: true, outputs: VecDeque::new() }
    }

    /// Carries messages there and back, and time on, until `span` is over.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let mut is_still = true;
            while let Some(transmit) = self.driver.poll_transmit() {
                is_still = false;
                if self.is_joined {
                    self.now = self.now + DELAY;
                    self.serve(&transmit.message);
                }
            }
            while let Some(transmit) = self.server.poll_transmit() {
                is_still = false;
                if self.is_joined {
                    self.now = self.now + DELAY;
                    self.driver.handle_message(self.now, &transmit.message);
                }
            }
            self.outputs.extend(std::iter::from_fn(|| self.driver.poll_output()));
            if !is_still {
                continue;
            }
            let due = [self.driver.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = due.into_iter().flatten().min().filter(|next| *next <= end) else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(next);
            self.server.handle_timeout(self.now, &mut self.rng);
            self.driver.handle_timeout(self.now);
            assert!(self.driver.poll_timeout().is_none_or(|due| due > self.now), "what was due is done");
        }
    }

    fn serve(&mut self, message: &[u8]) {
        let received = self.server.handle_message(self.now, &mut self.rng, 1, message);
        if let Received::Request { id, request, .. } = received {
            let answer = self.host.decide(&request);
            self.host.asked.push(request);
            let answer = answer.as_ref().map_err(|refusal| *refusal);
            self.server.answer(self.now, &mut self.rng, id, answer).expect("it can be sent");
        }
    }

    /// The next thing that the driver wants done.
    #[track_caller]
    fn next(&mut self) -> Output {
        for _ in 0..100 {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            self.run(seconds(1));
        }
        panic!("nothing happens")
    }

    fn say(&mut self, answer: &str) {
        self.driver.answer(self.now, Wiped::from(answer.as_bytes().to_vec()));
    }

    /// `ann` logs in, for an hour.
    #[track_caller]
    fn entered(user: Option<&str>) -> Self {
        let mut world = Self::new(user);
        world.host.session.expires = Some(EPOCH + 3600);
        if user.is_none() {
            assert_eq!(world.next(), question(Wants::User, "", true));
            world.say("ann");
        }
        assert_eq!(world.next(), question(Wants::Password, "", false));
        world.say("hunter2");
        assert_eq!(world.next(), question(Wants::Code(Some(6)), "Code:", true));
        world.say("123456");
        let Output::Granted(grant) = world.next() else { panic!("it is granted") };
        assert_eq!((grant.granted.config, grant.granted.refused, grant.user), (office(), vec![], Some("ann".into())));
        world
    }

    /// The gateway tells of a change.
    fn push(&mut self, reply: &Reply) {
        assert!(self.server.push(self.now, &mut self.rng, 1, reply).expect("it can be sent"), "it is watched");
    }

    fn count(&self, is: impl Fn(&Request) -> bool) -> usize {
        self.host.asked.iter().filter(|request| is(request)).count()
    }

    fn is_at_rest(&mut self) {
        self.run(seconds(200));
        assert_eq!((self.outputs.pop_front(), self.driver.poll_timeout()), (None, None));
    }
}

impl Host {
    fn decide(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let login = LoginId([7; 8]);
        let replied = |outcome| Ok(Reply::Login(LoginReply { login, outcome }));
        match request {
            Request::Hello => Ok(Reply::Hello(Hello {
                nonce: [1; 32],
                state: self.session.state,
                now: EPOCH,
                methods: self.ways.clone(),
                max_body: MAX_BODY as u32,
                features: 0,
                banner: None,
            })),
            Request::Login(_) | Request::LoginNext(_) if !self.scripted.is_empty() => {
                let outcome = self.scripted.pop_front().expect("one is left")?;
                if outcome == Outcome::Done {
                    self.session.state = SessionState::Open;
                }
                replied(outcome)
            }
            Request::Login(start) if start.user == "ann" && &*start.data == b"hunter2" => {
                replied(asks(Method::Code, "Code:"))
            }
            Request::LoginNext(next) if next.challenge == 5 && &*next.data == b"123456" => {
                self.session = Session {
                    user: Some("ann".into()),
                    ..Session { state: SessionState::Open, ..self.session.clone() }
                };
                replied(Outcome::Done)
            }
            Request::Login(_) | Request::LoginNext(_) => replied(Outcome::Rejected { retry_after: self.retry_after }),
            Request::Enrol(_) => self.enrolments.pop_front().expect("one is left").map(Reply::Enrolled),
            Request::Session => Ok(Reply::Session(self.session.clone())),
            Request::Logout => Ok(Reply::LoggedOut),
            _ if self.session.state != SessionState::Open => Err(Refusal::of(Code::UNAUTHORIZED)),
            Request::Lease(_) => {
                let next = if self.leases.len() > 1 { self.leases.pop_front() } else { self.leases.front().copied() };
                next.expect("one stays").map(Reply::Lease)
            }
            Request::Config => Ok(Reply::Config(self.config.clone())),
            _ => Err(Refusal::of(Code::NOT_FOUND)),
        }
    }
}

fn asks(method: Method, prompt: &str) -> Outcome {
    let digits = (method == Method::Code).then_some(6);
    let url = (method == Method::Web).then(|| "https://login.example/device".into());
    Outcome::Challenge(Challenge { id: 5, method, prompt: prompt.into(), echo: true, digits, expires: 120, url })
}
