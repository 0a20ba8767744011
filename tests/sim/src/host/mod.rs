//! A host: a real tunnel, clocks of its own, and what came out of it.
//!
//! Each call into the tunnel is followed by draining it as the contract says: transmits, then events, then the timeout.
//! What comes out waits in the host's outbox until the world carries it on.
mod data_path;

pub use data_path::DataPath;

use crate::clock::{Clock, Time};
use crate::inner;
use crate::outcome::Outcome;
use crate::rng::Rng;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use underpass_core::Tai64N;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Event, Path, Transmit};
use underpass_core::{Change, Instant, Limits, PeerId, PrivateKey, PublicKey, Tunnel, TunnelConfig, UnixTime};

/// How a host begins its life.
#[derive(Clone, Debug)]
pub struct Spec {
    /// What the story calls it.
    pub name: &'static str,
    /// Where it is plugged in; `None`: an address of its own in 198.18.0.0/15.
    pub address: Option<SocketAddr>,
    /// Its private key; `None`: one from the world's seed.
    pub private_key: Option<PrivateKey>,
    /// Largest inner packet.
    pub mtu: u16,
    /// Bounds of its tunnel.
    pub limits: Limits,
    /// What its monotonic clock shows when the world begins.
    pub uptime: Duration,
    /// What its wall clock shows when the world begins.
    pub wall: UnixTime,
    /// In which form it calls the tunnel's data path.
    pub data_path: DataPath,
}

impl Spec {
    /// An ordinary host.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            address: None,
            private_key: None,
            mtu: underpass_core::limits::DEFAULT_MTU,
            limits: Limits::default(),
            uptime: Duration::from_secs(1000),
            wall: UnixTime::from_secs(1_760_000_000),
            data_path: DataPath::Single,
        }
    }
}

/// A datagram to send.
#[derive(Debug)]
pub(crate) struct Departure {
    /// Whom it goes to; `None`: a cookie reply goes to whoever asked for it.
    pub(crate) peer: Option<PeerId>,
    pub(crate) path: Path,
    pub(crate) ecn: Ecn,
    pub(crate) bytes: Vec<u8>,
}

impl Departure {
    /// What the tunnel wants to be sent.
    fn new(transmit: &Transmit, bytes: &[u8]) -> Self {
        assert_eq!(transmit.len, bytes.len());
        Self { peer: Some(transmit.peer), path: transmit.path, ecn: transmit.ecn, bytes: bytes.to_vec() }
    }

    /// A cookie reply to a datagram that came by `path`.
    fn reply(path: Path, bytes: &[u8]) -> Self {
        Self { peer: None, path, ecn: Ecn::NotCapable, bytes: bytes.to_vec() }
    }
}

/// What a call into the tunnel left to be carried on.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Datagrams to send.
    pub(crate) datagrams: Vec<Departure>,
    /// Packets for the virtual interface.
    pub(crate) packets: Vec<(PeerId, Vec<u8>)>,
    /// Events, already in the host's log.
    pub(crate) events: Vec<Event>,
}

/// A host.
#[derive(Debug)]
pub struct Host {
    spec: Spec,
    /// Its clocks.
    pub clock: Clock,
    tunnel: Tunnel,
    rng: Rng,
    private_key: PrivateKey,
    /// Its IPv4 address inside the tunnel.
    pub inner4: Ipv4Addr,
    /// Its IPv6 address inside the tunnel.
    pub inner6: Ipv6Addr,
    history: Vec<Change>,
    /// What is delivered besides the packets that the ledger knows.
    pub interface: Vec<Vec<u8>>,
    /// ICMP errors that came back instead.
    pub bounces: Vec<Vec<u8>>,
    /// ECN bits of the packets that were delivered, the latest last.
    pub delivered_ecn: Vec<Ecn>,
    /// Every event with its time.
    pub events: Vec<(Time, Event)>,
    /// When a deadline was served.
    pub wakeups: Vec<Time>,
    /// Whether it sleeps: deadlines and datagrams pass it by.
    pub(crate) asleep: bool,
    /// The latest reading it passed to the tunnel.
    latest: Instant,
    /// The next counter of each session it seals under: (peer, receiver index).
    counters: BTreeMap<(PeerId, u32), u64>,
    pub(crate) outbox: Outbox,
}

