//! Memory that runs out: the n-th allocation of a scenario fails, and the k after it, for every n. Each ends in an error or a
//! counted drop, and when there is memory again the tunnel works.
//!
//! Where an allocation is not asked for but taken, its failure ends the process. So each scenario runs in processes of its own,
//! which say how far they came: the one that dies names the n that it died of.
#![allow(clippy::disallowed_types, reason = "an allocator is shared by all threads")]
#[cfg(feature = "control")]
#[path = "out_of_memory/control.rs"]
mod control;
#[cfg(feature = "filter")]
#[path = "out_of_memory/filter.rs"]
mod filter;
#[cfg(feature = "control")]
#[path = "out_of_memory/locked.rs"]
mod locked;
#[cfg(feature = "policy")]
#[path = "out_of_memory/policy.rs"]
mod policy;
#[cfg(feature = "filter")]
#[path = "out_of_memory/ruled.rs"]
mod ruled;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write as _;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use underpass_core::config::{self, PeerAction};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Event, Inbound, Outbound, PacketBuf, Path};
use underpass_core::uapi::{self, HostState};
use underpass_core::{
    AllowedIp, Change, ConfigReason, DropReason, Endpoint, Instant, Limits, NewPeer, PeerChange, PrivateKey, Rng,
    Tunnel, TunnelConfig, UnixTime,
};

/// Refuses the calls from the `FIRST`-th on, up to the `LAST`-th; counted from when [`fail`] armed it.
struct Failing;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static FIRST: AtomicUsize = AtomicUsize::new(usize::MAX);
static LAST: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    /// Whether this thread runs a scenario: the test program has others.
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this call is one to refuse.
fn refuses() -> bool {
    if !ARMED.get() {
        return false;
    }
    let call = CALLS.fetch_add(1, Relaxed);
    (FIRST.load(Relaxed)..=LAST.load(Relaxed)).contains(&call)
}

// SAFETY: what is not refused is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is handed on.
        if refuses() { std::ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about `place` and `layout` is handed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Failing = Failing;

/// Runs `act` while calls `first..first + count` of its allocations fail; says how many it made.
fn fail<T>(first: usize, count: usize, act: impl FnOnce() -> T) -> (T, usize) {
    LAST.store(first.saturating_add(count).saturating_sub(1), Relaxed);
    CALLS.store(0, Relaxed);
    FIRST.store(first, Relaxed);
    ARMED.set(true);
    let result = act();
    ARMED.set(false);
    (result, CALLS.load(Relaxed))
}

const WALL: UnixTime = UnixTime::from_secs(1_700_000_000);
const ROOM: usize = 16;
const TEXT: &str = "[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nAddress = 10.0.0.1/8, fd00::1/8\n\
    DNS = 1.1.1.1, example.org\nPostUp = echo %i\nTable = mine\nJc = 4\nIncludedApplications = a, b\nPrivatKey = 1\n[Peer]\n\
    PublicKey = fWoX8qwc/e/mawb2xv6F6UoI/EeIcOz6jjJeiMtkvA0=\nEndpoint = vpn.example.org:5\nAllowedIPs = 10.1.0.0/16, +::/0\n\
    [Peer]\nPublicKey = fWoX8qwc/e/mawb2xv6F6UoI/EeIcOz6jjJeiMtkvA0=\nAllowedIPs = -10.1.0.0/16, 10.0.0.0/9\n\
    [Peer]\nPublicKey = 6GHmlwAEIzT0DQZfsmUaILHJGCeDxNFxKe+E3209c1s=\nAllowedIPs = 10.0.0.0/9\nEndpoint = 10.1.2.3:4\n";

struct Seeded(u64);

impl Rng for Seeded {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), underpass_core::NoRandomness> {
        for byte in dest {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
        Ok(())
    }
}

fn key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes([number.wrapping_add(7); 32])
}

fn address(number: u8) -> std::net::SocketAddr {
    ([192, 0, 2, number], 51820).into()
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse().expect("a network")
}

fn peer(number: u8) -> NewPeer {
    NewPeer {
        endpoint: Some(Endpoint::Address(address(number))),
        allowed_ips: vec![net(&format!("10.0.0.{number}/32")), net(&format!("10.{number}.0.0/16"))],
        ..NewPeer::new(key(number).public_key())
    }
}

fn config(me: u8, peers: &[u8]) -> TunnelConfig {
    TunnelConfig {
        private_key: Some(key(me)),
        peers: peers.iter().map(|number| peer(*number)).collect(),
        limits: Limits { staged_bytes: 4000, handshakes_per_second: 4, ..Limits::default() },
        ..TunnelConfig::default()
    }
}

