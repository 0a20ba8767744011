//! A gateway on a machine of its own: an engine, and a host that knows one user. It says over the control channel what a test
//! wants it to say.
use anyhow::{Context, Result, anyhow};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use underpass_core::control::message::{
    Challenge, Config, Hello, Lease, LoginId, LoginReply, Method, Outcome, Refusal, Reply, Request, Session,
    SessionState,
};
use underpass_core::control::{Code, MAX_BODY, Received, Server, ServerLimits};
use underpass_core::{Access, Change, ControlRole, NewPeer, PrivateKey, PublicKey, TunnelConfig};
use underpass_linux::demo::stage::{Machine, eventually};
use underpass_linux::engine::SystemRng;
use underpass_linux::{Engine, EngineConfig, Messages, clock};

/// Its port.
pub const PORT: u16 = 51820;
/// How long anything may take that happens by itself: no verdict hangs on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Its clock, which stands.
const NOW: u64 = 1_800_000_000;
/// How often the host looks whether something is due.
const GLANCE: Duration = Duration::from_millis(20);

/// What the host knows.
#[derive(Debug)]
struct State {
    config: Config,
    session: Session,
    /// After how many seconds the next login is to be renewed.
    due: Option<u64>,
    /// What was asked, in order.
    asked: Vec<&'static str>,
}

enum Order {
    Heard(PublicKey, Vec<u8>),
    Push(Reply),
    Access(Access),
    EndSessions,
    Stop,
}

/// The gateway.
pub struct Gateway {
    pub key: PublicKey,
    state: Arc<Mutex<State>>,
    orders: Sender<Order>,
    host: Option<JoinHandle<()>>,
}

impl Gateway {
    /// A gateway on `machine` whose one peer is `client`, which gets 10.9.0.2 and `config`.
    pub fn start(machine: &Machine, client: PublicKey, config: Config) -> Result<Self> {
        let private = PrivateKey::generate(&mut SystemRng).map_err(|_| anyhow!("randomness"))?;
        let key = private.public_key();
        let mut peer = NewPeer::new(client);
        peer.allowed_ips.push("10.9.0.2/32".parse()?);
        peer.access = Some(Access::Locked);
        let tunnel = TunnelConfig { private_key: Some(private), peers: vec![peer], ..TunnelConfig::default() };
        let (orders, taken) = channel();
        let heard = orders.clone();
        let control = Messages::new(move |from, message| drop(heard.send(Order::Heard(from, message.to_vec()))));
        let like = EngineConfig { tunnel, listen_port: PORT, control: Some(control), ..EngineConfig::new("office0") };
        let engine = machine.inside(|| Engine::start(like))?;
        engine.with_tunnel(|tunnel, now| tunnel.configure(now, &[Change::Control(ControlRole::Gateway)]))?;
        for address in ["10.9.0.1/24", "10.20.0.1/16", "10.30.0.1/16"] {
            machine.ip(&format!("address add {address} dev office0"))?;
        }
        machine.ip("link set office0 up")?;
        let state = State { config, session: Session::of(SessionState::Locked), due: None, asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let host = std::thread::spawn(move || serve(&engine, client, &shared, &taken));
        Ok(Self { key, state, orders, host: Some(host) })
    }

    /// What clients have asked.
    pub fn asked(&self) -> Vec<&'static str> {
        lock(&self.state).asked.clone()
    }

    /// Waits until something was asked so often.
    pub fn was_asked(&self, what: &str, times: usize) -> Result<()> {
        let count = || self.asked().iter().filter(|asked| **asked == what).count();
        eventually(what, PATIENCE, || Ok(count() >= times)).with_context(|| format!("{:?}", self.asked()))
    }

    /// Grants other settings from now on, and tells of it.
    pub fn grant(&self, config: Config) -> Result<()> {
        lock(&self.state).config = config.clone();
        Ok(self.orders.send(Order::Push(Reply::Config(config)))?)
    }

    /// Wants the next login to be renewed after so many seconds.
    pub fn wants_another_login_after(&self, seconds: u64) {
        lock(&self.state).due = Some(seconds);
    }

    /// Ends the session without a word: its keys are wiped, and who watches is forgotten.
    pub fn cut(&self, session: Session) -> Result<()> {
        lock(&self.state).session = session;
        self.orders.send(Order::Access(Access::Locked))?;
        Ok(self.orders.send(Order::EndSessions)?)
    }

    /// Ends the session, and tells of it.
    pub fn end(&self, session: Session) -> Result<()> {
        lock(&self.state).session = session.clone();
        self.orders.send(Order::Push(Reply::Session(session)))?;
        Ok(self.orders.send(Order::Access(Access::Locked))?)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if let Some(host) = self.host.take() {
            let _ = host.join();
        }
    }
}

