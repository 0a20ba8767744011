//! The whole core: routes, counters, windows, timers, inner checks.
use super::{FLIGHT, Greeter, Party, timed};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use underpass_budget::{as_peer, boundless, forget_events, path, room, shake_hands, tunnel_with, write_packet};
use underpass_core::Rng as _;
use underpass_core::limits::DEFAULT_MTU;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{DatagramSlot, Inbound, Outbound, PacketSlot};
use underpass_core::{DropReason, Instant, Limits, Tunnel};

const NOW: Instant = Instant::ZERO;
/// The number of the gateway; its peers count from 1.
const GATEWAY: u32 = 0;

/// A gateway whose peers all have a live session.
pub struct Crowd {
    gateway: Tunnel,
    others: Vec<Tunnel>,
}

impl Crowd {
    /// As many peers, packets of at most `mtu` bytes.
    pub fn new(peers: u32, mtu: u16) -> Self {
        let limits = boundless();
        let everyone = (1..=peers).map(as_peer).collect();
        let mut gateway = tunnel_with(GATEWAY, everyone, mtu, limits.clone());
        let others = (1..=peers)
            .map(|number| {
                let mut other = tunnel_with(number, vec![as_peer(GATEWAY)], mtu, limits.clone());
                shake_hands(&mut gateway, GATEWAY, &mut other, number, NOW);
                other
            })
            .collect();
        Self { gateway, others }
    }
}

/// How packets are handed over, and whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One call for each packet; all of one peer.
    Single,
    /// One call for the flight; all of one peer.
    Batch,
    /// One call for the flight; each packet of a peer drawn at random.
    Spread,
}

/// The core at a gateway.
pub struct Ours {
    name: String,
    crowd: Rc<RefCell<Crowd>>,
    manner: Manner,
    len: usize,
    bufs: Vec<Vec<u8>>,
    dice: underpass_budget::Seeded,
}

impl Ours {
    /// Packets of `len` bytes.
    pub fn new(name: &str, crowd: &Rc<RefCell<Crowd>>, manner: Manner, len: usize) -> Self {
        let bufs = vec![vec![0; room(len)]; FLIGHT];
        Self { name: name.into(), crowd: Rc::clone(crowd), manner, len, bufs, dice: underpass_budget::Seeded(99) }
    }

    /// Whose turn it is, for each packet of a flight.
    fn numbers(&mut self, peers: usize) -> [u32; FLIGHT] {
        let mut numbers = [1; FLIGHT];
        if self.manner == Manner::Spread {
            for number in &mut numbers {
                let mut bytes = [0; 8];
                self.dice.fill(&mut bytes).expect("seeded");
                *number = 1 + (u64::from_le_bytes(bytes) % peers as u64) as u32;
            }
        }
        numbers
    }

    /// The gateway seals for its peers.
    fn outward(&mut self, numbers: &[u32; FLIGHT]) -> Duration {
        let gateway = &mut self.crowd.borrow_mut().gateway;
        let mut slots: Vec<PacketSlot<'_>> = self
            .bufs
            .iter_mut()
            .zip(numbers)
            .map(|(buf, number)| PacketSlot::new(write_packet(buf, self.len, GATEWAY, *number)))
            .collect();
        if self.manner == Manner::Single {
            return timed(|| measured_seal_singly(gateway, slots)).0;
        }
        let (took, ()) = timed(|| measured_seal(gateway, &mut slots));
        assert!(slots.iter().all(|slot| matches!(slot.verdict, Outbound::Datagram { .. })));
        took
    }

    /// The gateway opens what its peers sealed.
    fn inward(&mut self, numbers: &[u32; FLIGHT]) -> Duration {
        let Crowd { gateway, others } = &mut *self.crowd.borrow_mut();
        let mut slots: Vec<DatagramSlot<'_>> = Vec::with_capacity(FLIGHT);
        for (buf, number) in self.bufs.iter_mut().zip(numbers) {
            let packet = write_packet(buf, self.len, *number, GATEWAY);
            let Outbound::Datagram { transmit, .. } = others[*number as usize - 1].handle_packet(NOW, packet) else {
                panic!("no session");
            };
            let datagram = &mut buf[..transmit.len];
            slots.push(DatagramSlot::new(path(*number), Ecn::NotCapable, datagram));
        }
        if self.manner == Manner::Single {
            return timed(|| measured_open_singly(gateway, slots)).0;
        }
        let (took, ()) = timed(|| measured_open(gateway, &mut slots));
        assert!(slots.iter().all(|slot| matches!(slot.verdict, Inbound::Packet { .. })));
        took
    }
}

impl Party for Ours {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn flight(&mut self) -> (Duration, Duration) {
        let peers = self.crowd.borrow().others.len();
        let numbers = self.numbers(peers);
        let seal = self.outward(&numbers);
        let numbers = self.numbers(peers);
        (seal, self.inward(&numbers))
    }
}

