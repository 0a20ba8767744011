//! One direction of a wire: loss, delay, jitter, reordering, duplication, corruption, MTU, rate.
use crate::clock::Time;
use crate::network::Datagram;
use crate::rng::Rng;
use core::time::Duration;
use underpass_core::packet::ecn::Ecn;

/// How a wire treats what is put on it. Chances are parts per million.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Time from one end to the other.
    pub delay: Duration,
    /// Additional time, drawn anew for each datagram; keeps the order.
    pub jitter: Duration,
    /// Chance to vanish.
    pub loss: u32,
    /// Chance to arrive twice.
    pub duplicate: u32,
    /// Chance that one bit is flipped.
    pub corrupt: u32,
    /// Chance to be held back by up to `reorder_by`, while others overtake.
    pub reorder: u32,
    /// The longest that a reordered datagram is held back.
    pub reorder_by: Duration,
    /// Chance that a datagram of an ECN-capable flow is marked "congestion experienced".
    pub congest: u32,
    /// Largest IP packet, outer headers included; larger ones vanish.
    pub mtu: usize,
    /// Bytes per second, headers included; 0 is without bound.
    pub rate: u64,
    /// The longest wait for the wire when `rate` is set; later ones vanish.
    pub queue: Duration,
}

impl Default for Profile {
    /// An honest wire of 10 ms and 1500 bytes.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0,
            duplicate: 0,
            corrupt: 0,
            reorder: 0,
            reorder_by: Duration::from_millis(50),
            congest: 0,
            mtu: 1500,
            rate: 0,
            queue: Duration::from_millis(200),
        }
    }
}

/// What happened on a wire. Bytes are of datagrams, without outer headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Datagrams put on the wire.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams that left at the other end, duplicates included.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Lost because the queue was full.
    pub overflowed: u64,
    /// Lost because they exceed the MTU.
    pub too_big: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Held back.
    pub reordered: u64,
    /// Marked "congestion experienced".
    pub congested: u64,
}

/// One direction of a wire.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// How it treats datagrams from here on.
    pub profile: Profile,
    /// What happened so far.
    pub stats: LinkStats,
    last_arrival: Time,
    free_at: Time,
}

