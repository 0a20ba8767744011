//! A client that knows nothing of Underpass logs in on the control channel: libcoap's `coap-client`, over loopback.
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Clock};
use underpass_core::control::message::{
    Challenge, Config, Hello, LoginId, LoginNext, LoginReply, LoginStart, Method, Outcome, Probe, Refusal, Reply,
    Request, Session, SessionState,
};
use underpass_core::control::{Code, MAX_BODY, Received, RequestId, Server, ServerLimits, Wiped};
use underpass_core::{Instant, NoRandomness, Rng};
use underpass_interop::Folder;
use underpass_linux::demo::stage::command;

/// How long the host thinks about a code: longer than the client waits for an acknowledgement.
const SLOW: Duration = Duration::from_secs(4);
/// What is pushed while somebody watches, and how often.
const PUSH: Duration = Duration::from_millis(200);

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

/// A gateway whose peers are addresses of loopback.
struct Gateway {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<Request>>>,
}

impl Gateway {
    fn start() -> Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        let (address, ends) = (socket.local_addr()?, Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&ends);
        let thread = Some(std::thread::spawn(move || serve(&socket, &stop)));
        Ok(Self { address, ends, thread })
    }

    /// Ends it, and says what its host was asked.
    fn asked(mut self) -> Vec<Request> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.take().map(|thread| thread.join().expect("the gateway lives")).unwrap_or_default()
    }

    /// Runs the client; what it got is in the file.
    fn ask(&self, folder: &Folder, path: &str, options: &[&str], body: Option<&Request>) -> Result<(Vec<u8>, String)> {
        let (into, from) = (folder.path("out"), folder.path("in"));
        let _ = std::fs::remove_file(&into);
        let mut client = command("coap-client-notls");
        client.args(options).args(["-v", "6", "-A", "60", "-o"]).arg(&into);
        if let Some(request) = body {
            std::fs::write(&from, &*request.encode()?)?;
            client.args(["-m", "post", "-t", "60", "-f"]).arg(&from);
        }
        let output = client.arg(format!("coap://{}{path}", self.address)).output().context("coap-client-notls")?;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{said}");
        Ok((std::fs::read(&into).unwrap_or_default(), said))
    }
}

fn serve(socket: &UdpSocket, ends: &AtomicBool) -> Vec<Request> {
    let (begun, mut rng) = (Clock::now(), Chance(7));
    let now = || Instant::from_nanos(begun.elapsed().as_nanos() as u64 + 1);
    let mut server = Server::new(ServerLimits::default());
    let (mut asked, mut buf) = (Vec::new(), vec![0; 65536]);
    let mut waiting: Vec<(Instant, RequestId, Result<Reply, Refusal>)> = Vec::new();
    let mut peers = BTreeSet::new();
    let (mut pushed, mut version) = (now(), 0);
    socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
    while !ends.load(Ordering::Relaxed) {
        if let Ok((len, peer)) = socket.recv_from(&mut buf) {
            peers.insert(peer);
            if let Received::Request { id, request, .. } = server.handle_message(now(), &mut rng, peer, &buf[..len]) {
                let takes = if matches!(request, Request::LoginNext(_)) { SLOW } else { Duration::ZERO };
                waiting.push((now() + takes, id, decide(&request, &asked)));
                asked.push(request);
            }
        }
        while let Some(place) = waiting.iter().position(|(at, ..)| *at <= now()) {
            let (_, id, answer) = waiting.swap_remove(place);
            server.answer(now(), &mut rng, id, answer.as_ref().map_err(|refusal| *refusal)).expect("it waits");
        }
        if now().since(pushed) > PUSH {
            (pushed, version) = (now(), version + 1);
            let session = Session { since: Some(version), ..Session::of(SessionState::Open) };
            for peer in &peers {
                server.push(now(), &mut rng, *peer, &Reply::Session(session.clone())).expect("memory");
            }
        }
        server.handle_timeout(now(), &mut rng);
        while let Some(transmit) = server.poll_transmit() {
            socket.send_to(&transmit.message, transmit.peer).expect("loopback");
        }
    }
    asked
}

