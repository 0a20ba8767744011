//! Random histories of two tunnels over a network that loses, doubles and reorders, whose clocks stand still, leap and
//! step back, and whose configuration changes at any moment. After each step what a tunnel remembers must agree with
//! itself; in the end, when the network is mended, packets must flow both ways.
use super::*;
use crate::limits::REKEY_TIMEOUT;
use crate::peer::timers::Due;
use core::net::IpAddr;
use std::collections::BTreeMap;

const STEPS: u32 = 250;
const HISTORIES: u64 = 300;

struct Story {
    rng: Seeded,
    hosts: [Host; 2],
    now: [Instant; 2],
    /// Datagrams under way: to whom, over which path, the bytes.
    wire: Vec<(usize, Path, Vec<u8>)>,
    /// Jobs begun and not finished: of whom, the buffer.
    sealing: Vec<(usize, SealJob, Vec<u8>)>,
    opening: Vec<(usize, OpenJob, Vec<u8>)>,
    /// The byte that each private key is made of.
    keys: [u8; 2],
    /// When each last sent an initiation or a response to a peer, under its present key.
    sent: BTreeMap<(usize, PeerId), Instant>,
}

impl Story {
    fn new(seed: u64) -> Self {
        Self {
            rng: Seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            hosts: [host(1, 2), host(2, 1)],
            now: [Instant::ZERO; 2],
            wire: Vec::new(),
            sealing: Vec::new(),
            opening: Vec::new(),
            keys: [1, 2],
            sent: BTreeMap::new(),
        }
    }

    fn below(&mut self, end: u32) -> u32 {
        crate::crypto::rng::random_u32(&mut self.rng) % end
    }

    fn address(&mut self, who: usize) -> SocketAddr {
        // Nearly always at home; else behind a translator that writes IPv4 as IPv6, or that has no port.
        match self.below(20) {
            0 => SocketAddr::from((core::net::Ipv4Addr::new(192, 0, 2, who as u8 + 1).to_ipv6_mapped(), 51820)),
            1 => SocketAddr::from(([203, 0, 113, who as u8 + 1], 0)),
            2 => SocketAddr::from(([203, 0, 113, who as u8 + 1], 7)),
            _ => address(who as u8 + 1),
        }
    }

    /// Drains a tunnel; now and then with a buffer that is too short at first.
    fn drain(&mut self, who: usize) {
        let now = self.now[who];
        let mut buf = vec![0; usize::from(self.hosts[who].tunnel.mtu()).max(148) + 48];
        if self.below(8) == 0 {
            let len = self.below(148) as usize;
            let waiting = self.hosts[who].tunnel.shared.transmits.len() > 0;
            let short = Err(ShortBuffer { needed: 148 });
            assert_eq!(
                self.hosts[who].tunnel.poll_transmit(now, &mut buf[..len]),
                if waiting { short } else { Ok(None) }
            );
        }
        while let Ok(Some(transmit)) = self.hosts[who].tunnel.poll_transmit(now, &mut buf) {
            let actual = self.hosts[who].tunnel.shared.clock.now();
            if matches!(buf[0], 1 | 2) {
                let to = (who, transmit.peer);
                let last = self.sent.insert(to, actual).filter(|_| buf[0] == 1);
                assert!(last.is_none_or(|last| actual.since(last) >= REKEY_TIMEOUT), "{last:?} {actual:?}");
            }
            let from = self.address(who);
            let local = (self.below(2) == 0).then(|| IpAddr::from([192, 0, 2, 2 - who as u8]));
            self.wire.push((1 - who, Path::new(from).with_local(local), buf[..transmit.len].to_vec()));
        }
        while self.hosts[who].tunnel.poll_event().is_some() {}
        let intents = self.hosts[who].tunnel.peers.iter().filter(|peer| peer.has_intents() || peer.queued).count();
        assert_eq!((intents, self.hosts[who].tunnel.shared.transmits.len()), (0, 0), "drained");
    }

    fn packet(&mut self, who: usize) {
        let len = 20 + self.below(1480) as usize;
        let (mut buf, range) = packet(who as u8 + 1, 2 - who as u8 + u8::from(self.below(20) == 0) * 9, len);
        let packet = PacketBuf { buf: &mut buf, packet: range };
        if self.below(2) == 0 {
            if let Begin::Crypt(job) = self.hosts[who].tunnel.begin_seal(self.now[who], packet) {
                self.sealing.push((who, job, buf));
            }
        } else if let Outbound::Datagram { datagram, .. } = self.hosts[who].tunnel.handle_packet(self.now[who], packet)
        {
            let sealed = datagram.to_vec();
            let from = self.address(who);
            self.wire.push((1 - who, Path::new(from), sealed));
        }
    }

