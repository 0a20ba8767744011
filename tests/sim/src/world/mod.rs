//! The world: hosts on a network, and the time that passes for all of them.
//!
//! A story makes a world from a seed, adds hosts, introduces them to each other, lets them send and lets time pass, and
//! looks at what happened. The world jumps from one happening to the next: a datagram that arrives, a deadline that is
//! due. What must never happen panics at once, with the last happenings as text: a packet delivered that was
//! not sent or was delivered before, a deadline that stays due, a counter used twice.
mod drive;
mod leaks;
mod people;
mod traffic;

pub use traffic::Shape;

use crate::clock::Time;
use crate::host::{Host, Spec};
use crate::ledger::Ledger;
use crate::network::{NatId, Network, StationId};
use crate::rng::Rng;
use crate::trace::Trace;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// A host of the world; also its station on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub usize);

impl HostId {
    /// Where it is plugged in.
    #[must_use]
    pub const fn station(self) -> StationId {
        StationId(self.0)
    }
}

/// The UDP port of every host unless a story says otherwise.
pub const PORT: u16 = 51820;

/// The world.
#[derive(Debug)]
pub struct World {
    time: Time,
    rng: Rng,
    hosts: Vec<Host>,
    /// Deadlines of all hosts in true time, at most one a host.
    deadlines: BTreeSet<(Time, usize)>,
    deadline_of: Vec<Option<Time>>,
    /// Addresses that names resolve to; a name that is not here does not resolve.
    pub names: BTreeMap<String, SocketAddr>,
    /// Wires, NATs and the attacker.
    pub network: Network,
    /// What was sent and what arrived.
    pub ledger: Ledger,
    /// What happened.
    pub trace: Trace,
}

impl World {
    /// An empty world; all its chances follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            time: Duration::ZERO,
            network: Network::new(rng.split()),
            rng,
            hosts: Vec::new(),
            deadlines: BTreeSet::new(),
            deadline_of: Vec::new(),
            names: BTreeMap::new(),
            ledger: Ledger::default(),
            trace: Trace::default(),
        }
    }

    /// A world of two hosts that know each other's keys and endpoints: a phone and a gateway.
    #[must_use]
    pub fn pair(seed: u64) -> (Self, HostId, HostId) {
        let mut world = Self::new(seed);
        let phone = world.add(Spec::new("phone"));
        let gateway = world.add(Spec::new("gateway"));
        world.introduce(phone, gateway);
        (world, phone, gateway)
    }

    /// Adds a host.
    pub fn add(&mut self, spec: Spec) -> HostId {
        let number = self.hosts.len();
        let address = spec.address.unwrap_or_else(|| {
            let base = u32::from(Ipv4Addr::new(198, 18, 0, 1));
            SocketAddr::new(IpAddr::V4(Ipv4Addr::from(base + number as u32)), PORT)
        });
        let station = self.network.add_station(address);
        debug_assert_eq!(station.0, number);
        self.hosts.push(Host::new(spec, number, self.rng.split()));
        self.deadline_of.push(None);
        HostId(number)
    }

    /// Sets up a NAT at `outside` and plugs `host` in behind it.
    pub fn put_behind_nat(&mut self, host: HostId, outside: &str, timeout: Duration) -> NatId {
        let outside = outside.parse().expect("an IP address");
        let nat = self.network.add_nat(outside, timeout);
        let inside = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 168, 1, host.0 as u8 + 2)), PORT);
        self.network.relocate(host.station(), inside, Some(nat));
        nat
    }

    /// Plugs a host in at another public address. The host is not told; see [`World::network_change`].
    pub fn relocate(&mut self, host: HostId, address: &str) {
        self.network.relocate(host.station(), address.parse().expect("an address and port"), None);
    }

    /// True time.
    #[must_use]
    pub const fn time(&self) -> Time {
        self.time
    }

    /// A host.
    #[must_use]
    pub fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.0]
    }

    /// A host, to change what a story may change.
    pub fn host_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.0]
    }

    /// The world's own chance.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Every host.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.hosts.len()).map(HostId)
    }

    /// Where a host is plugged in.
    #[must_use]
    pub fn address(&self, host: HostId) -> SocketAddr {
        self.network.address(host.station())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the last happenings before {:?}:\n{}", self.time, self.trace.recent());
        }
    }
}
