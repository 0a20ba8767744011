//! Two tunnels made as an application makes them, moved as a data plane moves them, in a time that stands still until it is moved.
#![allow(dead_code, reason = "each test takes what it needs")]
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Outbound, PacketBuf, Path};
use underpass_uniffi::{
    Clock, Configuration, Endpoint, Health, InterfaceConfiguration, Network, PeerConfiguration, PrivateKey, PublicKey,
    SocketAddress, Tunnel, TunnelError, TunnelEvent, TunnelObserver, TunnelOptions,
};

pub const SECOND: u64 = 1_000_000_000;
/// 2026-01-01, in nanoseconds since 1970.
pub const WALL: u64 = 1_767_225_600 * SECOND;

/// Counts how often it was woken; throws as long as it is told to.
#[derive(Default)]
pub struct Observer {
    pub woken: AtomicUsize,
    pub throws: AtomicUsize,
}

impl TunnelObserver for Observer {
    fn wake(&self) -> Result<(), TunnelError> {
        self.woken.fetch_add(1, Ordering::SeqCst);
        match self.throws.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => Err(TunnelError::Panic),
            _ => panic!("the observer panics"),
        }
    }
}

impl Observer {
    pub fn times(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }
}

/// One end.
pub struct Side {
    pub tunnel: Arc<Tunnel>,
    pub observer: Arc<Observer>,
    pub key: Arc<PrivateKey>,
    /// Where it is on the network.
    pub at: SocketAddr,
    /// Packets that arrived.
    pub packets: Vec<Vec<u8>>,
}

/// Two ends and what lies between them.
pub struct Scene {
    pub clock: Arc<Clock>,
    pub phone: Side,
    pub gateway: Side,
    /// Nothing passes.
    pub cut: bool,
    wire: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
}

pub fn network(text: &str) -> Network {
    let (address, prefix) = text.split_once('/').expect("a network has a prefix");
    Network { address: address.into(), prefix: prefix.parse().expect("a prefix is a number") }
}

pub fn endpoint(at: SocketAddr) -> Endpoint {
    Endpoint::Address { address: SocketAddress { address: at.ip().to_string(), port: at.port(), scope_id: 0 } }
}

/// The configuration of a side with one peer.
pub fn configuration(
    key: &Arc<PrivateKey>,
    peer: &Arc<PublicKey>,
    to: Option<SocketAddr>,
    ips: &str,
) -> Arc<Configuration> {
    let interface = InterfaceConfiguration { private_key: Some(Arc::clone(key)), ..Default::default() };
    let peer = PeerConfiguration {
        public_key: Arc::clone(peer),
        allowed_ips: vec![network(ips)],
        endpoint: to.map(endpoint),
        preshared_key: None,
        persistent_keepalive: 0,
    };
    Configuration::build(interface, vec![peer]).expect("the configuration is good")
}

/// An IPv4 packet of `len` bytes that carries nothing known.
pub fn packet(from: [u8; 4], to: [u8; 4], len: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 253, 0, 0];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend(from);
    packet.extend(to);
    packet.resize(len.into(), 0x5a);
    packet
}

pub const PHONE: [u8; 4] = [10, 0, 0, 2];
pub const GATEWAY: [u8; 4] = [10, 0, 0, 1];

impl Scene {
    pub fn new() -> Self {
        Self::with(None, None)
    }

    /// The phone begins with what it saved in an earlier life, and the wall clock at `WALL` or elsewhere.
    pub fn with(keys: Option<[Arc<PrivateKey>; 2]>, phone_saved: Option<Vec<u8>>) -> Self {
        let clock = Clock::manual(5 * SECOND, WALL);
        let [phone, gateway] = keys.unwrap_or_else(|| [0; 2].map(|_| PrivateKey::generate().expect("there is chance")));
        let (phone_at, gateway_at) =
            (SocketAddr::from(([192, 0, 2, 7], 1000)), SocketAddr::from(([192, 0, 2, 1], 51820)));
        let for_phone = configuration(&phone, &gateway.public_key(), Some(gateway_at), "0.0.0.0/0");
        let for_gateway = configuration(&gateway, &phone.public_key(), None, "10.0.0.2/32");
        Self {
            phone: Side::new(phone, for_phone, phone_at, &clock, phone_saved),
            gateway: Side::new(gateway, for_gateway, gateway_at, &clock, None),
            clock,
            cut: false,
            wire: VecDeque::new(),
        }
    }

    /// A scene in which both have a session.
    pub fn connected() -> Self {
        let mut scene = Self::new();
        scene.phone_sends();
        assert_eq!(scene.gateway.packets.len(), 1, "the packet that was staged arrived");
        scene.phone.events();
        scene.gateway.events();
        scene
    }

    pub fn phone_sends(&mut self) {
        let sent = self.phone.send(packet(PHONE, GATEWAY, 100));
        self.wire.extend(sent);
        self.settle();
    }

    pub fn gateway_sends(&mut self) {
        let sent = self.gateway.send(packet(GATEWAY, PHONE, 200));
        self.wire.extend(sent);
        self.settle();
    }

