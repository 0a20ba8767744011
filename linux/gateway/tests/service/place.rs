//! What a story takes place with: keys, settings, users, a service, tunnels, packets.
use crate::fragile::Fragile;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;
use underpass_core::control::message::LoginId;
use underpass_core::control::{self, Event};
use underpass_core::limits::{HEADROOM, TAILROOM};
use underpass_core::policy::code::{Algorithm, Digits, Moving, OneTimeCode, OtpSecret};
use underpass_core::{
    Change, ControlRole, Endpoint, Instant, NewPeer, NoRandomness, PrivateKey, PublicKey, Rng, Tunnel, TunnelConfig,
    UnixTime,
};
use underpass_gateway::Name;
use underpass_gateway::audit::{self, Recorder};
use underpass_gateway::password::{Cost, Workers};
use underpass_gateway::service::{Now, Parts, Service, StartError};
use underpass_gateway::settings::{self, Settings};
use underpass_gateway::store::sqlite::{Keep, Sqlite};

/// As little as Argon2 allows: what is tested here does not depend on the cost.
pub const LITTLE: Cost = Cost { memory: 8, passes: 1, lanes: 1 };
/// Ends a test that hangs; nothing takes that long.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// The wall clock at the beginning: it is a multiple of 30 s, so that a code is good for as long.
pub const WALL: u64 = 1_700_000_010;
pub const GATEWAY: u8 = 100;
/// The other office, which needs no login: the last of the clients.
pub const SITE: usize = 2;

/// A seeded source: runs replay byte for byte.
pub struct Seeded(pub u64);

impl Rng for Seeded {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
        Ok(())
    }
}

pub struct Client {
    pub tunnel: Tunnel,
    pub control: control::Client,
    pub events: VecDeque<Event>,
    /// The latest login.
    pub login: LoginId,
}

pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub fn private(number: u8) -> PrivateKey {
    PrivateKey::from_bytes([number; 32])
}

/// The key of a client.
pub fn key(client: usize) -> PublicKey {
    private(client as u8 + 1).public_key()
}

pub fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 51820))
}

/// The settings, with more sections behind them. Whoever is logged in reaches the office.
pub fn settings(more: &str) -> Settings {
    settings_with(&format!("[[rule]]\nname = \"office\"\naction = \"allow\"\nto = [\"10.1.0.0/16\"]\n{more}"))
}

/// The settings with these sections behind them: without a rule, unless there is one among these.
pub fn settings_with(more: &str) -> Settings {
    let text = format!(
        r#"
        [gateway]
        name = "hq"
        interface = "wg0"
        listen = 51820
        private_key_file = "/etc/underpass/gateway.key"
        addresses = ["10.8.0.1/24", "fd00:8::1/64"]
        [[pool]]
        network = "10.8.0.0/24"
        reserve = [{{ user = "bert", address = "10.8.0.77" }}]
        [[pool]]
        network = "fd00:8::/64"
        [session]
        lifetime = "30m"
        reauthenticate = "5m"
        offline_limit = "4m"
        [[method]]
        factors = [["password", "totp"]]
        [[site]]
        name = "lyon"
        public_key = "{}"
        networks = ["10.20.0.0/16"]
        [push]
        routes = ["10.1.0.0/16"]
        dns = ["10.1.0.53"]
        search = ["example.org"]
        [log]
        level = "full"
        file = "/var/log/underpass/audit.jsonl"
        checkpoints = "/var/lib/underpass/checkpoints.jsonl"
        [store]
        sqlite = "/var/lib/underpass/gateway.db"
        {more}"#,
        key(SITE)
    );
    let read = settings::read(&text);
    let mut settings = read.settings.unwrap_or_else(|| panic!("{:?}", read.findings));
    // Shorter than files may have it: so leases are renewed, and end, within a session.
    settings.session.lease = Duration::from_secs(600);
    settings
}

/// The secret of a user's authenticator.
pub fn authenticator(user: &str) -> OneTimeCode {
    let mut secret = [7; 20];
    secret[..user.len()].copy_from_slice(user.as_bytes());
    let secret = OtpSecret::from_bytes(&secret).expect("a secret");
    OneTimeCode { secret, algorithm: Algorithm::Sha1, digits: Digits::SIX, moving: Moving::Time { period: 30 } }
}

pub fn open_store(folder: &TempDir) -> Sqlite {
    Sqlite::open(&folder.path().join("gateway.db"), Keep::Traces).expect("the store opens")
}

