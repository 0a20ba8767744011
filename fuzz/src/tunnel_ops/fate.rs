//! What befalls a side from outside: clocks that err, a program that starts again, peers that are kept out, other bounds.
use super::script::Script;
use super::world::{Job, World, limits};
use crate::pair::{chance, private_key};
use underpass_core::tunnel::Padding;
use underpass_core::{Change, Instant, Limits, NewPeer, PeerId, Tunnel, TunnelConfig, UnixTime};

const MINUTE: i128 = 60_000_000_000;
const DAY: i128 = 1440 * MINUTE;

impl World {
    /// The clock goes back by minutes, or leaps ahead by days.
    pub(super) fn step_clock(&mut self, who: usize, how: u64) {
        let amount = i128::from(how / 2);
        self.sides[who].ahead += if how.is_multiple_of(2) { -amount * MINUTE } else { (amount % 512 + 1) * DAY };
    }

    /// The clock could not be read, once.
    pub(super) fn fail_clock(&mut self, who: usize) {
        let tunnel = &mut self.sides[who].tunnel;
        tunnel.handle_timeout(Instant::MAX);
        assert_eq!(tunnel.poll_timeout(), None, "nothing comes after the end of time");
    }

    pub(super) fn end_sessions(&mut self, who: usize) {
        let (now, Some(peer)) = (self.now(who), self.peer_of(who)) else { return };
        let tunnel = &mut self.sides[who].tunnel;
        tunnel.end_sessions(now, peer);
        let held = tunnel.footprint();
        assert!(held.keypairs == 0 || held.peers > 1, "keys outlive their session: {held:?}");
    }

    /// A side keeps the other out, or no longer; odd numbers name a peer that is not there.
    pub(super) fn refuse(&mut self, who: usize, how: u8) {
        let (now, refused) = (self.now(who), how & 2 != 0);
        let stranger = PeerId::from_u64(u64::from(how) << 32);
        let peer = self.peer_of(who).filter(|_| how & 1 == 0).unwrap_or(stranger);
        let tunnel = &mut self.sides[who].tunnel;
        tunnel.set_refused(now, peer, refused);
        assert!(tunnel.peer(peer).is_none_or(|peer| peer.is_refused() == refused));
    }

    pub(super) fn change_limits(&mut self, who: usize, how: u8) {
        let [packets, bytes, handshakes] = [how & 7, how >> 3 & 7, how >> 6];
        let new = Limits {
            staged_packets_per_peer: packets.into(),
            staged_bytes_per_peer: u32::from(bytes) * 1024,
            staged_bytes: u32::from(packets) * 1024,
            handshakes_per_second: u32::from(handshakes) + 1,
            ..limits()
        };
        self.configure(who, &[Change::Limits(new.clone())]);
        self.sides[who].limits = new;
    }

    pub(super) fn change_padding(&mut self, who: usize, how: u8) {
        let padding = match how % 3 {
            0 => Padding::Sixteen,
            1 => Padding::Mtu,
            _ => Padding::Buckets(32 << (how / 3 % 10)),
        };
        self.configure(who, &[Change::Padding(padding)]);
        self.sides[who].padding = padding;
    }

    /// The program starts again. It knows its configuration, and the floors of timestamps if they were saved.
    pub(super) fn restart(&mut self, who: usize, script: &mut Script<'_>) {
        let (saved, wall) = (script.byte().unwrap_or(0) & 1 == 0, script.number());
        let now = self.now(who);
        let side = &mut self.sides[who];
        let old = &side.tunnel;
        let floor = old.timestamp_floor();
        let peers = old.peers().map(|peer| NewPeer {
            preshared_key: peer.preshared_key().cloned(),
            endpoint: peer.configured_endpoint().cloned(),
            pin_endpoint: peer.is_pinned(),
            persistent_keepalive: peer.persistent_keepalive(),
            user: peer.user(),
            timestamp_floor: if saved { peer.timestamp_floor() } else { Default::default() },
            allowed_ips: peer.allowed_ips().collect(),
            ..NewPeer::new(*peer.public_key())
        });
        let config = TunnelConfig {
            private_key: Some(private_key(side.key)),
            mtu: old.mtu(),
            padding: side.padding,
            limits: side.limits.clone(),
            timestamp_floor: if saved { floor } else { Default::default() },
            peers: peers.collect(),
        };
        let wall = UnixTime::from_secs(1_600_000_000 + wall * 3600);
        side.tunnel =
            Tunnel::new(config, chance(u64::from(self.packets) + 3), now, wall).expect("what was accepted once");
        assert!(!saved || side.tunnel.timestamp_floor() == floor);
        self.jobs.retain(|job| !matches!(job, Job::Seal(whose, ..) | Job::Open(whose, ..) if *whose == who));
    }

    /// The side is heard over another of its peer's sockets; what is known of its peer can be kept.
    pub(super) fn change_link(&mut self, who: usize, link: u8) {
        self.sides[who].path = self.sides[who].path.with_link(link.into());
        let (now, Some(peer)) = (self.now(who), self.peer_of(who)) else { return };
        let view = self.sides[who].tunnel.peer(peer).expect("it is there");
        let kept = view.snapshot(now);
        assert!((kept.health, kept.path, kept.last_heard) == (view.health(now), view.path(), view.last_heard()));
    }
}