    /// Everything that is to be said is said, and arrives.
    pub fn settle(&mut self) {
        loop {
            for side in [&self.phone, &self.gateway] {
                self.wire.extend(side.transmits());
            }
            let Some((from, to, datagram)) = self.wire.pop_front() else { break };
            let side = [&mut self.phone, &mut self.gateway].into_iter().find(|side| side.at == to);
            if let Some(side) = side.filter(|_| !self.cut)
                && let Some(reply) = side.receive(from, datagram)
            {
                self.wire.push_back((to, from, reply));
            }
        }
    }

    /// Time goes on, and what falls due on the way is done.
    pub fn pass(&mut self, seconds: u64) {
        let end = self.clock.now_nanos() + seconds * SECOND;
        loop {
            let due = [&self.phone, &self.gateway].into_iter().filter_map(Side::due).min();
            let next = due.map_or(end, |due| due.clamp(self.clock.now_nanos(), end));
            self.clock.advance(next - self.clock.now_nanos());
            for side in [&self.phone, &self.gateway] {
                let now = side.tunnel.now();
                side.tunnel.with_core(|core| core.handle_timeout(now)).expect("the tunnel is open");
            }
            self.settle();
            if next == end {
                break;
            }
        }
    }
}

impl Side {
    fn new(
        key: Arc<PrivateKey>,
        configuration: Arc<Configuration>,
        at: SocketAddr,
        clock: &Arc<Clock>,
        saved_floors: Option<Vec<u8>>,
    ) -> Self {
        let observer = Arc::new(Observer::default());
        let options = TunnelOptions {
            configuration: Some(configuration),
            clock: Some(Arc::clone(clock)),
            saved_floors,
            ..Default::default()
        };
        let tunnel = Tunnel::new(options, Some(Arc::clone(&observer) as Arc<dyn TunnelObserver>)).expect("a tunnel");
        Self { tunnel, observer, key, at, packets: Vec::new() }
    }

    /// The number of its only peer.
    pub fn peer(&self) -> u64 {
        self.tunnel.peers().expect("the tunnel is open")[0].peer
    }

    pub fn health(&self) -> Health {
        self.tunnel.peer_health(self.peer()).expect("the peer is there")
    }

    /// All events that wait.
    pub fn events(&self) -> Vec<TunnelEvent> {
        std::iter::from_fn(|| self.tunnel.next_event().expect("the tunnel is open")).collect()
    }

    fn due(&self) -> Option<u64> {
        self.tunnel.with_core(|core| core.poll_timeout()).expect("the tunnel is open").map(|due| due.as_nanos())
    }

    pub fn send(&self, packet: Vec<u8>) -> Option<(SocketAddr, SocketAddr, Vec<u8>)> {
        let now = self.tunnel.now();
        let sent = self.tunnel.with_core(|core| {
            let layout = core.layout();
            let mut buf = vec![0; layout.headroom()];
            buf.extend(&packet);
            let place = layout.headroom()..buf.len();
            buf.resize(buf.len() + layout.tailroom(), 0);
            match core.handle_packet(now, PacketBuf { buf: &mut buf, packet: place }) {
                Outbound::Datagram { transmit, datagram } => Some((transmit.path.remote, datagram.to_vec())),
                _ => None,
            }
        });
        sent.expect("the tunnel is open").map(|(to, datagram)| (self.at, to, datagram))
    }

    fn receive(&mut self, from: SocketAddr, mut datagram: Vec<u8>) -> Option<Vec<u8>> {
        let now = self.tunnel.now();
        let packets = &mut self.packets;
        let reply = self.tunnel.with_core(|core| {
            match core.handle_datagram(now, Path::new(from), Ecn::NotCapable, &mut datagram) {
                Inbound::Packet { packet, .. } => packets.push(packet.to_vec()),
                Inbound::Reply(reply) => return Some(reply.to_vec()),
                _ => {}
            }
            None
        });
        reply.expect("the tunnel is open")
    }

    fn transmits(&self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        let now = self.tunnel.now();
        let all = self.tunnel.with_core(|core| {
            let mut buf = vec![0; core.layout().transmit_buffer()];
            let mut all = Vec::new();
            while let Ok(Some(transmit)) = core.poll_transmit(now, &mut buf) {
                all.push((transmit.path.remote, buf[..transmit.len].to_vec()));
            }
            all
        });
        let all = all.expect("the tunnel is open");
        all.into_iter().map(|(to, datagram)| (self.at, to, datagram)).collect()
    }
}

/// A wake of the data plane that counts.
pub fn counting() -> (Arc<Mutex<usize>>, Arc<dyn Fn() + Send + Sync>) {
    let count = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&count);
    (count, Arc::new(move || *counter.lock().expect("no panic under it") += 1))
}

/// Waits until `is_so`, for minutes at most.
pub fn eventually(is_so: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(120), "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn address(at: [u8; 4], port: u16) -> SocketAddress {
    SocketAddress { address: Ipv4Addr::from(at).to_string(), port, scope_id: 0 }
}