fn decide(request: &Request, asked: &[Request]) -> Result<Reply, Refusal> {
    let login = |outcome| Ok(Reply::Login(LoginReply { login: LoginId([0xab; 8]), outcome }));
    match request {
        Request::Hello => Ok(hello()),
        Request::Login(start) if *start.data == *b"hunter2" => login(Outcome::Challenge(challenge())),
        Request::Login(start) if start.data.len() == 12_000 => login(Outcome::Done),
        Request::LoginNext(_) if !asked.contains(request) => login(Outcome::Done),
        Request::Login(_) | Request::LoginNext(_) => login(Outcome::Rejected { retry_after: None }),
        Request::Config => Ok(Reply::Config(settings())),
        Request::Session => Ok(Reply::Session(Session::of(SessionState::Open))),
        Request::Logout => Ok(Reply::LoggedOut),
        _ => Err(Refusal::of(Code::FORBIDDEN)),
    }
}

fn hello() -> Reply {
    Reply::Hello(Hello {
        nonce: [3; 32],
        state: SessionState::Locked,
        now: 1_800_000_000,
        methods: vec![vec![Method::Password, Method::Code]],
        max_body: MAX_BODY as u32,
        features: 0,
        banner: None,
    })
}

fn challenge() -> Challenge {
    let (prompt, digits, url) = ("Code:".to_owned(), Some(6), None);
    Challenge { id: 1, method: Method::Code, prompt, echo: true, digits, expires: 120, url }
}

/// Settings of some ten blocks.
fn settings() -> Config {
    let routes = (0..256).map(|n| format!("fd00:{n:x}::/64").parse().expect("a network")).collect();
    Config { version: 1, routes, ..Config::default() }
}

fn start(data: &[u8]) -> Request {
    let data = Wiped::from(data.to_vec());
    Request::Login(LoginStart { nonce: [1; 16], user: "ann".into(), method: Method::Password, data })
}

fn next() -> Request {
    Request::LoginNext(LoginNext { login: LoginId([0xab; 8]), challenge: 1, data: Wiped::from(b"123456".to_vec()) })
}

fn done(outcome: Outcome) -> Result<Vec<u8>> {
    Ok(Reply::Login(LoginReply { login: LoginId([0xab; 8]), outcome }).encode()?.to_vec())
}

#[test]
fn coap_client_logs_in_and_gets_its_settings() -> Result<()> {
    let (gateway, folder) = (Gateway::start()?, Folder::new("coap-login")?);
    let ask = |path: &str, options: &[&str], body: Option<&Request>| {
        gateway.ask(&folder, path, options, body).map(|(out, _)| out)
    };
    ensure!(ask("/v1", &[], None)? == *hello().encode()?);
    ensure!(ask("/v1/auth", &[], Some(&start(b"hunter2")))? == done(Outcome::Challenge(challenge()))?);
    ensure!(ask("/v1/auth/abababababababab", &[], Some(&next()))? == done(Outcome::Done)?, "a slow answer");
    let config = Reply::Config(settings()).encode()?;
    ensure!(config.len() > 5 * 512);
    for options in [&[][..], &["-b", "1024"], &["-b", "64"], &["-N"]] {
        ensure!(ask("/v1/config", options, None)? == *config, "{options:?}");
    }
    ensure!(ask("/v1/session", &["-m", "delete"], None)?.is_empty());
    let asked = gateway.asked();
    let configs = vec![Request::Config; 4];
    let expected = [&[Request::Hello, start(b"hunter2"), next()], configs.as_slice(), &[Request::Logout]].concat();
    ensure!(asked == expected, "{asked:?}");
    Ok(())
}