fn tunnel(me: u8, peers: &[u8]) -> Tunnel {
    Tunnel::new(config(me, peers), Box::new(Seeded(u64::from(me) + 1)), Instant::ZERO, WALL).expect("configured")
}

/// Two hosts and their clock.
struct Pair {
    now: Instant,
    left: Tunnel,
    right: Tunnel,
}

impl Pair {
    fn new() -> Self {
        Self { now: Instant::ZERO + Duration::from_secs(1), left: tunnel(1, &[2, 3, 4]), right: tunnel(2, &[1]) }
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.left.handle_timeout(self.now);
        self.right.handle_timeout(self.now);
    }

    /// Hands a packet to the left host; whether it came out at the right one at once.
    fn send(&mut self, to: u8) -> bool {
        let mut buf = [0; 300];
        let ip = &mut buf[ROOM..ROOM + 100];
        ip[0] = 0x45;
        ip[2..4].copy_from_slice(&100_u16.to_be_bytes());
        ip[12..16].copy_from_slice(&[10, 0, 0, 1]);
        ip[16..20].copy_from_slice(&[10, 0, 0, to]);
        let packet = PacketBuf { buf: &mut buf, packet: ROOM..ROOM + 100 };
        match self.left.handle_packet(self.now, packet) {
            Outbound::Datagram { datagram, .. } => {
                let mut datagram: [u8; 144] = std::array::from_fn(|at| datagram.get(at).copied().unwrap_or(0));
                self.arrive(&mut datagram)
            }
            _ => false,
        }
    }

    fn arrive(&mut self, datagram: &mut [u8]) -> bool {
        let path = Path::new(address(1));
        match self.right.handle_datagram(self.now, path, Ecn::NotCapable, datagram) {
            Inbound::Packet { .. } => true,
            #[cfg(feature = "control")]
            Inbound::Control { .. } => true,
            _ => false,
        }
    }

    /// Everything that both want to send arrives; how many packets came out.
    fn exchange(&mut self) -> usize {
        let (mut buf, mut packets) = ([0; 2048], 0);
        for _ in 0..3 {
            while let Some(transmit) = self.left.poll_transmit(self.now, &mut buf).expect("room") {
                packets += usize::from(self.arrive(&mut buf[..transmit.len]));
            }
            while let Some(transmit) = self.right.poll_transmit(self.now, &mut buf).expect("room") {
                let path = Path::new(address(2));
                let _ = self.left.handle_datagram(self.now, path, Ecn::NotCapable, &mut buf[..transmit.len]);
            }
        }
        while let Some(Event::ResolveEndpoint { peer, .. }) = self.left.poll_event() {
            self.left.set_endpoint(self.now, peer, address(2));
        }
        while self.left.poll_event().is_some() || self.right.poll_event().is_some() {}
        packets
    }

    /// Drops for want of memory.
    fn counted(&self) -> u64 {
        [&self.left, &self.right].map(|tunnel| tunnel.stats().drops.of(DropReason::NoMemory)).iter().sum()
    }

    /// Whether a timer of one of them will go on with it.
    fn waits(&self) -> bool {
        self.left.poll_timeout().is_some() || self.right.poll_timeout().is_some()
    }

    /// There is memory again: within a minute a packet gets through, whatever was lost.
    fn works(&mut self) {
        for _ in 0..60 {
            if self.send(2) || self.exchange() > 0 {
                return;
            }
            self.pass(1000);
        }
        panic!("no packet gets through: {:?}\n{:?}", self.left, self.right);
    }
}

/// A step that may want for memory, on hosts that are well before it and must be so after it.
type Scenario = fn(first: usize, count: usize) -> usize;

