//! Three hosts, and how what befalls them is done.
use crate::act::{Action, HOSTS};
use core::time::Duration;
use underpass_core::config::{Endpoint, PeerAction};
use underpass_core::{Change, Instant, Limits, PeerChange, PeerId, PresharedKey, PrivateKey, Rng as _, Tunnel};
use underpass_sim::network::{Datagram, Link, Profile};
use underpass_sim::rng::Rng;
use underpass_sim::{DataPath, HostId, Shape, Spec, World};

/// Three hosts and their world.
pub struct Life {
    /// The world.
    pub world: World,
    rng: Rng,
    /// The bounds of each host at present.
    limits: [Limits; HOSTS],
    /// What each host sent as timestamps and has forgotten, at the latest: its wall clock must not go back behind it.
    forgotten: [Duration; HOSTS],
}

impl Life {
    /// Three hosts that know each other, each with its own form of the data path.
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let limits = limits(8);
        // Long enough that no clock is stepped back to where it began.
        let uptime = Duration::from_secs(100 * 24 * 3600);
        for data_path in [DataPath::Single, DataPath::Batch, DataPath::Steps] {
            world.add(Spec { data_path, limits: limits.clone(), uptime, ..Spec::new("host") });
        }
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            world.introduce(HostId(a), HostId(b));
        }
        world.network.attacker.record();
        Self {
            rng: Rng::new(seed),
            world,
            limits: core::array::from_fn(|_| limits.clone()),
            forgotten: [Duration::ZERO; HOSTS],
        }
    }

    /// Does it.
    pub fn act(&mut self, action: &Action) {
        let world = &mut self.world;
        match *action {
            Action::Send { from, to, count, len, ipv6 } => {
                for _ in 0..count {
                    world.send_shaped(HostId(from), HostId(to), Shape { len, ipv6, ..Shape::default() });
                }
            }
            Action::Wait { ms } => world.run_for(Duration::from_millis(ms)),
            Action::WaitLong { seconds } => world.run_for(Duration::from_secs(seconds)),
            Action::Blackhole => world.network.attacker.blackhole(),
            Action::Relent => world.network.attacker.relent(),
            Action::Sleep { host } => world.sleep(HostId(host)),
            Action::Wake { host } => world.wake(HostId(host)),
            Action::StepMonotonic { host, seconds } => world.step_monotonic(HostId(host), seconds),
            Action::StepWall { host, seconds } => self.step_wall(HostId(host), seconds),
            Action::Tick { host } => world.command(HostId(host), |tunnel, now| tunnel.handle_timeout(now)),
            Action::Mtu { host, mtu } => world.change(HostId(host), &[Change::Mtu(mtu)]).expect("a sound MTU"),
            Action::FailClock { host } => fail_clock(world, HostId(host)),
            Action::Restart { host, saved } => self.restart(HostId(host), saved),
            Action::Limits { host, eighths } => self.limit(HostId(host), eighths),
            Action::Pad { host, padding } => {
                world.change(HostId(host), &[Change::Padding(padding)]).expect("a sound padding");
            }
            Action::Rough { host, loss, duplicate, corrupt, reorder } => {
                self.roughen(HostId(host), [loss, duplicate, corrupt, reorder]);
            }
            Action::Relocate { host, port, told } => self.relocate(HostId(host), port, told),
            Action::Garbage { host, kind, len } => self.garbage(HostId(host), kind, len),
            Action::Replay { nth, port, flip } => self.replay(nth, port, flip),
            Action::Stray { host, len } => {
                let packet = (0..len).map(|_| self.rng.draw() as u8).collect();
                self.world.write(HostId(host), packet);
            }
            Action::Preshare { .. }
            | Action::Keepalive { .. }
            | Action::Reconfigure { .. }
            | Action::Remove { .. }
            | Action::NewKey { .. }
            | Action::Pin { .. }
            | Action::Name { .. }
            | Action::EndSessions { .. }
            | Action::Refuse { .. }
            | Action::SendError { .. }
            | Action::Connect { .. } => self.concern_peers(action),
        }
        if self.world.network.attacker.everything().len() > 2000 {
            self.world.network.attacker.forget();
        }
    }

    fn concern_peers(&mut self, action: &Action) {
        let world = &mut self.world;
        match *action {
            Action::Preshare { a, b, byte, both } => {
                for (host, peer) in [(a, b), (b, a)].into_iter().take(1 + usize::from(both)) {
                    let preshared_key = Some(PresharedKey::from_bytes([byte; 32]));
                    let change = PeerChange { preshared_key, ..world.about(HostId(peer)) };
                    world.configure(HostId(host), change);
                }
            }
            Action::Keepalive { host, peer, seconds } => world.keepalive(HostId(host), HostId(peer), seconds),
            Action::Reconfigure { host, peer } => {
                let change = PeerChange { replace_allowed_ips: true, ..world.describe(HostId(peer)) };
                world.configure(HostId(host), change);
            }
            Action::Remove { host, peer, again } => {
                world.remove(HostId(host), HostId(peer));
                if again {
                    let about = world.describe(HostId(peer));
                    world.configure(HostId(host), about);
                }
            }
            Action::NewKey { host } => self.new_key(HostId(host)),
            Action::Pin { host, peer, pinned } => {
                let change = PeerChange { pin_endpoint: Some(pinned), ..world.about(HostId(peer)) };
                world.configure(HostId(host), change);
            }
            Action::Name { host, peer, resolves } => {
                let name = format!("host{peer}.example");
                if resolves {
                    world.names.insert(name.clone(), world.address(HostId(peer)));
                } else {
                    world.names.remove(&name);
                }
                let endpoint = Some(Endpoint::Name { host: name, port: 1 });
                let change = PeerChange { endpoint, ..world.about(HostId(peer)) };
                world.configure(HostId(host), change);
            }
            Action::Connect { host, peer } => {
                tell(world, host, peer, |tunnel, now, id| tunnel.connect(now, id));
            }
            Action::EndSessions { host, peer } => {
                tell(world, host, peer, |tunnel, now, id| tunnel.end_sessions(now, id));
            }
            Action::Refuse { host, peer, refused } => {
                tell(world, host, peer, |tunnel, now, id| tunnel.set_refused(now, id, refused));
            }
            Action::SendError { host, peer, kind, len } => tell(world, host, peer, |tunnel, _, id| {
                if let Some(path) = tunnel.peer(id).and_then(|peer| peer.path()) {
                    tunnel.handle_send_error(id, path, len, kind);
                }
            }),
            _ => unreachable!("the others concern one host"),
        }
    }

    /// Bounds the host, live.
    pub fn limit(&mut self, host: HostId, eighths: u32) {
        self.limits[host.0] = limits(eighths);
        self.world.change(host, &[Change::Limits(limits(eighths))]).expect("sound limits");
    }

    fn step_wall(&mut self, host: HostId, seconds: i64) {
        let shown = self.world.host(host).clock.wall(self.world.time()).as_duration().as_secs() as i64;
        let least = self.forgotten[host.0].as_secs() as i64 + 2;
        self.world.step_wall(host, seconds.max((least - shown).min(0)));
    }

    /// The host's program starts again: with the floors of timestamps, or with a wall clock that is later than all it sent.
    pub fn restart(&mut self, host: HostId, saved: bool) {
        let world = &mut self.world;
        let floor = world.tunnel(host).timestamp_floor();
        if !saved {
            let shown = world.host(host).clock.wall(world.time()).as_duration();
            let sent = floor.to_wall().as_duration();
            world.step_wall(host, sent.saturating_sub(shown).as_secs() as i64 + 2);
            world.restart(host, Default::default());
            self.forgotten[host.0] = self.forgotten[host.0].max(sent);
            return;
        }
        let theirs: Vec<_> =
            world.tunnel(host).peers().map(|peer| (*peer.public_key(), peer.timestamp_floor())).collect();
        world.restart(host, floor);
        for (key, floor) in theirs {
            let change = PeerChange { action: PeerAction::Update, ..PeerChange::new(key) };
            world.configure(host, PeerChange { timestamp_floor: Some(floor), ..change });
        }
    }

    fn new_key(&mut self, host: HostId) {
        let old = self.world.host(host).public_key();
        let new = PrivateKey::generate(&mut self.rng).expect("randomness");
        self.world.change(host, &[Change::PrivateKey(Some(new))]).expect("a sound key");
        let forget = PeerChange { action: PeerAction::Remove, ..PeerChange::new(old) };
        let about = self.world.describe(host);
        for other in self.world.hosts().filter(|other| *other != host) {
            let changes = [Change::Peer(forget.clone()), Change::Peer(about.clone())];
            self.world.change(other, &changes).expect("sound changes");
        }
    }

    pub fn roughen(&mut self, host: HostId, percents: [u32; 4]) {
        let [loss, duplicate, corrupt, reorder] = percents.map(underpass_sim::rng::percent);
        let profile = Profile { loss, duplicate, corrupt, reorder, ..Profile::default() };
        *self.world.network.uplink(host.station()) = Link::new(profile.clone());
        *self.world.network.downlink(host.station()) = Link::new(profile);
    }

    fn relocate(&mut self, host: HostId, port: u16, told: bool) {
        self.world.relocate(host, &format!("203.0.113.{}:{port}", host.0 + 1));
        if told {
            self.world.network_change(host);
        }
    }

    fn garbage(&mut self, host: HostId, kind: u8, len: usize) {
        let mut bytes = vec![0; len];
        self.rng.fill(&mut bytes).expect("randomness");
        bytes.iter_mut().take(4).zip([kind, 0, 0, 0]).for_each(|(byte, value)| *byte = value);
        let from = self.world.address(HostId((host.0 + 1) % HOSTS));
        let datagram = Datagram::new(from, self.world.address(host), bytes);
        self.world.hand(host, datagram);
    }

    fn replay(&mut self, nth: usize, port: u16, flip: Option<u16>) {
        let passed = self.world.network.attacker.everything();
        let Some((_, mut datagram)) = passed.get(nth % passed.len().max(1)).cloned() else { return };
        if port != 0 {
            datagram.from.set_port(port);
        }
        if let Some(bit) = flip.map(usize::from).filter(|_| !datagram.bytes.is_empty()) {
            let bit = bit % (datagram.bytes.len() * 8);
            datagram.bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let now = self.world.time();
        self.world.network.inject(now, datagram);
    }

    /// Bounds that hold at any time.
    pub fn check_bounds(&self) {
        for host in self.world.hosts() {
            let (held, limits) = (self.world.footprint(host), &self.limits[host.0]);
            let peers = held.peers;
            assert!(peers < HOSTS);
            assert!(held.staged_packets <= peers * usize::from(limits.staged_packets_per_peer), "{held:?}");
            assert!(held.staged_bytes <= limits.staged_bytes as usize, "{held:?}");
            assert!(held.staged_bytes <= peers * limits.staged_bytes_per_peer as usize, "{held:?}");
            assert!(held.keypairs <= 3 * peers, "{held:?}");
            assert!(held.handshakes <= peers, "ours; a peer's is answered at once: {held:?}");
            assert!(held.session_indices <= held.keypairs + held.handshakes, "{held:?}");
            assert_eq!((held.intents, held.events), (0, 0), "drained: {held:?}");
        }
    }
}

/// So many eighths of what the world begins with.
fn limits(eighths: u32) -> Limits {
    Limits {
        staged_packets_per_peer: 16 * eighths as u16,
        staged_bytes_per_peer: 2_500 * eighths,
        staged_bytes: 3_750 * eighths,
        handshakes_per_second: 2 * eighths.max(1) + 4,
        ..Limits::default()
    }
}

/// Calls a command about a peer, if it is there.
pub fn tell(world: &mut World, host: usize, peer: usize, command: impl FnOnce(&mut Tunnel, Instant, PeerId)) {
    let key = world.host(HostId(peer)).public_key();
    if let Some(id) = world.tunnel(HostId(host)).peer_by_key(&key) {
        world.command(HostId(host), |tunnel, now| command(tunnel, now, id));
    }
}

/// The tunnel is told of a reading that is none.
pub fn fail_clock(world: &mut World, host: HostId) {
    world.command(host, |tunnel, _| tunnel.handle_timeout(Instant::MAX));
}
