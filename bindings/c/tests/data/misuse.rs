//! Batches that are refused: nothing is done, nothing written.
use crate::scene::{CAP, Pair, Room, packet};
use std::ptr::null_mut;
use underpass::batch::*;
use underpass::job::underpass_job;
use underpass::peers::underpass_tunnel_stats;
use underpass::steps::*;
use underpass::words::*;

/// What a batch of four is refused for, and that nothing came of it.
fn refused(pair: &Pair, status: i32, change: impl FnOnce(&mut Room)) {
    let mut room = Room::new(4);
    room.packets(&[packet(1, 2, 80, 0), packet(1, 2, 80, 1), packet(1, 2, 80, 2), packet(1, 2, 80, 3)]);
    change(&mut room);
    let count = || {
        let mut stats = crate::scene::blank_stats();
        assert_eq!(underpass_tunnel_stats(pair.left.tunnel, &mut stats), UNDERPASS_OK);
        stats.tx_packets
    };
    let before = count();
    let memory = room.memory.clone();
    assert_eq!(pair.left.seal(&mut room), status);
    let mut jobs: Vec<underpass_job> = (0..4).map(|_| underpass_job { opaque: [0; 24] }).collect();
    let (slots, len) = (room.slots.as_mut_ptr(), room.slots.len());
    assert_eq!(underpass_tunnel_begin_packets(pair.left.tunnel, 0, slots, jobs.as_mut_ptr(), len), status);
    assert!(jobs.iter().all(|job| job.opaque == [0; 24]));
    assert!(room.slots.iter().all(|slot| (slot.verdict, slot.reason, slot.peer) == (-1, 77, 77)));
    assert_eq!((memory, count()), (room.memory, before));
}

#[test]
fn slots_that_cannot_be_are_refused_and_nothing_is_done() {
    let pair = Pair::connected();
    refused(&pair, UNDERPASS_E_NULL, |room| room.slots[2].buf = null_mut());
    refused(&pair, UNDERPASS_E_ARGUMENT, |room| room.slots[3].len = CAP as u32 - 15);
    refused(&pair, UNDERPASS_E_ARGUMENT, |room| room.slots[3].start = u32::MAX);
    refused(&pair, UNDERPASS_E_ARGUMENT, |room| (room.slots[3].start, room.slots[3].len) = (u32::MAX, u32::MAX));
    refused(&pair, UNDERPASS_E_ARGUMENT, |room| room.slots[1].buf = null_mut::<u8>().wrapping_sub(100));
    refused(&pair, UNDERPASS_E_OVERLAP, |room| room.slots[1].buf = room.slots[0].buf);
    refused(&pair, UNDERPASS_E_OVERLAP, |room| room.slots[3].buf = room.slots[0].buf);
    refused(&pair, UNDERPASS_E_OVERLAP, |room| room.slots[1].cap += 1);
    refused(&pair, UNDERPASS_E_OVERLAP, |room| room.slots[2].buf = room.slots[2].buf.wrapping_sub(1));
    refused(&pair, UNDERPASS_E_OVERLAP, |room| {
        // A ring begun in its middle, whose end reaches into its beginning.
        room.slots.rotate_left(2);
        room.slots[3].cap += 1;
    });
    refused(&pair, UNDERPASS_E_OVERLAP, |room| {
        room.slots.swap(0, 2);
        room.slots[3].buf = room.slots[1].buf.wrapping_add(100);
    });
    refused(&pair, UNDERPASS_E_OVERLAP, |room| {
        let slots = room.slots.as_mut_ptr().cast::<u8>();
        (room.slots[2].buf, room.slots[2].cap) = (slots.wrapping_add(8), 200);
    });
    refused(&pair, UNDERPASS_E_OVERLAP, |room| {
        // A buffer that spans the slots from before their beginning to behind their end.
        let (slots, len) = (room.slots.as_mut_ptr().cast::<u8>(), size_of_val(&room.slots[..]));
        (room.slots[0].buf, room.slots[0].cap) = (slots.wrapping_sub(8), len as u32 + 16);
    });
}

