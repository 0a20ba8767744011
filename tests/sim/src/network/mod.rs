//! The simulated internet: stations, the wires between them and the middle, NATs, and an attacker in the middle.
//!
//! A datagram travels station → uplink → (NAT) → middle, where the attacker sits → (NAT) → downlink → station.
//! The network knows addresses and bytes only; what the bytes mean is the hosts' affair.
mod attacker;
mod link;
mod nat;

pub use attacker::{Attacker, Fate};
pub use link::{Link, LinkStats, Profile};
pub use nat::{Nat, NatStats};

use crate::clock::Time;
use crate::rng::Rng;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use underpass_core::packet::ecn::Ecn;

/// A datagram between two outer addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who claims to have sent it.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// The ECN bits of its outer header.
    pub ecn: Ecn,
    /// Its payload.
    pub bytes: Vec<u8>,
}

/// What a datagram is, by its first byte (WireGuard paper § 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Type 1.
    Initiation,
    /// Type 2.
    Response,
    /// Type 3.
    CookieReply,
    /// Type 4 with a payload.
    Data,
    /// Type 4 without one: 32 bytes.
    Keepalive,
    /// Anything else.
    Other,
}

impl Datagram {
    /// A datagram that is not ECN-capable.
    #[must_use]
    pub const fn new(from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) -> Self {
        Self { from, to, ecn: Ecn::NotCapable, bytes }
    }

    /// What it claims to be.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (self.bytes.first(), self.bytes.len()) {
            (Some(1), _) => Kind::Initiation,
            (Some(2), _) => Kind::Response,
            (Some(3), _) => Kind::CookieReply,
            (Some(4), ..=32) => Kind::Keepalive,
            (Some(4), _) => Kind::Data,
            _ => Kind::Other,
        }
    }

    /// Bytes of the IP packet around it: 28 more in IPv4, 48 in IPv6.
    #[must_use]
    pub fn outer_len(&self) -> usize {
        self.bytes.len() + if self.to.is_ipv4() { 28 } else { 48 }
    }
}

/// A place where a host is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StationId(pub usize);

/// A NAT of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatId(usize);

/// Where a station is, and its wires.
#[derive(Debug)]
struct Station {
    address: SocketAddr,
    behind: Option<NatId>,
    /// How often it was plugged in elsewhere: what is under way to its old place does not follow it.
    moves: u32,
    uplink: Link,
    downlink: Link,
}

/// Where a datagram is on its way.
#[derive(Debug)]
enum Hop {
    /// At the far end of a station's uplink, where the NAT is that it was behind when it sent.
    Middle(StationId, Option<NatId>, Datagram),
    /// Past the attacker.
    Routed(Datagram),
    /// At the far end of the downlink of a station that had moved so many times.
    Arrived(StationId, u32, Datagram),
}

/// The simulated internet.
#[derive(Debug)]
pub struct Network {
    rng: Rng,
    stations: Vec<Station>,
    nats: Vec<Nat>,
    by_address: BTreeMap<SocketAddr, StationId>,
    by_outside: BTreeMap<IpAddr, NatId>,
    in_flight: BTreeMap<(Time, u64), Hop>,
    sequence: u64,
    /// Who sits in the middle.
    pub attacker: Attacker,
    /// Datagrams to addresses where nobody is, or is any more.
    pub unroutable: u64,
}