    fn arrive(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.below(self.wire.len() as u32) as usize;
        let (who, path, mut bytes) = self.wire[at].clone();
        match self.below(10) {
            0 => {}
            1 => drop(self.wire.swap_remove(at)),
            _ => {
                let _ = self.wire.remove(at);
                if self.below(30) == 0 {
                    let hit = self.below(bytes.len() as u32) as usize;
                    bytes[hit] ^= 1 << self.below(8);
                }
                if self.below(40) == 0 {
                    bytes.truncate(self.below(bytes.len() as u32) as usize);
                }
                let (now, tunnel) = (self.now[who], &mut self.hosts[who].tunnel);
                if bytes.len() % 2 == 0 {
                    if let Begin::Crypt(job) = tunnel.begin_open(now, path, Ecn::NotCapable, &mut bytes) {
                        self.opening.push((who, job, bytes));
                    }
                } else {
                    let _ = tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut bytes);
                }
            }
        }
    }

    /// Finishes the jobs that are under way, in their order.
    fn finish(&mut self) {
        for (who, job, buf) in core::mem::take(&mut self.sealing) {
            let (verdict, buf) = self.hosts[who].tunnel.finish_seal(self.now[who], job.crypt(buf));
            if let Outbound::Datagram { datagram, .. } = verdict.of(&buf) {
                let sealed = datagram.to_vec();
                let from = self.address(who);
                self.wire.push((1 - who, Path::new(from), sealed));
            }
        }
        for (who, job, bytes) in core::mem::take(&mut self.opening) {
            let _ = self.hosts[who].tunnel.finish_open(self.now[who], job.crypt(bytes));
        }
    }

    fn pass_time(&mut self, who: usize) {
        // Milliseconds, seconds, a handshake's patience, a session's life, a day.
        let scale = [1, 1_000, 10_000, 200_000, 86_400_000][self.below(5) as usize];
        let nanos = u64::from(self.below(scale)) * 1_000_000 + u64::from(self.below(1_000_000));
        let tunnel = &mut self.hosts[who].tunnel;
        self.now[who] = match nanos % 8 {
            0 => Instant::from_nanos(self.now[who].as_nanos().saturating_sub(nanos)),
            1 | 2 => tunnel.poll_timeout().unwrap_or(self.now[who]).max(self.now[who]),
            _ => self.now[who] + Duration::from_nanos(nanos),
        };
        tunnel.handle_timeout(self.now[who]);
        assert!(tunnel.poll_timeout().is_none_or(|at| at > self.now[who]), "lesson 13");
    }

    fn change(&mut self, who: usize) {
        let other = private(self.keys[1 - who]).public_key();
        let mut change = PeerChange::new(other);
        let change = match self.below(10) {
            0 => {
                self.keys[who] = 10 * (1 + self.below(8) as u8) + who as u8;
                self.sent.retain(|(whose, _), _| *whose != who);
                Change::PrivateKey((self.below(4) > 0).then(|| private(self.keys[who])))
            }
            1 => Change::RemoveAllPeers,
            2 => Change::Mtu(68 + self.below(1500) as u16),
            3 | 4 => {
                change.persistent_keepalive = Some(self.below(40) as u16);
                Change::Peer(change)
            }
            5 => {
                change.preshared_key = Some(crate::PresharedKey::from_bytes([self.below(2) as u8; 32]));
                Change::Peer(change)
            }
            6 => {
                let name = std::format!("{}.example", self.below(2));
                change.endpoint = Some(Endpoint::Name { host: name, port: 1 });
                Change::Peer(change)
            }
            7 => {
                change.pin_endpoint = Some(self.below(2) == 0);
                change.replace_allowed_ips = self.below(2) == 0;
                Change::Peer(change)
            }
            _ => {
                change.endpoint = Some(Endpoint::Address(self.address(1 - who)));
                change.allowed_ips = vec![Self::network(1 - who)];
                Change::Peer(change)
            }
        };
        self.hosts[who].tunnel.configure(self.now[who], &[change]).expect("a sound change");
        self.drain(who);
    }

    fn network(who: usize) -> crate::config::AllowedIp {
        let network: ipnet::IpNet = std::format!("10.0.0.{}/32", who + 1).parse().expect("a network");
        network.into()
    }

    fn command(&mut self, who: usize) {
        let remote = self.address(1 - who);
        let (now, choice, tunnel) = (self.now[who], self.below(4), &mut self.hosts[who].tunnel);
        let Some(peer) = tunnel.peers().next().map(|peer| peer.id()) else { return };
        match choice {
            0 => tunnel.connect(now, peer),
            1 => tunnel.set_endpoint(now, peer, remote),
            2 => {
                tunnel.handle_network_change(now);
                // What was sent over the old network holds nothing back.
                self.sent.retain(|(whose, _), _| *whose != who);
            }
            _ => tunnel.handle_wall_clock(now, UnixTime::from_secs(1_700_000_000 + now.as_nanos() % 1000)),
        }
    }

    fn step(&mut self) {
        let who = self.below(2) as usize;
        match self.below(20) {
            0..4 => self.packet(who),
            4..11 => self.arrive(),
            11..14 => self.pass_time(who),
            14 => self.change(who),
            15 => self.command(who),
            _ => self.finish(),
        }
        // Batches: not every call is followed by draining.
        for who in 0..2 {
            check(&self.hosts[who].tunnel, false);
            if self.below(3) > 0 {
                self.drain(who);
                check(&self.hosts[who].tunnel, true);
            }
        }
    }

    /// The network is mended and both are configured soundly: packets flow both ways, whatever was before.
    fn ends_well(&mut self) {
        self.wire.clear();
        self.finish();
        self.wire.clear();
        let both = self.now[0].max(self.now[1]);
        let mut now = both;
        for who in 0..2 {
            let mut peer = PeerChange::new(private(self.keys[1 - who]).public_key());
            peer.endpoint = Some(Endpoint::Address(address(2 - who as u8)));
            peer.preshared_key = Some(crate::PresharedKey::from_bytes([0; 32]));
            peer.allowed_ips = vec![Self::network(1 - who)];
            let own = Change::PrivateKey(Some(private(self.keys[who])));
            let changes = [own, Change::Mtu(1420), Change::Peer(peer)];
            self.hosts[who].tunnel.configure(now, &changes).expect("sound changes");
        }
        let [a, b] = &mut self.hosts;
        let before = [a.tunnel.stats().rx_packets, b.tunnel.stats().rx_packets];
        for second in 0..60 {
            now = both + Duration::from_secs(second);
            for forward in [true, false] {
                let (from, to) = if forward { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
                from.tunnel.handle_timeout(now);
                let (mut buf, range) = packet(2 - u8::from(forward), 1 + u8::from(forward), 60);
                if second % 20 != 0 {
                    continue;
                }
                let mut batch = [PacketSlot::new(PacketBuf { buf: &mut buf, packet: range })];
                from.tunnel.handle_packets(now, &mut batch);
                if let Outbound::Datagram { transmit, datagram } = batch[0].outcome() {
                    let _ = to.tunnel.handle_datagram(now, from.path, transmit.ecn, &mut datagram.to_vec());
                }
            }
            exchange(now, a, b);
        }
        let after = [a.tunnel.stats().rx_packets, b.tunnel.stats().rx_packets];
        // The first may go under a session that the other has lost: that shows after 15 s. What was staged before comes too.
        assert!(after[0] >= before[0] + 2 && after[1] >= before[1] + 2, "{before:?} {after:?}");
        for who in 0..2 {
            let other = private(self.keys[1 - who]).public_key();
            let tunnel = &self.hosts[who].tunnel;
            assert!(tunnel.peers.iter().all(|peer| peer.public_key != other || peer.staged.is_empty()));
            check(tunnel, true);
        }
    }
}

