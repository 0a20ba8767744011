//! sanstun: an `Interface` and a `Tunnel` for each peer, in two and three steps.
use super::{FLIGHT, Greeter, Party, packets, timed};
use sanstun::{Committed, Error, Interface, Received, ReceivedMessage, Tunnel, TunnelConfig};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

fn source() -> SocketAddr {
    SocketAddr::from(([198, 18, 0, 1], 51820))
}

/// One end.
pub struct End {
    interface: Interface,
    pub tunnel: Tunnel,
}

/// Two ends that know each other, taking as many handshakes a second as `limit`.
pub fn pair(limit: u64, keepalive: Option<Duration>, now: Instant) -> (End, End) {
    let unix = Duration::from_secs(1_700_000_000);
    let [mut first, mut second] =
        [3, 5].map(|byte| Interface::new(Zeroizing::new([byte; 32]), now, unix).with_handshake_limit(limit));
    let config = || {
        keepalive.map_or_else(TunnelConfig::default, |every| TunnelConfig::default().with_persistent_keepalive(every))
    };
    let (one, two) = (first.static_public(), second.static_public());
    let to_second = first.new_tunnel(two, config(), now).expect("a tunnel");
    let to_first = second.new_tunnel(one, TunnelConfig::default(), now).expect("a tunnel");
    (End { interface: first, tunnel: to_second }, End { interface: second, tunnel: to_first })
}

impl End {
    /// Takes a datagram in; returns the answer, if it is a handshake message.
    pub fn take(&mut self, datagram: &mut [u8], now: Instant) -> Result<Vec<u8>, Error> {
        match self.interface.receive(source(), datagram, now)? {
            Received::SendCookieReply(reply) => Ok(reply.to_vec()),
            Received::Message(ReceivedMessage::HandshakeInitiation(message)) => {
                self.tunnel.handle_handshake_initiation(message, now).map(|answer| answer.to_vec())
            }
            Received::Message(ReceivedMessage::HandshakeResponse(message)) => {
                self.tunnel.handle_handshake_response(message, now).map(|answer| answer.to_vec())
            }
            Received::Message(ReceivedMessage::TransportData(message)) => {
                let mut out = [0; 2048];
                let decrypted = self.tunnel.begin_decapsulate(message, now)?.decrypt(datagram, &mut out[..]);
                self.tunnel.commit_decapsulate(decrypted, now).map(|_| Vec::new())
            }
            Received::Message(ReceivedMessage::CookieReply(_)) => Ok(Vec::new()),
        }
    }
}

/// One handshake; the times of initiator and responder.
pub fn shake_hands(a: &mut End, b: &mut End, now: Instant) -> (Duration, Duration) {
    let (first, datagram) = timed(|| a.tunnel.restart_handshake(now).expect("an initiation"));
    let (second, datagram) = timed(|| b.take(&mut datagram.to_vec(), now).expect("a response"));
    let (third, datagram) = timed(|| a.take(&mut datagram.clone(), now).expect("a keepalive"));
    let (fourth, outcome) = timed(|| b.take(&mut datagram.clone(), now));
    assert!(outcome.is_ok_and(|answer| answer.is_empty()));
    (first + third, second + fourth)
}

/// Sealing by `begin_encapsulate` and `encrypt`, opening by `receive`, `begin_decapsulate`, `decrypt` and
/// `commit_decapsulate`, each from one buffer into another.
pub struct Sanstun {
    a: End,
    b: End,
    now: Instant,
    len: usize,
    /// With room behind for padding and tag, which it wants to open into.
    packets: Vec<Vec<u8>>,
    datagrams: Vec<Vec<u8>>,
}

impl Sanstun {
    /// For packets of `len` bytes.
    pub fn new(len: usize) -> Self {
        let now = Instant::now();
        let (mut a, mut b) = pair(u64::MAX, None, now);
        shake_hands(&mut a, &mut b, now);
        let padded = len.next_multiple_of(16) + 32;
        let mut packets = packets(len);
        packets.iter_mut().for_each(|packet| packet.resize(padded, 0));
        Self { a, b, now, len, packets, datagrams: vec![vec![0; padded]; FLIGHT] }
    }
}

impl Party for Sanstun {
    fn name(&self) -> String {
        "sanstun".into()
    }