/// More than this from one drain is a loop, not a protocol.
const DRAIN_BOUND: usize = 1_000_000;

impl Host {
    pub(crate) fn new(spec: Spec, number: usize, mut rng: Rng) -> Self {
        let private_key = spec.private_key.clone().unwrap_or_else(|| PrivateKey::generate(&mut rng).expect("seeded"));
        let [.., b, c, d] = (number as u32 + 1).to_be_bytes();
        let clock = Clock::new(spec.uptime, spec.wall);
        let tunnel = tunnel(&spec, &private_key, &clock, Duration::ZERO, Tai64N::ZERO, rng.split());
        Self {
            latest: clock.monotonic(Duration::ZERO),
            clock,
            tunnel,
            rng,
            private_key,
            inner4: Ipv4Addr::new(10, b, c, d),
            inner6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, u16::from(b), u16::from_be_bytes([c, d])),
            history: Vec::new(),
            interface: Vec::new(),
            bounces: Vec::new(),
            delivered_ecn: Vec::new(),
            events: Vec::new(),
            wakeups: Vec::new(),
            asleep: false,
            counters: BTreeMap::new(),
            outbox: Outbox::default(),
            spec,
        }
    }

    /// What the story calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.spec.name
    }

    /// Its tunnel, to look at.
    #[must_use]
    pub const fn tunnel(&self) -> &Tunnel {
        &self.tunnel
    }

    /// Its public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.private_key.public_key()
    }

    /// Its private key.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.private_key
    }

    /// Its address inside the tunnel.
    #[must_use]
    pub const fn inner(&self, ipv6: bool) -> IpAddr {
        if ipv6 { IpAddr::V6(self.inner6) } else { IpAddr::V4(self.inner4) }
    }

    /// Makes a tunnel anew, as a host does that restarts: same configuration, nothing else remembered but `floor`.
    pub(crate) fn restart(&mut self, time: Time, floor: Tai64N) {
        self.latest = self.clock.monotonic(time);
        self.tunnel = tunnel(&self.spec, &self.private_key, &self.clock, time, floor, self.rng.split());
        self.counters.clear();
        let history = core::mem::take(&mut self.history);
        self.configure(time, &history).expect("what was accepted once is accepted again");
    }

    pub(crate) fn configure(&mut self, time: Time, changes: &[Change]) -> Result<(), underpass_core::ConfigError> {
        let now = self.now(time);
        self.tunnel.configure(now, changes)?;
        for change in changes {
            if let Change::PrivateKey(Some(key)) = change {
                self.private_key = key.clone();
            }
        }
        self.history.extend_from_slice(changes);
        self.drain(time);
        Ok(())
    }

    /// Calls a command of the tunnel, then drains it.
    pub(crate) fn command(&mut self, time: Time, command: impl FnOnce(&mut Tunnel, Instant)) {
        let now = self.now(time);
        command(&mut self.tunnel, now);
        self.drain(time);
    }

    /// Calls the tunnel and leaves it undrained.
    pub(crate) fn undrained(&mut self, time: Time, call: impl FnOnce(&mut Tunnel, Instant)) {
        let now = self.now(time);
        call(&mut self.tunnel, now);
    }

    /// Serves a deadline.
    pub(crate) fn wake(&mut self, time: Time) {
        self.wakeups.push(time);
        let now = self.now(time);
        self.tunnel.handle_timeout(now);
        self.drain(time);
        let deadline = self.tunnel.poll_timeout();
        assert!(deadline.is_none_or(|at| at > now), "{}: {deadline:?} is due again at {now:?}", self.spec.name);
    }

    /// The true time of the next deadline.
    pub(crate) fn deadline(&self) -> Option<Time> {
        if self.asleep {
            return None;
        }
        self.tunnel.poll_timeout().map(|deadline| self.clock.time_of(deadline))
    }

    /// Packets from the virtual interface.
    pub(crate) fn write(&mut self, time: Time, packets: &[Vec<u8>]) -> Vec<Outcome> {
        let now = self.now(time);
        let data_path = self.spec.data_path;
        data_path.write(&mut self.tunnel, now, packets, &mut self.outbox, &mut self.bounces, |tunnel, outbox| {
            drain(tunnel, now, outbox);
        })
    }

    /// Datagrams from the network, each with its path.
    pub(crate) fn receive(&mut self, time: Time, datagrams: &mut [(Path, Ecn, Vec<u8>)]) -> Vec<Outcome> {
        let now = self.now(time);
        let data_path = self.spec.data_path;
        data_path.receive(&mut self.tunnel, now, datagrams, &mut self.outbox, |tunnel, outbox| {
            drain(tunnel, now, outbox);
        })
    }

    fn drain(&mut self, time: Time) {
        let now = self.now(time);
        drain(&mut self.tunnel, now, &mut self.outbox);
    }

    fn now(&mut self, time: Time) -> Instant {
        let now = self.clock.monotonic(time);
        self.latest = self.latest.max(now);
        now
    }

    /// Checks that the counters of each session leave in order, none missing and none twice (lesson 3: a nonce is
    /// used once).
    pub(crate) fn check_counter(&mut self, datagram: &Departure) {
        let (Some(peer), Some((4, rest))) = (datagram.peer, datagram.bytes.split_first()) else { return };
        let receiver = u32::from_le_bytes(rest[3..7].try_into().expect("four bytes"));
        let counter = u64::from_le_bytes(rest[7..15].try_into().expect("eight bytes"));
        let next = self.counters.entry((peer, receiver)).or_default();
        assert_eq!(counter, *next, "{}: counters of session {receiver:#x} leave out of order", self.spec.name);
        *next += 1;
    }

    /// Forgets what it saw, to begin a chapter.
    pub fn forget(&mut self) {
        self.events.clear();
        self.wakeups.clear();
        self.bounces.clear();
        self.delivered_ecn.clear();
        self.interface.clear();
    }

    /// Takes a delivered packet: for the ledger when it is of the story's making, else for the interface.
    pub(crate) fn deliver(&mut self, packet: Vec<u8>) -> Option<inner::Identity> {
        self.delivered_ecn.push(inner::ecn(&packet));
        let identity = inner::identify(&packet);
        if identity.is_none() {
            self.interface.push(packet);
        }
        identity
    }
}

