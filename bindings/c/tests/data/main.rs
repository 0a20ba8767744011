//! The data plane through the C entries: two tunnels in memory, in batches and in three steps, and all that is refused.
mod misuse;
mod scene;
mod steps;

use scene::{Pair, Room, packet};
use underpass::batch::*;
use underpass::peers::{underpass_stats, underpass_tunnel_stats};
use underpass::words::*;

#[test]
fn batches_of_any_size_arrive_in_order() {
    let pair = Pair::connected();
    for count in [1, 2, 15, 16, 17, 31, 32, 33, 64, 255, 256] {
        let mut room = Room::new(count);
        let sent: Vec<Vec<u8>> = (0..count).map(|number| packet(1, 2, 40 + number, number as u8)).collect();
        room.packets(&sent);
        assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK);
        for slot in &room.slots {
            assert_eq!((slot.verdict, slot.peer), (UNDERPASS_VERDICT_SEND, pair.left.peer), "of {count}");
            assert_eq!(slot.path.remote, pair.right.address);
        }
        room.came_from(&pair.left);
        assert_eq!(pair.right.open(&mut room), UNDERPASS_OK);
        for (slot, sent) in room.slots.iter().zip(&sent) {
            assert_eq!((slot.verdict, slot.peer), (UNDERPASS_VERDICT_DELIVER, pair.right.peer), "of {count}");
            assert_eq!(room.of(slot), *sent, "of {count}");
        }
    }
}

#[test]
fn each_slot_says_what_became_of_it() {
    let pair = Pair::connected();
    let mut room = Room::new(4);
    room.packets(&[packet(1, 2, 100, 0), packet(1, 9, 100, 0), vec![0; 100], packet(1, 2, 100, 0)]);
    room.slots[3].cap = room.slots[3].start + room.slots[3].len;
    assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK);
    let said: Vec<(i32, u32)> = room.slots.iter().map(|slot| (slot.verdict, slot.reason)).collect();
    let expected = [
        (UNDERPASS_VERDICT_SEND, 0),
        (UNDERPASS_VERDICT_BOUNCE, UNDERPASS_DROP_NO_ROUTE),
        (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_MALFORMED_PACKET),
        (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_NO_ROOM),
    ];
    assert_eq!(said, expected);
    assert_eq!(room.of(&room.slots[1])[9], 1, "the protocol of an ICMP error");
    assert_eq!((room.slots[2].len, room.slots[3].len), (0, 0), "nothing to send");
    // The datagram, the same again, the datagram of nobody, and noise.
    let mut inward = Room::new(4);
    let datagram = room.of(&room.slots[0]);
    let mut unknown = datagram.clone();
    unknown[4..8].fill(0xee);
    inward.datagrams(&[datagram.clone(), datagram, unknown, vec![9; 50]], &pair.left);
    assert_eq!(pair.right.open(&mut inward), UNDERPASS_OK);
    let said: Vec<(i32, u32)> = inward.slots.iter().map(|slot| (slot.verdict, slot.reason)).collect();
    let expected = [
        (UNDERPASS_VERDICT_DELIVER, 0),
        (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_REPLAY),
        (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_UNKNOWN_INDEX),
        (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_MALFORMED),
    ];
    assert_eq!(said, expected);
}

/// A datagram may begin anywhere in its buffer, and what is delivered is told from the buffer's beginning.
#[test]
fn offsets_are_those_of_the_buffer() {
    let pair = Pair::connected();
    let sent = packet(1, 2, 333, 7);
    let mut room = Room::new(1);
    room.packets(std::slice::from_ref(&sent));
    assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK);
    let datagram = room.of(&room.slots[0]);
    for start in [0, 1, 7, 500] {
        let mut inward = Room::new(1);
        inward.memory[start..start + datagram.len()].copy_from_slice(&datagram);
        inward.datagrams(std::slice::from_ref(&datagram), &pair.left);
        inward.memory[start..start + datagram.len()].copy_from_slice(&datagram);
        inward.slots[0].start = start as u32;
        assert_eq!(pair.right.open(&mut inward), UNDERPASS_OK);
        let slot = inward.slots[0];
        match start {
            0 => assert_eq!((slot.verdict, slot.start), (UNDERPASS_VERDICT_DELIVER, 16)),
            _ => assert_eq!((slot.verdict, slot.reason), (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_REPLAY)),
        }
        if start == 0 {
            assert_eq!(inward.of(&slot), sent);
        }
    }
    let again = packet(1, 2, 333, 8);
    room.packets(std::slice::from_ref(&again));
    assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK);
    let datagram = room.of(&room.slots[0]);
    let mut inward = Room::new(1);
    inward.datagrams(&[vec![0; 501]], &pair.left);
    inward.memory[501..501 + datagram.len()].copy_from_slice(&datagram);
    (inward.slots[0].start, inward.slots[0].len) = (501, datagram.len() as u32);
    assert_eq!(pair.right.open(&mut inward), UNDERPASS_OK);
    assert_eq!((inward.slots[0].start, inward.of(&inward.slots[0])), (517, again));
}

#[test]
fn counters_are_those_of_the_tunnel() {
    let pair = Pair::connected();
    let mut room = Room::new(3);
    room.packets(&[packet(1, 2, 60, 0), packet(1, 2, 60, 1), packet(1, 9, 60, 0)]);
    assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK);
    let mut stats: underpass_stats = scene::blank_stats();
    assert_eq!(underpass_tunnel_stats(pair.left.tunnel, &mut stats), UNDERPASS_OK);
    assert_eq!((stats.tx_packets, stats.handshakes, stats.peers, stats.drops), (3, 1, 1, 1), "one of them was staged");
    assert_eq!((stats.staged_packets, stats.allowed_ips), (0, 1));
}
