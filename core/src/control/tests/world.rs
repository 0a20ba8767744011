//! The stage: a client, a gateway with its host, and the channel between them.
use crate::control::coap::{Builder, Code, Kind, Token, number};
use crate::control::message::{
    Authenticator, Challenge, Config, Enrolled, Hello, Lease, LoginId, LoginReply, Method, Outcome, Refusal, Reply,
    Request, Session, SessionState,
};
use crate::control::{Client, Event, MAX_BODY, Received, RequestId, Server, ServerLimits, Wiped};
use crate::crypto::Rng;
use crate::error::NoRandomness;
use crate::time::Instant;
use core::time::Duration;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

/// Chance from a seed.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

impl Rng for Chance {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.iter_mut().for_each(|byte| *byte = (self.next() >> 24) as u8);
        Ok(())
    }
}

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The one peer of most stories.
pub const PEER: u32 = 7;
/// How long a datagram is on its way.
const DELAY: Duration = Duration::from_millis(20);

/// What the channel does to the datagram of a number, counted from 0 over both directions.
pub type Channel = fn(u64, &mut Chance) -> Vec<Duration>;

/// The gateway's host: a user, a password, a code that is good once, and settings.
#[derive(Debug)]
pub struct Host {
    /// How long each answer takes.
    pub takes: Duration,
    pub config: Config,
    pub state: SessionState,
    /// The code was used.
    pub code_used: bool,
    /// Every request that was handed up.
    pub asked: Vec<Request>,
    waiting: Vec<(Instant, RequestId, Result<Reply, Refusal>)>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            takes: Duration::ZERO,
            config: Config { version: 1, ..Config::default() },
            state: SessionState::Locked,
            code_used: false,
            asked: vec![],
            waiting: vec![],
        }
    }
}

impl Host {
    fn decide(&mut self, request: &Request) -> Result<Reply, Refusal> {
        let login = LoginId([7; 8]);
        let replied = |outcome| Ok(Reply::Login(LoginReply { login, outcome }));
        match request {
            Request::Hello => Ok(Reply::Hello(Hello {
                nonce: [1; 32],
                state: self.state,
                now: 1_800_000_000,
                methods: vec![vec![Method::Password, Method::Code]],
                max_body: MAX_BODY as u32,
                features: 0,
                banner: None,
            })),
            Request::Login(start) if start.user == "ann" && &*start.data == b"hunter2" => {
                replied(Outcome::Challenge(Challenge {
                    id: 1,
                    method: Method::Code,
                    prompt: "Code:".into(),
                    echo: true,
                    digits: Some(6),
                    expires: 120,
                    url: None,
                }))
            }
            // A long proof, as a chain of certificates is.
            Request::Login(start) if start.data.len() > 1000 && start.data.iter().all(|byte| *byte == 5) => {
                replied(Outcome::Done)
            }
            Request::LoginNext(next) if next.login == login && &*next.data == b"123456" && !self.code_used => {
                (self.code_used, self.state) = (true, SessionState::Open);
                replied(Outcome::Done)
            }
            Request::Login(_) | Request::LoginNext(_) => replied(Outcome::Rejected { retry_after: Some(1) }),
            Request::Enrol(enrol) => {
                let uri = Wiped::from(b"otpauth://totp/hq:ann?secret=MZXW6YTBOI".to_vec());
                let is_right = enrol.code.as_deref() == Some(b"123456".as_slice());
                let authenticator = (!is_right).then_some(Authenticator { uri, tries: 4 });
                Ok(Reply::Enrolled(Enrolled { user: "ann".into(), config: self.config.clone(), authenticator }))
            }
            _ if self.state != SessionState::Open => Err(Refusal::of(Code::FORBIDDEN)),
            Request::Lease(_) => {
                let v4 = "10.9.0.2".parse().ok();
                Ok(Reply::Lease(Lease { v4, v6: None, renew_after: 1, rebind_after: 2, valid_for: 3 }))
            }
            Request::Config => Ok(Reply::Config(self.config.clone())),
            Request::Session => Ok(Reply::Session(Session::of(self.state))),
            Request::Logout => {
                self.state = SessionState::Locked;
                Ok(Reply::LoggedOut)
            }
            Request::Probe(_) => unreachable!("the server answers probes"),
        }
    }
}

/// A client, a server and what is between them.
pub struct World {
    pub now: Instant,
    pub chance: Chance,
    pub client: Client,
    pub server: Server<u32>,
    pub host: Host,
    pub channel: Channel,
    /// Datagrams that were sent, over both directions.
    pub sent: u64,
    /// The longest datagram.
    pub longest: usize,
    pub events: Vec<Event>,
    /// On its way: by time and number, whether to the server, and the bytes.
    wire: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    copies: u64,
}

impl World {
    pub fn new(seed: u64, channel: Channel) -> Self {
        let mut chance = Chance::new(seed);
        let now = Instant::ZERO + seconds(1000);
        Self {
            now,
            client: Client::new(now, &mut chance),
            server: Server::new(ServerLimits::default()),
            host: Host::default(),
            channel,
            sent: 0,
            longest: 0,
            events: vec![],
            wire: BTreeMap::new(),
            copies: 0,
            chance,
        }
    }