const SCENARIOS: &[(&str, Scenario)] = &[
    #[cfg(feature = "control")]
    ("control channel", control::conversation),
    ("new", |first, count| {
        let (config, rng) = (config(1, &[2, 3, 4]), Box::new(Seeded(1)));
        let (made, calls) = fail(first, count, || Tunnel::new(config, rng, Instant::ZERO, WALL));
        assert_eq!(made.is_err(), calls > first);
        if let Err(error) = made {
            assert_eq!(error.reason, ConfigReason::NoMemory);
        }
        calls
    }),
    ("configure", |first, count| {
        let mut pair = Pair::new();
        let name = Endpoint::Name { host: "vpn.example.org".into(), port: 5 };
        let six = ["fd00::/8", "::/0", "fd01::1/128"].map(|text| AllowedIp::from(net(text)));
        let changes = [
            Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(key(4).public_key()) }),
            Change::Peer(peer(4).into()),
            Change::Peer(PeerChange { endpoint: Some(name), ..peer(5).into() }),
            Change::Peer(PeerChange { allowed_ips: six.into(), persistent_keepalive: Some(25), ..peer(6).into() }),
            Change::Peer(PeerChange { allowed_ips: vec![net("10.0.0.4/32").into()], ..peer(3).into() }),
            Change::Mtu(1280),
        ];
        let before = state(&pair.left);
        let now = pair.now;
        let (done, calls) = fail(first, count, || pair.left.configure(now, &changes));
        match done {
            Ok(()) => assert_eq!(pair.left.mtu(), 1280),
            Err(error) => {
                assert_eq!(error.reason, ConfigReason::NoMemory);
                assert_eq!(state(&pair.left), before, "nothing is applied");
            }
        }
        pair.left.configure(now, &changes).expect("memory");
        assert_eq!(pair.left.peers().count(), 5);
        pair.works();
        calls
    }),
    ("replace", |first, count| {
        let mut pair = Pair::new();
        pair.works();
        let changes: Vec<_> =
            [Change::RemoveAllPeers].into_iter().chain([2, 3, 4, 5].map(|n| Change::Peer(peer(n).into()))).collect();
        let (before, now) = (state(&pair.left), pair.now);
        let (done, calls) = fail(first, count, || pair.left.configure(now, &changes));
        assert_eq!(done.is_err(), state(&pair.left) == before, "all or nothing");
        pair.works();
        calls
    }),
    ("handshake", |first, count| {
        let mut pair = Pair::new();
        let (packets, calls) = fail(first, count, || {
            pair.send(2);
            pair.exchange()
        });
        if packets == 0 {
            let told = pair.counted() + u64::from(pair.waits());
            assert!(told > 0, "neither counted nor waiting");
        }
        pair.works();
        calls
    }),
    ("handshake begun by the other", |first, count| {
        let mut pair = Pair::new();
        let id = pair.right.peer_by_key(&key(1).public_key()).expect("configured");
        let (_, calls) = fail(first, count, || {
            pair.right.connect(pair.now, id);
            pair.exchange();
        });
        pair.works();
        calls
    }),
    ("staging", |first, count| {
        let mut pair = Pair::new();
        let (_, calls) = fail(first, count, || {
            for round in 0..60 {
                pair.send(2 + round % 3);
            }
        });
        pair.works();
        calls
    }),
    ("rekey, timers, events", |first, count| {
        let mut pair = Pair::new();
        pair.works();
        let (_, calls) = fail(first, count, || {
            for _ in 0..20 {
                pair.pass(15_000);
                pair.send(2);
                pair.send(3);
                pair.exchange();
            }
        });
        pair.works();
        calls
    }),
    ("network change, refusals, send errors", |first, count| {
        let mut pair = Pair::new();
        let name = Endpoint::Name { host: "vpn.example.org".into(), port: 5 };
        let named = Change::Peer(PeerChange { endpoint: Some(name), ..PeerChange::new(key(2).public_key()) });
        pair.left.configure(pair.now, &[named]).expect("memory");
        pair.exchange();
        pair.works();
        let id = pair.left.peer_by_key(&key(2).public_key()).expect("configured");
        let (_, calls) = fail(first, count, || {
            pair.left.handle_network_change(pair.now);
            pair.left.handle_send_error(id, Path::new(address(2)), 0, underpass_core::tunnel::SendError::Unreachable);
            pair.exchange();
            pair.left.set_refused(pair.now, id, true);
            pair.send(2);
            pair.left.set_refused(pair.now, id, false);
            pair.left.end_sessions(pair.now, id);
            pair.pass(3000);
        });
        pair.works();
        calls
    }),
    #[cfg(feature = "control")]
    ("messages of the control channel", locked::messages),
    #[cfg(feature = "control")]
    ("locks and roles", locked::locks),
    ("load", |first, count| {
        let mut pair = Pair::new();
        let (_, calls) = fail(first, count, || {
            for number in 0..20 {
                let mut other = [0; 148];
                other[0] = 1;
                other[10] = number;
                let _ = pair.right.handle_datagram(pair.now, Path::new(address(9)), Ecn::NotCapable, &mut other);
                let id = pair.left.peers().next().expect("a peer").id();
                pair.left.end_sessions(pair.now, id);
                pair.pass(21);
                pair.send(2);
                pair.exchange();
            }
        });
        pair.pass(200_000);
        pair.works();
        calls
    }),
    #[cfg(feature = "filter")]
    ("sessions of a filter", filter::sessions),
    #[cfg(feature = "filter")]
    ("flows of a filter", filter::flows),
    #[cfg(feature = "filter")]
    ("peers that become ruled", ruled::changes),
    #[cfg(feature = "filter")]
    ("packets of ruled peers", ruled::packets),
    ("text", |first, count| {
        let (parsed, calls) = fail(first, count, || config::parse(TEXT));
        assert_eq!(parsed.out_of_memory, calls > first);
        assert!(!parsed.out_of_memory || parsed.config.is_none());
        let good = TEXT.replace("PrivatKey = 1\n", "").replace("-10.1.0.0/16, ", "+");
        let (parsed, more) = fail(first, count, || config::parse(&good));
        assert_eq!(parsed.config.is_none(), more > first, "{:?}", parsed.diagnostics);
        calls.max(more)
    }),
    ("requests and answers of wg", |first, count| {
        let mut pair = Pair::new();
        pair.works();
        let text = format!(
            "replace_peers=true\npublic_key={}\nendpoint=[fe80::1%eth0]:1\nallowed_ip=10.0.0.2/32\nallowed_ip=10.0.0.3/32\n",
            key(2).public_key().to_hex()
        );
        let mut answer = String::with_capacity(10_000);
        let (before, now) = (state(&pair.left), pair.now);
        let (done, calls) = fail(first, count, || {
            let mut buffer = uapi::RequestBuffer::new();
            let received = buffer.push(b"set=1\n").and_then(|()| buffer.push(text.as_bytes()));
            uapi::write_get(&pair.left, &HostState::default(), &mut answer).expect("room");
            let request = received.and_then(|()| uapi::parse_set(&text)).map_err(|error| error.errno())?;
            pair.left
                .configure(now, &request.changes)
                .map_err(|error| i32::from(error.reason == ConfigReason::NoMemory))
        });
        match done {
            Ok(()) => assert_eq!(pair.left.peers().count(), 1),
            Err(error) => {
                assert!(error == 1 || error == uapi::ENOMEM, "{error}");
                assert_eq!(state(&pair.left), before);
            }
        }
        assert!(answer.contains("allowed_ip=10.2.0.0/16\n"));
        calls
    }),
];

