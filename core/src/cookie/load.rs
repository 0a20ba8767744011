//! Load is a budget of handshakes, judged before any exchange is computed (lesson 18).
//!
//! Two lanes, each with a budget of its own:
//!
//! - the *unverified* lane takes any message whose mac1 verifies. While more than half of its budget is left it asks
//!   no more. Below that it is shared out: a source over its own rate is asked for a cookie, so that one address
//!   cannot spend what is left for others. Nobody is dropped here, since a source may be spoofed: a victim
//!   whose address is used by another, and a crowd behind one NAT, pay with one round trip.
//! - the *verified* lane takes what that one refused, if its mac2 proves the source. Here the rate of a source binds
//!   always, and is counted apart: it cannot be spent by those who only pretend to be there.
//!
//! So a flood of spoofed sources costs at most the unverified budget in exchanges, and a peer that answers the
//! cookie gets in whatever the flood does. Memory is two tables of fixed size, allocated by the first message that
//! needs them: a phone never does.
use crate::cookie::bucket::{Bucket, Rate};
use crate::cookie::sources::Sources;
use crate::crypto::hash::mac;
use crate::limits::Limits;
use crate::time::Instant;
use core::net::IpAddr;
use zeroize::Zeroizing;

/// What to do with a handshake message whose mac1 verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Compute it.
    Accept,
    /// The unverified budget is spent, or what is left of it is for others: answer with a cookie reply.
    Cookie,
    /// Over the rate of its source, or the verified lane is spent.
    Drop,
}

/// The two budgets and fixed-size tables of token buckets per IPv4 /32 and IPv6 /64.
pub struct Load {
    unverified: Lane,
    verified: Lane,
    per_source: Rate,
}

impl Load {
    /// Full budgets; `secret` keys the tables' hash. Each table (32 KiB) is allocated when first used and never
    /// grows.
    #[must_use]
    pub fn new(limits: &Limits, secret: [u8; 16]) -> Self {
        let secret = Zeroizing::new(secret);
        Self {
            unverified: Lane::new(limits.handshakes_per_second, Sharing::BelowHalf, derive(&secret, b"unverified")),
            verified: Lane::new(limits.verified_handshakes_per_second, Sharing::Always, derive(&secret, b"verified")),
            per_source: Rate::new(limits.handshakes_per_source, limits.handshake_burst_per_source),
        }
    }

    /// Other limits from here on. What was spent of the budgets stays spent.
    pub fn set_limits(&mut self, limits: &Limits) {
        self.unverified.rate = Rate::new(limits.handshakes_per_second, limits.handshakes_per_second);
        let verified = limits.verified_handshakes_per_second;
        self.verified.rate = Rate::new(verified, verified);
        self.per_source = Rate::new(limits.handshakes_per_source, limits.handshake_burst_per_source);
    }

    /// Judges one message. `verified`: its mac2 is right (asked only when it matters).
    pub fn admit(&mut self, now: Instant, source: IpAddr, verified: impl FnOnce() -> bool) -> Admission {
        if self.unverified.admit(now, self.per_source, source) {
            Admission::Accept
        } else if !verified() {
            Admission::Cookie
        } else if self.verified.admit(now, self.per_source, source) {
            Admission::Accept
        } else {
            Admission::Drop
        }
    }

    /// Whether the unverified budget is spent at `now`.
    #[must_use]
    pub fn under_load(&self, now: Instant) -> bool {
        self.unverified.budget.is_empty(now, self.unverified.rate)
    }

    /// Bytes on the heap: at most 64 KiB, none until a table was needed.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.unverified.sources.heap_bytes().saturating_add(self.verified.sources.heap_bytes())
    }
}

impl core::fmt::Debug for Load {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Load")
            .field("unverified", &self.unverified.budget)
            .field("verified", &self.verified.budget)
            .finish_non_exhaustive()
    }
}

