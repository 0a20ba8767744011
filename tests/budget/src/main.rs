//! A small deterministic run of the core for an instruction counter, which is told to count inside `measured_*` alone.
//!
//! `underpass-budget SUBJECT BYTES`: seals or opens [`PACKETS`] packets in batches, or shakes hands [`HANDSHAKES`] times;
//! the `raw-` subjects do only the cryptography of that. Sealing is also done with padding to buckets of 256 bytes and to the
//! MTU, and in a full tunnel, where the endpoint lies in the peer's own allowed IPs; sealing and opening also one by one, and
//! with IPv6 packets.
//! Prints how many units of work were done.
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;
use underpass_budget::{as_peer, forget_events, path, room, shake_hands, tunnel, tunnel_with, write_packet};
use underpass_budget::{inner_ipv6, write_packet_ipv6};
use underpass_core::config::{Layout, Padding};
use underpass_core::internals::crypto::{AeadKey, PrivateKey, TransportKey, dh};
use underpass_core::limits::{DEFAULT_MTU, HEADROOM};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot};
use underpass_core::{Change, Instant, Limits, PublicKey, Tunnel};

/// Packets sealed or opened.
const PACKETS: usize = BATCH * 8;
/// Packets of a batch.
const BATCH: usize = 64;
/// The policy of padding between the default and the MTU.
const BUCKETS: Padding = Padding::Buckets(256);
/// Bytes of the cipher's tag.
const TAG: usize = 16;
/// Handshakes.
const HANDSHAKES: usize = 4;
/// Exchanges and key pairs of one handshake, both ends together, once both know the exchange of their static keys.
const EXCHANGES: usize = 6;
const KEY_PAIRS: usize = 2;
/// Sealings of one handshake, its confirming keepalive included; as many openings.
const SEALINGS: usize = 4;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let subject = arguments.next().expect("what to measure");
    let bytes = arguments.next().map_or(0, |bytes| bytes.parse().expect("a number of bytes"));
    let units = match subject.as_str() {
        "raw-seal" | "raw-seal-full" | "raw-seal-one" | "raw-seal-ipv6" => raw(bytes, true),
        "raw-seal-256" => raw(padded(BUCKETS, bytes), true),
        "raw-seal-mtu" => raw(padded(Padding::Mtu, bytes), true),
        "raw-open" | "raw-open-one" | "raw-open-ipv6" => raw(bytes, false),
        "seal" => whole(bytes, measured_seal, aside_open, &Setting::default()),
        "seal-one" => whole(bytes, measured_seal_singly, aside_open, &Setting::default()),
        "seal-256" => whole(bytes, measured_seal, aside_open, &Setting { padding: BUCKETS, ..Setting::default() }),
        "seal-mtu" => whole(bytes, measured_seal, aside_open, &Setting { padding: Padding::Mtu, ..Setting::default() }),
        "seal-full" => whole(bytes, measured_seal, aside_open, &Setting { full: true, ..Setting::default() }),
        "seal-ipv6" => whole(bytes, measured_seal, aside_open, &Setting { ipv6: true, ..Setting::default() }),
        "open-ipv6" => whole(bytes, aside_seal, measured_open, &Setting { ipv6: true, ..Setting::default() }),
        "open" => whole(bytes, aside_seal, measured_open, &Setting::default()),
        "open-one" => whole(bytes, aside_seal, measured_open_singly, &Setting::default()),
        "raw-handshake" => raw_handshakes(),
        "handshake" => handshakes(),
        other => panic!("what is `{other}`?"),
    };
    println!("{units}");
}

/// The cipher alone over the same buffers.
fn raw(bytes: usize, sealing: bool) -> usize {
    let key = AeadKey::new(&TransportKey::from_bytes([1; 32]));
    let mut bufs = vec![vec![0; room(bytes)]; BATCH];
    for batch in 0..PACKETS / BATCH {
        if sealing {
            measured_raw_seal(&key, batch * BATCH, &mut bufs, bytes);
        } else {
            for (buf, counter) in bufs.iter_mut().zip(batch * BATCH..) {
                let (text, tag) = buf[HEADROOM..].split_at_mut(bytes);
                tag[..16].copy_from_slice(&key.seal(counter as u64, &[], text));
            }
            measured_raw_open(&key, batch * BATCH, &mut bufs, bytes);
        }
    }
    PACKETS
}

#[inline(never)]
fn measured_raw_seal(key: &AeadKey, first: usize, bufs: &mut [Vec<u8>], bytes: usize) {
    for (buf, counter) in bufs.iter_mut().zip(first..) {
        black_box(key.seal(counter as u64, &[], &mut buf[HEADROOM..][..bytes]));
    }
}

#[inline(never)]
fn measured_raw_open(key: &AeadKey, first: usize, bufs: &mut [Vec<u8>], bytes: usize) {
    for (buf, counter) in bufs.iter_mut().zip(first..) {
        assert!(key.open(counter as u64, &[], &mut buf[HEADROOM..][..bytes + 16]).is_ok());
    }
}

/// The length of a packet of `bytes` bytes after padding.
fn padded(padding: Padding, bytes: usize) -> usize {
    Layout::new(DEFAULT_MTU, padding).datagram_len(bytes) - HEADROOM - TAG
}

/// How the sealing end is configured.
#[derive(Default)]
struct Setting {
    padding: Padding,
    /// The peer owns every address.
    full: bool,
    /// The packets are IPv6.
    ipv6: bool,
}

