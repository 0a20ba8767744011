//! What may befall three hosts.
use core::time::Duration;
use proptest::prelude::*;
use underpass_core::config::{Endpoint, PeerAction};
use underpass_core::{Change, Limits, PeerChange, PresharedKey, PrivateKey, Rng as _};
use underpass_sim::network::{Datagram, Link, Profile};
use underpass_sim::rng::Rng;
use underpass_sim::{DataPath, HostId, Shape, Spec, World};

/// One thing that happens. Hosts are numbered modulo their count.
#[derive(Clone, Debug)]
pub enum Action {
    /// Packets from one host to another.
    Send {
        from: usize,
        to: usize,
        count: usize,
        len: usize,
        ipv6: bool,
    },
    /// Time passes.
    Wait {
        ms: u64,
    },
    /// Much time passes.
    WaitLong {
        seconds: u64,
    },
    /// A host's wires become rough; chances in percent.
    Rough {
        host: usize,
        loss: u32,
        duplicate: u32,
        corrupt: u32,
        reorder: u32,
    },
    /// Nothing passes the internet any more.
    Blackhole,
    /// Everything passes again.
    Relent,
    Sleep {
        host: usize,
    },
    Wake {
        host: usize,
    },
    StepMonotonic {
        host: usize,
        seconds: i64,
    },
    StepWall {
        host: usize,
        seconds: i64,
    },
    Relocate {
        host: usize,
        port: u16,
        told: bool,
    },
    /// A preshared key on both sides, or on one only.
    Preshare {
        a: usize,
        b: usize,
        byte: u8,
        both: bool,
    },
    Keepalive {
        host: usize,
        peer: usize,
        seconds: u16,
    },
    /// The peer is configured anew: endpoint, allowed IPs.
    Reconfigure {
        host: usize,
        peer: usize,
    },
    /// The peer is removed, and perhaps added again.
    Remove {
        host: usize,
        peer: usize,
        again: bool,
    },
    Mtu {
        host: usize,
        mtu: u16,
    },
    /// A new private key, of which the others are told.
    NewKey {
        host: usize,
    },
    /// The endpoint is pinned, or let go.
    Pin {
        host: usize,
        peer: usize,
        pinned: bool,
    },
    /// The endpoint becomes a name, which resolves or does not.
    Name {
        host: usize,
        peer: usize,
        resolves: bool,
    },
    Restart {
        host: usize,
    },
    Connect {
        host: usize,
        peer: usize,
    },
    /// A tick that nobody asked for.
    Tick {
        host: usize,
    },
    /// Random bytes of a type.
    Garbage {
        host: usize,
        kind: u8,
        len: usize,
    },
    /// Something that passed before, from wherever, perhaps with a bit flipped.
    Replay {
        nth: usize,
        port: u16,
        flip: Option<u16>,
    },
    /// The host's packets meet an address that nobody owns.
    Stray {
        host: usize,
        len: usize,
    },
}

const HOSTS: usize = 3;

fn two() -> impl Strategy<Value = (usize, usize)> {
    (0..HOSTS, 1..HOSTS).prop_map(|(a, by)| (a, (a + by) % HOSTS))
}

/// Any action, the ordinary ones most often.
pub fn action() -> impl Strategy<Value = Action> {
    let host = || 0..HOSTS;
    let talk = prop_oneof![
        4 => (two(), 1..40usize, 0..1421usize, any::<bool>())
            .prop_map(|((from, to), count, len, ipv6)| Action::Send { from, to, count, len, ipv6 }),
        4 => (0..3000u64).prop_map(|ms| Action::Wait { ms }),
        2 => (0..700u64).prop_map(|seconds| Action::WaitLong { seconds }),
        1 => two().prop_map(|(host, peer)| Action::Connect { host, peer }),
        1 => host().prop_map(|host| Action::Tick { host }),
        1 => (host(), 0..100usize).prop_map(|(host, len)| Action::Stray { host, len }),
    ];
    let fate = prop_oneof![
        2 => (host(), 0..50u32, 0..20u32, 0..10u32, 0..50u32).prop_map(|(host, loss, duplicate, corrupt, reorder)| {
            Action::Rough { host, loss, duplicate, corrupt, reorder }
        }),
        1 => Just(Action::Blackhole),
        2 => Just(Action::Relent),
        1 => host().prop_map(|host| Action::Sleep { host }),
        3 => host().prop_map(|host| Action::Wake { host }),
        1 => (host(), -100..100i64).prop_map(|(host, seconds)| Action::StepMonotonic { host, seconds }),
        1 => (host(), -90_000..90_000i64).prop_map(|(host, seconds)| Action::StepWall { host, seconds }),
        1 => (host(), 1000..9000u16, any::<bool>()).prop_map(|(host, port, told)| Action::Relocate { host, port, told }),
        1 => host().prop_map(|host| Action::Restart { host }),
    ];
    let configuration = prop_oneof![
        (two(), 0..3u8, any::<bool>()).prop_map(|((a, b), byte, both)| Action::Preshare { a, b, byte, both }),
        (two(), 0..60u16).prop_map(|((host, peer), seconds)| Action::Keepalive { host, peer, seconds }),
        two().prop_map(|(host, peer)| Action::Reconfigure { host, peer }),
        (two(), any::<bool>()).prop_map(|((host, peer), again)| Action::Remove { host, peer, again }),
        (host(), 1280..1421u16).prop_map(|(host, mtu)| Action::Mtu { host, mtu }),
        host().prop_map(|host| Action::NewKey { host }),
        (two(), any::<bool>()).prop_map(|((host, peer), pinned)| Action::Pin { host, peer, pinned }),
        (two(), any::<bool>()).prop_map(|((host, peer), resolves)| Action::Name { host, peer, resolves }),
    ];
    let attack = prop_oneof![
        (host(), 0..6u8, 0..200usize).prop_map(|(host, kind, len)| Action::Garbage { host, kind, len }),
        (0..1000usize, 0..4u16, proptest::option::of(any::<u16>())).prop_map(|(nth, port, flip)| Action::Replay {
            nth,
            port,
            flip
        }),
    ];
    prop_oneof![10 => talk, 4 => fate, 2 => configuration, 3 => attack]
}

