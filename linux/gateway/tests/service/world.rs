//! A gateway with its service, clients, the datagrams between them, and the time.
use crate::place::{
    Client, GATEWAY, LITTLE, PATIENCE, SITE, Seeded, WALL, address, authenticator, client, gateway_tunnel, key, name,
    open_store, packet, segment, service, settings,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use tempfile::TempDir;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Outbound, PacketBuf, Path};
use underpass_core::{DropReason, Instant, Tunnel, UnixTime};
use underpass_gateway::Time;
use underpass_gateway::audit::query::{Query, look_up};
use underpass_gateway::password::{Password, hash};
use underpass_gateway::service::{Action, Now, Service};
use underpass_gateway::settings::Settings;
use underpass_gateway::store::sqlite::Sqlite;
use underpass_gateway::store::{Devices as _, Factors as _, NewCode, NewDevice, Owner, Rhythm, Users as _};
use zeroize::Zeroizing;

/// A packet that came through, of so many bytes, or why it did not.
type Passed = Result<usize, Option<DropReason>>;
/// A packet in a buffer with room around it.
type Packet = (Vec<u8>, std::ops::Range<usize>);

/// When copies of a datagram arrive, by its number: none means that it is lost.
pub type Channel = fn(u64) -> Vec<Duration>;

pub struct World {
    folder: TempDir,
    settings: Settings,
    pub now: Instant,
    /// Seconds by which the wall clock was set.
    pub set: u64,
    pub rng: Seeded,
    pub gateway: Tunnel,
    pub service: Service,
    woken: Receiver<()>,
    pub is_away: Arc<AtomicBool>,
    pub clients: Vec<Client>,
    pub channel: Channel,
    /// Datagrams on their way: by when they arrive; to the gateway or not, and of which client.
    wire: BTreeMap<(Instant, u64), (bool, usize, Vec<u8>)>,
    sent: u64,
}

/// A channel that loses, delays and doubles datagrams.
pub fn rough(number: u64) -> Vec<Duration> {
    match number % 5 {
        0 => Vec::new(),
        1 => vec![Duration::from_millis(20), Duration::from_millis(35)],
        2 => vec![Duration::from_millis(900)],
        3 => vec![Duration::ZERO, Duration::from_millis(10), Duration::from_secs(3)],
        _ => vec![Duration::from_millis(50)],
    }
}

impl World {
    /// Alice with client 0, Bert with client 1, and an office with client 2.
    pub fn new() -> Self {
        Self::with(settings(""))
    }

