//! Two tunnels that know each other, and what is common to the targets that use them.
use crate::mutate::Chance;
use std::net::SocketAddr;
use underpass_core::NoRandomness;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Inbound, Path};
use underpass_core::{
    Endpoint, Instant, Limits, NewPeer, PeerId, PrivateKey, PublicKey, Rng, Tunnel, TunnelConfig, UnixTime,
};

/// The present, where a target does not move it.
pub const NOW: Instant = Instant::from_nanos(1_000_000_000);
/// Room for every datagram.
pub const BUFFER: usize = 65_536 + 64;

/// Randomness that replays.
struct Seeded(Chance);

impl Rng for Seeded {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        dest.fill_with(|| self.0.bits() as u8);
        Ok(())
    }
}

/// The randomness number `number`.
#[must_use]
pub fn chance(number: u64) -> Box<dyn Rng> {
    Box::new(Seeded(Chance::new(number)))
}

/// The private key number `number`.
#[must_use]
pub fn private_key(number: u8) -> PrivateKey {
    PrivateKey::from_bytes([number.wrapping_add(1); 32]).clamped()
}

/// Where side `number` is reached.
#[must_use]
pub fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 51820))
}

/// The path on which a datagram of side `number` arrives.
#[must_use]
pub fn path_of(number: u8) -> Path {
    Path::new(address(number))
}

/// How side `number` knows side `other`: all of `10.other/16` and `fd00:other::/32`.
#[must_use]
pub fn peer(other: u8, public_key: PublicKey) -> NewPeer {
    let allowed = [format!("10.{other}.0.0/16"), format!("fd00:{other}::/32")];
    let allowed = allowed.map(|network| network.parse().expect("a network"));
    NewPeer {
        endpoint: Some(Endpoint::Address(address(other))),
        allowed_ips: allowed.to_vec(),
        ..NewPeer::new(public_key)
    }
}

/// Side `number`, which has side `other` as its only peer.
#[must_use]
pub fn side(number: u8, other: u8, limits: Limits) -> Tunnel {
    let config = TunnelConfig {
        private_key: Some(private_key(number)),
        peers: vec![peer(other, private_key(other).public_key())],
        limits,
        ..TunnelConfig::default()
    };
    Tunnel::new(config, chance(u64::from(number) + 1), NOW, UnixTime::from_secs(1_700_000_000))
        .expect("a good configuration")
}

/// The only peer of `tunnel`.
#[must_use]
pub fn only_peer(tunnel: &Tunnel) -> PeerId {
    tunnel.peers().next().expect("it has a peer").id()
}

/// The next datagram that `tunnel`, whose MTU is the usual one, wants to send.
pub fn next_datagram(tunnel: &mut Tunnel, now: Instant) -> Option<Vec<u8>> {
    let mut buf = vec![0; 1500];
    let transmit = tunnel.poll_transmit(now, &mut buf).ok()??;
    buf.truncate(transmit.len);
    Some(buf)
}

/// Hands each side the other's datagrams until both are silent.
pub fn exchange(left: (&mut Tunnel, u8), right: (&mut Tunnel, u8), now: Instant) {
    let ((left, left_number), (right, right_number)) = (left, right);
    for round in 0.. {
        assert!(round < 64, "they never fall silent");
        let mut carried = 0;
        while let Some(mut datagram) = next_datagram(left, now) {
            carried += 1;
            let _ = right.handle_datagram(now, path_of(left_number), Ecn::NotCapable, &mut datagram);
        }
        while let Some(mut datagram) = next_datagram(right, now) {
            carried += 1;
            let _ = left.handle_datagram(now, path_of(right_number), Ecn::NotCapable, &mut datagram);
        }
        if carried == 0 {
            return;
        }
    }
}

/// An inner packet of `len` bytes between the addresses of two sides, filled with `fill`.
#[must_use]
pub fn inner(from: u8, to: u8, ipv6: bool, len: usize, fill: &[u8]) -> Vec<u8> {
    let header = if ipv6 { 40 } else { 20 };
    let len = len.clamp(header, 65_535);
    let mut packet = vec![0; len];
    if ipv6 {
        packet[0] = 0x60;
        packet[4..6].copy_from_slice(&u16::try_from(len - header).expect("it fits").to_be_bytes());
        packet[6..8].copy_from_slice(&[59, 64]);
        packet[8..12].copy_from_slice(&[0xfd, 0, 0, from]);
        packet[24..28].copy_from_slice(&[0xfd, 0, 0, to]);
        (packet[23], packet[39]) = (1, 1);
    } else {
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&u16::try_from(len).expect("it fits").to_be_bytes());
        packet[8..10].copy_from_slice(&[64, 17]);
        packet[12..16].copy_from_slice(&[10, from, 0, 1]);
        packet[16..20].copy_from_slice(&[10, to, 0, 1]);
    }
    for (byte, fill) in packet[header..].iter_mut().zip(fill.iter().cycle()) {
        *byte = *fill;
    }
    packet
}

/// What is left of an outcome when its borrow ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A packet for the virtual interface.
    Packet(Vec<u8>),
    /// A reply of this many bytes.
    Reply(usize),
    /// Taken in.
    Consumed,
    /// Dropped.
    Dropped,
}

impl From<Inbound<&mut [u8]>> for Outcome {
    fn from(inbound: Inbound<&mut [u8]>) -> Self {
        match inbound {
            Inbound::Packet { packet, .. } => Self::Packet(packet.to_vec()),
            Inbound::Reply(reply) => Self::Reply(reply.len()),
            Inbound::Consumed => Self::Consumed,
            _ => Self::Dropped,
        }
    }
}