/// Three hosts and their world.
pub struct Life {
    /// The world.
    pub world: World,
    rng: Rng,
    limits: Limits,
}

impl Life {
    /// Three hosts that know each other, each with its own form of the data path.
    pub fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let limits = Limits {
            staged_bytes_per_peer: 20_000,
            staged_bytes: 30_000,
            handshakes_per_second: 20,
            ..Limits::default()
        };
        for data_path in [DataPath::Single, DataPath::Batch, DataPath::Steps] {
            world.add(Spec { data_path, limits: limits.clone(), ..Spec::new("host") });
        }
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            world.introduce(HostId(a), HostId(b));
        }
        world.network.attacker.record();
        Self { rng: Rng::new(seed), world, limits }
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
            Action::StepWall { host, seconds } => world.step_wall(HostId(host), seconds),
            Action::Tick { host } => world.command(HostId(host), |tunnel, now| tunnel.handle_timeout(now)),
            Action::Mtu { host, mtu } => world.change(HostId(host), &[Change::Mtu(mtu)]).expect("a sound MTU"),
            Action::Restart { host } => {
                let floor = world.tunnel(HostId(host)).timestamp_floor();
                world.restart(HostId(host), floor);
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
                let key = world.host(HostId(peer)).public_key();
                if let Some(id) = world.tunnel(HostId(host)).peer_by_key(&key) {
                    world.command(HostId(host), |tunnel, now| tunnel.connect(now, id));
                }
            }
            _ => unreachable!("the others concern one host"),
        }
    }

    fn new_key(&mut self, host: HostId) {
        let old = self.world.host(host).public_key();
        let new = PrivateKey::generate(&mut self.rng);
        self.world.change(host, &[Change::PrivateKey(Some(new))]).expect("a sound key");
        let forget = PeerChange { action: PeerAction::Remove, ..PeerChange::new(old) };
        let about = self.world.describe(host);
        for other in self.world.hosts().filter(|other| *other != host) {
            let changes = [Change::Peer(forget.clone()), Change::Peer(about.clone())];
            self.world.change(other, &changes).expect("sound changes");
        }
    }

    fn roughen(&mut self, host: HostId, percents: [u32; 4]) {
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
        self.rng.fill(&mut bytes);
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
            let held = self.world.footprint(host);
            let peers = held.peers;
            assert!(peers < HOSTS);
            assert!(held.staged_packets <= peers * usize::from(self.limits.staged_packets_per_peer), "{held:?}");
            assert!(held.staged_bytes <= self.limits.staged_bytes as usize, "{held:?}");
            assert!(held.staged_bytes <= peers * self.limits.staged_bytes_per_peer as usize, "{held:?}");
            assert!(held.keypairs <= 3 * peers, "{held:?}");
            assert!(held.handshakes <= peers, "ours; a peer's is answered at once: {held:?}");
            assert!(held.session_indices <= held.keypairs + held.handshakes, "{held:?}");
            assert_eq!((held.intents, held.events), (0, 0), "drained: {held:?}");
        }
    }

    /// The network mends, the hosts wake, their configurations agree: within the lifetime of what went wrong, any two
    /// meet again.
    pub fn meet_again(&mut self) {
        self.world.network.attacker.relent();
        for host in self.world.hosts() {
            self.roughen(host, [0; 4]);
            self.world.wake(host);
            self.world.change(host, &[Change::Mtu(1420)]).expect("a sound MTU");
        }
        // What the attacker has under way may still move endpoints: that is what roaming means. Then they are set.
        self.world.run_for(Duration::from_secs(1));
        for (a, b) in [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)].map(|(a, b)| (HostId(a), HostId(b))) {
            let mended = PeerChange {
                preshared_key: Some(PresharedKey::from_bytes([0; 32])),
                endpoint: Some(Endpoint::Address(self.world.address(b))),
                pin_endpoint: Some(false),
                ..self.world.describe(b)
            };
            self.world.configure(a, mended);
        }
        // Long enough for clocks stepped back to catch up, for sessions under other keys to expire, and for
        // handshakes to be given up.
        self.world.run_for(Duration::from_secs(15_000));
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            self.world.meet_again(HostId(a), HostId(b));
        }
    }
}