/// A service with the store and the log of a folder.
pub fn service(
    folder: &TempDir,
    settings: &Settings,
    is_away: &Arc<AtomicBool>,
    at: Instant,
    wall: UnixTime,
) -> (Result<Service, StartError>, Receiver<()>) {
    let (wake, woken) = channel();
    let log = audit::Settings {
        level: settings.log.level,
        folder: folder.path().join("audit"),
        gateway: settings.name.clone(),
        rotate_at: u64::MAX,
        checkpoints: Some((folder.path().join("key"), folder.path().join("checkpoints"))),
        syslog: None,
    };
    let parts = Parts {
        store: Box::new(Fragile { store: open_store(folder), is_away: Arc::clone(is_away) }),
        recorder: Recorder::open(&log, wall.into()).expect("the log"),
        // The test may be over when a worker wakes it.
        workers: Workers::start(1, 16, LITTLE, move || wake.send(()).unwrap_or_default()).expect("a thread"),
        cost: LITTLE,
        public_key: private(GATEWAY).public_key(),
        preshared: BTreeMap::new(),
        rng: [Box::new(Seeded(at.as_nanos() + 3)), Box::new(Seeded(at.as_nanos() + 5))],
    };
    (Service::new(settings, parts, Now { at, wall }), woken)
}

/// Whether a service starts with these settings.
pub fn starts(settings: &Settings) -> Result<(), StartError> {
    let folder = tempfile::tempdir().expect("a folder");
    let away = Arc::default();
    service(&folder, settings, &away, Instant::ZERO, UnixTime::from_secs(WALL)).0.map(drop)
}

pub fn gateway_tunnel(now: Instant, wall: u64) -> Tunnel {
    let config = TunnelConfig { private_key: Some(private(GATEWAY)), ..TunnelConfig::default() };
    let rng = Box::new(Seeded(now.as_nanos() + 77));
    Tunnel::new(config, rng, now, UnixTime::from_secs(wall)).expect("a good configuration")
}

pub fn client(at: usize) -> Client {
    client_with(at, private(at as u8 + 1))
}

/// A client with a key of its own.
pub fn client_with(at: usize, private_key: PrivateKey) -> Client {
    let mut gateway = NewPeer::new(private(GATEWAY).public_key());
    gateway.endpoint = Some(Endpoint::Address(address(GATEWAY)));
    gateway.allowed_ips = vec!["0.0.0.0/0".parse().expect("a network")];
    let config = TunnelConfig { private_key: Some(private_key), peers: vec![gateway], ..TunnelConfig::default() };
    let (now, mut rng) = (Instant::ZERO, Seeded(at as u64 + 40));
    let control = control::Client::new(now, &mut rng);
    let mut tunnel = Tunnel::new(config, Box::new(rng), now, UnixTime::from_secs(WALL)).expect("a configuration");
    let role = ControlRole::Client { gateway: private(GATEWAY).public_key() };
    tunnel.configure(now, &[Change::Control(role)]).expect("a sound change");
    let peer = tunnel.peers().next().expect("the gateway").id();
    tunnel.connect(now, peer);
    Client { tunnel, control, events: VecDeque::new(), login: LoginId([0; 8]) }
}

/// An IPv4 packet in a buffer with room around it.
pub fn packet(from: [u8; 4], to: [u8; 4]) -> (Vec<u8>, std::ops::Range<usize>) {
    let range = HEADROOM..HEADROOM + 60;
    let mut buf = vec![0; range.end + TAILROOM];
    let ip = &mut buf[range.clone()];
    (ip[0], ip[3], ip[8], ip[9], ip[25]) = (0x45, 60, 64, 17, 40);
    ip[12..16].copy_from_slice(&from);
    ip[16..20].copy_from_slice(&to);
    (buf, range)
}

/// The same between ports: a datagram, or a segment that begins a connection or answers that.
pub fn segment(
    from: ([u8; 4], u16),
    to: ([u8; 4], u16),
    protocol: u8,
    answers: bool,
) -> (Vec<u8>, std::ops::Range<usize>) {
    let (mut buf, range) = packet(from.0, to.0);
    let ip = &mut buf[range.clone()];
    ip[9] = protocol;
    ip[20..22].copy_from_slice(&from.1.to_be_bytes());
    ip[22..24].copy_from_slice(&to.1.to_be_bytes());
    if protocol == 6 {
        (ip[25], ip[32], ip[33]) = (0, 5 << 4, if answers { 0x12 } else { 2 });
    }
    (buf, range)
}
