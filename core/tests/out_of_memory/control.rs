//! The control channel without memory: a login in blocks, large settings, a watch and a push.
use super::{Seeded, fail};
use std::time::Duration;
use underpass_core::Instant;
use underpass_core::control::message::{
    Config, LoginId, LoginReply, LoginStart, Method, Outcome, Reply, Request, Session, SessionState, Watch,
};
use underpass_core::control::{Client, Event, Received, Server, ServerLimits, Wiped};

const PEER: u32 = 1;

struct Ends {
    now: Instant,
    rng: Seeded,
    client: Client,
    server: Server<u32>,
    /// What the gateway answers to a login, and what its settings and its state of the login are.
    replies: [Reply; 3],
    answered: usize,
}

impl Ends {
    fn new() -> Self {
        let (now, mut rng) = (Instant::ZERO + Duration::from_secs(1), Seeded(5));
        let routes = (0..200).map(|n| std::net::IpAddr::from([10, 0, n, 0]).into()).collect();
        let replies = [
            Reply::Login(LoginReply { login: LoginId([1; 8]), outcome: Outcome::Done }),
            Reply::Config(Config { version: 1, routes, ..Config::default() }),
            Reply::Session(Session::of(SessionState::Open)),
        ];
        let client = Client::new(now, &mut rng);
        Self { now, rng, client, server: Server::new(ServerLimits::default()), replies, answered: 0 }
    }

    /// Everything that is said arrives, and is answered.
    fn exchange(&mut self) {
        loop {
            if let Some(transmit) = self.client.poll_transmit() {
                let received = self.server.handle_message(self.now, &mut self.rng, PEER, &transmit.message);
                if let Received::Request { id, request, .. } = received {
                    let [login, config, session] = &self.replies;
                    let reply = match request {
                        Request::Login(_) => login,
                        Request::Config => config,
                        _ => session,
                    };
                    // Without memory the request waits, and nobody answers it.
                    let _ = self.server.answer(self.now, &mut self.rng, id, Ok(reply));
                }
            } else if let Some(transmit) = self.server.poll_transmit() {
                let event = self.client.handle_message(self.now, &mut self.rng, &transmit.message);
                self.answered += usize::from(matches!(event, Some(Event::Answered { .. })));
            } else {
                return;
            }
        }
    }

    /// Lets time pass until both have given up what they wait for, five minutes at most.
    fn settle(&mut self) {
        let end = self.now + Duration::from_secs(300);
        self.exchange();
        while let Some(due) = [self.client.poll_timeout(), self.server.poll_timeout()].into_iter().flatten().min() {
            if due > end {
                break;
            }
            self.now = due;
            self.server.handle_timeout(due, &mut self.rng);
            drop(self.client.handle_timeout(due, &mut self.rng));
            self.exchange();
        }
        self.now = end;
    }
}

pub fn conversation(first: usize, count: usize) -> usize {
    let mut ends = Ends::new();
    let data = Wiped::from(vec![5; 3000]);
    let login = Request::Login(LoginStart { nonce: [0; 16], user: "ann".into(), method: Method::Password, data });
    let (_, calls) = fail(first, count, || {
        let (now, rng) = (ends.now, &mut ends.rng);
        let _ = ends.client.ask(now, rng, &login);
        let _ = ends.client.watch(now, rng, Watch::Config);
        ends.exchange();
        let _ = ends.server.push(ends.now, &mut ends.rng, PEER, &ends.replies[1]);
        ends.exchange();
    });
    ends.settle();
    ends.answered = 0;
    for request in [&login, &Request::Config, &Request::Session] {
        ends.client.ask(ends.now, &mut ends.rng, request).expect("room");
    }
    ends.settle();
    assert_eq!(ends.answered, 3, "with memory, everything is answered");
    ends.server.forget(PEER);
    assert_eq!((ends.server.held(), ends.server.peers(), ends.server.poll_timeout()), (0, 0, None));
    calls
}
