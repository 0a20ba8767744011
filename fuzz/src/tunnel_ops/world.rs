//! The two sides, what must always hold of them, and how they are reconfigured.
use super::script::Script;
use crate::pair::{BUFFER, NOW, only_peer, path_of, peer, private_key, side};
use std::collections::BTreeSet;
use std::time::Duration;
use underpass_core::Tai64N;
use underpass_core::limits::HEADROOM;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{OpenJob, Opened, Padding, Path, SealJob, Sealed, SendError};
use underpass_core::{
    AllowedIp, Change, Endpoint, Instant, Limits, PeerChange, PeerId, PresharedKey, PublicKey, Tunnel, UnixTime,
    config::PeerAction,
};

/// Datagrams on the wire at most; the oldest are lost beyond it.
const WIRE: usize = 256;

/// One side.
pub(super) struct Side {
    pub(super) tunnel: Tunnel,
    /// Where its datagrams seem to come from.
    pub(super) path: Path,
    /// Its private key, by number.
    pub(super) key: u8,
    /// How far its clock is ahead of true time, in nanoseconds.
    pub(super) ahead: i128,
    pub(super) limits: Limits,
    pub(super) padding: Padding,
    /// Packets given to it, by their number.
    pub(super) sent: BTreeSet<u32>,
    /// Packets of the other side that it delivered.
    pub(super) delivered: BTreeSet<u32>,
}

/// A datagram on its way.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) to: usize,
    pub(super) path: Path,
    pub(super) ecn: Ecn,
    pub(super) bytes: Vec<u8>,
}

/// Work between begin and finish.
pub(super) enum Job {
    Seal(usize, SealJob, Vec<u8>),
    Open(usize, OpenJob, Vec<u8>),
}

/// The same after its crypt step.
pub(super) enum Crypted {
    Sealed(usize, Sealed<()>, Vec<u8>),
    Opened(usize, Opened<Vec<u8>>),
}

impl Job {
    /// The crypt step, of packets in a buffer that may be cut short.
    pub(super) fn crypt(self, cut_short: bool) -> Crypted {
        match self {
            Self::Seal(who, job, mut buf) => {
                let len = if cut_short { HEADROOM } else { buf.len() };
                let (sealed, _) = job.crypt(&mut buf[..len]).detach();
                Crypted::Sealed(who, sealed, buf)
            }
            Self::Open(who, job, bytes) => Crypted::Opened(who, job.crypt(bytes)),
        }
    }
}

/// Both sides and the wire.
pub(super) struct World {
    pub(super) sides: [Side; 2],
    pub(super) wire: Vec<Flight>,
    pub(super) jobs: Vec<Job>,
    /// True time, which the sides' clocks follow.
    pub(super) time: Instant,
    pub(super) packets: u32,
    /// Where tunnels write what they want to send.
    buf: Vec<u8>,
}

pub(super) fn limits() -> Limits {
    Limits {
        peers: 4,
        staged_packets_per_peer: 8,
        staged_bytes_per_peer: 8 * 1024,
        staged_bytes: 12 * 1024,
        handshakes_per_second: 4,
        ..Limits::default()
    }
}

impl World {
    pub(super) fn new() -> Self {
        let side = |number, other| Side {
            tunnel: side(number, other, limits()),
            path: path_of(number),
            key: number,
            ahead: 0,
            limits: limits(),
            padding: Padding::default(),
            sent: BTreeSet::new(),
            delivered: BTreeSet::new(),
        };
        Self {
            sides: [side(1, 2), side(2, 1)],
            wire: Vec::new(),
            jobs: Vec::new(),
            time: NOW,
            packets: 0,
            buf: vec![0; BUFFER],
        }
    }

    /// What the clock of `who` shows.
    pub(super) fn now(&self, who: usize) -> Instant {
        let shown = i128::from(self.time.as_nanos()) + self.sides[who].ahead;
        Instant::from_nanos(u64::try_from(shown.max(0)).unwrap_or(u64::MAX))
    }

    /// Drains both sides and checks what must always hold.
    pub(super) fn settle(&mut self) {
        for who in [0, 1] {
            let now = self.now(who);
            let tunnel = &mut self.sides[who].tunnel;
            if tunnel.poll_timeout().is_some_and(|due| due <= now) {
                tunnel.handle_timeout(now);
                assert!(tunnel.poll_timeout().is_none_or(|due| due > now), "a deadline stays due");
            }
            let mut count = 0;
            while let Ok(Some(transmit)) = self.sides[who].tunnel.poll_transmit(now, &mut self.buf) {
                count += 1;
                assert!(count <= 64, "a tunnel never falls silent");
                let bytes = self.buf[..transmit.len].to_vec();
                self.launch(who, transmit.ecn, bytes);
            }
            let Side { tunnel, limits, .. } = &mut self.sides[who];
            while tunnel.poll_event().is_some() {}
            assert!(tunnel.poll_timeout().is_none_or(|due| due > now), "sending left a deadline due");
            check_bounds(tunnel, limits);
        }
    }

