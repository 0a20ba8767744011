//! Stories in simulated time.
mod build;
mod caps;
mod changes;
mod fragments;
mod icmp;
mod peers;
mod reference;
mod rejects;
mod rules;
mod shared;
mod tcp;
mod timeouts;
mod told;

use super::*;
use crate::packet::tcp::Flags;
use core::net::SocketAddr;
use core::time::Duration;
use std::vec;

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN;
const RST: u8 = Flags::RST;

const PASS: Ruling = Ruling::Pass;
const DENIED: Ruling = Ruling::Drop(Reason::Denied);
const NO_FLOW: Ruling = Ruling::Drop(Reason::NoFlow);

/// Monday, 2024-01-01, 0:00 UTC.
const MONDAY: UnixTime = UnixTime::from_secs(1_704_067_200);
/// The peer of most stories, where it is and whom it talks to.
const ALICE: u32 = 1;
const BOB: u32 = 2;

struct Fixed;

impl Rng for Fixed {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.fill(7);
        Ok(())
    }
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse().expect("a network")
}

fn everything() -> Vec<ipnet::IpNet> {
    vec![net("0.0.0.0/0"), net("::/0")]
}

/// A filter and its clock.
struct World {
    filter: Filter,
    now: Instant,
}

impl World {
    /// One in which Alice has the session that `rules` make.
    fn new(rules: Vec<Rule>) -> Self {
        Self::with(FilterConfig::default(), SessionConfig { rules: rules.into(), ..SessionConfig::default() })
    }

    fn with(config: FilterConfig, session: SessionConfig) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut world = Self { filter: Filter::new(config, &mut Fixed, now, MONDAY).unwrap(), now };
        world.filter.open(now, ALICE, session).unwrap();
        world
    }

    /// One in which Alice may reach everything but peers.
    fn open() -> Self {
        Self::new(vec![Rule::allow(1, everything())])
    }

    fn pass_time(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    /// Alice sends a packet to the host's side.
    fn send(&mut self, mut packet: Vec<u8>) -> Ruling {
        self.filter.inbound(self.now, ALICE, None, &mut packet)
    }

    /// The host's side sends a packet to Alice.
    fn receive(&mut self, mut packet: Vec<u8>) -> Ruling {
        self.filter.outbound(self.now, ALICE, None, &mut packet)
    }

    /// Alice and `server` establish a TCP connection.
    fn connect(&mut self, from: SocketAddr, to: SocketAddr) {
        assert_eq!(self.send(build::tcp(from, to, SYN)), PASS);
        assert_eq!(self.receive(build::tcp(to, from, SYN | ACK)), PASS);
        assert_eq!(self.send(build::tcp(from, to, ACK)), PASS);
    }
}