fn serve(engine: &Engine, client: PublicKey, state: &Mutex<State>, orders: &Receiver<Order>) {
    let mut server: Server<PublicKey> = Server::new(ServerLimits::default());
    let rng = &mut SystemRng;
    loop {
        let order = orders.recv_timeout(GLANCE);
        let now = clock::now();
        match order {
            Ok(Order::Heard(from, message)) => {
                let received = server.handle_message(now, rng, from, &message);
                if let Received::Request { id, request, .. } = received {
                    let (answer, access) = decide(&mut lock(state), &request);
                    access.into_iter().for_each(|access| admit(engine, client, access));
                    let answer = answer.as_ref().map_err(|refusal| *refusal);
                    server.answer(now, rng, id, answer).expect("it can be sent");
                }
            }
            Ok(Order::Push(reply)) => {
                assert!(server.push(now, rng, client, &reply).expect("it can be sent"), "it watches")
            }
            Ok(Order::Access(access)) => admit(engine, client, access),
            Ok(Order::EndSessions) => {
                server = Server::new(ServerLimits::default());
                engine.with_tunnel(|tunnel, now| {
                    let peer = tunnel.peer_by_key(&client).expect("the peer");
                    tunnel.end_sessions(now, peer);
                });
            }
            Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return engine.stop(),
            Err(RecvTimeoutError::Timeout) => server.handle_timeout(now, rng),
        }
        while let Some(transmit) = server.poll_transmit() {
            engine.with_tunnel(|tunnel, now| {
                let peer = tunnel.peer_by_key(&transmit.peer).expect("the peer");
                // What is not taken is lost.
                let _taken = tunnel.send_control(now, peer, &transmit.message);
            });
        }
    }
}

fn admit(engine: &Engine, peer: PublicKey, access: Access) {
    let changed = engine.with_tunnel(|tunnel, now| tunnel.configure(now, &[Change::Access { peer, access }]));
    changed.expect("a sound change");
}

/// The user is ann, with a password and a code.
fn decide(state: &mut State, request: &Request) -> (Result<Reply, Refusal>, Option<Access>) {
    let replied = |outcome| Ok(Reply::Login(LoginReply { login: LoginId([7; 8]), outcome }));
    let is_open = state.session.state == SessionState::Open;
    let (name, answer) = match request {
        Request::Hello => ("hello", Ok(Reply::Hello(hello(state.session.state)))),
        Request::Login(start) if start.user == "ann" && &*start.data == b"hunter2" => ("password", replied(code())),
        Request::LoginNext(next) if &*next.data == b"123456" => {
            // A login that renews another lengthens it.
            let expires = Some(state.session.expires.filter(|_| is_open).unwrap_or(NOW) + 3600);
            let login_due = state.due.take().map(|seconds| NOW + seconds);
            let session = Session { user: Some("ann".into()), ..Session::of(SessionState::Open) };
            state.session = Session { expires, login_due, ..session };
            state.asked.push("code");
            return (replied(Outcome::Done), Some(Access::Open));
        }
        Request::Login(_) | Request::LoginNext(_) => ("wrong", replied(Outcome::Rejected { retry_after: None })),
        Request::Session => ("session", Ok(Reply::Session(state.session.clone()))),
        Request::Lease(_) if is_open => {
            let v4 = "10.9.0.2".parse().ok();
            let lease = Lease { v4, v6: None, renew_after: 300, rebind_after: 500, valid_for: 600 };
            ("lease", Ok(Reply::Lease(lease)))
        }
        Request::Config if is_open => ("config", Ok(Reply::Config(state.config.clone()))),
        Request::Logout => {
            state.session = Session::of(SessionState::Locked);
            state.asked.push("logout");
            return (Ok(Reply::LoggedOut), Some(Access::Locked));
        }
        _ => ("refused", Err(Refusal::of(Code::UNAUTHORIZED))),
    };
    state.asked.push(name);
    (answer, None)
}

fn hello(state: SessionState) -> Hello {
    Hello {
        nonce: [1; 32],
        state,
        now: NOW,
        methods: vec![vec![Method::Password, Method::Code]],
        max_body: MAX_BODY as u32,
        features: 0,
        banner: Some("Property of the office.".into()),
    }
}

fn code() -> Outcome {
    Outcome::Challenge(Challenge {
        id: 1,
        method: Method::Code,
        prompt: "Code:".into(),
        echo: true,
        digits: Some(6),
        expires: 120,
        url: None,
    })
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