    /// A world whose channel is perfect and whose user is logged in.
    pub fn open() -> Self {
        let mut world = Self::new(1, |_, _| vec![DELAY]);
        world.host.state = SessionState::Open;
        world
    }

    pub fn ask(&mut self, request: &Request) {
        self.client.ask(self.now, &mut self.chance, request).expect("room for a request");
    }

    /// Lets everything happen until nothing is due before `span` is over, then lets it be over.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.drain();
            let host = self.host.waiting.iter().map(|(at, ..)| *at).min();
            let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
            let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
            let Some(next) = timeouts.into_iter().chain([host, wire]).flatten().min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            assert!(next >= self.now, "nothing is due in the past");
            self.now = next;
            self.deliver();
            self.answer();
            self.timeouts();
        }
    }

    /// The machine sleeps: nothing happens, and then everything that is due does.
    pub fn sleep(&mut self, span: Duration) {
        self.now = self.now + span;
        self.timeouts();
    }

    /// Runs until an event comes, and takes it out.
    #[track_caller]
    pub fn next_event(&mut self) -> Event {
        for _ in 0..10_000 {
            if !self.events.is_empty() {
                return self.events.remove(0);
            }
            self.run(Duration::from_millis(100));
        }
        panic!("no event comes")
    }

    /// Asks and waits for the answer.
    #[track_caller]
    pub fn answer_to(&mut self, request: &Request) -> Reply {
        self.ask(request);
        match self.next_event() {
            Event::Answered { reply, .. } => reply,
            event => panic!("{event:?}"),
        }
    }

    pub fn push(&mut self, reply: &Reply) -> bool {
        self.server.push(self.now, &mut self.chance, PEER, reply).expect("memory")
    }

    /// The gateway is started again: it knows nothing any more but what its host has stored.
    pub fn restart_server(&mut self) {
        self.server = Server::new(ServerLimits::default());
        self.host.waiting.clear();
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            self.send(true, transmit.message.to_vec());
        }
        while let Some(transmit) = self.server.poll_transmit() {
            assert_eq!(transmit.peer, PEER);
            assert!(!transmit.may_wake, "the gateway wakes nobody");
            self.send(false, transmit.message.to_vec());
        }
    }

    fn send(&mut self, to_server: bool, bytes: Vec<u8>) {
        self.longest = self.longest.max(bytes.len());
        for delay in (self.channel)(self.sent, &mut self.chance) {
            self.copies += 1;
            self.wire.insert((self.now + delay, self.copies), (to_server, bytes.clone()));
        }
        self.sent += 1;
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to_server, bytes) = entry.remove();
            if !to_server {
                self.events.extend(self.client.handle_message(self.now, &mut self.chance, &bytes));
                continue;
            }
            let received = self.server.handle_message(self.now, &mut self.chance, PEER, &bytes);
            if let Received::Request { id, request, .. } = received {
                let answer = self.host.decide(&request);
                self.host.asked.push(request);
                self.host.waiting.push((self.now + self.host.takes, id, answer));
                self.answer();
            }
        }
    }

    fn answer(&mut self) {
        let (due, later) = self.host.waiting.drain(..).partition(|(at, ..)| *at <= self.now);
        self.host.waiting = later;
        let due: Vec<_> = due;
        for (_, id, answer) in due {
            self.server
                .answer(self.now, &mut self.chance, id, answer.as_ref().map_err(|refusal| *refusal))
                .expect("a request that waits");
        }
    }

    fn timeouts(&mut self) {
        self.server.handle_timeout(self.now, &mut self.chance);
        self.events.extend(self.client.handle_timeout(self.now, &mut self.chance));
        for due in [self.client.poll_timeout(), self.server.poll_timeout()].into_iter().flatten() {
            assert!(due > self.now, "what was due is done");
        }
    }
}

/// A request as bytes, with options in order and a payload.
pub fn raw(kind: Kind, code: Code, id: u16, token: &[u8], options: &[(u16, &[u8])], payload: &[u8]) -> Vec<u8> {
    let token = Token::new(token).expect("a token");
    let room = options.iter().map(|(_, value)| value.len() + 5).sum::<usize>() + payload.len();
    let mut message = Builder::new(kind, code, id, &token, room).expect("memory");
    options.iter().for_each(|(number, value)| message.option(*number, value));
    message.finish(payload).expect("room").to_vec()
}

/// A confirmable request for `/v1/<thing>`.
pub fn thing(code: Code, id: u16, thing: &str, more: &[(u16, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut options: Vec<(u16, &[u8])> = vec![(number::URI_PATH, b"v1"), (number::URI_PATH, thing.as_bytes())];
    options.extend_from_slice(more);
    options.sort_by_key(|(number, _)| *number);
    raw(Kind::Confirmable, code, id, &id.to_be_bytes(), &options, payload)
}

/// The name of a request that was handed up.
#[track_caller]
pub fn admit(received: Received) -> (RequestId, Request) {
    match received {
        Received::Request { id, request, .. } => (id, request),
        Received::Nothing => panic!("{received:?}"),
    }
}