    /// The same with other settings.
    pub fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = open_store(&folder);
        for (client, user) in ["alice", "bert"].into_iter().enumerate() {
            let at = Time::from_secs(WALL as i64 - 1000);
            let id = store.add_user(at, &name(user), None).expect("a user").id;
            let password = Password::new(&format!("{user}'s password")).expect("a password");
            let phc = hash(&password, LITTLE).expect("a hash");
            store.set_password(at, id, Some(&phc)).expect("a password");
            let secret = Zeroizing::new(authenticator(user).secret.as_bytes().to_vec());
            let code = NewCode { rhythm: Rhythm::Time { period: 30 }, algorithm: 1, digits: 6, secret };
            store.add_code(at, id, &code).expect("a code");
            let device = NewDevice { key: key(client), name: name("laptop") };
            store.add_device(at, Owner::User(id), &device).expect("a device");
        }
        drop(store);
        let now = Instant::ZERO;
        let (gateway, is_away) = (gateway_tunnel(now, WALL), Arc::new(AtomicBool::new(false)));
        let (service, woken) = service(&folder, &settings, &is_away, now, UnixTime::from_secs(WALL));
        let clients = (0..=SITE).map(client).collect();
        let mut world = Self {
            folder,
            settings,
            now,
            set: 0,
            rng: Seeded(9),
            gateway,
            service: service.expect("a service"),
            woken,
            is_away,
            clients,
            channel: |_| vec![Duration::ZERO],
            wire: BTreeMap::new(),
            sent: 0,
        };
        world.settle();
        world
    }

    /// The gateway is started again: its tunnel and its service know nothing but what the store has.
    pub fn restart(&mut self) {
        self.gateway = gateway_tunnel(self.now, self.wall().as_duration().as_secs());
        let (service, woken) = service(&self.folder, &self.settings, &self.is_away, self.now, self.wall());
        (self.service, self.woken) = (service.expect("a service"), woken);
        self.settle();
    }

    /// Another program with the same store.
    pub fn store(&self) -> Sqlite {
        open_store(&self.folder)
    }

    pub fn wall(&self) -> UnixTime {
        UnixTime::from_secs(WALL + self.set) + self.now.since(Instant::ZERO)
    }

    pub fn time(&self) -> Time {
        self.wall().into()
    }

    pub fn clocks(&self) -> Now {
        Now { at: self.now, wall: self.wall() }
    }

    pub fn cut_store_off(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// The code that a user's authenticator shows.
    pub fn code(&self, user: &str) -> String {
        format!("{:06}", authenticator(user).code(self.wall().as_duration().as_secs() / 30))
    }

    pub fn audit(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    /// The lines of the audit log.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let mut lines = Vec::new();
        look_up(&self.audit(), &Query::default(), |_, line| {
            lines.push(line.clone());
            true
        })
        .expect("the log");
        lines
    }

    /// The lines of a kind.
    pub fn lines_of(&self, event: &str) -> Vec<serde_json::Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// Goes on until the time is `span` later.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            let next = self.next_deadline().min(end);
            if next >= end {
                self.now = end;
                self.timeouts();
                return self.settle();
            }
            assert!(next > self.now, "what was due is done");
            self.now = next;
            self.timeouts();
        }
    }

    fn next_deadline(&self) -> Instant {
        let of_client = |client: &Client| [client.tunnel.poll_timeout(), client.control.poll_timeout()];
        let wire = self.wire.first_key_value().map(|((at, _), _)| *at);
        let all = self.clients.iter().flat_map(of_client).chain([self.gateway.poll_timeout(), wire]);
        all.flatten().fold(self.service.poll_timeout(), Instant::min)
    }

    fn timeouts(&mut self) {
        let now = self.clocks();
        for client in &mut self.clients {
            client.tunnel.handle_timeout(now.at);
            client.events.extend(client.control.handle_timeout(now.at, &mut self.rng));
        }
        self.gateway.handle_timeout(now.at);
        self.service.handle_timeout(now, &self.gateway);
        assert!(self.service.poll_timeout() > now.at, "what was due is done");
    }

    /// Carries everything until nothing more is to be done at this time.
    pub fn settle(&mut self) {
        let now = self.clocks();
        loop {
            while self.service.passwords() > 0 {
                self.woken.recv_timeout(PATIENCE).expect("the workers answer");
                self.service.handle_passwords(now, &self.gateway);
            }
            while let Some(action) = self.service.poll_action() {
                self.carry_out(action);
            }
            while self.gateway.poll_event().is_some() {}
            while let Some(event) = self.gateway.poll_filter_event() {
                self.service.handle_filter_event(now, &self.gateway, &event);
            }
            let mut buf = vec![0; 2048];
            while let Some(transmit) = self.gateway.poll_transmit(now.at, &mut buf).expect("room") {
                let client = (0..self.clients.len()).find(|at| address(*at as u8 + 1) == transmit.path.remote);
                self.send(false, client.expect("a client"), buf[..transmit.len].to_vec());
            }
            let mut out = Vec::new();
            for (at, client) in self.clients.iter_mut().enumerate() {
                while client.tunnel.poll_event().is_some() {}
                let gateway = client.tunnel.peers().next().expect("the gateway").id();
                while let Some(transmit) = client.control.poll_transmit() {
                    let send = if transmit.may_wake { Tunnel::send_control_waking } else { Tunnel::send_control };
                    // What is not taken is lost.
                    let _taken = send(&mut client.tunnel, now.at, gateway, &transmit.message);
                }
                while let Some(transmit) = client.tunnel.poll_transmit(now.at, &mut buf).expect("room") {
                    out.push((at, buf[..transmit.len].to_vec()));
                }
            }
            for (client, datagram) in out {
                self.send(true, client, datagram);
            }
            let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) else { return };
            let (to_gateway, client, mut datagram) = entry.remove();
            let _outcome = self.deliver(to_gateway, client, &mut datagram);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Change(change) => self.gateway.configure(self.now, &[change]).expect("a sound change"),
            Action::EndSessions(key) => {
                let peer = self.gateway.peer_by_key(&key).expect("the peer");
                self.gateway.end_sessions(self.now, peer);
            }
            Action::Send { peer, message } => {
                if let Some(peer) = self.gateway.peer_by_key(&peer) {
                    // What is not taken is lost.
                    let _taken = self.gateway.send_control(self.now, peer, &message);
                }
            }
        }
    }

    fn send(&mut self, to_gateway: bool, client: usize, datagram: Vec<u8>) {
        for (copy, delay) in (self.channel)(self.sent).into_iter().enumerate() {
            let number = self.sent << 8 | copy as u64;
            self.wire.insert((self.now + delay, number), (to_gateway, client, datagram.clone()));
        }
        self.sent += 1;
    }

    /// Hands over a datagram; `Ok` is a packet for the virtual interface.
    fn deliver(&mut self, to_gateway: bool, at: usize, datagram: &mut [u8]) -> Result<usize, Option<DropReason>> {
        let now = self.clocks();
        let tunnel = if to_gateway { &mut self.gateway } else { &mut self.clients[at].tunnel };
        let path = Path::new(address(if to_gateway { at as u8 + 1 } else { GATEWAY }));
        match tunnel.handle_datagram(now.at, path, Ecn::NotCapable, datagram) {
            Inbound::Packet { packet, .. } => return Ok(packet.len()),
            Inbound::Dropped(reason) => return Err(Some(reason)),
            Inbound::Control { peer, message, .. } if to_gateway => {
                let key = *self.gateway.peer(peer).expect("the peer").public_key();
                self.service.handle_message(now, &self.gateway, key, message);
            }
            Inbound::Control { message, .. } => {
                let client = &mut self.clients[at];
                client.events.extend(client.control.handle_message(now.at, &mut self.rng, message));
            }
            _ => {}
        }
        Err(None)
    }

    /// A client that has been silent for long has no keypairs: it makes new ones.
    fn connect(&mut self, client: usize) {
        let tunnel = &mut self.clients[client].tunnel;
        let gateway = tunnel.peers().next().expect("the gateway").id();
        tunnel.connect(self.now, gateway);
        self.settle();
    }

    /// A client sends a packet from an inner address; whether the gateway lets it through.
    pub fn goes_in(&mut self, client: usize, from: [u8; 4]) -> Result<usize, Option<DropReason>> {
        self.connect(client);
        self.pass_up(client, packet(from, [10, 1, 0, 9]))
    }

    /// A client begins a flow to a port, from port 1000; whether the gateway lets it through.
    pub fn reach(&mut self, client: usize, from: [u8; 4], to: [u8; 4], protocol: u8, port: u16) -> Passed {
        self.connect(client);
        self.send_up(client, from, to, protocol, port)
    }

    /// The same of a client that has keypairs.
    pub fn send_up(&mut self, client: usize, from: [u8; 4], to: [u8; 4], protocol: u8, port: u16) -> Passed {
        self.pass_up(client, segment((from, 1000), (to, port), protocol, false))
    }

    /// The gateway has an answer to that; whether the client gets it.
    pub fn answer_from(&mut self, client: usize, from: [u8; 4], to: [u8; 4], protocol: u8, port: u16) -> Passed {
        self.connect(client);
        self.pass_down(client, segment((from, port), (to, 1000), protocol, true))
    }

    /// The gateway has the first packet of a flow to a client's port, from port 1000; whether the client gets it.
    pub fn ask_from(&mut self, client: usize, from: [u8; 4], to: [u8; 4], protocol: u8, port: u16) -> Passed {
        self.connect(client);
        self.pass_down(client, segment((from, 1000), (to, port), protocol, false))
    }

    fn pass_up(&mut self, client: usize, (mut buf, packet): Packet) -> Passed {
        let out = self.clients[client].tunnel.handle_packet(self.now, PacketBuf { buf: &mut buf, packet });
        let Outbound::Datagram { datagram, .. } = out else { panic!("{out:?}") };
        let mut datagram = datagram.to_vec();
        self.deliver(true, client, &mut datagram)
    }

    /// The gateway has a packet for an inner address; whether this client gets it.
    pub fn comes_out(&mut self, client: usize, to: [u8; 4]) -> Result<usize, Option<DropReason>> {
        self.connect(client);
        self.pass_down(client, packet([10, 1, 0, 9], to))
    }

    fn pass_down(&mut self, client: usize, (mut buf, packet): Packet) -> Passed {
        match self.gateway.handle_packet(self.now, PacketBuf { buf: &mut buf, packet }) {
            Outbound::Datagram { datagram, .. } => {
                let mut datagram = datagram.to_vec();
                self.deliver(false, client, &mut datagram)
            }
            Outbound::Bounce { reason, .. } | Outbound::Dropped(reason) => Err(Some(reason)),
            Outbound::Staged => Err(None),
            other => panic!("{other:?}"),
        }
    }
}
