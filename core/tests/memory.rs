//! What a tunnel takes from the heap: per idle peer, per session, per staged packet; and nothing per packet.
//! `cargo test -p underpass-core --test memory -- --nocapture` prints the figures that README carries.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use underpass_core::NoRandomness;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot, Path};
use underpass_core::{Endpoint, Instant, NewPeer, PrivateKey, Rng, Tunnel, TunnelConfig, UnixTime};

/// Counts live bytes and calls, of each thread by itself: the test runner has a thread that allocates too.
struct Counting;

std::thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counters any more, and no test.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

// SAFETY: every call is handed on to the system's allocator unchanged; counting touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise about `place` and `layout` is handed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

const NOW: Instant = Instant::ZERO;
const ROOM: usize = 16;

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

fn key(number: u32) -> PrivateKey {
    let mut bytes = [7; 32];
    bytes[4..8].copy_from_slice(&number.to_le_bytes());
    PrivateKey::from_bytes(bytes)
}

fn tunnel(me: u32, peers: impl Iterator<Item = u32>) -> Tunnel {
    let peers = peers.map(|number| NewPeer {
        endpoint: Some(Endpoint::Address(([192, 0, 2, 1], 51820).into())),
        allowed_ips: vec![ipnet::IpNet::from(std::net::IpAddr::from((0x0a00_0000 + number).to_be_bytes()))],
        ..NewPeer::new(key(number).public_key())
    });
    let config = TunnelConfig { private_key: Some(key(me)), peers: peers.collect(), ..TunnelConfig::default() };
    Tunnel::new(config, Box::new(Seeded(u64::from(me) + 1)), NOW, UnixTime::from_secs(1_700_000_000))
        .expect("configured")
}

fn path() -> Path {
    Path::new(([192, 0, 2, 1], 51820).into())
}

fn packet(buf: &mut [u8], len: usize, from: u32, to: u32) -> PacketBuf<'_> {
    let ip = &mut buf[ROOM..ROOM + len];
    ip.fill(0);
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&u16::try_from(len).expect("short").to_be_bytes());
    ip[12..16].copy_from_slice(&(0x0a00_0000 + from).to_be_bytes());
    ip[16..20].copy_from_slice(&(0x0a00_0000 + to).to_be_bytes());
    PacketBuf { buf, packet: ROOM..ROOM + len }
}

fn exchange(a: &mut Tunnel, b: &mut Tunnel) {
    let mut buf = [0; 2048];
    for _ in 0..3 {
        while let Some(transmit) = a.poll_transmit(NOW, &mut buf).expect("room") {
            let _ = b.handle_datagram(NOW, path(), Ecn::NotCapable, &mut buf[..transmit.len]);
        }
        while let Some(transmit) = b.poll_transmit(NOW, &mut buf).expect("room") {
            let _ = a.handle_datagram(NOW, path(), Ecn::NotCapable, &mut buf[..transmit.len]);
        }
    }
    while a.poll_event().is_some() || b.poll_event().is_some() {}
}

/// Bytes that are live now and were not when there were `before`.
fn since(before: isize) -> usize {
    usize::try_from(LIVE.get() - before).expect("no less than before")
}

/// One test for all: what one leaves the next goes on with.
#[test]
fn the_heap_holds_what_the_readme_says() {
    idle_peers_fit_in_880_bytes();
    let (mut a, mut b) = sessions_fit_in_four_kibibytes();
    packets_take_nothing(&mut a, &mut b);
    staging_takes_no_more_than_its_cap();
}

fn idle_peers_fit_in_880_bytes() {
    const PEERS: u32 = 10_000;
    let empty = LIVE.get();
    let tunnel = tunnel(0, 1..=PEERS);
    let bytes = since(empty);
    println!("idle peer: {} bytes of {PEERS}", bytes / PEERS as usize);
    assert_eq!(tunnel.footprint().peers, PEERS as usize);
    assert!(bytes / PEERS as usize <= 880, "{bytes} bytes for {PEERS} idle peers");
}

fn sessions_fit_in_four_kibibytes() -> (Tunnel, Tunnel) {
    const PEERS: u32 = 64;
    let empty = LIVE.get();
    let mut gateway = tunnel(0, 1..=PEERS);
    let mut others: Vec<Tunnel> = Vec::new();
    let mut held_by_others = 0;
    for number in 1..=PEERS {
        let before = LIVE.get();
        let mut other = tunnel(number, 0..1);
        let made = since(before);
        let id = gateway.peer_by_key(&key(number).public_key()).expect("configured");
        gateway.connect(NOW, id);
        exchange(&mut gateway, &mut other);
        others.push(other);
        held_by_others += made;
    }
    let all = since(empty) - held_by_others - others.capacity() * size_of::<Tunnel>();
    // Each session has two ends, both on this heap.
    let per_peer = all / PEERS as usize / 2;
    println!("peer with a session: at most {per_peer} bytes");
    assert!(per_peer <= 4096, "{per_peer} bytes a peer with a session");
    let other = others.swap_remove(0);
    (gateway, other)
}

fn packets_take_nothing(a: &mut Tunnel, b: &mut Tunnel) {
    const BATCH: usize = 8;
    let mut bufs = [[0; 256]; BATCH];
    let mut delivered = 0;
    let calls = CALLS.get();
    for _ in 0..1000 {
        let mut batch = bufs.each_mut().map(|buf| PacketSlot::new(packet(buf, 100, 0, 1)));
        a.handle_packets(NOW, &mut batch);
        let mut arrived = batch.each_mut().map(|slot| match slot.verdict {
            Outbound::Datagram { datagram, .. } => {
                let datagram = datagram.of_mut(slot.packet.buf).expect("within its buffer");
                DatagramSlot::new(path(), Ecn::NotCapable, datagram)
            }
            verdict => panic!("{verdict:?}"),
        });
        b.handle_datagrams(NOW, &mut arrived);
        delivered += arrived.iter().filter(|slot| matches!(slot.verdict, Inbound::Packet { .. })).count();
        let _ = (a.poll_timeout(), b.poll_timeout());
    }
    assert_eq!(CALLS.get(), calls, "the steady state allocates nothing, both ways");
    assert_eq!(delivered, 1000 * BATCH);
}

fn staging_takes_no_more_than_its_cap() {
    let mut tunnel = tunnel(0, 1..2);
    let empty = LIVE.get();
    let mut buf = [0; 2048];
    for _ in 0..1000 {
        let outcome = tunnel.handle_packet(NOW, packet(&mut buf, 1420, 0, 1));
        assert!(matches!(outcome, Outbound::Staged), "{outcome:?}");
    }
    let held = since(empty);
    let footprint = tunnel.footprint();
    println!("full staging queue: {held} bytes for {} packets", footprint.staged_packets);
    assert_eq!(footprint.staged_packets, 128);
    assert!(held <= 128 * (1420 + 32) + 4096, "{held} bytes for a full queue");
}
