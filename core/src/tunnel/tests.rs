//! The contract of the tunnel, on two tunnels that hand each other their datagrams.
mod cipher;
#[cfg(feature = "control")]
mod control;
mod events;
mod floors;
mod fork;
mod handshakes;
mod intents;
mod links;
mod network;
mod new_peer;
mod own;
mod padding;
mod randomness;
mod refuse;
mod room;
mod snapshot;
mod stress;
mod ties;
mod user;
mod verdicts;

use super::*;
use crate::config::{Change, Endpoint, NewPeer, PeerAction, PeerChange};
use crate::crypto::{PrivateKey, PublicKey};
use crate::error::{ConfigReason, NoRandomness};
use crate::limits::{HEADROOM, Limits, TAILROOM};
use crate::packet::ecn::Ecn;
use crate::peer::{Peer, PeerId};
use crate::stats::DropReason;
use core::net::SocketAddr;
use core::time::Duration;
use std::vec::Vec;
use std::{string::ToString, vec};

/// A seeded source: runs replay byte for byte.
struct Seeded(u64);

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

struct Host {
    tunnel: Tunnel,
    path: Path,
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 51820))
}

fn private(byte: u8) -> PrivateKey {
    PrivateKey::from_bytes([byte; 32])
}

fn host(number: u8, peer: u8) -> Host {
    host_at(number, peer, Instant::ZERO)
}

/// A host that starts at `now`.
fn host_at(number: u8, peer: u8, now: Instant) -> Host {
    let mut known = NewPeer::new(private(peer).public_key());
    known.endpoint = Some(Endpoint::Address(address(peer)));
    known.allowed_ips = vec![std::format!("10.0.0.{peer}/32").parse().expect("a network")];
    let config = TunnelConfig { private_key: Some(private(number)), peers: vec![known], ..TunnelConfig::default() };
    let rng = Box::new(Seeded(now.as_nanos() + u64::from(number) + 1));
    let wall = UnixTime::from_secs(1_700_000_000) + now.since(Instant::ZERO);
    let tunnel = Tunnel::new(config, rng, now, wall).expect("a good configuration");
    Host { tunnel, path: Path::new(address(number)) }
}

/// An IPv4 packet in a buffer with room around it.
fn packet(from: u8, to: u8, len: usize) -> (Vec<u8>, core::ops::Range<usize>) {
    let mut buf = vec![0; HEADROOM + len + TAILROOM];
    let range = HEADROOM..HEADROOM + len;
    let ip = &mut buf[range.clone()];
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&u16::try_from(len).expect("short").to_be_bytes());
    ip[8] = 64;
    ip[9] = 17;
    ip[12..16].copy_from_slice(&[10, 0, 0, from]);
    ip[16..20].copy_from_slice(&[10, 0, 0, to]);
    (buf, range)
}

/// Carries what each side wants to send until both are silent; returns how many datagrams went.
fn exchange(now: Instant, a: &mut Host, b: &mut Host) -> usize {
    let mut carried = 0;
    loop {
        let before = carried;
        for forward in [true, false] {
            let (from, to) = if forward { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            let mut buf = vec![0; 2048];
            while let Ok(Some(transmit)) = from.tunnel.poll_transmit(now, &mut buf) {
                carried += 1;
                let _ = to.tunnel.handle_datagram(now, from.path, transmit.ecn, &mut buf[..transmit.len]);
            }
        }
        if carried == before {
            return carried;
        }
    }
}

fn connected() -> (Host, Host) {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    let peer = a.tunnel.peers().next().expect("one peer").id();
    a.tunnel.connect(Instant::ZERO, peer);
    assert_eq!(exchange(Instant::ZERO, &mut a, &mut b), 3, "initiation, response, confirmation");
    (a, b)
}

#[test]
fn a_staged_packet_brings_up_the_session_and_arrives() {
    let (mut a, mut b) = (host(1, 2), host(2, 1));
    let (mut buf, range) = packet(1, 2, 60);
    let outcome = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Staged));
    assert_eq!(exchange(Instant::ZERO, &mut a, &mut b), 3, "initiation, response, the packet");
    assert_eq!(b.tunnel.stats().rx_packets, 1);
    assert_eq!((a.tunnel.footprint().staged_bytes, a.tunnel.footprint().intents), (0, 0));
}

#[test]
fn one_call_a_batch_and_three_steps_make_the_same_bytes() {
    let sealed = |how: u8| {
        let (mut a, _) = connected();
        let (mut buf, range) = packet(1, 2, 61);
        let now = Instant::ZERO;
        let verdict = match how {
            0 => {
                let mut batch = [PacketSlot::new(PacketBuf { buf: &mut buf, packet: range })];
                a.tunnel.handle_packets(now, &mut batch);
                batch[0].verdict
            }
            1 => match a.tunnel.begin_seal(now, PacketBuf { buf: &mut buf, packet: range }) {
                Begin::Crypt(job) => a.tunnel.finish_seal(now, job.crypt(&mut buf)).0,
                Begin::Done(verdict) => verdict,
            },
            _ => match a.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range }) {
                Outbound::Datagram { transmit, datagram } => {
                    return (transmit.len, datagram.to_vec(), a.tunnel.stats().clone());
                }
                other => panic!("{other:?}"),
            },
        };
        let Outbound::Datagram { transmit, datagram } = verdict.of(&buf) else { panic!("{verdict:?}") };
        (transmit.len, datagram.to_vec(), a.tunnel.stats().clone())
    };
    assert_eq!(sealed(0), sealed(2));
    assert_eq!(sealed(1), sealed(2));
    assert_eq!(sealed(2).0, HEADROOM + 64 + 16);
}

