//! Clocks that err, and hosts that start again.
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The clocks of a host as the story knows them. The wall clock goes on with time that truly passes, a day at most at once;
/// what the other one does besides is its fault alone.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    /// What the monotonic clock shows.
    pub(super) now: Instant,
    /// What the tunnel was told of the wall clock, and what passed since.
    pub(super) wall: UnixTime,
}

impl Clocks {
    pub(super) const fn new() -> Self {
        Self { now: Instant::ZERO, wall: UnixTime::from_secs(1_700_000_000) }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        assert!(time <= DAY, "more than that at once is no time that passes");
        self.now = self.now + time;
        self.wall = self.wall + time;
    }

    fn step_back(&mut self, time: Duration) {
        self.now = Instant::from_nanos(self.now.as_nanos().saturating_sub(time.as_nanos() as u64));
    }
}

impl Story {
    /// A time of this many units of a nanosecond, and some nanoseconds.
    fn time(&mut self, unit: u64, end: u32) -> Duration {
        Duration::from_nanos(u64::from(self.below(end)) * unit + u64::from(self.below(1_000_000)))
    }

    pub(super) fn pass_time(&mut self, who: usize) {
        // Milliseconds, seconds, a handshake's patience, a session's life, a day.
        let scale = [1, 1_000, 10_000, 200_000, 86_400_000][self.below(5) as usize];
        let time = self.time(1_000_000, scale);
        let how = self.below(8);
        let clocks = &mut self.clocks[who];
        match how {
            0 => clocks.step_back(time),
            1 | 2 => {
                let due = self.hosts[who].tunnel.poll_timeout().unwrap_or(clocks.now);
                clocks.pass(due.since(clocks.now).min(DAY));
            }
            _ => clocks.pass(time),
        }
        self.tick(who);
    }

    /// Serves what is due. Afterwards nothing is, by the host's clock (lesson 13).
    fn tick(&mut self, who: usize) {
        let (now, tunnel) = (self.clocks[who].now, &mut self.hosts[who].tunnel);
        tunnel.handle_timeout(now);
        assert!(tunnel.poll_timeout().is_none_or(|at| at > now), "lesson 13");
    }

    /// A clock that fails, or a host that does.
    pub(super) fn misfortune(&mut self, who: usize) {
        match self.below(6) {
            0 => {
                let back = self.time(60_000_000_000, 60);
                self.clocks[who].step_back(back);
            }
            1 => {
                let back = self.time(3_600_000_000_000, 30);
                self.clocks[who].step_back(back);
            }
            2 => {
                let beyond = self.time(3_600_000_000_000, 1000);
                self.clocks[who].now = self.clocks[who].now + DAY + Duration::from_secs(2) + beyond;
            }
            3 => {
                let tunnel = &mut self.hosts[who].tunnel;
                tunnel.handle_timeout(Instant::MAX);
                assert_eq!(tunnel.poll_timeout(), None, "nothing comes after the end of time");
            }
            4 => self.restart(who, true),
            _ => self.restart(who, false),
        }
        self.tick(who);
    }

    /// The host's program starts again: what is configured is as before, and of the rest it knows the floors of timestamps,
    /// if they were saved. If they were not, its wall clock has to be right.
    fn restart(&mut self, who: usize, saved: bool) {
        let old = &self.hosts[who].tunnel;
        let (shared, floor) = (&old.shared, old.timestamp_floor());
        let peers = old.peers().map(|peer| NewPeer {
            preshared_key: peer.preshared_key().cloned(),
            endpoint: peer.configured_endpoint().cloned(),
            pin_endpoint: peer.is_pinned(),
            persistent_keepalive: peer.persistent_keepalive(),
            timestamp_floor: if saved { peer.timestamp_floor() } else { Tai64N::ZERO },
            allowed_ips: peer.allowed_ips().collect(),
            ..NewPeer::new(*peer.public_key())
        });
        let config = TunnelConfig {
            private_key: Some(private(self.keys[who])),
            mtu: old.mtu(),
            padding: shared.padding,
            limits: shared.limits.clone(),
            timestamp_floor: if saved { floor } else { Tai64N::ZERO },
            peers: peers.collect(),
        };
        if !saved {
            self.watch[who].forget();
            self.clocks[who].wall = self.clocks[who].wall.max(self.watch[who].least_wall());
        }
        self.watch[who].latest = config.timestamp_floor;
        let rng = Box::new(Seeded(u64::from(self.below(u32::MAX)) + 1));
        let Clocks { now, wall } = self.clocks[who];
        self.hosts[who].tunnel = Tunnel::new(config, rng, now, wall).expect("what was accepted once");
        self.sent.retain(|(whose, _), _| *whose != who);
        self.sealing.retain(|(whose, ..)| *whose != who);
        self.opening.retain(|(whose, ..)| *whose != who);
        self.drain(who);
    }
}
