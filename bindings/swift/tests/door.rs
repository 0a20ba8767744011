//! The door for Swift, called as a program in C calls it.
use std::ptr;
use underpass_uniffi::{Tunnel, TunnelOptions};
// Links the library.
use underpass_swift as _;

const LONGS: usize = 16;

// SAFETY: declared as the committed header declares them.
unsafe extern "C" {
    fn underpass_feed_open(
        data_plane_id: u64,
        slab: *mut u8,
        slab_len: usize,
        facts: *mut i64,
        facts_len: usize,
        slots: i32,
        stride: i32,
    ) -> i64;
    safe fn underpass_feed_handle_packets(feed: i64, count: i32) -> i32;
    safe fn underpass_feed_poll_transmits(feed: i64, max: i32) -> i32;
    safe fn underpass_feed_poll_timeout(feed: i64) -> i64;
    safe fn underpass_feed_headroom(feed: i64) -> i32;
    safe fn underpass_feed_transmit_buffer(feed: i64) -> i32;
    safe fn underpass_feed_close(feed: i64);
    safe fn underpass_feed_live() -> i32;
}

struct Room {
    slab: Vec<u8>,
    facts: Vec<i64>,
}

impl Room {
    fn new() -> Self {
        Self { slab: vec![0; 4096], facts: vec![0; 2 * LONGS] }
    }

    fn open(&mut self, id: u64, slots: i32, stride: i32) -> i64 {
        let (slab, facts) = (&mut self.slab, &mut self.facts);
        // SAFETY: both vectors are as long as is said and stay in place; a test closes the feed before it lets them go.
        unsafe {
            underpass_feed_open(id, slab.as_mut_ptr(), slab.len(), facts.as_mut_ptr(), facts.len(), slots, stride)
        }
    }
}

#[test]
fn lesson_26_what_cannot_be_opened_says_why_and_the_rest_is_a_feed() {
    let tunnel = Tunnel::new(TunnelOptions::default(), None).expect("a tunnel");
    let id = tunnel.data_plane_id();
    let (mut room, before) = (Room::new(), underpass_feed_live());
    for (id, slots, stride, code) in [
        (id ^ 1, 2, 2048, -1),
        (id, 0, 2048, -3),
        (id, 257, 2048, -3),
        (id, 2, i32::MAX, -3),
        (id, 3, 2048, -4),
        (id, -1, -1, -3),
    ] {
        assert_eq!(room.open(id, slots, stride), code, "{slots} {stride}");
    }
    let (slab, facts) = (&mut room.slab, &mut room.facts);
    // SAFETY: null is refused before anything is read; the others are as long as is said.
    let nulls = unsafe {
        [
            underpass_feed_open(id, ptr::null_mut(), 4096, facts.as_mut_ptr(), facts.len(), 2, 2048),
            underpass_feed_open(id, slab.as_mut_ptr(), slab.len(), ptr::null_mut(), facts.len(), 2, 2048),
        ]
    };
    assert_eq!(nulls, [-1, -1]);
    let feed = room.open(id, 2, 2048);
    assert!(feed > 0);
    assert_eq!(room.open(id, 2, 2048), -5, "two feeds over one slab");
    assert_eq!(underpass_feed_live(), before + 1);
    assert!(underpass_feed_headroom(feed) > 0 && underpass_feed_transmit_buffer(feed) > 148);
    assert_eq!(underpass_feed_poll_transmits(feed, 2), 0);
    assert_eq!(underpass_feed_poll_timeout(feed), i64::MAX);
    assert_eq!(underpass_feed_handle_packets(feed, 3), -6);
    room.facts[0] = 1 << 40;
    assert_eq!(underpass_feed_handle_packets(feed, 1), -3);
    tunnel.close();
    assert_eq!(underpass_feed_poll_timeout(feed), -1);
    underpass_feed_close(feed);
    underpass_feed_close(feed);
    assert_eq!(underpass_feed_live(), before);
    assert_eq!(underpass_feed_handle_packets(feed, 0), -1);
}