impl Link {
    /// A wire of this kind.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, ..Self::default() }
    }

    /// Puts a datagram on the wire at `now`: when, and in which shape, it arrives (never, once, twice).
    pub fn carry(&mut self, now: Time, rng: &mut Rng, mut datagram: Datagram) -> Vec<(Time, Datagram)> {
        self.stats.datagrams += 1;
        self.stats.bytes += datagram.bytes.len() as u64;
        let size = datagram.outer_len();
        if size > self.profile.mtu {
            self.stats.too_big += 1;
            return Vec::new();
        }
        let Some(sent) = self.occupy(now, size) else {
            self.stats.overflowed += 1;
            return Vec::new();
        };
        if rng.chance(self.profile.loss) {
            self.stats.lost += 1;
            return Vec::new();
        }
        self.damage(rng, &mut datagram);
        self.congest(rng, &mut datagram);
        let mut arrivals = vec![(self.arrival(sent, rng), datagram)];
        if rng.chance(self.profile.duplicate) {
            self.stats.duplicated += 1;
            let again = arrivals[0].1.clone();
            arrivals.push((self.arrival(sent, rng), again));
        }
        self.stats.delivered += arrivals.len() as u64;
        arrivals
    }

    /// When the last byte of `size` has left, `None` when the queue before it is too long.
    fn occupy(&mut self, now: Time, size: usize) -> Option<Time> {
        if self.profile.rate == 0 {
            return Some(now);
        }
        let start = self.free_at.max(now);
        if start - now > self.profile.queue {
            return None;
        }
        self.free_at = start + Duration::from_nanos(size as u64 * 1_000_000_000 / self.profile.rate);
        Some(self.free_at)
    }

    fn arrival(&mut self, sent: Time, rng: &mut Rng) -> Time {
        let on_time = sent + self.profile.delay;
        if rng.chance(self.profile.reorder) {
            self.stats.reordered += 1;
            return on_time + rng.up_to(self.profile.reorder_by);
        }
        let jitter = if self.profile.jitter.is_zero() { Duration::ZERO } else { rng.up_to(self.profile.jitter) };
        self.last_arrival = self.last_arrival.max(on_time + jitter);
        self.last_arrival
    }

    fn damage(&mut self, rng: &mut Rng, datagram: &mut Datagram) {
        if datagram.bytes.is_empty() || !rng.chance(self.profile.corrupt) {
            return;
        }
        self.stats.corrupted += 1;
        let bit = rng.below(datagram.bytes.len() as u64 * 8);
        datagram.bytes[bit as usize / 8] ^= 1 << (bit % 8);
    }

    fn congest(&mut self, rng: &mut Rng, datagram: &mut Datagram) {
        if datagram.ecn != Ecn::NotCapable && rng.chance(self.profile.congest) {
            self.stats.congested += 1;
            datagram.ecn = Ecn::Congested;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::percent;

    fn datagram(len: usize) -> Datagram {
        Datagram::new("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap(), vec![0; len])
    }

    fn carry(profile: Profile, count: usize, len: usize) -> (LinkStats, Vec<(Time, Datagram)>) {
        let (mut link, mut rng) = (Link::new(profile), Rng::new(7));
        let sent = |i: usize| Duration::from_millis(i as u64);
        let arrivals = (0..count).flat_map(|i| link.carry(sent(i), &mut rng, datagram(len))).collect();
        (link.stats, arrivals)
    }

    #[test]
    fn an_honest_wire_delivers_in_order_after_its_delay() {
        let (stats, arrivals) = carry(Profile::default(), 3, 100);
        let times: Vec<_> = arrivals.iter().map(|(t, _)| t.as_millis()).collect();
        assert_eq!(times, [10, 11, 12]);
        assert_eq!((stats.datagrams, stats.bytes, stats.delivered), (3, 300, 3));
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let jitter = Profile { jitter: Duration::from_millis(30), ..Profile::default() };
        let (_, arrivals) = carry(jitter, 100, 10);
        assert!(arrivals.is_sorted_by_key(|(t, _)| *t));
        let (stats, arrivals) = carry(Profile { reorder: percent(30), ..Profile::default() }, 100, 10);
        assert!(!arrivals.is_sorted_by_key(|(t, _)| *t));
        assert!((15..45).contains(&stats.reordered), "{stats:?}");
    }

    #[test]
    fn loss_duplication_corruption_and_congestion_keep_their_rates() {
        let rough = Profile { loss: percent(20), duplicate: percent(10), corrupt: percent(10), ..Profile::default() };
        let (stats, arrivals) = carry(rough, 1000, 50);
        assert!((150..250).contains(&stats.lost), "{stats:?}");
        assert!((50..120).contains(&stats.duplicated), "{stats:?}");
        assert!((50..120).contains(&stats.corrupted), "{stats:?}");
        let damaged = arrivals.iter().filter(|(_, d)| d.bytes.iter().any(|b| *b != 0)).count() as u64;
        assert!(damaged >= stats.corrupted);
        assert_eq!(stats.delivered, arrivals.len() as u64);
        assert_eq!(stats.congested, 0, "not ECN-capable");
    }

    #[test]
    fn the_mtu_counts_the_outer_headers() {
        let (stats, _) = carry(Profile::default(), 1, 1472);
        assert_eq!((stats.too_big, stats.delivered), (0, 1));
        let (stats, arrivals) = carry(Profile::default(), 1, 1473);
        assert_eq!((stats.too_big, arrivals.len()), (1, 0));
    }

    #[test]
    fn a_slow_wire_queues_and_then_drops() {
        // 1000-byte packets on 100 kB/s: 10 ms each; one a millisecond comes in, 200 ms may wait.
        let slow = Profile { rate: 100_000, ..Profile::default() };
        let (stats, arrivals) = carry(slow, 100, 972);
        assert!(stats.overflowed > 50, "{stats:?}");
        let gaps = arrivals.windows(2).all(|w| w[1].0 - w[0].0 == Duration::from_millis(10));
        assert!(gaps);
    }
}
