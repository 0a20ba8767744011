//! The data path in all its forms works in the caller's memory and takes nothing from the heap.
use core::cell::Cell;
use core::time::Duration;
use std::alloc::{GlobalAlloc, Layout, System};
use underpass_core::limits::{HEADROOM, TAILROOM};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot, Path};
use underpass_core::{Instant, Tunnel};
use underpass_sim::{HostId, Shape, World};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and no test.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed on unchanged; counting touches no memory of the caller's and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise about `place` and `layout` is handed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `place`, `layout` and `size` is handed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// Calls to the allocator during `work`.
fn calls(work: impl FnOnce()) -> usize {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

const BATCH: usize = 32;
const PACKET: usize = 1000;
/// Where in each buffer the packet is: the datagram begins at 0.
const ROOM: core::ops::Range<usize> = HEADROOM..HEADROOM + PACKET;
const SEALED: usize = HEADROOM + PACKET.next_multiple_of(16) + 16;

/// A pair with a session, one of its packets, and buffers to send it in.
fn scene() -> (World, HostId, HostId, Vec<u8>, Vec<Vec<u8>>) {
    let (mut world, phone, gateway) = World::pair(1);
    world.meet(phone, gateway);
    world.run_for(Duration::from_secs(20));
    let packet = world.make_packet(phone, gateway, Shape { len: PACKET, ..Shape::default() });
    let buffers = vec![vec![0; HEADROOM + PACKET + TAILROOM]; BATCH];
    (world, phone, gateway, packet, buffers)
}

fn refill(buffers: &mut [Vec<u8>], packet: &[u8]) {
    buffers.iter_mut().for_each(|buf| buf[ROOM].copy_from_slice(packet));
}

fn path(world: &World, phone: HostId) -> Path {
    Path::new(world.address(phone))
}

fn drain(tunnel: &mut Tunnel, now: Instant, buf: &mut [u8]) {
    assert_eq!(tunnel.poll_transmit(now, buf), Ok(None));
    assert_eq!(tunnel.poll_event(), None);
    let _ = tunnel.poll_timeout();
}

/// Ten thousand packets one by one, with everything a host does around them.
#[test]
fn one_by_one() {
    let (mut world, phone, gateway, packet, mut buffers) = scene();
    let mut transmit_buf = vec![0; 2048];
    let path = path(&world, phone);
    let buf = &mut buffers[0];
    let mut total = 0;
    for _ in 0..10_000 {
        buf[ROOM].copy_from_slice(&packet);
        world.undrained(phone, |tunnel, now| {
            total += calls(|| {
                let place = buf.as_ptr();
                match tunnel.handle_packet(now, PacketBuf { packet: ROOM, buf: &mut buf[..] }) {
                    Outbound::Datagram { datagram, .. } => {
                        assert_eq!((datagram.as_ptr(), datagram.len()), (place, SEALED), "in place");
                    }
                    other => panic!("{other:?}"),
                }
                drain(tunnel, now, &mut transmit_buf);
            });
        });
        world.undrained(gateway, |tunnel, now| {
            total += calls(|| {
                let place = buf[ROOM].as_ptr();
                match tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut buf[..SEALED]) {
                    Inbound::Packet { packet, .. } => {
                        assert_eq!((packet.as_ptr().cast_mut(), packet.len()), (place.cast_mut(), PACKET), "in place");
                    }
                    other => panic!("{other:?}"),
                }
                drain(tunnel, now, &mut transmit_buf);
            });
        });
        assert_eq!(buf[ROOM], packet);
    }
    assert_eq!(total, 0, "calls to the allocator for 10 000 packets each way");
    world.assert_removal_leaks_nothing();
}