/// The scenarios of the features that are there.
fn scenarios() -> Vec<(&'static str, Scenario)> {
    let rooms = [
        SCENARIOS,
        #[cfg(feature = "policy")]
        policy::SCENARIOS,
    ];
    rooms.concat()
}

/// What a tunnel is configured to be, as text.
fn state(tunnel: &Tunnel) -> String {
    let mut text = String::new();
    uapi::write_get(tunnel, &HostState::default(), &mut text).expect("a string takes all");
    text + &format!("{} {:?}", tunnel.mtu(), tunnel.footprint())
}

/// Set in the processes that run a scenario: its number, and how many allocations fail at once.
const WHICH: &str = "UNDERPASS_OUT_OF_MEMORY";

#[test]
fn every_allocation_may_fail() {
    if let Ok(which) = std::env::var(WHICH) {
        return run(&which);
    }
    let own = std::env::current_exe().expect("a test is a program");
    let mut died = Vec::new();
    for (number, (name, _)) in scenarios().iter().enumerate() {
        for count in [1, 3, usize::MAX / 2] {
            let child = Command::new(&own)
                .args(["every_allocation_may_fail", "--exact", "--nocapture", "--test-threads=1"])
                .env(WHICH, format!("{number} {count}"))
                .output()
                .expect("the test starts itself");
            let said = String::from_utf8_lossy(&child.stdout);
            let last = said.lines().rfind(|line| line.starts_with("at ")).unwrap_or("before the first").to_owned();
            println!("{name}, {count} at once: {last}");
            if !child.status.success() {
                died.push(format!("{name}, {count} at once, {last}: {}\n{}", child.status, said_of(&child.stderr)));
            }
        }
    }
    assert!(died.is_empty(), "{} scenarios end the process:\n{}", died.len(), died.join("\n"));
}

fn said_of(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().filter(|line| !line.trim_start().starts_with("at ")).take(12).collect::<Vec<_>>().join("\n")
}

/// Fails each allocation in turn, until there are no more.
fn run(which: &str) {
    let (number, count) = which.split_once(' ').expect("two numbers");
    let (number, count): (usize, usize) = (number.parse().expect("a number"), count.parse().expect("a number"));
    let (_, scenario) = scenarios()[number];
    for first in 0.. {
        println!("\nat {first}");
        std::io::stdout().flush().expect("a pipe");
        let calls = scenario(first, count);
        if calls <= first {
            return;
        }
    }
}