#[inline(never)]
fn measured_seal(tunnel: &mut Tunnel, packets: &mut [PacketSlot<'_>]) {
    tunnel.handle_packets(NOW, packets);
}

#[inline(never)]
fn measured_open(tunnel: &mut Tunnel, datagrams: &mut [DatagramSlot<'_>]) {
    tunnel.handle_datagrams(NOW, datagrams);
}

#[inline(never)]
fn measured_seal_singly(tunnel: &mut Tunnel, packets: Vec<PacketSlot<'_>>) {
    for slot in packets {
        let outcome = tunnel.handle_packet(NOW, slot.packet);
        assert!(matches!(outcome, Outbound::Datagram { .. }), "{outcome:?}");
    }
}

#[inline(never)]
fn measured_open_singly(tunnel: &mut Tunnel, datagrams: Vec<DatagramSlot<'_>>) {
    for slot in datagrams {
        let outcome = tunnel.handle_datagram(NOW, slot.path, slot.ecn, slot.datagram);
        assert!(matches!(outcome, Inbound::Packet { .. }), "{outcome:?}");
    }
}

/// The core shaking hands.
pub struct OursGreeting {
    a: Tunnel,
    b: Tunnel,
    /// Under load from the start.
    loaded: Tunnel,
    /// An initiation of `a` that nobody has seen.
    initiation: Vec<u8>,
    now: Instant,
}

impl OursGreeting {
    /// Two ends, and a third that is flooded.
    pub fn new() -> Self {
        let [a, b] =
            [(0, 1), (1, 0)].map(|(me, other)| tunnel_with(me, vec![as_peer(other)], DEFAULT_MTU, boundless()));
        let nothing = Limits { handshakes_per_second: 1, ..Limits::default() };
        let mut loaded = tunnel_with(1, vec![as_peer(0)], DEFAULT_MTU, nothing);
        let mut buf = vec![0; 256];
        let mut stranger = tunnel_with(0, vec![as_peer(1)], DEFAULT_MTU, boundless());
        stranger.connect(NOW, stranger.peer_by_key(b.public_key().expect("a key")).expect("known"));
        let transmit = stranger.poll_transmit(NOW, &mut buf).expect("room").expect("an initiation");
        buf.truncate(transmit.len);
        // The one initiation that is answered without a cookie. Time stands still for this tunnel: it gets no other.
        let _ = loaded.handle_datagram(NOW, path(0), Ecn::NotCapable, &mut buf.clone());
        Self { a, b, loaded, initiation: buf, now: NOW }
    }
}

impl Greeter for OursGreeting {
    fn name(&self) -> String {
        "Underpass".into()
    }

    fn handshake(&mut self) -> (Duration, Duration) {
        let mut buf = [0; 256];
        self.now = self.now + Duration::from_secs(1000);
        let Self { a, b, now, .. } = self;
        for tunnel in [&mut *a, &mut *b] {
            tunnel.handle_timeout(*now);
            while tunnel.poll_transmit(*now, &mut buf).expect("room").is_some() {}
            forget_events(tunnel);
        }
        let before = b.stats().handshakes;
        let id = a.peer_by_key(b.public_key().expect("a key")).expect("known");
        let (one, sent) = timed(|| {
            a.connect(*now, id);
            a.poll_transmit(*now, &mut buf).expect("room").expect("an initiation")
        });
        let (two, sent) = timed(|| {
            let _ = b.handle_datagram(*now, path(0), Ecn::NotCapable, &mut buf[..sent.len]);
            b.poll_transmit(*now, &mut buf).expect("room").expect("a response")
        });
        let (three, sent) = timed(|| {
            let _ = a.handle_datagram(*now, path(1), Ecn::NotCapable, &mut buf[..sent.len]);
            a.poll_transmit(*now, &mut buf).expect("room").expect("a keepalive")
        });
        let (four, _) = timed(|| drop(b.handle_datagram(*now, path(0), Ecn::NotCapable, &mut buf[..sent.len])));
        assert_eq!(b.stats().handshakes, before + 1);
        (one + three, two + four)
    }

    fn reject(&mut self, times: usize) -> Duration {
        let mut forged = self.initiation.clone();
        forged[116] ^= 1;
        let (took, ()) = timed(|| {
            for _ in 0..times {
                let outcome = self.b.handle_datagram(self.now, path(0), Ecn::NotCapable, &mut forged);
                assert!(matches!(outcome, Inbound::Dropped(DropReason::BadMac)), "{outcome:?}");
            }
        });
        took
    }

    fn cookies(&mut self, times: usize) -> Duration {
        let mut copies = vec![self.initiation.clone(); times];
        let (took, ()) = timed(|| {
            for copy in &mut copies {
                let outcome = self.loaded.handle_datagram(NOW, path(0), Ecn::NotCapable, copy);
                assert!(matches!(outcome, Inbound::Reply(_)), "{outcome:?}");
            }
        });
        took
    }
}