#[test]
fn opening_in_three_steps_marks_the_counter_once() {
    let (mut a, mut b) = connected();
    let (mut buf, range) = packet(1, 2, 61);
    let now = Instant::ZERO;
    let Outbound::Datagram { datagram, .. } = a.tunnel.handle_packet(now, PacketBuf { buf: &mut buf, packet: range })
    else {
        panic!("a live session seals");
    };
    let mut copies = [datagram.to_vec(), datagram.to_vec()];
    let mut jobs = Vec::new();
    for copy in &mut copies {
        match b.tunnel.begin_open(now, a.path, Ecn::NotCapable, copy) {
            Begin::Crypt(job) => jobs.push(job),
            Begin::Done(verdict) => panic!("{verdict:?}"),
        }
    }
    let mut verdicts = Vec::new();
    for (job, copy) in jobs.into_iter().zip(copies) {
        verdicts.push(b.tunnel.finish_open(now, job.crypt(copy)).0);
    }
    let whole = Span { start: 16, len: 61 };
    assert!(matches!(verdicts[0], Inbound::Packet { packet, .. } if packet == whole), "{verdicts:?}");
    assert_eq!(verdicts[1], Inbound::Dropped(DropReason::Replay));
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let (mut a, _) = connected();
    let before = std::format!("{:?}", (a.tunnel.footprint(), a.tunnel.mtu()));
    let mut low_order = [0; 32];
    low_order[0] = 1;
    let table = [
        (Change::Mtu(67), ConfigReason::MtuOutOfRange),
        (Change::Peer(PeerChange::new(PublicKey::from_bytes(low_order))), ConfigReason::LowOrderPublicKey),
    ];
    for (bad, error) in table {
        let changes = [Change::RemoveAllPeers, Change::Mtu(1280), bad];
        let error = ConfigError { change: Some(2), reason: error };
        assert_eq!(a.tunnel.configure(Instant::ZERO, &changes), Err(error));
        assert_eq!(std::format!("{:?}", (a.tunnel.footprint(), a.tunnel.mtu())), before);
    }
}

#[test]
fn the_number_of_peers_is_bounded_over_whole_lists() {
    let config = TunnelConfig { limits: Limits { peers: 2, ..Limits::default() }, ..TunnelConfig::default() };
    let mut tunnel =
        Tunnel::new(config, Box::new(Seeded(9)), Instant::ZERO, UnixTime::default()).expect("no peers yet");
    let add = |byte| Change::Peer(PeerChange::new(private(byte).public_key()));
    let remove =
        |byte| Change::Peer(PeerChange { action: PeerAction::Remove, ..PeerChange::new(private(byte).public_key()) });
    let now = Instant::ZERO;
    let too_many = |change| Err(ConfigError { change: Some(change), reason: ConfigReason::TooManyPeers });
    assert_eq!(tunnel.configure(now, &[add(1), add(2), add(3)]), too_many(2));
    assert_eq!(tunnel.configure(now, &[add(1), add(2), add(1)]), Ok(()));
    assert_eq!(tunnel.configure(now, &[remove(1), add(3), remove(9)]), Ok(()));
    assert_eq!(tunnel.configure(now, &[add(1)]), too_many(0));
    assert_eq!(tunnel.configure(now, &[Change::RemoveAllPeers, add(4), add(5)]), Ok(()));
    assert_eq!(tunnel.footprint().peers, 2);
}

#[test]
fn removing_everything_leaves_nothing() {
    let (mut a, _) = connected();
    assert!(a.tunnel.poll_timeout().is_some());
    a.tunnel.configure(Instant::ZERO, &[Change::RemoveAllPeers]).expect("always possible");
    while a.tunnel.poll_event().is_some() {}
    assert_eq!(a.tunnel.footprint(), Footprint::default());
    assert_eq!(a.tunnel.poll_timeout(), None);
}

#[test]
fn time_that_goes_back_is_clamped() {
    let (mut a, mut b) = connected();
    let later = Instant::ZERO + Duration::from_secs(200);
    a.tunnel.handle_timeout(later);
    let _ = exchange(later, &mut a, &mut b);
    let (mut buf, range) = packet(1, 2, 40);
    let outcome = a.tunnel.handle_packet(Instant::ZERO, PacketBuf { buf: &mut buf, packet: range });
    assert!(matches!(outcome, Outbound::Staged), "the session expired and stays so");
}

#[test]
fn nothing_secret_shows_in_debug() {
    let (a, _) = connected();
    let text = std::format!("{:?} {:?}", a.tunnel, a.tunnel.peers().next());
    let secret = private(1).as_bytes()[0].to_string().repeat(4);
    assert!(!text.contains(&secret), "{text}");
}
