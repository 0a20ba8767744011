//! Packets between hosts.
use super::{HostId, World};
use crate::inner;
use crate::ledger::Flow;
use crate::outcome::Outcome;
use core::time::Duration;
use underpass_core::packet::ecn::Ecn;

/// What a packet looks like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Bytes.
    pub len: usize,
    /// Its ECN bits.
    pub ecn: Ecn,
    /// IPv6 instead of IPv4.
    pub ipv6: bool,
}

impl Default for Shape {
    /// 100 bytes of IPv4 without ECN.
    fn default() -> Self {
        Self { len: 100, ecn: Ecn::NotCapable, ipv6: false }
    }
}

impl World {
    /// Sends one packet from one host's virtual interface to the other's address.
    pub fn send(&mut self, from: HostId, to: HostId) -> Outcome {
        self.send_shaped(from, to, Shape::default())
    }

    /// Sends one packet of this shape.
    pub fn send_shaped(&mut self, from: HostId, to: HostId, shape: Shape) -> Outcome {
        let packet = self.make_packet(from, to, shape);
        self.write(from, packet)
    }

    /// Sends `count` packets in one batch.
    pub fn burst(&mut self, from: HostId, to: HostId, count: usize) -> Vec<Outcome> {
        let packets = (0..count).map(|_| self.make_packet(from, to, Shape::default())).collect();
        self.write_all(from, packets)
    }

    /// Sends a packet every `every`, beginning now, for `duration`.
    pub fn stream(&mut self, from: HostId, to: HostId, every: Duration, duration: Duration) {
        let end = self.time() + duration;
        while self.time() < end {
            self.send(from, to);
            self.run_for(every);
        }
    }

    /// Sends a packet each way every `every`, beginning now, for `duration`.
    pub fn converse(&mut self, a: HostId, b: HostId, every: Duration, duration: Duration) {
        let end = self.time() + duration;
        while self.time() < end {
            self.send(a, b);
            self.send(b, a);
            self.run_for(every);
        }
    }

    /// Writes a packet of any kind to a host's virtual interface.
    pub fn write(&mut self, host: HostId, packet: Vec<u8>) -> Outcome {
        self.write_all(host, vec![packet])[0]
    }

    /// The flow from one host to another.
    #[must_use]
    pub fn flow(&self, from: HostId, to: HostId) -> Flow {
        self.ledger.flow(flow_number(from, to))
    }

    /// How many packets arrived from one host at another.
    #[must_use]
    pub fn arrived(&self, from: HostId, to: HostId) -> usize {
        self.ledger.arrived(flow_number(from, to))
    }

    /// A packet of the ledger's, not yet written anywhere.
    pub fn make_packet(&mut self, from: HostId, to: HostId, shape: Shape) -> Vec<u8> {
        let identity = self.ledger.send(flow_number(from, to));
        let (source, destination) = (self.host(from).inner(shape.ipv6), self.host(to).inner(shape.ipv6));
        inner::packet(source, destination, shape.ecn, identity, shape.len)
    }
}

fn flow_number(from: HostId, to: HostId) -> u32 {
    let (from, to) = (u16::try_from(from.0), u16::try_from(to.0));
    let number = |half: Result<u16, _>| u32::from(half.expect("fewer than 65536 hosts"));
    number(from) << 16 | number(to)
}