    fn flight(&mut self) -> (Duration, Duration) {
        let Self { a, b, now, len, packets, datagrams } = self;
        let (seal, ()) = timed(|| measured_seal(&mut a.tunnel, *now, packets, *len, datagrams));
        let (open, ()) = timed(|| measured_open(b, *now, datagrams, packets));
        (seal, open)
    }
}

#[inline(never)]
fn measured_seal(tunnel: &mut Tunnel, now: Instant, packets: &[Vec<u8>], len: usize, datagrams: &mut [Vec<u8>]) {
    for (packet, out) in packets.iter().zip(datagrams) {
        let sealed = tunnel.begin_encapsulate(now).and_then(|pending| pending.encrypt(&packet[..len], out));
        assert!(sealed.is_ok());
    }
}

#[inline(never)]
fn measured_open(end: &mut End, now: Instant, datagrams: &[Vec<u8>], packets: &mut [Vec<u8>]) {
    for (datagram, out) in datagrams.iter().zip(packets) {
        let Ok(Received::Message(ReceivedMessage::TransportData(message))) =
            end.interface.receive(source(), datagram, now)
        else {
            panic!("not transport data");
        };
        let pending = end.tunnel.begin_decapsulate(message, now).expect("a session");
        let committed = end.tunnel.commit_decapsulate(pending.decrypt(datagram, &mut out[..]), now);
        assert!(matches!(committed, Ok(Committed::Data { .. })));
    }
}

/// Handshakes by the same calls.
pub struct SanstunGreeting {
    ends: (End, End),
    loaded: End,
    initiation: Vec<u8>,
    now: Instant,
}

impl SanstunGreeting {
    /// Two ends, and a third that is flooded.
    pub fn new() -> Self {
        let now = Instant::now();
        let (mut stranger, loaded) = pair(0, None, now);
        let initiation = stranger.tunnel.restart_handshake(now).expect("an initiation").to_vec();
        Self { ends: pair(u64::MAX, None, now), loaded, initiation, now }
    }
}

impl Greeter for SanstunGreeting {
    fn name(&self) -> String {
        "sanstun".into()
    }

    fn handshake(&mut self) -> (Duration, Duration) {
        self.now += Duration::from_secs(1000);
        shake_hands(&mut self.ends.0, &mut self.ends.1, self.now)
    }

    fn reject(&mut self, times: usize) -> Duration {
        let mut forged = self.initiation.clone();
        forged[116] ^= 1;
        let (took, ()) = timed(|| {
            for _ in 0..times {
                let outcome = self.ends.1.interface.receive(source(), &forged, self.now);
                assert!(matches!(outcome, Err(Error::InvalidMac)));
            }
        });
        took
    }

    fn cookies(&mut self, times: usize) -> Duration {
        let (took, ()) = timed(|| {
            for _ in 0..times {
                let outcome = self.loaded.interface.receive(source(), &self.initiation, self.now);
                assert!(matches!(outcome, Ok(Received::SendCookieReply(_))));
            }
        });
        took
    }
}

/// As many tunnels of one interface, with a session each or without.
pub fn many(count: usize, session: bool) -> (Interface, Vec<Tunnel>) {
    let (now, unix) = (Instant::now(), Duration::from_secs(1_700_000_000));
    let mut interface = Interface::new(Zeroizing::new([3; 32]), now, unix).with_handshake_limit(u64::MAX);
    let mut tunnels = Vec::with_capacity(count);
    for number in 0..count {
        let seed = std::array::from_fn(|place| number.to_le_bytes().get(place).copied().unwrap_or(9));
        let mut other = Interface::new(Zeroizing::new(seed), now, unix).with_handshake_limit(u64::MAX);
        let tunnel = interface.new_tunnel(other.static_public(), TunnelConfig::default(), now).expect("a tunnel");
        let mut end = End { interface, tunnel };
        if session {
            let back = other.new_tunnel(end.interface.static_public(), TunnelConfig::default(), now);
            shake_hands(&mut end, &mut End { interface: other, tunnel: back.expect("a tunnel") }, now);
        }
        tunnels.push(end.tunnel);
        interface = end.interface;
    }
    (interface, tunnels)
}
