//! Tunnels in one process with nothing between them: what measurements of the core are made on.
//!
//! Tunnel `n` has the inner address 10.0.0.0 + n, or fd00:: + n, the outer address 198.18.0.0 + n and a key made from its number.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use underpass_core::NoRandomness;
use underpass_core::limits::{DEFAULT_MTU, HEADROOM};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{PacketBuf, Path};
use underpass_core::{Endpoint, Instant, Limits, NewPeer, Tunnel, TunnelConfig, UnixTime};
use underpass_core::{PrivateKey, Rng};

const INNER: u32 = 0x0a00_0000;
const INNER_IPV6: u128 = 0xfd00 << 112;
const OUTER: u32 = 0xc612_0000;

/// A xorshift generator: measurements want a cheap source that repeats itself, and nothing here is secret.
#[derive(Debug)]
pub struct Seeded(pub u64);

impl Rng for Seeded {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in dest {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = (self.0 >> 32) as u8;
        }
        Ok(())
    }
}

/// The private key of tunnel `number`.
#[must_use]
pub fn key(number: u32) -> PrivateKey {
    let mut bytes = [7; 32];
    bytes[4..8].copy_from_slice(&number.to_le_bytes());
    PrivateKey::from_bytes(bytes)
}

/// The outer addresses of a datagram from or to tunnel `number`.
#[must_use]
pub fn path(number: u32) -> Path {
    Path::new((Ipv4Addr::from(OUTER + number), 51820).into())
}

/// How tunnel `number` is known to others.
#[must_use]
pub fn as_peer(number: u32) -> NewPeer {
    NewPeer {
        endpoint: Some(Endpoint::Address(path(number).remote)),
        allowed_ips: vec![IpAddr::from(Ipv4Addr::from(INNER + number)).into()],
        ..NewPeer::new(key(number).public_key())
    }
}

/// Tunnel `number`, which knows `peers`.
///
/// # Panics
/// When the core refuses the configuration.
#[must_use]
pub fn tunnel(number: u32, peers: impl Iterator<Item = u32>) -> Tunnel {
    tunnel_with(number, peers.map(as_peer).collect(), DEFAULT_MTU, Limits::default())
}

/// Tunnel `number` with peers, MTU and limits of the caller's making.
///
/// # Panics
/// When the core refuses the configuration.
#[must_use]
pub fn tunnel_with(number: u32, peers: Vec<NewPeer>, mtu: u16, limits: Limits) -> Tunnel {
    let config = TunnelConfig { private_key: Some(key(number)), peers, mtu, limits, ..TunnelConfig::default() };
    let rng = Box::new(Seeded(u64::from(number) + 1));
    Tunnel::new(config, rng, Instant::ZERO, UnixTime::from_secs(1_700_000_000)).expect("a sound configuration")
}

/// Limits under which no handshake is ever refused.
#[must_use]
pub fn boundless() -> Limits {
    Limits {
        handshakes_per_second: 1_000_000_000,
        verified_handshakes_per_second: 1_000_000_000,
        handshakes_per_source: 1_000_000_000,
        handshake_burst_per_source: 1_000_000_000,
        ..Limits::default()
    }
}

/// Writes a packet of `len` bytes from the inner address of `from` to that of `to`, with the room around it that sealing
/// needs. `buf` is at least [`room`] bytes.
pub fn write_packet(buf: &mut [u8], len: usize, from: u32, to: u32) -> PacketBuf<'_> {
    write_header(&mut buf[HEADROOM..][..len], from, to);
    PacketBuf { buf, packet: HEADROOM..HEADROOM + len }
}

/// Writes the header of an IPv4 packet that fills `packet`.
pub fn write_header(packet: &mut [u8], from: u32, to: u32) {
    let len = u16::try_from(packet.len()).expect("an IPv4 packet");
    packet[..12].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0]);
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[12..16].copy_from_slice(&(INNER + from).to_be_bytes());
    packet[16..20].copy_from_slice(&(INNER + to).to_be_bytes());
}

/// The inner IPv6 network of tunnel `number`: one address.
#[must_use]
pub fn inner_ipv6(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(INNER_IPV6 | u128::from(number))
}

/// The same as [`write_packet`] with the IPv6 addresses of both, from [`inner_ipv6`].
pub fn write_packet_ipv6(buf: &mut [u8], len: usize, from: u32, to: u32) -> PacketBuf<'_> {
    let packet = &mut buf[HEADROOM..][..len];
    let payload = u16::try_from(len - 40).expect("an IPv6 packet");
    packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 0, 17, 64]);
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    packet[8..24].copy_from_slice(&inner_ipv6(from).octets());
    packet[24..40].copy_from_slice(&inner_ipv6(to).octets());
    PacketBuf { buf, packet: HEADROOM..HEADROOM + len }
}

/// Bytes of a buffer for a packet of `len` bytes.
#[must_use]
pub const fn room(len: usize) -> usize {
    HEADROOM + len + underpass_core::limits::TAILROOM
}

/// One handshake: `a`, which is tunnel `a_number`, initiates; three datagrams later both have a live session.
///
/// # Panics
/// When a datagram does not come.
pub fn shake_hands(a: &mut Tunnel, a_number: u32, b: &mut Tunnel, b_number: u32, now: Instant) {
    let id = a.peer_by_key(b.public_key().expect("b has a key")).expect("a knows b");
    a.connect(now, id);
    let mut buf = [0; 256];
    let initiation = a.poll_transmit(now, &mut buf).expect("room").expect("an initiation");
    let _ = b.handle_datagram(now, path(a_number), Ecn::NotCapable, &mut buf[..initiation.len]);
    let response = b.poll_transmit(now, &mut buf).expect("room").expect("a response");
    let _ = a.handle_datagram(now, path(b_number), Ecn::NotCapable, &mut buf[..response.len]);
    let confirmation = a.poll_transmit(now, &mut buf).expect("room").expect("a keepalive");
    let _ = b.handle_datagram(now, path(a_number), Ecn::NotCapable, &mut buf[..confirmation.len]);
}

/// Empties the event queue.
pub fn forget_events(tunnel: &mut Tunnel) {
    while tunnel.poll_event().is_some() {}
}
