//! Two machines, a wire, an engine on each, and things to do with them.
use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use underpass_core::config::Endpoint;
use underpass_core::{NewPeer, PrivateKey, TunnelConfig};
use underpass_linux::demo::stage::{Machine, Stage};
use underpass_linux::engine::SystemRng;
use underpass_linux::{Engine, EngineConfig};

/// How long anything may take that happens by itself: no verdict hangs on it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The port of the right engine.
pub const PORT: u16 = 51820;

/// Two machines whose engines know each other: 10.7.0.1 and fd07::1 on the left, .2 on the right. The wire between
/// them is 192.0.2.0/24; only the left knows where the right is.
pub struct Pair {
    /// The one that begins.
    pub left: Machine,
    /// The one that is found.
    pub right: Machine,
    /// The left's, the right's.
    pub engines: (Engine, Engine),
}

/// Where machines stand.
///
/// # Panics
/// Without root.
pub fn stage() -> Stage {
    Stage::new().expect("these tests run as root: they make network namespaces")
}

/// Two machines and their engines, with addresses, up. `offload`: whether packets cross in bundles.
pub fn pair(offload: bool) -> Result<Pair> {
    pair_with(&EngineConfig { offload, ..EngineConfig::new("tun0") })
}

/// Two machines and their engines, both made like `like`.
pub fn pair_with(like: &EngineConfig) -> Result<Pair> {
    let stage = stage();
    let (left, right) = (stage.machine("left")?, stage.machine("right")?);
    left.wire("wire0", &right, "wire0")?;
    let keys = [1, 2].map(|_| PrivateKey::generate(&mut SystemRng).expect("randomness"));
    let mut engines = Vec::new();
    for (machine, own, other, number) in [(&left, 0, 1, 1), (&right, 1, 0, 2)] {
        machine.ip(&format!("address add 192.0.2.{number}/24 dev wire0"))?;
        let mut peer = NewPeer::new(keys[other].public_key());
        let networks = [format!("10.7.0.{}/32", 3 - number), format!("fd07::{}/128", 3 - number)];
        for network in networks {
            peer.allowed_ips.push(network.parse()?);
        }
        if number == 1 {
            peer.endpoint = Some(Endpoint::Address(SocketAddr::from(([192, 0, 2, 2], PORT))));
        }
        let tunnel =
            TunnelConfig { private_key: Some(keys[own].clone()), peers: vec![peer], ..TunnelConfig::default() };
        let listen_port = if number == 2 { PORT } else { 0 };
        let config = EngineConfig { tunnel, listen_port, ..like.clone() };
        engines.push(machine.inside(|| Engine::start(config))?);
        machine.ip(&format!("address add 10.7.0.{number}/24 dev tun0"))?;
        machine.ip(&format!("address add fd07::{number}/64 dev tun0 nodad"))?;
        machine.ip("link set tun0 up")?;
    }
    let (Some(second), Some(first)) = (engines.pop(), engines.pop()) else { bail!("two engines") };
    Ok(Pair { left, right, engines: (first, second) })
}

/// Sends `len` bytes from one machine to the other, at `address` there, and compares them.
pub fn transfer(from: &Machine, to: &Machine, address: IpAddr, len: usize) -> Result<()> {
    let listener = to.inside(|| TcpListener::bind(SocketAddr::new(address, 0)))?;
    let remote = listener.local_addr()?;
    let mut sender = from
        .inside(|| TcpStream::connect_timeout(&remote, PATIENCE))
        .with_context(|| format!("connecting to {remote}"))?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    let message: Vec<u8> = (0..len).map(|i| (i ^ (i >> 8) ^ ((i >> 16) * 3)) as u8).collect();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut received = Vec::with_capacity(len);
            receiver.read_to_end(&mut received).map(|_| received)
        });
        sender.write_all(&message)?;
        drop(sender);
        let received = reader.join().expect("no panic").with_context(|| format!("receiving at {remote}"))?;
        ensure!(received == message, "{} of {len} bytes, or others, came to {remote}", received.len());
        Ok(())
    })
}
