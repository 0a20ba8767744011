//! A client: an engine on a machine, and its end of the control channel.
use crate::scene::PATIENCE;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use underpass_core::control::message::{
    LeaseRequest, LoginNext, LoginReply, LoginStart, Method, Outcome, Reply, Request,
};
use underpass_core::control::{self, Event, Wiped};
use underpass_core::{
    Change, ControlRole, Endpoint, NewPeer, NoRandomness, PrivateKey, PublicKey, Rng, Tunnel, TunnelConfig,
};
use underpass_linux::demo::stage::Machine;
use underpass_linux::{Engine, EngineConfig, Messages, clock};

pub struct Phone {
    machine: Machine,
    engine: Engine,
    key: PublicKey,
    heard: Receiver<Vec<u8>>,
    control: control::Client,
}

impl Phone {
    /// A phone with `key`, whose tunnel leads to the gateway and the office behind it.
    pub fn start(machine: &Machine, key: &PrivateKey, gateway: &PublicKey, at: SocketAddr) -> Result<Self> {
        let mut peer = NewPeer::new(*gateway);
        peer.endpoint = Some(Endpoint::Address(at));
        peer.allowed_ips = vec!["10.1.0.0/16".parse()?, "10.2.0.0/16".parse()?, "10.8.0.0/24".parse()?];
        let tunnel = TunnelConfig { private_key: Some(key.clone()), peers: vec![peer], ..TunnelConfig::default() };
        let (hears, heard) = channel();
        let messages = Messages::new(move |_, message| hears.send(message.to_vec()).unwrap_or_default());
        let config = EngineConfig { tunnel, control: Some(messages), ..EngineConfig::new("tun0") };
        let engine = machine.inside(|| Engine::start(config))?;
        machine.ip("link set tun0 up")?;
        machine.ip("route add 10.1.0.0/16 dev tun0")?;
        machine.ip("route add 10.2.0.0/16 dev tun0")?;
        let role = Change::Control(ControlRole::Client { gateway: *gateway });
        engine.with_tunnel(|tunnel, now| tunnel.configure(now, &[role]))?;
        let control = control::Client::new(clock::now(), &mut Chance);
        let phone = Self { machine: machine.clone(), engine, key: key.public_key(), heard, control };
        phone.connect();
        Ok(phone)
    }

    /// Its public key.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Begins a handshake.
    pub fn connect(&self) {
        self.engine.with_tunnel(|tunnel, now| {
            let gateway = tunnel.peers().next().map(|peer| peer.id());
            gateway.map(|gateway| tunnel.connect(now, gateway))
        });
    }

    /// Logs in with a password and the code that is then asked for.
    pub fn log_in(&mut self, user: &str, password: &str, code: &str) -> Result<()> {
        let data = Wiped::from(password.as_bytes().to_vec());
        let mut nonce = [0; 16];
        Chance.fill(&mut nonce).map_err(|_| anyhow!("no randomness"))?;
        let start = LoginStart { nonce, user: user.into(), method: Method::Password, data };
        let LoginReply { login, outcome, .. } = self.login(&Request::Login(start))?;
        let Outcome::Challenge(challenge) = outcome else { bail!("{outcome:?}") };
        ensure!(challenge.method == Method::Code, "{challenge:?}");
        let data = Wiped::from(code.as_bytes().to_vec());
        let next = LoginNext { login, challenge: challenge.id, data };
        match self.login(&Request::LoginNext(next))?.outcome {
            Outcome::Done => Ok(()),
            other => bail!("{other:?}"),
        }
    }

    /// Asks for an address, or for the one that there is, and has it at the interface.
    pub fn take_address(&mut self) -> Result<Ipv4Addr> {
        let reply = self.ask(&Request::Lease(LeaseRequest::default()))?;
        let Reply::Lease(lease) = reply else { bail!("{reply:?}") };
        let address = lease.v4.context("an address")?;
        self.machine.ip(&format!("address replace {address}/32 dev tun0"))?;
        Ok(address)
    }

    fn login(&mut self, request: &Request) -> Result<LoginReply> {
        match self.ask(request)? {
            Reply::Login(reply) => Ok(reply),
            other => bail!("{other:?}"),
        }
    }

    /// Asks, and waits for the answer.
    fn ask(&mut self, request: &Request) -> Result<Reply> {
        let asked = self.control.ask(clock::now(), &mut Chance, request).map_err(|error| anyhow!("{error:?}"))?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.step()? {
                Some(Event::Answered { id, reply }) if id == asked => return Ok(reply),
                Some(Event::Refused { id, refusal }) if id == asked => bail!("{refusal:?}"),
                Some(Event::Failed { id, failure }) if id == asked => bail!("{failure:?}"),
                _ => {}
            }
        }
        bail!("no answer comes to {request:?}")
    }

    /// Sends what is to be sent, and hears what comes or is due.
    fn step(&mut self) -> Result<Option<Event>> {
        while let Some(transmit) = self.control.poll_transmit() {
            self.engine.with_tunnel(|tunnel, now| {
                let send = if transmit.may_wake { Tunnel::send_control_waking } else { Tunnel::send_control };
                let gateway = tunnel.peers().next().map(|peer| peer.id());
                // What is not taken is sent again.
                gateway.map(|gateway| send(tunnel, now, gateway, &transmit.message))
            });
        }
        let due = self.control.poll_timeout().map_or(Duration::from_secs(1), |at| at.since(clock::now()));
        match self.heard.recv_timeout(due.min(Duration::from_secs(1))) {
            Ok(message) => Ok(self.control.handle_message(clock::now(), &mut Chance, &message)),
            Err(RecvTimeoutError::Timeout) => Ok(self.control.handle_timeout(clock::now(), &mut Chance)),
            Err(RecvTimeoutError::Disconnected) => bail!("the engine has ended"),
        }
    }
}

/// Randomness of the kernel.
struct Chance;

impl Rng for Chance {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(dest).map_err(|_| NoRandomness)
    }
}