#[test]
fn coap_client_sends_a_long_proof_in_blocks_of_any_size() -> Result<()> {
    let (gateway, folder) = (Gateway::start()?, Folder::new("coap-proof")?);
    let proof = start(&[5; 12_000]);
    for options in [&["-b", "512"][..], &["-b", "1024"], &["-b", "128"], &[]] {
        let (out, said) = gateway.ask(&folder, "/v1/auth", options, Some(&proof))?;
        ensure!(out == done(Outcome::Done)?, "{options:?}: {said}");
    }
    let asked = gateway.asked();
    ensure!(asked == vec![proof; 4], "each is handed up once");
    Ok(())
}

/// `-l 1` keeps the client from sending its first datagram, and so on: what it sends again is handed up once.
#[test]
fn coap_client_loses_each_of_its_datagrams_in_turn() -> Result<()> {
    let stories = (1..=4).map(|lost| {
        std::thread::spawn(move || -> Result<()> {
            let (gateway, folder) = (Gateway::start()?, Folder::new(&format!("coap-loss-{lost}"))?);
            let options = ["-l", &lost.to_string()];
            let (out, said) = gateway.ask(&folder, "/v1/auth/abababababababab", &options, Some(&next()))?;
            ensure!(out == done(Outcome::Done)?, "{lost}: {said}");
            let (out, said) = gateway.ask(
                &folder,
                "/v1/auth",
                &["-l", &lost.to_string(), "-b", "512"],
                Some(&start(&[5; 12_000])),
            )?;
            ensure!(out == done(Outcome::Done)?, "{lost}: {said}");
            ensure!(gateway.asked() == [next(), start(&[5; 12_000])], "{lost}: each once");
            Ok(())
        })
    });
    stories.collect::<Vec<_>>().into_iter().try_for_each(|story| story.join().expect("no panic"))
}

#[test]
fn coap_client_watches_its_session() -> Result<()> {
    let (gateway, folder) = (Gateway::start()?, Folder::new("coap-watch")?);
    let (out, said) = gateway.ask(&folder, "/v1/session", &["-s", "6"], None)?;
    let (mut rest, mut bodies) = (out.as_slice(), 0);
    let first = Reply::Session(Session::of(SessionState::Open)).encode()?;
    rest = rest.strip_prefix(&*first).with_context(|| said.clone())?;
    let mut last = 0;
    while !rest.is_empty() {
        let is_next = |since: &u64| {
            let session = Session { since: Some(*since), ..Session::of(SessionState::Open) };
            Reply::Session(session).encode().is_ok_and(|body| rest.starts_with(&body))
        };
        let since = (last + 1..last + 100).find(is_next).with_context(|| format!("{bodies} bodies, then {rest:?}"))?;
        let session = Session { since: Some(since), ..Session::of(SessionState::Open) };
        rest = &rest[Reply::Session(session).encode()?.len()..];
        (last, bodies) = (since, bodies + 1);
    }
    ensure!(bodies >= 2, "{bodies} changes: {said}");
    ensure!(gateway.asked().iter().all(|request| *request == Request::Session));
    Ok(())
}

#[test]
fn coap_client_hears_why_it_is_refused() -> Result<()> {
    let (gateway, folder) = (Gateway::start()?, Folder::new("coap-refusal")?);
    for (path, options, body, code) in [
        ("/v1/nothing", &[][..], None, "4.04"),
        ("/.well-known/core", &[], None, "4.04"),
        ("/v1/config", &["-m", "put"], None, "4.05"),
        ("/v1/config?a=b", &[], None, "4.02"),
        ("/v1/config", &["-O", "2049,x"], None, "4.02"),
        ("/v1/lease", &["-m", "post"], None, "4.00"),
    ] {
        let (_, said) = gateway.ask(&folder, path, options, body)?;
        ensure!(said.contains(code), "{path} {options:?}: {said}");
    }
    let (out, _) = gateway.ask(&folder, "/v1/probe", &["-b", "1024"], Some(&Request::Probe(Probe { pad: 900 })))?;
    ensure!(out.starts_with(&[0xa1, 1, 0x19]), "{out:?}");
    ensure!(gateway.asked().is_empty());
    Ok(())
}