    pub(super) fn launch(&mut self, from: usize, ecn: Ecn, bytes: Vec<u8>) {
        self.wire.push(Flight { to: 1 - from, path: self.sides[from].path, ecn, bytes });
        if self.wire.len() > WIRE {
            self.wire.remove(0);
        }
    }

    /// Nothing more happens: both sides come to rest, and hold nothing when their peers are gone.
    pub(super) fn end(mut self) {
        self.finish_jobs(0);
        self.wire.clear();
        let starts = [self.now(0), self.now(1)];
        for (side, mut now) in self.sides.iter_mut().zip(starts) {
            let peers: Vec<PublicKey> = side.tunnel.peers().map(|peer| *peer.public_key()).collect();
            let quiet = |key: &PublicKey| {
                Change::Peer(PeerChange {
                    action: PeerAction::Update,
                    persistent_keepalive: Some(0),
                    ..PeerChange::new(*key)
                })
            };
            side.tunnel.configure(now, &peers.iter().map(quiet).collect::<Vec<_>>()).expect("it may be turned off");
            for round in 0.. {
                assert!(round < 200, "a tunnel without traffic never rests");
                while let Ok(Some(_)) = side.tunnel.poll_transmit(now, &mut self.buf) {}
                while side.tunnel.poll_event().is_some() {}
                let Some(due) = side.tunnel.poll_timeout() else { break };
                now = now.max(due);
                side.tunnel.handle_timeout(now);
                assert!(side.tunnel.poll_timeout().is_none_or(|next| next > now), "a deadline stays due");
            }
            let rest = side.tunnel.footprint();
            assert_eq!((rest.session_indices, rest.keypairs, rest.handshakes, rest.intents), (0, 0, 0, 0), "{rest:?}");
            side.tunnel.configure(now, &[Change::RemoveAllPeers]).expect("peers may go");
            while side.tunnel.poll_event().is_some() {}
            let rest = side.tunnel.footprint();
            assert_eq!(
                (rest.peers, rest.allowed_ips, rest.staged_packets, rest.staged_bytes),
                (0, 0, 0, 0),
                "{rest:?}"
            );
            assert_eq!(side.tunnel.poll_timeout(), None);
        }
    }

    pub(super) fn advance_millis(&mut self, millis: u64) {
        self.time = self.time + Duration::from_millis(millis);
    }

    pub(super) fn advance_seconds(&mut self, seconds: u64) {
        self.time = self.time + Duration::from_secs(seconds);
    }

    pub(super) fn peer_of(&self, who: usize) -> Option<PeerId> {
        let tunnel = &self.sides[who].tunnel;
        tunnel.peers().next().map(|_| only_peer(tunnel))
    }

    pub(super) fn connect(&mut self, who: usize) {
        let now = self.now(who);
        if let Some(peer) = self.peer_of(who) {
            self.sides[who].tunnel.connect(now, peer);
        }
    }

    pub(super) fn roam(&mut self, who: usize, port: u8) {
        self.sides[who].path.remote.set_port(40_000 + u16::from(port));
    }

    pub(super) fn network_change(&mut self, who: usize) {
        let now = self.now(who);
        self.sides[who].tunnel.handle_network_change(now);
    }

    pub(super) fn wall_clock(&mut self, who: usize, hours: u64) {
        let now = self.now(who);
        let wall = UnixTime::from_secs(1_600_000_000 + hours * 3600);
        self.sides[who].tunnel.handle_wall_clock(now, wall);
    }

    /// A tick that may be early, or of a clock that went back.
    pub(super) fn tick(&mut self, who: usize, back: u8) {
        let earlier = Instant::from_nanos(self.now(who).as_nanos().saturating_sub(u64::from(back) * 100_000_000));
        self.sides[who].tunnel.handle_timeout(earlier);
    }

