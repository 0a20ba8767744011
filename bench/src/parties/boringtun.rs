//! boringtun: `Tunn`, one for each peer.
use super::{FLIGHT, Greeter, Party, packets, timed};
use boringtun::noise::errors::WireGuardError;
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 18, 0, 1));

/// Two ends that know each other, taking as many handshakes a second as `limit`.
pub fn pair(limit: u64) -> (Tunn, Tunn) {
    let secrets = [3_u8, 5].map(|byte| StaticSecret::from([byte; 32]));
    let [first, second] = [(0, 1), (1, 0)].map(|(me, other)| {
        let me: &StaticSecret = &secrets[me];
        let limiter = Arc::new(RateLimiter::new(&PublicKey::from(me), limit));
        Tunn::new(me.clone(), PublicKey::from(&secrets[other]), None, None, 1, Some(limiter))
    });
    (first, second)
}

/// One handshake; the times of initiator and responder.
pub fn shake_hands(a: &mut Tunn, b: &mut Tunn) -> (Duration, Duration) {
    let (mut one, mut two) = ([0; 256], [0; 256]);
    let (first, len) = timed(|| written(a.format_handshake_initiation(&mut one, true)));
    let (second, len) = timed(|| written(b.decapsulate(Some(SOURCE), &one[..len], &mut two)));
    let (third, len) = timed(|| written(a.decapsulate(Some(SOURCE), &two[..len], &mut one)));
    let (fourth, ()) = timed(|| match b.decapsulate(Some(SOURCE), &one[..len], &mut two) {
        TunnResult::Done => {}
        other => panic!("{other:?}"),
    });
    (first + third, second + fourth)
}

fn written(result: TunnResult<'_>) -> usize {
    match result {
        TunnResult::WriteToNetwork(bytes) => bytes.len(),
        other => panic!("{other:?}"),
    }
}

/// Sealing and opening by `encapsulate` and `decapsulate`, each from one buffer into another.
pub struct Boringtun {
    a: Tunn,
    b: Tunn,
    len: usize,
    /// With room for the tag behind, which it wants to open into.
    packets: Vec<Vec<u8>>,
    datagrams: Vec<Vec<u8>>,
}

impl Boringtun {
    /// For packets of `len` bytes.
    pub fn new(len: usize) -> Self {
        let (mut a, mut b) = pair(u64::MAX);
        shake_hands(&mut a, &mut b);
        let mut packets = packets(len);
        packets.iter_mut().for_each(|packet| packet.resize(len + 32, 0));
        Self { a, b, len, packets, datagrams: vec![vec![0; (len + 32).max(148)]; FLIGHT] }
    }
}

impl Party for Boringtun {
    fn name(&self) -> String {
        "boringtun".into()
    }

    fn flight(&mut self) -> (Duration, Duration) {
        let Self { a, b, len, packets, datagrams } = self;
        let (seal, len) = timed(|| measured_seal(a, packets, *len, datagrams));
        let (open, ()) = timed(|| measured_open(b, datagrams, len, packets));
        (seal, open)
    }
}

#[inline(never)]
fn measured_seal(tunn: &mut Tunn, packets: &[Vec<u8>], len: usize, datagrams: &mut [Vec<u8>]) -> usize {
    let lens = packets.iter().zip(datagrams).map(|(packet, out)| written(tunn.encapsulate(&packet[..len], out)));
    lens.last().unwrap_or(0)
}

#[inline(never)]
fn measured_open(tunn: &mut Tunn, datagrams: &[Vec<u8>], len: usize, packets: &mut [Vec<u8>]) {
    for (datagram, out) in datagrams.iter().zip(packets) {
        let outcome = tunn.decapsulate(Some(SOURCE), &datagram[..len], out);
        assert!(matches!(outcome, TunnResult::WriteToTunnelV4(..)), "{outcome:?}");
    }
}

/// Handshakes by the same calls.
pub struct BoringtunGreeting {
    ends: (Tunn, Tunn),
    loaded: Tunn,
    initiation: Vec<u8>,
}

impl BoringtunGreeting {
    /// Two ends, and a third that is flooded.
    pub fn new() -> Self {
        let (mut stranger, loaded) = pair(0);
        let mut initiation = vec![0; 256];
        let len = written(stranger.format_handshake_initiation(&mut initiation, true));
        initiation.truncate(len);
        Self { ends: pair(u64::MAX), loaded, initiation }
    }
}

impl Greeter for BoringtunGreeting {
    fn name(&self) -> String {
        "boringtun".into()
    }

    fn handshake(&mut self) -> (Duration, Duration) {
        shake_hands(&mut self.ends.0, &mut self.ends.1)
    }

    fn reject(&mut self, times: usize) -> Duration {
        let (mut forged, mut out) = (self.initiation.clone(), [0; 256]);
        forged[116] ^= 1;
        let (took, ()) = timed(|| {
            for _ in 0..times {
                let outcome = self.ends.1.decapsulate(Some(SOURCE), &forged, &mut out);
                assert!(matches!(outcome, TunnResult::Err(WireGuardError::InvalidMac)), "{outcome:?}");
            }
        });
        took
    }

    fn cookies(&mut self, times: usize) -> Duration {
        let mut out = [0; 256];
        let (took, ()) = timed(|| {
            for _ in 0..times {
                assert_eq!(written(self.loaded.decapsulate(Some(SOURCE), &self.initiation, &mut out)), 64);
            }
        });
        took
    }
}

/// As many tunnels of one interface, with a session each or without.
pub fn many(count: usize, session: bool) -> Vec<Tunn> {
    let secret = StaticSecret::from([3; 32]);
    let limiter = Arc::new(RateLimiter::new(&PublicKey::from(&secret), u64::MAX));
    let tunnel = |index: usize| {
        let other = StaticSecret::from([5; 32]);
        let index = index as u32;
        let known = PublicKey::from(&other);
        let mut tunn = Tunn::new(secret.clone(), known, None, None, index, Some(Arc::clone(&limiter)));
        if session {
            let mut other = Tunn::new(other, PublicKey::from(&secret), None, None, 1, None);
            shake_hands(&mut tunn, &mut other);
        }
        tunn
    };
    let mut tunnels = Vec::with_capacity(count);
    tunnels.extend((0..count).map(tunnel));
    tunnels
}
