//! gotatun: `Tunn`, one for each peer, with owned packets.
use super::{FLIGHT, Greeter, Party, packets, timed};
use bytes::BytesMut;
use gotatun::noise::errors::WireGuardError;
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::rate_limiter::RateLimiter;
use gotatun::noise::{Tunn, TunnResult};
use gotatun::packet::{Packet, WgKind};
use gotatun::x25519::{PublicKey, StaticSecret};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

fn source() -> SocketAddr {
    SocketAddr::from(([198, 18, 0, 1], 51820))
}

fn owned(bytes: &[u8]) -> Packet {
    Packet::from_bytes(BytesMut::from(bytes))
}

/// One end: its daemon asks the rate limiter first, then the peer's tunnel.
pub struct End {
    tunn: Tunn,
    limiter: Arc<RateLimiter>,
}

impl End {
    fn take(&mut self, packet: Packet) -> TunnResult {
        match self.limiter.verify_packet(source(), packet) {
            Ok(packet) => self.tunn.handle_incoming_packet(packet),
            Err(refused) => refused,
        }
    }
}

/// Two ends that know each other, taking as many handshakes from one source as `limit`.
pub fn pair(limit: u64) -> (End, End) {
    let secrets = [3_u8, 5].map(|byte| StaticSecret::from([byte; 32]));
    let [first, second] = [(0, 1), (1, 0)].map(|(me, other)| {
        let me: &StaticSecret = &secrets[me];
        let limiter = Arc::new(RateLimiter::new(&PublicKey::from(me), limit));
        let other = PublicKey::from(&secrets[other]);
        let tunn = Tunn::new(me.clone(), other, None, None, IndexTable::from_os_rng(), Arc::clone(&limiter));
        End { tunn, limiter }
    });
    (first, second)
}

fn initiation(end: &mut End) -> Packet {
    end.tunn.format_handshake_initiation(true).expect("an initiation").into()
}

fn written(result: TunnResult) -> Packet {
    match result {
        TunnResult::WriteToNetwork(packet) => packet.into(),
        other => panic!("{other:?}"),
    }
}

/// One handshake; the times of initiator and responder.
pub fn shake_hands(a: &mut End, b: &mut End) -> (Duration, Duration) {
    let (first, packet) = timed(|| initiation(a));
    let (second, packet) = timed(|| written(b.take(packet)));
    let (third, packet) = timed(|| written(a.take(packet)));
    let (fourth, outcome) = timed(|| b.take(packet));
    assert!(matches!(&outcome, TunnResult::WriteToTunnel(packet) if packet.is_empty()), "{outcome:?}");
    (first + third, second + fourth)
}

/// Sealing and opening by `handle_outgoing_packet` and `handle_incoming_packet`: it allocates what it seals into.
pub struct Gotatun {
    a: End,
    b: End,
    packets: Vec<Vec<u8>>,
}

impl Gotatun {
    /// For packets of `len` bytes.
    pub fn new(len: usize) -> Self {
        let (mut a, mut b) = pair(u64::MAX);
        shake_hands(&mut a, &mut b);
        Self { a, b, packets: packets(len) }
    }
}

impl Party for Gotatun {
    fn name(&self) -> String {
        "gotatun".into()
    }

    fn flight(&mut self) -> (Duration, Duration) {
        let mut packets: Vec<Packet> = self.packets.iter().map(|packet| owned(packet)).collect();
        let mut sealed = Vec::with_capacity(FLIGHT);
        let (seal, ()) = timed(|| measured_seal(&mut self.a.tunn, &mut packets, &mut sealed));
        let mut opened = Vec::with_capacity(FLIGHT);
        let (open, ()) = timed(|| measured_open(&mut self.b.tunn, &mut sealed, &mut opened));
        assert!(opened.iter().zip(&self.packets).all(|(packet, sent)| packet.as_ref() == &sent[..]));
        (seal, open)
    }
}

#[inline(never)]
fn measured_seal(tunn: &mut Tunn, packets: &mut Vec<Packet>, sealed: &mut Vec<Packet>) {
    sealed.extend(packets.drain(..).filter_map(|packet| tunn.handle_outgoing_packet(packet, None)).map(Packet::from));
    assert_eq!(sealed.len(), FLIGHT);
}

#[inline(never)]
fn measured_open(tunn: &mut Tunn, datagrams: &mut Vec<Packet>, opened: &mut Vec<Packet>) {
    for datagram in datagrams.drain(..) {
        let datagram = datagram.try_into_wg().expect("a WireGuard datagram");
        assert!(matches!(datagram, WgKind::Data(_)));
        match tunn.handle_incoming_packet(datagram) {
            TunnResult::WriteToTunnel(packet) => opened.push(packet),
            other => panic!("{other:?}"),
        }
    }
}

/// Handshakes by the same calls.
pub struct GotatunGreeting {
    ends: (End, End),
    loaded: End,
    initiation: Vec<u8>,
}

impl GotatunGreeting {
    /// Two ends, and a third that is flooded.
    pub fn new() -> Self {
        let (mut stranger, loaded) = pair(0);
        let initiation = initiation(&mut stranger).as_ref().to_vec();
        Self { ends: pair(u64::MAX), loaded, initiation }
    }
}

impl Greeter for GotatunGreeting {
    fn name(&self) -> String {
        "gotatun".into()
    }

    fn handshake(&mut self) -> (Duration, Duration) {
        shake_hands(&mut self.ends.0, &mut self.ends.1)
    }

    fn reject(&mut self, times: usize) -> Duration {
        let mut forged = self.initiation.clone();
        forged[116] ^= 1;
        let packets: Vec<Packet> = (0..times).map(|_| owned(&forged)).collect();
        let (took, ()) = timed(|| {
            for packet in packets {
                let outcome = self.ends.1.take(packet);
                assert!(matches!(outcome, TunnResult::Err(WireGuardError::InvalidMac)), "{outcome:?}");
            }
        });
        took
    }

    fn cookies(&mut self, times: usize) -> Duration {
        let packets: Vec<Packet> = (0..times).map(|_| owned(&self.initiation)).collect();
        let (took, ()) = timed(|| {
            for packet in packets {
                assert_eq!(written(self.loaded.take(packet)).len(), 64);
            }
        });
        took
    }
}

/// As many tunnels of one interface, with a session each or without.
pub fn many(count: usize, session: bool) -> Vec<Tunn> {
    let secret = StaticSecret::from([3; 32]);
    let limiter = Arc::new(RateLimiter::new(&PublicKey::from(&secret), u64::MAX));
    let indices = IndexTable::from_os_rng();
    let tunnel = |_| {
        let secrets = [secret.clone(), StaticSecret::from([5; 32])];
        let known = PublicKey::from(&secrets[1]);
        let tunn = Tunn::new(secrets[0].clone(), known, None, None, indices.clone(), Arc::clone(&limiter));
        let mut end = End { tunn, limiter: Arc::clone(&limiter) };
        if session {
            let limiter = Arc::new(RateLimiter::new(&known, u64::MAX));
            let known = PublicKey::from(&secrets[0]);
            let table = IndexTable::from_os_rng();
            let tunn = Tunn::new(secrets[1].clone(), known, None, None, table, Arc::clone(&limiter));
            shake_hands(&mut end, &mut End { tunn, limiter });
        }
        end.tunn
    };
    let mut tunnels = Vec::with_capacity(count);
    tunnels.extend((0..count).map(tunnel));
    tunnels
}