/// When a lane counts by source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Always,
    BelowHalf,
}

/// A budget and its sources.
struct Lane {
    budget: Bucket,
    rate: Rate,
    sharing: Sharing,
    sources: Sources,
}

impl Lane {
    /// `per_second` handshakes per second, as many at once.
    fn new(per_second: u32, sharing: Sharing, secret: Zeroizing<[u8; 16]>) -> Self {
        Self {
            budget: Bucket::default(),
            rate: Rate::new(per_second, per_second),
            sharing,
            sources: Sources::new(secret),
        }
    }

    /// Spends one handshake of the budget and, where sources are counted, one of `source`. A refusal spends nothing
    /// and takes no slot of the table.
    fn admit(&mut self, now: Instant, per_source: Rate, source: IpAddr) -> bool {
        if self.budget.is_empty(now, self.rate) {
            return false;
        }
        let counted = self.sharing == Sharing::Always || self.budget.is_below_half(now, self.rate);
        if counted && !self.sources.take(now, per_source, source) {
            return false;
        }
        self.budget.take(now, self.rate)
    }
}

/// A secret of its own for each table, so that what one shows says nothing of the other.
fn derive(secret: &[u8; 16], label: &[u8]) -> Zeroizing<[u8; 16]> {
    Zeroizing::new(mac(secret, &[label]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use core::time::Duration;

    const NEVER: fn() -> bool = || panic!("mac2 does not matter here");

    fn load() -> Load {
        Load::new(&Limits::default(), [1; 16])
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn v4(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(n))
    }

    /// Spends the unverified budget with one message from each of as many sources; the next one is asked for a cookie.
    fn flood(load: &mut Load, now: Instant) {
        let mut n = 0x0a00_0000;
        while load.admit(now, v4(n), || false) == Admission::Accept {
            n += 1;
        }
        assert!(load.under_load(now));
    }

    #[test]
    fn who_is_accepted_asked_or_dropped() {
        let me = v4(1);
        for (number, under_flood, verified, mine_before, wanted) in [
            (1, false, false, 0, Admission::Accept),
            (2, false, true, 0, Admission::Accept),
            (3, true, false, 0, Admission::Cookie),
            (4, true, true, 0, Admission::Accept),
            (5, true, true, 4, Admission::Accept),
            (6, true, true, 5, Admission::Drop),
            (7, true, false, 5, Admission::Cookie),
        ] {
            let mut load = load();
            if under_flood {
                flood(&mut load, at(0));
            }
            for _ in 0..mine_before {
                assert_eq!(load.admit(at(0), me, || true), Admission::Accept, "row {number}");
            }
            assert_eq!(load.admit(at(0), me, || verified), wanted, "row {number}");
        }
    }

    #[test]
    fn a_quiet_tunnel_asks_nobody_and_allocates_nothing() {
        let mut load = load();
        for n in 0..250 {
            assert_eq!(load.admit(at(0), v4(1), NEVER), Admission::Accept, "message {n}");
        }
        assert!(!load.under_load(at(0)));
        assert_eq!(load.heap_bytes(), 0);
    }

    #[test]
    fn one_address_cannot_spend_the_budget_of_others() {
        let mut load = load();
        for millis in 0..10_000 {
            for _ in 0..10 {
                load.admit(at(millis), v4(1), || false);
            }
            // A hundred others, each once a second.
            if millis % 10 == 0 {
                let other = v4(0x0a00_0000 + (millis as u32 / 10) % 100);
                assert_eq!(load.admit(at(millis), other, NEVER), Admission::Accept, "at {millis} ms");
            }
        }
    }

    #[test]
    fn a_flood_of_spoofed_sources_takes_constant_memory_and_lets_a_verified_peer_in() {
        let mut load = load();
        let (mut accepted, mut cookies) = (0, 0);
        let mut most = 0;
        for n in 0..400_000_u32 {
            let now = at(u64::from(n) / 100);
            let spoofed = if n % 2 == 0 { v4(n) } else { IpAddr::V6(Ipv6Addr::from(u128::from(n) << 64)) };
            match load.admit(now, spoofed, || false) {
                Admission::Accept => accepted += 1,
                Admission::Cookie => cookies += 1,
                Admission::Drop => panic!("a spoofed source is asked, not dropped"),
            }
            if n % 10_000 == 9_999 {
                let verdict = load.admit(now, v4(0xc000_0201), || true);
                assert_eq!(verdict, Admission::Accept, "the legitimate peer at {now:?}");
                accepted += 1;
            }
            most = most.max(load.heap_bytes());
        }
        // 4 s at 500/s, the burst, and the peer.
        assert!((2_400..=2_540).contains(&accepted), "{accepted}");
        assert_eq!(accepted + cookies, 400_040);
        assert_eq!(most, 64 * 1024);
    }

    #[test]
    fn spoofing_a_victim_costs_it_a_round_trip_and_no_more() {
        let mut load = load();
        let victim = v4(1);
        flood(&mut load, at(0));
        for _ in 0..1000 {
            assert_eq!(load.admit(at(1), victim, || false), Admission::Cookie);
        }
        assert_eq!(load.admit(at(1), victim, || true), Admission::Accept);
    }

    #[test]
    fn the_verified_lane_ends_too() {
        let mut load = load();
        flood(&mut load, at(0));
        let verdicts = (0..1100).map(|n| load.admit(at(0), v4(n), || true));
        assert_eq!(verdicts.filter(|verdict| *verdict == Admission::Accept).count(), 1000);
        assert_eq!(load.admit(at(0), v4(5000), || true), Admission::Drop);
        assert_eq!(load.admit(at(1), v4(5000), || true), Admission::Accept);
    }

    #[test]
    fn a_source_over_its_rate_spends_nothing_of_the_verified_lane() {
        let mut load = load();
        flood(&mut load, at(0));
        for n in 0..10_000 {
            let verdict = load.admit(at(0), v4(1), || true);
            assert_eq!(verdict, if n < 5 { Admission::Accept } else { Admission::Drop }, "message {n}");
        }
        let others = (0..995).filter(|n| load.admit(at(0), v4(1000 + n), || true) == Admission::Accept);
        assert_eq!(others.count(), 995);
    }

    #[test]
    fn a_64_is_one_source() {
        let mut load = load();
        flood(&mut load, at(0));
        let host = |n: u128| IpAddr::V6(Ipv6Addr::from((0x2001_0db8_u128 << 96) | n));
        let accepted = (0..100).filter(|n| load.admit(at(0), host(*n), || true) == Admission::Accept);
        assert_eq!(accepted.count(), 5);
        assert_eq!(load.admit(at(0), host(1 << 64), || true), Admission::Accept, "the next /64");
    }

    #[test]
    fn load_passes() {
        let mut load = load();
        flood(&mut load, at(0));
        assert!(!load.under_load(at(2)));
        assert_eq!(load.admit(at(2), v4(1), NEVER), Admission::Accept);
        let later = at(0) + Duration::from_secs(3600);
        for _ in 0..250 {
            assert_eq!(load.admit(later, v4(1), NEVER), Admission::Accept);
        }
    }

    #[test]
    fn no_instant_and_no_limit_panics() {
        for each in [0, 1, u32::MAX] {
            let limits = Limits {
                handshakes_per_second: each,
                verified_handshakes_per_second: each,
                handshakes_per_source: each,
                handshake_burst_per_source: each,
                ..Limits::default()
            };
            let mut load = Load::new(&limits, [0; 16]);
            for now in [Instant::MAX, Instant::ZERO, Instant::MAX, at(1), at(1)] {
                for verified in [true, false] {
                    load.admit(now, v4(1), || verified);
                }
                let _ = load.under_load(now);
            }
        }
    }
}
