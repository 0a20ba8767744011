//! Both sides initiate within a moment of each other. Whatever the delays, they come to seal under one session, of which
//! one side is the initiator and will replace it in time (lesson 7).
//!
//! Only where a response overtakes an initiation that left long before it may both end up as responders, each sealing
//! under the session of the other; both sessions open, and both end together after REJECT_AFTER_TIME.
use super::*;
use crate::session::Role;

/// Milliseconds.
const fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

struct Race {
    rng: Seeded,
    hosts: [Host; 2],
    /// Milliseconds at which each begins to want a session.
    begins: [u64; 2],
    /// Milliseconds that the way to each takes, at least and at most.
    delays: [(u64, u64); 2],
    keeps_order: bool,
    /// Milliseconds of arrival, whose, the bytes.
    wire: Vec<(u64, usize, Vec<u8>)>,
}

impl Race {
    fn new(seed: u64, keeps_order: bool) -> Self {
        let mut rng = Seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut below = |end: u32| u64::from(crate::crypto::rng::random_u32(&mut rng) % end);
        let begins = [below(300), below(300)];
        let delays = [(below(100), 1 + below(200)), (below(100), 1 + below(200))];
        Self { rng, hosts: [host(1, 2), host(2, 1)], begins, delays, keeps_order, wire: Vec::new() }
    }

    fn launch(&mut self, millis: u64, to: usize, bytes: Vec<u8>) {
        let (least, more) = self.delays[to];
        let delay = least + u64::from(crate::crypto::rng::random_u32(&mut self.rng)) % more;
        let mut arrival = millis + delay;
        if self.keeps_order {
            let last = self.wire.iter().filter(|(_, whose, _)| *whose == to).map(|(at, ..)| *at).max();
            arrival = arrival.max(last.unwrap_or(0));
        }
        self.wire.push((arrival, to, bytes));
    }

    /// Runs for four seconds, in which both send a packet every 50 ms.
    fn run(&mut self) {
        for millis in 0..4000 {
            let now = at(millis);
            while let Some(place) = self.wire.iter().position(|(at, ..)| *at <= millis) {
                let (_, whose, mut bytes) = self.wire.remove(place);
                let path = self.hosts[1 - whose].path;
                let _ = self.hosts[whose].tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut bytes);
            }
            for who in 0..2 {
                self.hosts[who].tunnel.handle_timeout(now);
                if millis >= self.begins[who] && (millis - self.begins[who]).is_multiple_of(50) {
                    let (mut buf, range) = packet(who as u8 + 1, 2 - who as u8, 60);
                    let packet = PacketBuf { buf: &mut buf, packet: range };
                    if let Outbound::Datagram { datagram, .. } = self.hosts[who].tunnel.handle_packet(now, packet) {
                        let sealed = datagram.to_vec();
                        self.launch(millis, 1 - who, sealed);
                    }
                }
                let mut buf = vec![0; 2048];
                while let Some(transmit) = self.hosts[who].tunnel.poll_transmit(now, &mut buf) {
                    self.launch(millis, 1 - who, buf[..transmit.len].to_vec());
                }
            }
        }
    }

    /// Whether both seal under one session, and whether one of them is the initiator of what it seals under.
    fn outcome(&self) -> (bool, bool) {
        let [a, b] = [0, 1].map(|who: usize| {
            let peer = self.hosts[who].tunnel.peers.iter().next().expect("one peer");
            peer.sessions.current().expect("a session")
        });
        (a.indices.local == b.indices.remote, a.role == Role::Initiator || b.role == Role::Initiator)
    }
}

#[test]
fn whoever_begins_both_come_to_seal_under_one_session() {
    for keeps_order in [true, false] {
        let mut ties = 0;
        for seed in 1..=150 {
            let mut race = Race::new(seed, keeps_order);
            race.run();
            assert_eq!(race.outcome(), (true, true), "race {seed}, in order: {keeps_order}");
            ties += u32::from(race.hosts.iter().all(|host| host.tunnel.stats().handshakes > 1));
        }
        assert!(ties > 20, "{ties} ties");
    }
}
