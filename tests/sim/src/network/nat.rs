//! A NAT: endpoint-dependent mapping and filtering (RFC 4787 § 4.1, § 5), forgetful and moody.
use crate::clock::Time;
use crate::network::{Datagram, StationId};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

/// What a NAT did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatStats {
    /// Mappings made.
    pub mappings: u64,
    /// Datagrams from outside that met no mapping.
    pub unsolicited: u64,
    /// Times the mappings were thrown away at once.
    pub rebindings: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    inside: SocketAddr,
    remote: SocketAddr,
}

#[derive(Clone, Copy, Debug)]
struct Mapping {
    station: StationId,
    port: u16,
    used: Time,
}

/// A NAT with one outer address. Each pair of inside and remote address has a port of its own, which is
/// forgotten when nothing passed for the timeout.
#[derive(Clone, Debug)]
pub struct Nat {
    outside: IpAddr,
    timeout: Duration,
    next_port: u16,
    mappings: BTreeMap<Flow, Mapping>,
    /// What it did so far.
    pub stats: NatStats,
}

impl Nat {
    /// A NAT at `outside` that forgets a mapping unused for `timeout`.
    #[must_use]
    pub fn new(outside: IpAddr, timeout: Duration) -> Self {
        Self { outside, timeout, next_port: 40_000, mappings: BTreeMap::new(), stats: NatStats::default() }
    }

    /// Its address on the internet.
    #[must_use]
    pub const fn outside(&self) -> IpAddr {
        self.outside
    }

    /// Mappings alive at `now`.
    pub fn mappings(&mut self, now: Time) -> usize {
        self.forget(now);
        self.mappings.len()
    }

    /// Throws all mappings away, as a restarted router does: the same flow gets another port.
    pub fn rebind(&mut self) {
        self.mappings.clear();
        self.stats.rebindings += 1;
    }

    /// Rewrites the source of a datagram that leaves.
    pub fn outbound(&mut self, now: Time, station: StationId, datagram: &mut Datagram) {
        self.forget(now);
        let flow = Flow { inside: datagram.from, remote: datagram.to };
        let mapping = self.mappings.entry(flow).or_insert_with(|| {
            self.stats.mappings += 1;
            let port = self.next_port;
            self.next_port = self.next_port.checked_add(1).unwrap_or(40_000);
            Mapping { station, port, used: now }
        });
        mapping.used = now;
        datagram.from = SocketAddr::new(self.outside, mapping.port);
    }

    /// Rewrites the destination of a datagram that comes in, and tells whose it is. `None`: nobody asked
    /// for it.
    pub fn inbound(&mut self, now: Time, datagram: &mut Datagram) -> Option<StationId> {
        self.forget(now);
        let (from, port) = (datagram.from, datagram.to.port());
        let found = self.mappings.iter_mut().find(|(flow, mapping)| flow.remote == from && mapping.port == port);
        let Some((flow, mapping)) = found else {
            self.stats.unsolicited += 1;
            return None;
        };
        mapping.used = now;
        datagram.to = flow.inside;
        Some(mapping.station)
    }

    fn forget(&mut self, now: Time) {
        let timeout = self.timeout;
        self.mappings.retain(|_, mapping| now.saturating_sub(mapping.used) < timeout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "192.168.1.2:51820";
    const SECOND: Duration = Duration::from_secs(1);

    fn datagram(from: &str, to: &str) -> Datagram {
        Datagram::new(from.parse().unwrap(), to.parse().unwrap(), vec![1])
    }

    fn nat() -> Nat {
        Nat::new("203.0.113.9".parse().unwrap(), 30 * SECOND)
    }

    #[test]
    fn answers_find_their_way_and_strangers_do_not() {
        let mut nat = nat();
        let mut out = datagram(PHONE, "198.51.100.1:1000");
        nat.outbound(SECOND, StationId(4), &mut out);
        assert_eq!(out.from, "203.0.113.9:40000".parse().unwrap());
        let mut back = datagram("198.51.100.1:1000", "203.0.113.9:40000");
        assert_eq!(nat.inbound(SECOND, &mut back), Some(StationId(4)));
        assert_eq!(back.to, PHONE.parse().unwrap());
        // The filter depends on the remote's address and port.
        assert_eq!(nat.inbound(SECOND, &mut datagram("198.51.100.1:1001", "203.0.113.9:40000")), None);
        assert_eq!(nat.stats.unsolicited, 1);
    }

    #[test]
    fn each_remote_has_a_port_of_its_own() {
        let mut nat = nat();
        let mut a = datagram(PHONE, "198.51.100.1:1000");
        let mut b = datagram(PHONE, "198.51.100.1:1001");
        nat.outbound(SECOND, StationId(0), &mut a);
        nat.outbound(SECOND, StationId(0), &mut b);
        assert_ne!(a.from, b.from);
    }

    #[test]
    fn mappings_time_out_and_rebind() {
        let mut nat = nat();
        let send = |nat: &mut Nat, at: u64| {
            let mut out = datagram(PHONE, "198.51.100.1:1000");
            nat.outbound(at as u32 * SECOND, StationId(0), &mut out);
            out.from.port()
        };
        assert_eq!(send(&mut nat, 0), 40_000);
        assert_eq!(send(&mut nat, 29), 40_000);
        assert_eq!(send(&mut nat, 59), 40_001, "unused for 30 s");
        nat.rebind();
        assert_eq!(send(&mut nat, 60), 40_002);
        assert_eq!(nat.mappings(60 * SECOND), 1);
        assert_eq!(nat.mappings(90 * SECOND), 0);
    }
}