/// What a tunnel remembers agrees with itself; when it is `drained`, nothing waits without somebody who waits for it.
fn check(tunnel: &Tunnel, drained: bool) {
    let (mut indices, mut bytes, mut next) = (0, 0, Instant::MAX);
    for peer in tunnel.peers.iter() {
        let Peer { id, intents, queued, timers, staged, .. } = peer;
        let standing = tunnel.shared.transmits.peers.iter().filter(|id| **id == peer.id).count();
        assert_eq!(standing, usize::from(*queued), "{peer:?}");
        assert!(*queued || !peer.has_intents(), "{peer:?}");
        let told_of = tunnel.shared.events.places().filter(|id| *id == peer.id).count();
        assert_eq!(told_of, usize::from(!peer.facts.is_empty()), "{peer:?}");
        indices += peer.sessions.len() + usize::from(peer.handshake.pending().is_some());
        bytes += staged.bytes();
        next = next.min(timers.next());
        let handshake = peer.handshake.is_under_way();
        let repeated = peer.initiates() || timers.waits_for(Due::Retransmit);
        assert!(repeated == handshake, "an initiation that nobody sends or repeats: {peer:?}");
        assert!(peer.answer.is_some() == intents.respond, "{peer:?}");
        assert_eq!(tunnel.shared.deadlines.bound_of(id.slot).unwrap_or(Instant::MAX), peer.bound, "{peer:?}");
        assert!(peer.bound <= timers.next(), "a deadline that nobody keeps: {peer:?}");
        assert_eq!(timers.wipes(), peer.sessions.wipe_date(), "keys that nobody wipes: {peer:?}");
        if drained {
            assert!(staged.is_empty() || handshake, "packets that nobody sends: {peer:?}");
            let able = tunnel.shared.local.is_some() && peer.endpoint.path().is_some();
            assert!(!(able && timers.persistent_sleeps()), "a keepalive that nobody wakes: {peer:?}");
        }
        if tunnel.shared.local.is_none() {
            assert!(peer.sessions.len() == 0 && staged.is_empty() && !handshake, "{peer:?}");
        }
    }
    assert_eq!(tunnel.shared.indices.len(), indices);
    assert_eq!(tunnel.shared.staged.bytes, bytes);
    let next = next.min(tunnel.shared.questions.due().unwrap_or(Instant::MAX));
    let top = tunnel.shared.due();
    assert_eq!(top, Some(next).filter(|at| *at < Instant::MAX));
}

#[test]
fn random_histories_agree_with_themselves_and_end_well() {
    for seed in 1..=HISTORIES {
        let told = std::panic::catch_unwind(|| {
            let mut story = Story::new(seed);
            (0..STEPS).for_each(|_| story.step());
            story.ends_well();
        });
        if let Err(panic) = told {
            std::eprintln!("history {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