/// The same in batches.
#[test]
fn in_batches() {
    let (mut world, phone, gateway, packet, mut buffers) = scene();
    let mut transmit_buf = vec![0; 2048];
    let path = path(&world, phone);
    let mut total = 0;
    for _ in 0..300 {
        refill(&mut buffers, &packet);
        world.undrained(phone, |tunnel, now| {
            let slot = |buf| PacketSlot::new(PacketBuf { packet: ROOM, buf });
            let mut slots: Vec<_> = buffers.iter_mut().map(|buf| slot(&mut buf[..])).collect();
            total += calls(|| {
                tunnel.handle_packets(now, &mut slots);
                drain(tunnel, now, &mut transmit_buf);
            });
            let sent = |slot: &PacketSlot<'_>| matches!(slot.verdict, Outbound::Datagram { datagram, .. } if datagram.start == 0);
            assert!(slots.iter().all(sent));
        });
        world.undrained(gateway, |tunnel, now| {
            let slot = |datagram| DatagramSlot::new(path, Ecn::NotCapable, datagram);
            let mut slots: Vec<_> = buffers.iter_mut().map(|buf| slot(&mut buf[..SEALED])).collect();
            total += calls(|| {
                tunnel.handle_datagrams(now, &mut slots);
                drain(tunnel, now, &mut transmit_buf);
            });
            let delivered =
                |slot: &DatagramSlot<'_>| matches!(slot.verdict, Inbound::Packet { packet, .. } if packet.start == 16);
            assert!(slots.iter().all(delivered));
        });
        assert!(buffers.iter().all(|buf| buf[ROOM] == packet));
    }
    assert_eq!(total, 0, "calls to the allocator for 9 600 packets each way");
    world.assert_removal_leaks_nothing();
}

/// The same in three steps: the jobs own their keys, but not on the heap.
#[test]
fn in_three_steps() {
    let (mut world, phone, gateway, packet, mut buffers) = scene();
    let path = path(&world, phone);
    let buf = &mut buffers[0];
    let mut total = 0;
    for _ in 0..5000 {
        buf[ROOM].copy_from_slice(&packet);
        world.undrained(phone, |tunnel, now| {
            total += calls(|| {
                let Begin::Crypt(job) = tunnel.begin_seal(now, PacketBuf { packet: ROOM, buf: &mut buf[..] }) else {
                    panic!("a session is live")
                };
                let (verdict, _) = tunnel.finish_seal(now, job.crypt(&mut buf[..]));
                assert!(matches!(verdict, Outbound::Datagram { datagram, .. } if datagram.start == 0));
            });
        });
        world.undrained(gateway, |tunnel, now| {
            total += calls(|| {
                let datagram = &mut buf[..SEALED];
                let Begin::Crypt(job) = tunnel.begin_open(now, path, Ecn::NotCapable, &mut *datagram) else {
                    panic!("a session is live")
                };
                let (verdict, _) = tunnel.finish_open(now, job.crypt(datagram));
                assert!(matches!(verdict, Inbound::Packet { .. }));
            });
        });
        assert_eq!(buf[ROOM], packet);
    }
    assert_eq!(total, 0, "calls to the allocator for 5 000 packets each way");
    world.assert_removal_leaks_nothing();
}

/// Nor does what is refused: replays, forgeries, junk, packets to nowhere.
#[test]
fn refusals_take_nothing_either() {
    let (mut world, phone, gateway, packet, mut buffers) = scene();
    let path = path(&world, phone);
    let buf = &mut buffers[0];
    buf[ROOM].copy_from_slice(&packet);
    world.undrained(phone, |tunnel, now| {
        assert!(matches!(
            tunnel.handle_packet(now, PacketBuf { packet: ROOM, buf: &mut buf[..] }),
            Outbound::Datagram { .. }
        ));
    });
    let sealed = buf[..SEALED].to_vec();
    let mut stray = packet.clone();
    stray[16..20].copy_from_slice(&[192, 0, 2, 1]);
    // The first refusal of each kind may make room for its counters.
    for round in 0..100 {
        world.undrained(gateway, |tunnel, now| {
            let total = calls(|| {
                buf[..SEALED].copy_from_slice(&sealed);
                let _ = tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut buf[..SEALED]);
                buf[..SEALED].copy_from_slice(&sealed);
                buf[8] ^= 0x7f;
                let _ = tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut buf[..SEALED]);
                buf[..SEALED].copy_from_slice(&sealed);
                buf[5] ^= 0xff;
                let _ = tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut buf[..SEALED]);
                let _ = tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut buf[..7]);
                buf[ROOM].copy_from_slice(&stray);
                let _ = tunnel.handle_packet(now, PacketBuf { packet: ROOM, buf: &mut buf[..] });
            });
            assert!(total == 0 || round == 0, "{total} calls to the allocator in round {round}");
        });
    }
    world.assert_removal_leaks_nothing();
}