/// The whole core, one peer. Both directions run, one of them measured.
fn whole(
    bytes: usize,
    seal: fn(&mut Tunnel, &mut [PacketSlot<'_>]),
    open: fn(&mut Tunnel, &mut [DatagramSlot<'_>]),
    setting: &Setting,
) -> usize {
    let mut peer = as_peer(1);
    if setting.full {
        peer.allowed_ips = vec!["0.0.0.0/0".parse().expect("a network")];
    }
    let mut other = as_peer(0);
    if setting.ipv6 {
        peer.allowed_ips = vec![IpAddr::from(inner_ipv6(1)).into()];
        other.allowed_ips = vec![IpAddr::from(inner_ipv6(0)).into()];
    }
    let write = if setting.ipv6 { write_packet_ipv6 } else { write_packet };
    let [mut a, mut b] =
        [(0, peer), (1, other)].map(|(number, peer)| tunnel_with(number, vec![peer], DEFAULT_MTU, Limits::default()));
    a.configure(Instant::ZERO, &[Change::Padding(setting.padding)]).expect("a sound change");
    shake_hands(&mut a, 0, &mut b, 1, Instant::ZERO);
    let mut bufs = vec![vec![0; room(padded(setting.padding, bytes))]; BATCH];
    for _ in 0..PACKETS / BATCH {
        let mut packets: Vec<PacketSlot<'_>> =
            bufs.iter_mut().map(|buf| PacketSlot::new(write(buf, bytes, 0, 1))).collect();
        seal(&mut a, &mut packets);
        let len = a.layout().datagram_len(bytes);
        drop(packets);
        let mut datagrams: Vec<DatagramSlot<'_>> =
            bufs.iter_mut().map(|buf| DatagramSlot::new(path(0), Ecn::NotCapable, &mut buf[..len])).collect();
        open(&mut b, &mut datagrams);
    }
    assert_eq!(b.stats().rx_packets, PACKETS as u64);
    PACKETS
}

#[inline(never)]
fn measured_seal(tunnel: &mut Tunnel, packets: &mut [PacketSlot<'_>]) {
    tunnel.handle_packets(Instant::ZERO, packets);
}

#[inline(never)]
fn measured_seal_singly(tunnel: &mut Tunnel, packets: &mut [PacketSlot<'_>]) {
    for PacketSlot { packet: PacketBuf { buf, packet }, .. } in packets {
        let outcome = tunnel.handle_packet(Instant::ZERO, PacketBuf { buf, packet: packet.clone() });
        assert!(matches!(outcome, Outbound::Datagram { .. }));
    }
}

fn aside_seal(tunnel: &mut Tunnel, packets: &mut [PacketSlot<'_>]) {
    tunnel.handle_packets(Instant::ZERO, packets);
}

#[inline(never)]
fn measured_open(tunnel: &mut Tunnel, datagrams: &mut [DatagramSlot<'_>]) {
    tunnel.handle_datagrams(Instant::ZERO, datagrams);
}

#[inline(never)]
fn measured_open_singly(tunnel: &mut Tunnel, datagrams: &mut [DatagramSlot<'_>]) {
    for DatagramSlot { path, ecn, datagram, .. } in datagrams {
        let outcome = tunnel.handle_datagram(Instant::ZERO, *path, *ecn, datagram);
        assert!(matches!(outcome, Inbound::Packet { .. }));
    }
}

fn aside_open(tunnel: &mut Tunnel, datagrams: &mut [DatagramSlot<'_>]) {
    tunnel.handle_datagrams(Instant::ZERO, datagrams);
}

/// Both ends of handshakes, far enough apart in time for the session before to have expired.
fn handshakes() -> usize {
    let (mut a, mut b) = (tunnel(0, 1..2), tunnel(1, 0..1));
    shake_hands(&mut a, 0, &mut b, 1, Instant::ZERO);
    let mut now = Instant::ZERO;
    let mut buf = [0; 256];
    for _ in 0..HANDSHAKES {
        now = now + Duration::from_secs(1000);
        for tunnel in [&mut a, &mut b] {
            tunnel.handle_timeout(now);
            while tunnel.poll_transmit(now, &mut buf).expect("room").is_some() {}
            forget_events(tunnel);
        }
        measured_handshake(&mut a, &mut b, now);
    }
    assert_eq!(b.stats().handshakes, HANDSHAKES as u64 + 1);
    HANDSHAKES
}

#[inline(never)]
fn measured_handshake(a: &mut Tunnel, b: &mut Tunnel, now: Instant) {
    shake_hands(a, 0, b, 1, now);
}

fn raw_handshakes() -> usize {
    let (private, other) = (PrivateKey::from_bytes([3; 32]), PrivateKey::from_bytes([5; 32]));
    for _ in 0..HANDSHAKES {
        measured_raw_handshake(&private, &other);
    }
    HANDSHAKES
}

#[inline(never)]
fn measured_raw_handshake(private: &PrivateKey, other: &PrivateKey) {
    // Any point will do, as long as no key pair is made for it.
    let mut public = PublicKey::from_bytes([9; 32]);
    for _ in 0..KEY_PAIRS {
        public = dh::public_key(black_box(other));
    }
    for _ in 0..EXCHANGES {
        assert!(dh::exchange(black_box(private), &public).is_some());
    }
    for counter in 0..SEALINGS as u64 {
        let mut text = [0; 48];
        let key = AeadKey::new(&TransportKey::from_bytes([1; 32]));
        let (plain, tag) = text.split_at_mut(32);
        tag.copy_from_slice(&key.seal(counter, &[7; 32], plain));
        assert!(AeadKey::new(&TransportKey::from_bytes([1; 32])).open(counter, &[7; 32], &mut text).is_ok());
    }
}
