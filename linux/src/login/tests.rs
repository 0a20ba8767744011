//! The conversation with a gateway in memory, in simulated time.
use super::{Driver, End, Output, Policy, Question, Wants};
use std::collections::VecDeque;
use std::time::Duration;
use underpass_core::control::local::{Reason as Why, Refused, Setting};
use underpass_core::control::message::{
    Challenge, Config, Hello, Lease, LoginId, LoginReply, Method, Outcome, Reason, Refusal, Reply, Request, Session,
    SessionState,
};
use underpass_core::control::{Code, MAX_BODY, Received, Server, ServerLimits, Wiped};
use underpass_core::{Instant, NoRandomness, Rng};

/// Seconds since 1970 when a story begins, by the gateway's clock.
const EPOCH: u64 = 1_800_000_000;
const DELAY: Duration = Duration::from_millis(20);

/// Numbers that look like chance.
struct Chance(u64);

impl Rng for Chance {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

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
    asked: Vec<Request>,
}

struct World {
    now: Instant,
    rng: Chance,
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
        let driver = Driver::new(now, Box::new(Chance(7)), policy, user.map(str::to_owned));
        let host = Host {
            ways: vec![vec![Method::KeyCertificate], vec![Method::Password, Method::Code]],
            session: Session::of(SessionState::Locked),
            config: office(),
            leases: [lease(300, 600)].into(),
            retry_after: None,
            scripted: VecDeque::new(),
            asked: Vec::new(),
        };
        let server = Server::new(ServerLimits::default());
        Self { now, rng: Chance(9), driver, server, host, is_joined: true, outputs: VecDeque::new() }
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

#[test]
fn name_password_and_code_lead_to_addresses_and_routes() {
    let mut world = World::entered(None);
    let asked: Vec<_> = world.host.asked.iter().map(std::mem::discriminant).collect();
    world.run(seconds(250));
    let later: Vec<_> = world.host.asked.iter().map(std::mem::discriminant).collect();
    assert_eq!(asked, later, "nothing more is asked while nothing is due");
    assert!(matches!(&world.host.asked[..2], [Request::Hello, Request::Login(start)] if start.user == "ann"));
    assert_eq!(asked.len(), 6, "hello, password, code, lease, settings, session");
    assert_eq!(world.outputs.pop_front(), None);
}

#[test]
fn a_wrong_password_is_asked_for_again_after_the_pause_that_the_gateway_wants() {
    let mut world = World::new(None);
    world.host.retry_after = Some(30);
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.say("ann");
    assert_eq!(world.next(), question(Wants::Password, "", false));
    let began = world.now;
    world.say("hunter3");
    assert_eq!(world.next(), Output::Rejected(seconds(30)));
    assert_eq!(world.next(), question(Wants::User, "", true), "the name may have been the wrong one");
    assert!(world.now.since(began) >= seconds(30));
    world.say("ann");
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("hunter2");
    assert_eq!(world.next(), question(Wants::Code(Some(6)), "Code:", true));
    world.say("654321");
    assert_eq!(world.next(), Output::Rejected(seconds(30)));
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.say("ann");
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("hunter3");
    assert_eq!(world.next(), Output::Over(End::Rejected { retry_after: Some(30) }), "the third is the last");
    world.is_at_rest();
}

#[test]
fn a_pause_of_more_than_a_minute_is_said_and_not_waited_for() {
    for refused in [false, true] {
        let mut world = World::new(Some("ann"));
        let refusal = Refusal { code: Code::TOO_MANY_REQUESTS, retry_after: Some(300) };
        let outcome = Outcome::Rejected { retry_after: Some(300) };
        world.host.scripted.push_back(if refused { Err(refusal) } else { Ok(outcome) });
        assert_eq!(world.next(), question(Wants::Password, "", false));
        world.say("hunter2");
        assert_eq!(world.next(), Output::Over(End::Rejected { retry_after: Some(300) }));
        world.is_at_rest();
    }
}

#[test]
fn questions_in_words_and_a_web_page_are_put_as_the_gateway_says() {
    let mut world = World::new(Some("ann"));
    world.host.ways = vec![vec![Method::Eap], vec![Method::Questions]];
    world.host.scripted = [
        Ok(asks(Method::Questions, "Your first pet?")),
        Ok(asks(Method::Web, "Open this page.")),
        Ok(Outcome::Wait { retry_after: Some(5) }),
        Ok(Outcome::Wait { retry_after: None }),
        Ok(Outcome::Done),
    ]
    .into();
    assert_eq!(world.next(), question(Wants::Other, "Your first pet?", true));
    world.say("Rex");
    let url = Some("https://login.example/device".into());
    assert_eq!(world.next(), Output::Page { prompt: "Open this page.".into(), url });
    let began = world.now;
    assert!(matches!(world.next(), Output::Granted(_)));
    assert!(world.now.since(began) >= seconds(7), "it waits for as long as it is told, or a little");
    let answers: Vec<_> = world
        .host
        .asked
        .iter()
        .filter_map(|request| match request {
            Request::LoginNext(next) => Some((next.challenge, next.data.to_vec())),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [(5, b"Rex".to_vec()), (5, vec![]), (5, vec![]), (5, vec![])]);
}

#[test]
fn a_gateway_that_wants_what_cannot_be_shown_is_told_of() {
    let mut world = World::new(None);
    world.host.ways = vec![vec![Method::Password, Method::Eap], vec![Method::Other(99)]];
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "the gateway asks for what this program cannot show: a password and EAP, or method 99");
    let mut world = World::new(None);
    world.host.ways = vec![];
    assert_eq!(world.next(), Output::Over(End::NoLogin));
}

#[test]
fn a_session_that_is_open_is_taken_up_unless_somebody_is_named() {
    for (user, is_taken_up) in [(None, true), (Some("ann"), false)] {
        let mut world = World::new(user);
        world.host.session.state = SessionState::Open;
        let output = world.next();
        assert_eq!(matches!(output, Output::Granted(_)), is_taken_up, "{output:?}");
    }
}

#[test]
fn what_is_outside_the_own_configuration_is_not_taken() {
    let mut world = World::new(None);
    world.host.session.state = SessionState::Open;
    world.host.config.routes.push("192.0.2.0/24".parse().expect("a network"));
    world.host.config.mtu = Some(100);
    let Output::Granted(grant) = world.next() else { panic!("the rest is") };
    assert_eq!(grant.granted.config, office());
    let refused = [(Setting::Route(1), Why::CoversEndpoint), (Setting::Mtu, Why::Range)];
    assert_eq!(grant.granted.refused, refused.map(|(setting, reason)| Refused { setting, reason }));
}

#[test]
fn the_address_is_that_of_the_lease_whatever_the_settings_say() {
    let mut world = World::new(None);
    world.host.session.state = SessionState::Open;
    world.host.config.v4 = "10.9.0.77/24".parse().ok();
    world.host.config.v6 = "fd09::77/64".parse().ok();
    let Output::Granted(grant) = world.next() else { panic!("it is granted") };
    assert_eq!((grant.granted.config.v4, grant.granted.config.v6), ("10.9.0.2/32".parse().ok(), None));
}

#[test]
fn a_lease_is_renewed_in_time() {
    let mut world = World::entered(None);
    let leases = |world: &World| world.count(|request| matches!(request, Request::Lease(_)));
    world.run(seconds(290));
    assert_eq!(leases(&world), 1);
    world.run(seconds(20));
    assert_eq!(leases(&world), 2);
    let wanted = world.host.asked.iter().rev().find_map(|request| match request {
        Request::Lease(wanted) => wanted.want_v4,
        _ => None,
    });
    assert_eq!(wanted, "10.9.0.2".parse().ok(), "the one that it has");
    world.run(seconds(900));
    assert_eq!(leases(&world), 5);
    assert_eq!(world.outputs.pop_front(), None, "nothing has changed");
}

#[test]
fn another_address_is_applied_and_a_lease_that_is_lost_ends_the_login() {
    let mut world = World::entered(None);
    let other = Lease { v4: "10.9.0.3".parse().ok(), ..lease(10, 60).expect("a lease") };
    let refused = Err(Refusal { code: Code::UNAVAILABLE, retry_after: Some(10) });
    world.host.leases = [Ok(other), refused].into();
    world.run(seconds(310));
    let Output::Granted(grant) = world.next() else { panic!("it has changed") };
    assert_eq!(grant.granted.config.v4, "10.9.0.3/32".parse().ok());
    let began = world.now;
    assert_eq!(world.next(), Output::Over(End::LeaseLost));
    let took = world.now.since(began);
    assert!(took > seconds(40) && took < seconds(70), "it is asked for until it is over: {took:?}");
    assert!(world.count(|request| matches!(request, Request::Lease(_))) > 5, "and not once only");
    world.is_at_rest();
}

#[test]
fn a_machine_that_slept_beyond_its_lease_asks_before_it_gives_up() {
    let mut world = World::entered(None);
    world.now = world.now + seconds(3000);
    world.run(seconds(2));
    assert_eq!(world.outputs.pop_front(), None);
    assert_eq!(world.count(|request| matches!(request, Request::Lease(_))), 2);
}

#[test]
fn settings_that_change_are_applied_once() {
    let mut world = World::entered(None);
    world.host.config.version = 2;
    let config = Reply::Config(world.host.config.clone());
    world.push(&config);
    world.run(seconds(1));
    assert_eq!(world.outputs.pop_front(), None, "the number alone is no change");
    world.host.config.dns.push("10.0.0.53".parse().expect("an address"));
    world.driver.session_began(world.now);
    let Output::Granted(grant) = world.next() else { panic!("it has changed") };
    assert_eq!(grant.granted.config.dns.len(), 1);
}

#[test]
fn the_end_of_the_session_is_heard_of_when_it_is_pushed_and_with_the_next_handshake() {
    let revoked = Session { reason: Some(Reason::Revoked), ..Session::of(SessionState::Revoked) };
    for pushed in [true, false] {
        let mut world = World::entered(None);
        world.host.session = revoked.clone();
        if pushed {
            world.push(&Reply::Session(revoked.clone()));
        } else {
            world.driver.session_began(world.now);
        }
        let end = End::ByGateway(SessionState::Revoked, Some(Reason::Revoked));
        assert_eq!(end.to_string(), "the gateway ended the session: it was revoked");
        assert_eq!(world.next(), Output::Over(end));
        world.is_at_rest();
    }
}

#[test]
fn a_session_whose_time_is_over_is_asked_about() {
    let mut world = World::entered(None);
    world.run(seconds(3590));
    assert_eq!(world.outputs.pop_front(), None);
    world.host.session = Session { reason: Some(Reason::Expired), ..Session::of(SessionState::Locked) };
    assert_eq!(world.next(), Output::Over(End::ByGateway(SessionState::Locked, Some(Reason::Expired))));
}

#[test]
fn a_new_login_is_asked_for_in_time_and_lengthens_the_session() {
    let mut world = World::new(Some("ann"));
    (world.host.session.expires, world.host.session.login_due) = (Some(EPOCH + 3600), Some(EPOCH + 3000));
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("hunter2");
    world.next();
    world.say("123456");
    assert!(matches!(world.next(), Output::Granted(_)));
    world.run(seconds(2990));
    assert_eq!(world.outputs.pop_front(), None);
    let Output::LoginDue(Some(left)) = world.next() else { panic!("it is due") };
    assert!(left <= seconds(600) && left > seconds(590), "{left:?}");
    world.run(seconds(20));
    assert_eq!(world.outputs.pop_front(), None, "it is said once");
    world.driver.log_in_again(world.now);
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.host.session.expires = Some(EPOCH + 7200);
    world.host.session.login_due = Some(EPOCH + 6600);
    world.say("hunter2");
    assert_eq!(world.next(), question(Wants::Code(Some(6)), "Code:", true));
    world.say("123456");
    let Output::Renewed(Some(left)) = world.next() else { panic!("it is longer") };
    assert!(left > seconds(4100), "{left:?}");
    world.run(seconds(3000));
    assert_eq!(world.outputs.pop_front(), None, "nothing else has changed");
}

#[test]
fn a_new_login_that_fails_ends_nothing() {
    let mut world = World::entered(Some("ann"));
    world.driver.log_in_again(world.now);
    for _ in 0..2 {
        assert_eq!(world.next(), question(Wants::Password, "", false));
        world.say("wrong");
        assert_eq!(world.next(), Output::Rejected(Duration::ZERO));
    }
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.say("wrong");
    assert_eq!(world.next(), Output::NotRenewed(End::Rejected { retry_after: None }));
    world.driver.log_in_again(world.now);
    assert_eq!(world.next(), question(Wants::Password, "", false));
    world.driver.decline();
    assert_eq!(world.next(), Output::NotRenewed(End::Unanswered));
    world.run(seconds(600));
    assert_eq!(world.outputs.pop_front(), None);
}

#[test]
fn logging_out_is_said_to_the_gateway_and_not_waited_for_longer_than_a_few_seconds() {
    let mut world = World::entered(None);
    world.driver.log_out(world.now);
    assert_eq!(world.next(), Output::Over(End::LoggedOut { is_heard: true }));
    assert_eq!(world.count(|request| *request == Request::Logout), 1);

    let mut world = World::entered(None);
    world.is_joined = false;
    // A request that nobody answers is not in the way.
    world.run(seconds(301));
    let began = world.now;
    world.driver.log_out(world.now);
    assert_eq!(world.next(), Output::Over(End::LoggedOut { is_heard: false }));
    assert!(world.now.since(began) <= seconds(6));
    world.is_at_rest();

    let mut world = World::new(None);
    world.driver.log_out(world.now);
    assert_eq!(world.next(), Output::Over(End::LoggedOut { is_heard: true }), "nobody is logged in");
}

#[test]
fn a_gateway_that_does_not_answer_and_a_user_who_does_not_end_the_login() {
    let mut world = World::new(None);
    world.is_joined = false;
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "greeting the gateway failed: the gateway does not answer on the control channel");
    let mut world = World::new(None);
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.driver.decline();
    assert_eq!(world.next(), Output::Over(End::Unanswered));
    world.is_at_rest();
}

#[test]
fn without_a_lease_there_is_no_login() {
    let mut world = World::new(None);
    world.host.session.state = SessionState::Open;
    world.host.leases = [Err(Refusal { code: Code::UNAVAILABLE, retry_after: Some(10) })].into();
    let Output::Over(end) = world.next() else { panic!("it ends") };
    assert_eq!(end.to_string(), "the gateway refused the request for addresses: not now (5.03); try again in 10 s");
}

#[test]
fn no_message_makes_it_panic_and_no_secret_is_shown() {
    let mut world = World::new(None);
    let mut chance = Chance(3);
    for length in 0..300 {
        let mut message = vec![0; length];
        chance.fill(&mut message).expect("chance");
        world.driver.handle_message(world.now, &message);
    }
    assert_eq!(world.next(), question(Wants::User, "", true));
    world.say("ann");
    world.next();
    world.say("hunter2");
    let shown = format!("{:?}", world.driver);
    assert!(!shown.contains("hunter2") && !shown.contains("ann"), "{shown}");
}