fn tunnel(spec: &Spec, key: &PrivateKey, clock: &Clock, time: Time, floor: Tai64N, rng: Rng) -> Tunnel {
    let config = TunnelConfig {
        private_key: Some(key.clone()),
        mtu: spec.mtu,
        padding: underpass_core::tunnel::Padding::default(),
        limits: spec.limits.clone(),
        timestamp_floor: floor,
        peers: Vec::new(),
    };
    Tunnel::new(config, Box::new(rng), clock.monotonic(time), clock.wall(time)).expect("the configuration is sound")
}

/// Drains the tunnel as the contract says: transmits, events; the timeout is read when it is needed.
fn drain(tunnel: &mut Tunnel, now: Instant, outbox: &mut Outbox) {
    let mut buf = vec![0; tunnel.layout().transmit_buffer()];
    let mut bound = DRAIN_BOUND;
    while let Some(transmit) = tunnel.poll_transmit(now, &mut buf).expect("there is room") {
        outbox.datagrams.push(Departure::new(&transmit, &buf[..transmit.len]));
        bound -= 1;
        assert!(bound > 0, "poll_transmit does not come to an end");
    }
    while let Some(event) = tunnel.poll_event() {
        outbox.events.push(event);
        bound -= 1;
        assert!(bound > 0, "poll_event does not come to an end");
    }
}
