//! What clients say.
use crate::world::World;
use std::net::Ipv4Addr;
use std::time::Duration;
use underpass_core::control::message::{
    LeaseRequest, LoginId, LoginNext, LoginStart, Method, Outcome, Reply, Request, Watch,
};
use underpass_core::control::{Event, Wiped};

impl World {
    /// Asks and waits for the answer. Events that are no answer stay.
    #[track_caller]
    pub fn ask(&mut self, client: usize, request: &Request) -> Event {
        let end = &mut self.clients[client];
        end.control.ask(self.now, &mut self.rng, request).expect("room");
        self.await_answer(client)
    }

    #[track_caller]
    pub fn await_answer(&mut self, client: usize) -> Event {
        for _ in 0..3000 {
            self.settle();
            let events = &mut self.clients[client].events;
            let is_answer = |event: &Event| !matches!(event, Event::Pushed(_) | Event::WatchEnded(_));
            if let Some(event) = events.iter().position(is_answer).and_then(|at| events.remove(at)) {
                return event;
            }
            self.run(Duration::from_millis(100));
        }
        panic!("no answer comes")
    }

    #[track_caller]
    pub fn reply_to(&mut self, client: usize, request: &Request) -> Reply {
        match self.ask(client, request) {
            Event::Answered { reply, .. } => reply,
            event => panic!("{event:?}"),
        }
    }

    /// Has a client told of changes.
    #[track_caller]
    pub fn watch(&mut self, client: usize, watch: Watch) -> Reply {
        self.clients[client].control.watch(self.now, &mut self.rng, watch).expect("room");
        match self.await_answer(client) {
            Event::Answered { reply, .. } => reply,
            event => panic!("{event:?}"),
        }
    }

    /// What a client was told unasked.
    pub fn pushed(&mut self, client: usize) -> Vec<Reply> {
        let events = std::mem::take(&mut self.clients[client].events);
        events
            .into_iter()
            .filter_map(|event| if let Event::Pushed(reply) = event { Some(reply) } else { None })
            .collect()
    }

    /// Logs in with a password, then a code where one is asked for; what came of each.
    #[track_caller]
    pub fn log_in(&mut self, client: usize, user: &str, password: &str, code: &str) -> Vec<Outcome> {
        let mut outcomes = vec![self.begin(client, user, password)];
        if let Outcome::Challenge(challenge) = &outcomes[0] {
            let challenge = challenge.id;
            outcomes.push(self.answer(client, challenge, code));
        }
        outcomes
    }

    /// Begins a login with a password.
    #[track_caller]
    pub fn begin(&mut self, client: usize, user: &str, password: &str) -> Outcome {
        let data = Wiped::from(password.as_bytes().to_vec());
        let start = LoginStart { nonce: [3; 16], user: user.into(), method: Method::Password, data };
        self.login(client, &Request::Login(start))
    }

    /// Answers a challenge of the latest login.
    #[track_caller]
    pub fn answer(&mut self, client: usize, challenge: u32, code: &str) -> Outcome {
        let login = self.clients[client].login;
        let next = LoginNext { login, challenge, data: Wiped::from(code.as_bytes().to_vec()) };
        self.login(client, &Request::LoginNext(next))
    }

    #[track_caller]
    fn login(&mut self, client: usize, request: &Request) -> Outcome {
        let Reply::Login(reply) = self.reply_to(client, request) else { panic!("no answer to a login") };
        if reply.login != LoginId([0; 8]) {
            self.clients[client].login = reply.login;
        }
        reply.outcome
    }

    /// A user comes in.
    #[track_caller]
    pub fn enter(&mut self, client: usize, user: &str) {
        let outcomes = self.log_in(client, user, &format!("{user}'s password"), &self.code(user));
        assert!(matches!(outcomes[..], [Outcome::Challenge(_), Outcome::Done]), "{outcomes:?}");
    }

    /// Asks for addresses, or for those that there are; which IPv4 address it is.
    #[track_caller]
    pub fn lease(&mut self, client: usize) -> [u8; 4] {
        let reply = self.reply_to(client, &Request::Lease(LeaseRequest::default()));
        let Reply::Lease(lease) = reply else { panic!("{reply:?}") };
        assert_eq!((lease.renew_after, lease.rebind_after, lease.valid_for), (300, 525, 600));
        assert!(lease.v6.is_some_and(|v6| v6.segments()[..4] == [0xfd00, 8, 0, 0]), "{lease:?}");
        lease.v4.map(|v4: Ipv4Addr| v4.octets()).expect("an address")
    }
}