    /// The other side as a peer, with whatever the script asks to be changed.
    pub(super) fn change_peer(&mut self, who: usize, script: &mut Script<'_>) {
        let (what, how) = (script.byte().unwrap_or(0), script.byte().unwrap_or(0));
        let mut change = PeerChange::new(private_key(self.sides[1 - who].key).public_key());
        if what & 1 != 0 {
            change.preshared_key = Some(PresharedKey::from_bytes([how % 3; 32]));
        }
        if what & 2 != 0 {
            change.persistent_keepalive = Some(u16::from(how % 60));
        }
        if what & 4 != 0 {
            change.pin_endpoint = Some(how & 1 != 0);
        }
        if what & 8 != 0 {
            change.endpoint = Some(match how % 3 {
                0 => Endpoint::Name { host: "gateway.example".into(), port: 51820 },
                _ => Endpoint::Address(self.sides[1 - who].path.remote),
            });
        }
        if what & 16 != 0 {
            change.replace_allowed_ips = how & 2 != 0;
            let network = format!("10.{}.0.0/{}", 1 + how % 3, 8 + how % 25).parse::<ipnet::IpNet>();
            change.allowed_ips = vec![AllowedIp { network: network.expect("a network"), remove: how & 4 != 0 }];
        }
        if what & 64 != 0 {
            change.timestamp_floor = Some(Tai64N::from_wall(UnixTime::from_secs(u64::from(how) * 10_000_000)));
        }
        change.action = if what & 32 != 0 { PeerAction::Update } else { PeerAction::Set };
        self.configure(who, &[Change::Peer(change)]);
    }

    /// The same key, none, or another, of which the other side learns sometimes.
    pub(super) fn change_key(&mut self, who: usize, how: u8) {
        let key = match how % 8 {
            0 => None,
            1..=4 => Some(self.sides[who].key),
            _ => Some(1 + how / 8 % 4),
        };
        self.configure(who, &[Change::PrivateKey(key.map(private_key))]);
        self.sides[who].key = key.unwrap_or(self.sides[who].key);
        if how & 128 != 0 {
            let number = if who == 0 { 1 } else { 2 };
            let known = peer(number, private_key(self.sides[who].key).public_key());
            self.configure(1 - who, &[Change::RemoveAllPeers, Change::Peer(known.into())]);
        }
    }

    pub(super) fn change_mtu(&mut self, who: usize, mtu: u64) {
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        let before = self.sides[who].tunnel.mtu();
        let now = self.now(who);
        let outcome = self.sides[who].tunnel.configure(now, &[Change::Mtu(mtu)]);
        assert_eq!(self.sides[who].tunnel.mtu(), if outcome.is_ok() { mtu } else { before });
    }

    /// The peer goes away, and comes back if the script wants.
    pub(super) fn remove_peer(&mut self, who: usize, how: u8) {
        let gone = self.peer_of(who);
        let mut changes = vec![Change::RemoveAllPeers];
        if !how.is_multiple_of(4) {
            let number = if who == 0 { 2 } else { 1 };
            changes.push(Change::Peer(peer(number, private_key(self.sides[1 - who].key).public_key()).into()));
        }
        self.configure(who, &changes);
        let tunnel = &self.sides[who].tunnel;
        assert!(gone.is_none_or(|peer| tunnel.peer(peer).is_none()), "a name outlived its peer");
    }

    /// What else a host may call, also for a peer that is not there.
    pub(super) fn meddle(&mut self, who: usize, script: &mut Script<'_>) {
        let (what, how) = (script.byte().unwrap_or(0), script.byte().unwrap_or(0));
        let now = self.now(who);
        let remote = self.sides[1 - who].path.remote;
        let peer = self.peer_of(who).filter(|_| how & 128 == 0).unwrap_or(PeerId::from_u64(u64::from(how) << 32));
        let tunnel = &mut self.sides[who].tunnel;
        match what % 5 {
            0 => tunnel.set_endpoint(now, peer, remote),
            1 => tunnel.reset_peer_timestamp(peer),
            2 => {
                let kind = SendError::ALL[usize::from(how) % SendError::ALL.len()];
                let path = tunnel.peer(peer).and_then(|peer| peer.path()).unwrap_or(Path::new(remote));
                tunnel.handle_send_error(peer, path, usize::from(how / 8), kind);
            }
            3 => {
                assert!(!matches!(tunnel.poll_transmit(now, &mut vec![0; usize::from(how)]), Ok(Some(_))) || how >= 148)
            }
            _ => drop(tunnel.peer(peer).map(|peer| (peer.health(now), peer.stats(), peer.drops()))),
        }
    }

    pub(super) fn configure(&mut self, who: usize, changes: &[Change]) {
        let now = self.now(who);
        // A key of low order or too many peers cannot come up here.
        self.sides[who].tunnel.configure(now, changes).expect("a good configuration");
    }
}

fn check_bounds(tunnel: &Tunnel, limits: &Limits) {
    let held = tunnel.footprint();
    let peers = held.peers;
    assert!(peers <= limits.peers as usize);
    assert!(held.staged_packets <= peers * usize::from(limits.staged_packets_per_peer), "{held:?}");
    assert!(held.staged_bytes <= limits.staged_bytes as usize, "{held:?}");
    assert!(held.keypairs <= 3 * peers && held.handshakes <= 2 * peers && held.intents <= peers, "{held:?}");
    assert!(held.session_indices <= 4 * peers, "{held:?}");
    assert_eq!(held.events, 0, "events were drained");
}
