//! A small deterministic run of the core for an instruction counter, which is told to count inside `measured_*` alone.
//!
//! `underpass-budget SUBJECT BYTES`: seals or opens [`PACKETS`] packets in batches, or shakes hands [`HANDSHAKES`] times;
//! the `raw-` subjects do only the cryptography of that. Prints how many units of work were done.
use std::hint::black_box;
use std::time::Duration;
use underpass_budget::{forget_events, path, room, shake_hands, tunnel, write_packet};
use underpass_core::internals::crypto::{AeadKey, PrivateKey, TransportKey, dh};
use underpass_core::limits::HEADROOM;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{DatagramSlot, Inbound, Outbound, PacketSlot};
use underpass_core::{Instant, Tunnel};

/// Packets sealed or opened.
const PACKETS: usize = BATCH * 8;
/// Packets of a batch.
const BATCH: usize = 64;
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
        "raw-seal" => raw(bytes, true),
        "raw-open" => raw(bytes, false),
        "seal" => whole(bytes, true),
        "open" => whole(bytes, false),
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

/// The whole core, one peer.
fn whole(bytes: usize, sealing: bool) -> usize {
    let (mut a, mut b) = (tunnel(0, 1..2), tunnel(1, 0..1));
    shake_hands(&mut a, 0, &mut b, 1, Instant::ZERO);
    let mut bufs = vec![vec![0; room(bytes)]; BATCH];
    for _ in 0..PACKETS / BATCH {
        let mut packets: Vec<PacketSlot<'_>> =
            bufs.iter_mut().map(|buf| PacketSlot::new(write_packet(buf, bytes, 0, 1))).collect();
        if sealing {
            measured_seal(&mut a, &mut packets);
        } else {
            a.handle_packets(Instant::ZERO, &mut packets);
        }
        let mut datagrams: Vec<DatagramSlot<'_>> = packets.into_iter().map(sealed).collect();
        if !sealing {
            measured_open(&mut b, &mut datagrams);
            assert!(datagrams.iter().all(|slot| matches!(slot.verdict, Inbound::Packet { .. })));
        }
    }
    PACKETS
}

fn sealed(slot: PacketSlot<'_>) -> DatagramSlot<'_> {
    match slot.verdict {
        Outbound::Datagram { datagram, .. } => {
            let datagram = datagram.of_mut(slot.packet.buf).expect("within its buffer");
            DatagramSlot::new(path(0), Ecn::NotCapable, datagram)
        }
        verdict => panic!("{verdict:?}"),
    }
}

#[inline(never)]
fn measured_seal(tunnel: &mut Tunnel, packets: &mut [PacketSlot<'_>]) {
    tunnel.handle_packets(Instant::ZERO, packets);
}

#[inline(never)]
fn measured_open(tunnel: &mut Tunnel, datagrams: &mut [DatagramSlot<'_>]) {
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
    let mut public = other.public_key();
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
