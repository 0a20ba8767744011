//! How histories end: the network mends, and what is promised comes true.
use crate::life::{Life, tell};
use core::time::Duration;
use underpass_core::config::Endpoint;
use underpass_core::limits::REKEY_AFTER_TIME;
use underpass_core::tunnel::{Event, Padding};
use underpass_core::{Change, PeerChange, PresharedKey};
use underpass_sim::HostId;

/// What the wires take, there and back and there again.
const DELAYS: Duration = Duration::from_millis(300);
/// By then the initiator of a session that is in use has replaced it, though an initiation of its was sent just before.
const RENEWED: Duration = Duration::from_secs(REKEY_AFTER_TIME.as_secs() + 15);

impl Life {
    /// The network mends, the hosts wake, their configurations agree: within the lifetime of what went wrong, any two
    /// meet again.
    pub fn meet_again(&mut self) {
        self.world.network.attacker.relent();
        for host in self.world.hosts() {
            self.roughen(host, [0; 4]);
            self.world.wake(host);
            self.limit(host, 8);
            let room = [Change::Mtu(1420), Change::Padding(Padding::Sixteen)];
            self.world.change(host, &room).expect("sound room");
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
            tell(&mut self.world, a.0, b.0, |tunnel, now, id| tunnel.set_refused(now, id, false));
        }
        // Long enough for sessions under other keys to expire, and for handshakes to be given up. Clocks that err cost nothing.
        self.world.run_for(Duration::from_secs(400));
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            self.world.meet_again(HostId(a), HostId(b));
        }
    }
    /// What befell `host` costs two seconds at most: then it hears both others and they hear it, whoever speaks. And from
    /// then on sessions are renewed in time: every one has an end that began it, whose clock goes.
    /// The first words follow each other by `lag`.
    pub fn go_on(&mut self, host: HostId, lag: Duration) {
        let world = &mut self.world;
        let others: Vec<_> = world.hosts().filter(|other| *other != host).collect();
        let ways: Vec<_> = others.iter().flat_map(|other| [(host, *other), (*other, host)]).collect();
        let before: Vec<_> = ways.iter().map(|(from, to)| world.arrived(*from, *to)).collect();
        for (from, to) in &ways {
            world.send(*from, *to);
            world.run_for(lag);
        }
        for _ in 0..20 {
            for (from, to) in &ways {
                world.send(*from, *to);
            }
            world.run_for(Duration::from_millis(100));
        }
        world.run_for(DELAYS);
        for ((from, to), before) in ways.iter().zip(before) {
            assert!(world.arrived(*from, *to) > before, "{from:?} is not heard by {to:?}");
        }
        let start = world.time();
        while world.time() < start + RENEWED + Duration::from_secs(20) {
            for (from, to) in &ways {
                world.send(*from, *to);
            }
            world.run_for(Duration::from_secs(5));
        }
        for other in others {
            self.assert_renewed(host, other, start);
            self.assert_renewed(other, host, start);
        }
    }

    /// A session was established not long after `start`, though one was live then.
    fn assert_renewed(&self, host: HostId, peer: HostId, start: Duration) {
        let (world, id) = (&self.world, self.world.peer_id(host, peer));
        let mut events = world.host(host).events.iter().filter(|(at, _)| *at >= start);
        let renewed = events.any(|(at, event)| {
            matches!(event, Event::SessionEstablished { peer, .. } if *peer == id) && *at < start + RENEWED
        });
        assert!(renewed, "nobody renews the session of {host:?} and {peer:?}");
    }
}