impl Network {
    /// A network without stations whose wires draw their luck from `rng`.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self {
            rng,
            stations: Vec::new(),
            nats: Vec::new(),
            by_address: BTreeMap::new(),
            by_outside: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            sequence: 0,
            attacker: Attacker::default(),
            unroutable: 0,
        }
    }

    /// Plugs a station in at a public `address`, on two honest wires.
    pub fn add_station(&mut self, address: SocketAddr) -> StationId {
        let id = StationId(self.stations.len());
        let (uplink, downlink) = (Link::default(), Link::default());
        self.stations.push(Station { address, behind: None, moves: 0, uplink, downlink });
        assert!(self.by_address.insert(address, id).is_none(), "two stations at {address}");
        id
    }

    /// Sets up a NAT at a public address.
    pub fn add_nat(&mut self, outside: IpAddr, timeout: Duration) -> NatId {
        let id = NatId(self.nats.len());
        self.nats.push(Nat::new(outside, timeout));
        assert!(self.by_outside.insert(outside, id).is_none(), "two NATs at {outside}");
        id
    }

    /// Plugs a station in elsewhere: at a public address, or at an inside address of a NAT.
    pub fn relocate(&mut self, station: StationId, address: SocketAddr, behind: Option<NatId>) {
        let old = &self.stations[station.0];
        if old.behind.is_none() {
            self.by_address.remove(&old.address);
        }
        if behind.is_none() {
            assert!(self.by_address.insert(address, station).is_none(), "two stations at {address}");
        }
        let moved = &mut self.stations[station.0];
        moved.address = address;
        moved.behind = behind;
        moved.moves += 1;
    }

    /// Where a station is plugged in: its own view of its address.
    #[must_use]
    pub fn address(&self, station: StationId) -> SocketAddr {
        self.stations[station.0].address
    }

    /// A NAT.
    pub fn nat(&mut self, nat: NatId) -> &mut Nat {
        &mut self.nats[nat.0]
    }

    /// The wire from a station.
    pub fn uplink(&mut self, station: StationId) -> &mut Link {
        &mut self.stations[station.0].uplink
    }

    /// The wire to a station.
    pub fn downlink(&mut self, station: StationId) -> &mut Link {
        &mut self.stations[station.0].downlink
    }

    /// Sends a datagram from a station, under the station's own address.
    pub fn send(&mut self, now: Time, station: StationId, to: SocketAddr, ecn: Ecn, bytes: Vec<u8>) {
        let sender = &mut self.stations[station.0];
        let datagram = Datagram { from: sender.address, to, ecn, bytes };
        let behind = sender.behind;
        for (at, datagram) in sender.uplink.carry(now, &mut self.rng, datagram) {
            self.schedule(at, Hop::Middle(station, behind, datagram));
        }
    }

    /// Puts a datagram of the attacker's making, under any source address, into the middle.
    pub fn inject(&mut self, now: Time, datagram: Datagram) {
        self.schedule(now, Hop::Routed(datagram));
    }

    /// When something happens next.
    #[must_use]
    pub fn next_time(&self) -> Option<Time> {
        self.in_flight.first_key_value().map(|((at, _), _)| *at)
    }

    /// Datagrams on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Moves whatever is due by `now` one hop on; answers with the first datagram that reaches a station.
    pub fn advance(&mut self, now: Time) -> Option<(StationId, Datagram)> {
        while let Some(entry) = self.in_flight.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                return None;
            }
            match entry.remove() {
                Hop::Middle(station, behind, datagram) => self.cross(at, station, behind, datagram),
                Hop::Routed(datagram) => self.route(at, datagram),
                Hop::Arrived(station, moves, datagram) if moves == self.stations[station.0].moves => {
                    return Some((station, datagram));
                }
                Hop::Arrived(..) => self.unroutable += 1,
            }
        }
        None
    }

    fn schedule(&mut self, at: Time, hop: Hop) {
        self.sequence += 1;
        self.in_flight.insert((at, self.sequence), hop);
    }

    fn cross(&mut self, now: Time, station: StationId, behind: Option<NatId>, mut datagram: Datagram) {
        if let Some(nat) = behind {
            self.nats[nat.0].outbound(now, station, &mut datagram);
        }
        match self.attacker.judge(now, &datagram) {
            Fate::Pass => self.route(now, datagram),
            Fate::Drop => {}
            Fate::Delay(by) => self.schedule(now + by, Hop::Routed(datagram)),
            Fate::Replace(others) => others.into_iter().for_each(|other| self.route(now, other)),
        }
    }

    fn route(&mut self, now: Time, mut datagram: Datagram) {
        let station = match self.by_outside.get(&datagram.to.ip()) {
            Some(nat) => {
                let found = self.nats[nat.0].inbound(now, &mut datagram);
                found.filter(|station| self.stations[station.0].behind == Some(*nat))
            }
            None => self.by_address.get(&datagram.to).copied(),
        };
        let Some(station) = station else {
            self.unroutable += 1;
            return;
        };
        let receiver = &mut self.stations[station.0];
        let moves = receiver.moves;
        for (at, datagram) in receiver.downlink.carry(now, &mut self.rng, datagram) {
            self.schedule(at, Hop::Arrived(station, moves, datagram));
        }
    }
}

#[cfg(test)]
mod tests;
