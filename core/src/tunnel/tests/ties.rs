//! Both sides initiate within a moment of each other. Whatever the delays, they come to seal under one session, of which
//! one side is the initiator and will replace it in time (lesson 7).
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
        let mut below = |end: u32| u64::from(crate::crypto::rng::random_u32(&mut rng).expect("seeded") % end);
        let begins = [below(300), below(300)];
        let delays = [(below(100), 1 + below(200)), (below(100), 1 + below(200))];
        Self { rng, hosts: [host(1, 2), host(2, 1)], begins, delays, keeps_order, wire: Vec::new() }
    }

    fn launch(&mut self, millis: u64, to: usize, bytes: Vec<u8>) {
        let (least, more) = self.delays[to];
        let delay = least + u64::from(crate::crypto::rng::random_u32(&mut self.rng).expect("seeded")) % more;
        let mut arrival = millis + delay;
        if self.keeps_order {
            let last = self.wire.iter().filter(|(_, whose, _)| *whose == to).map(|(at, ..)| *at).max();
            arrival = arrival.max(last.unwrap_or(0));
        }
        self.wire.push((arrival, to, bytes));
    }

    /// Runs for four seconds, in which both send a packet every 50 ms once they have begun.
    fn run(&mut self) {
        self.run_until(0, 4000);
    }

    /// Runs from one moment to another, in milliseconds.
    fn run_until(&mut self, from: u64, until: u64) {
        let mut millis = from;
        while millis < until {
            self.arrivals(millis);
            for who in 0..2 {
                self.hosts[who].tunnel.handle_timeout(at(millis));
                if millis >= self.begins[who] && (millis - self.begins[who]).is_multiple_of(50) {
                    self.speak(millis, who);
                }
                self.drain(millis, who);
            }
            millis = self.next_happening(millis).min(until);
        }
    }

    fn arrivals(&mut self, millis: u64) {
        while let Some(place) = self.wire.iter().position(|(at, ..)| *at <= millis) {
            let (_, whose, mut bytes) = self.wire.remove(place);
            let path = self.hosts[1 - whose].path;
            let _ = self.hosts[whose].tunnel.handle_datagram(at(millis), path, Ecn::NotCapable, &mut bytes);
        }
    }

    fn speak(&mut self, millis: u64, who: usize) {
        let (mut buf, range) = packet(who as u8 + 1, 2 - who as u8, 60);
        let packet = PacketBuf { buf: &mut buf, packet: range };
        if let Outbound::Datagram { datagram, .. } = self.hosts[who].tunnel.handle_packet(at(millis), packet) {
            let sealed = datagram.to_vec();
            self.launch(millis, 1 - who, sealed);
        }
    }

    fn drain(&mut self, millis: u64, who: usize) {
        let mut buf = vec![0; 2048];
        while let Ok(Some(transmit)) = self.hosts[who].tunnel.poll_transmit(at(millis), &mut buf) {
            self.launch(millis, 1 - who, buf[..transmit.len].to_vec());
        }
    }

    /// The next millisecond at which something arrives, somebody speaks or a deadline is due.
    fn next_happening(&self, millis: u64) -> u64 {
        let arrival = self.wire.iter().map(|(at, ..)| *at).min();
        let words = self.begins.iter().map(|begin| match millis.checked_sub(*begin) {
            Some(since) => begin + (since / 50 + 1) * 50,
            None => *begin,
        });
        let deadlines = self.hosts.iter().filter_map(|host| host.tunnel.poll_timeout());
        let deadlines = deadlines.map(|at| at.as_nanos().div_ceil(1_000_000));
        words.chain(arrival).chain(deadlines).min().unwrap_or(u64::MAX).max(millis + 1)
    }

    /// Host `who` loses everything that it does not keep on a disk and starts again.
    fn restart(&mut self, millis: u64, who: usize) {
        let fresh = host_at(who as u8 + 1, 2 - who as u8, at(millis));
        self.hosts[who] = fresh;
        self.begins[who] = millis;
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

/// However messages overtake each other, no race ends with two responders: nobody would replace the session in time.
#[test]
fn whoever_begins_both_come_to_seal_under_one_session() {
    for keeps_order in [true, false] {
        let mut ties = 0;
        for seed in 1..=2500 {
            let mut race = Race::new(seed, keeps_order);
            race.run();
            assert_eq!(race.outcome(), (true, true), "race {seed}, in order: {keeps_order}");
            let mut peers = race.hosts.iter().flat_map(|host| host.tunnel.peers.iter());
            ties += u32::from(peers.all(|peer| peer.sessions.len() > 1));
        }
        assert!(ties > 300, "{ties} ties");
    }
}

/// A peer that restarts knows no session any more. At whatever moment it does, and whoever of the two has the greater
/// key, it hears the other again within two seconds, and both come to seal under one session.
#[test]
fn a_peer_that_restarts_is_heard_again_within_two_seconds() {
    for seed in 1..=1000 {
        let who = (seed % 2) as usize;
        let mut race = Race::new(seed, seed % 4 < 2);
        let moment = 100 + seed * 4 % 3000;
        race.run_until(0, moment);
        race.restart(moment, who);
        race.run_until(moment, moment + 2000);
        assert!(race.hosts[who].tunnel.stats().rx_packets > 0, "race {seed}: restarted at {moment} ms, deaf since");
        race.run_until(moment + 2000, moment + 6000);
        assert_eq!(race.outcome(), (true, true), "race {seed}: restarted at {moment} ms");
    }
}