/// Buffers that lie in any order are taken, as long as they are apart; those that touch are.
#[test]
fn buffers_in_any_order_are_taken() {
    let pair = Pair::connected();
    let orders: [&[usize]; 5] =
        [&[0, 1, 2, 3, 4, 5], &[3, 4, 5, 0, 1, 2], &[5, 4, 3, 2, 1, 0], &[2, 0, 5, 1, 4, 3], &[1, 0, 2, 3, 5, 4]];
    for order in orders {
        let mut room = Room::new(6);
        room.packets(&(0..6).map(|number| packet(1, 2, 80, number)).collect::<Vec<_>>());
        room.slots = order.iter().map(|at| room.slots[*at]).collect();
        assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK, "{order:?}");
        room.came_from(&pair.left);
        assert_eq!(pair.right.open(&mut room), UNDERPASS_OK, "{order:?}");
        let marks: Vec<usize> = room.slots.iter().map(|slot| usize::from(room.of(slot)[79])).collect();
        assert_eq!(marks, order);
    }
}

#[test]
fn arrays_that_cannot_be_are_refused() {
    let pair = Pair::connected();
    let tunnel = pair.left.tunnel;
    let mut room = Room::new(1);
    room.packets(&[packet(1, 2, 80, 0)]);
    let slots = room.slots.as_mut_ptr();
    let mut job = underpass_job { opaque: [0; 24] };
    assert_eq!(underpass_tunnel_handle_packets(tunnel, 0, null_mut(), 0), UNDERPASS_OK);
    assert_eq!(underpass_tunnel_handle_packets(tunnel, 0, null_mut(), 1), UNDERPASS_E_NULL);
    assert_eq!(underpass_tunnel_handle_packets(tunnel, 0, slots, 257), UNDERPASS_E_BATCH);
    assert_eq!(underpass_tunnel_handle_packets(tunnel, 0, slots, usize::MAX), UNDERPASS_E_BATCH);
    let odd = slots.cast::<u8>().wrapping_add(1).cast();
    assert_eq!(underpass_tunnel_handle_packets(tunnel, 0, odd, 1), UNDERPASS_E_ARGUMENT);
    assert_eq!(underpass_tunnel_begin_packets(tunnel, 0, slots, null_mut(), 1), UNDERPASS_E_NULL);
    let odd = (&raw mut job).cast::<u8>().wrapping_add(1).cast();
    assert_eq!(underpass_tunnel_begin_packets(tunnel, 0, slots, odd, 1), UNDERPASS_E_ARGUMENT);
    assert_eq!(underpass_tunnel_begin_packets(tunnel, 0, slots, slots.cast(), 1), UNDERPASS_E_OVERLAP);
    (room.slots[0].buf, room.slots[0].cap) = ((&raw mut job).cast(), size_of::<underpass_job>() as u32);
    assert_eq!(underpass_tunnel_begin_packets(tunnel, 0, slots, &mut job, 1), UNDERPASS_E_OVERLAP);
    assert_eq!(underpass_jobs_crypt(null_mut(), null_mut(), 0), UNDERPASS_OK);
    assert_eq!(underpass_jobs_crypt(null_mut(), &mut job, 1), UNDERPASS_E_NULL);
    assert_eq!(underpass_jobs_crypt(null_mut(), null_mut(), 1), UNDERPASS_E_NULL, "what is not there does not overlap");
    assert_eq!(underpass_jobs_crypt(slots, &mut job, usize::MAX), UNDERPASS_E_BATCH, "nor does what is too long");
}

#[test]
fn a_datagram_comes_from_somewhere() {
    let pair = Pair::connected();
    for (family, local, ecn, status) in [
        (0, 0, 0, UNDERPASS_E_ARGUMENT),
        (5, 0, 0, UNDERPASS_E_ARGUMENT),
        (4, 5, 0, UNDERPASS_E_ARGUMENT),
        (4, 0, 4, UNDERPASS_E_ARGUMENT),
        (4, 4, 3, UNDERPASS_OK),
        (6, 6, 1, UNDERPASS_OK),
    ] {
        let mut room = Room::new(2);
        room.datagrams(&[vec![9; 50], vec![9; 50]], &pair.left);
        let slot = &mut room.slots[1];
        (slot.path.remote.family, slot.path.local.family, slot.ecn) = (family, local, ecn);
        assert_eq!(pair.right.open(&mut room), status, "{family} {local} {ecn}");
        let looked_at = if status == UNDERPASS_OK { UNDERPASS_VERDICT_DROPPED } else { -1 };
        assert_eq!(room.slots[0].verdict, looked_at, "all or none");
    }
}
