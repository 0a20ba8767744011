//! The control channel: a client, a gateway, and whoever writes on the wire between them.
use crate::mutate::Chance;
use core::net::IpAddr;
use core::time::Duration;
use underpass_core::control::message::{
    Config, LeaseRequest, LoginId, LoginNext, LoginStart, Method, Probe, Refusal, Reply, Request, Session,
    SessionState, Watch,
};
use underpass_core::control::{Client, Code, Event, Received, RequestId, Server, ServerLimits, Wiped};
use underpass_core::{Instant, NoRandomness, Rng};

/// The caps of the gateway: small ones, so that scripts reach them.
const LIMITS: ServerLimits = ServerLimits { peers: 4, requests: 6, transfers: 2, bytes: 40_000, outbox: 16 };
/// Peers that write.
const PEERS: u8 = 6;

struct Draws(Chance);

impl Rng for Draws {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.iter_mut().for_each(|byte| *byte = self.0.bits() as u8);
        Ok(())
    }
}

/// Both ends and the wire.
struct Scene {
    now: Instant,
    rng: Draws,
    client: Client,
    server: Server<u8>,
    up: Vec<Vec<u8>>,
    down: Vec<Vec<u8>>,
    waiting: Vec<(RequestId, Request)>,
}

/// Runs a script: pairs of a happening and its argument, some followed by bytes.
pub fn control(data: &[u8]) {
    let (now, mut rng) = (Instant::from_nanos(1), Draws(Chance::new(1)));
    let client = Client::new(now, &mut rng);
    let server = Server::new(LIMITS);
    let mut scene = Scene { now, rng, client, server, up: vec![], down: vec![], waiting: vec![] };
    let mut rest = data;
    while let [happening, argument, tail @ ..] = rest {
        let (bytes, tail) = match happening % 11 {
            9 | 10 => tail.split_at_checked((*argument).into()).unwrap_or((tail, &[])),
            _ => (&[][..], tail),
        };
        rest = tail;
        scene.happen(happening % 11, *argument, bytes);
        scene.drain();
    }
    scene.come_to_rest();
}

impl Scene {
    fn happen(&mut self, happening: u8, argument: u8, bytes: &[u8]) {
        let (now, rng) = (self.now, &mut self.rng);
        let first = |wire: &mut Vec<Vec<u8>>| if wire.is_empty() { vec![] } else { wire.remove(0) };
        match happening {
            0 => drop(self.client.ask(now, rng, &request(argument))),
            1 => {
                let message = first(&mut self.up);
                self.reach_server(0, &message);
            }
            2 => self.answer(argument),
            3 => {
                let message = first(&mut self.down);
                self.reach_client(&message);
            }
            4 => drop(self.client.watch(now, rng, watch(argument))),
            5 => drop(self.server.push(now, rng, argument % PEERS, &pushed(argument))),
            6 => self.wait(Duration::from_millis(u64::from(argument).pow(2))),
            7 => drop(self.up.pop()),
            8 => self.up.extend(self.up.first().cloned()),
            9 => self.reach_server(argument % PEERS, bytes),
            _ if argument & 0x80 != 0 => self.client.session_began(now, rng),
            _ => self.reach_client(bytes),
        }
    }

    fn reach_server(&mut self, peer: u8, message: &[u8]) {
        if let Received::Request { id, request, .. } =
            self.server.handle_message(self.now, &mut self.rng, peer, message)
        {
            request.encode().expect("what was read can be written");
            self.waiting.push((id, request));
        }
        assert!(self.server.peers() <= LIMITS.peers);
        // Each request that waits may still be answered with a body of the longest kind, and each transfer be in memory of
        // twice its length.
        assert!(self.server.held() <= LIMITS.bytes + 12 * 33_000, "{} bytes are held", self.server.held());
    }

    fn reach_client(&mut self, message: &[u8]) {
        let event = self.client.handle_message(self.now, &mut self.rng, message);
        self.check(event);
    }

    fn check(&self, event: Option<Event>) {
        if let Some(Event::Answered { reply, .. } | Event::Pushed(reply)) = event {
            reply.encode().expect("what was read can be written");
        }
    }

    fn answer(&mut self, argument: u8) {
        if self.waiting.is_empty() {
            return;
        }
        let (id, request) = self.waiting.remove(usize::from(argument) % self.waiting.len());
        let answer = match request {
            _ if argument & 0x40 != 0 => Err(Refusal { code: Code::FORBIDDEN, retry_after: Some(1) }),
            Request::Config => Ok(pushed(argument & 0x3e)),
            Request::Session => Ok(Reply::Session(Session::of(SessionState::Open))),
            Request::Logout => Ok(Reply::LoggedOut),
            _ => Err(Refusal::of(Code::UNAUTHORIZED)),
        };
        // Nobody waits any more for what is older than four minutes.
        let _ = self.server.answer(self.now, &mut self.rng, id, answer.as_ref().map_err(|refusal| *refusal));
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        self.server.handle_timeout(self.now, &mut self.rng);
        let event = self.client.handle_timeout(self.now, &mut self.rng);
        self.check(event);
        for due in [self.server.poll_timeout(), self.client.poll_timeout()].into_iter().flatten() {
            assert!(due > self.now, "what was due is done");
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.client.poll_transmit() {
            self.up.push(transmit.message.to_vec());
        }
        while let Some(transmit) = self.server.poll_transmit() {
            assert!(!transmit.may_wake);
            if transmit.peer == 0 {
                self.down.push(transmit.message.to_vec());
            }
        }
    }

    /// Nobody says anything any more: everything that waits is given up, and nothing is left but what is watched.
    fn come_to_rest(&mut self) {
        for _ in 0..500 {
            let due = [self.server.poll_timeout(), self.client.poll_timeout()].into_iter().flatten().min();
            let Some(due) = due else { break };
            self.wait(due.since(self.now));
            while self.client.poll_transmit().is_some() || self.server.poll_transmit().is_some() {}
        }
        assert_eq!((self.server.poll_timeout(), self.client.poll_timeout()), (None, None), "everything comes to rest");
        assert_eq!(self.server.held(), 0, "nothing is held");
        let watching =
            |peer: &u8| [Watch::Config, Watch::Session].iter().any(|watch| self.server.is_watching(*peer, *watch));
        assert_eq!(self.server.peers(), (0..PEERS).filter(watching).count(), "who is remembered watches");
    }
}

fn watch(argument: u8) -> Watch {
    if argument & 1 == 0 { Watch::Config } else { Watch::Session }
}

fn request(argument: u8) -> Request {
    // Some bodies take one block, some take many.
    let data = Wiped::from(vec![argument; usize::from(argument >> 3) * 300]);
    let login = LoginId([argument; 8]);
    match argument % 8 {
        0 => Request::Hello,
        1 => Request::Login(LoginStart { nonce: [0; 16], user: "ann".into(), method: Method::Password, data }),
        2 => Request::LoginNext(LoginNext { login, challenge: 1, data }),
        3 => Request::Lease(LeaseRequest::default()),
        4 => Request::Config,
        5 => Request::Session,
        6 => Request::Logout,
        _ => Request::Probe(Probe { pad: u16::from(argument) * 10 }),
    }
}

/// Settings or a state; settings may take many blocks.
fn pushed(argument: u8) -> Reply {
    if argument & 1 == 1 {
        return Reply::Session(Session::of(SessionState::Grace));
    }
    let routes = (0..argument).map(|n| IpAddr::from([10, 0, n, 0]).into()).collect();
    Reply::Config(Config { version: argument.into(), routes, ..Config::default() })
}
