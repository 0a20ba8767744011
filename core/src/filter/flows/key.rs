//! What names a flow: the same for packets of both directions.
use super::super::HOST;
use crate::packet::Address;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// Between whom a packet goes, as it says of itself and as the routes say of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter) struct Tuple {
    /// The source.
    pub source: End,
    /// The destination.
    pub destination: End,
    /// The protocol number.
    pub protocol: u8,
    /// Of ICMP, the type of the question; otherwise zero.
    pub question: u8,
    /// Whether it is the answer to that.
    pub is_answer: bool,
}

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::filter) struct End {
    /// Its address.
    pub address: Address,
    /// The peer that owns the address, or [`HOST`].
    pub peer: u32,
    /// Its port, the identifier of ICMP, or zero.
    pub port: u16,
}

impl End {
    /// Whether a peer owns the address.
    pub(in crate::filter) const fn is_peer(&self) -> bool {
        self.peer != HOST
    }
}

impl Tuple {
    /// The same, the other way round.
    pub(in crate::filter) const fn turned(self) -> Self {
        let is_answer = self.is_answer != (self.question != 0);
        Self { source: self.destination, destination: self.source, is_answer, ..self }
    }
}

/// The name of a flow: its ends, the lower one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filter) struct Key {
    low: u128,
    high: u128,
    peers: (u32, u32),
    ports: (u16, u16),
    protocol: u8,
    question: u8,
    /// Whether the lower end asks the question: both ends may ask with the same identifier.
    low_asks: bool,
    is_ipv6: bool,
}

impl Key {
    /// The name of the flow that `tuple` belongs to, and whether its source is the lower end.
    #[inline]
    pub(super) fn of(tuple: &Tuple) -> (Self, bool) {
        let from_low = tuple.source <= tuple.destination;
        let (low, high) = if from_low { (tuple.source, tuple.destination) } else { (tuple.destination, tuple.source) };
        let key = Self {
            low: number(low.address),
            high: number(high.address),
            peers: (low.peer, high.peer),
            ports: (low.port, high.port),
            protocol: tuple.protocol,
            question: tuple.question,
            low_asks: tuple.question != 0 && from_low != tuple.is_answer,
            is_ipv6: matches!(low.address, Address::V6(_)),
        };
        (key, from_low)
    }

    /// The ends and the rest again; `from_low` says which end is the source.
    pub(super) fn tuple(&self, from_low: bool) -> Tuple {
        let address = |number: u128| if self.is_ipv6 { Address::V6(number) } else { Address::V4(number as u32) };
        let low = End { address: address(self.low), peer: self.peers.0, port: self.ports.0 };
        let high = End { address: address(self.high), peer: self.peers.1, port: self.ports.1 };
        let (source, destination) = if from_low { (low, high) } else { (high, low) };
        let is_answer = self.question != 0 && from_low != self.low_asks;
        Tuple { source, destination, protocol: self.protocol, question: self.question, is_answer }
    }

    #[inline]
    pub(super) const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// A hash that nobody can aim at who does not know `secret` (SipHash-1-3).
    #[inline]
    pub(super) fn hash(&self, secret: (u64, u64)) -> u32 {
        let mut hasher = SipHasher13::new_with_keys(secret.0, secret.1);
        if self.is_ipv6 {
            hasher.write(&self.low.to_le_bytes());
            hasher.write(&self.high.to_le_bytes());
        } else {
            hasher.write_u64((self.low as u64) << 32 | self.high as u64);
        }
        hasher.write_u64(u64::from(self.peers.0) << 32 | u64::from(self.peers.1));
        let ports = u64::from(self.ports.0) << 16 | u64::from(self.ports.1);
        let rest = u64::from(self.protocol) << 16 | u64::from(self.question) << 8 | u64::from(self.low_asks);
        hasher.write_u64(ports << 32 | rest);
        hasher.finish() as u32
    }
}

fn number(address: Address) -> u128 {
    match address {
        Address::V4(address) => address.into(),
        Address::V6(address) => address,
    }
}
