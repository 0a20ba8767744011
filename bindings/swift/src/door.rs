//! What Swift calls: the functions of `include/underpass_feed.h`, which is made from this file.
use std::panic::{AssertUnwindSafe, catch_unwind};
use underpass_core::Status;
use underpass_feed::answer::{number, status};
use underpass_feed::feed::{Feed, sizes};
use underpass_feed::memory::{Given, Memory};
use underpass_feed::registry;

/// Opens a feed of the tunnel that has this data plane id. The answer is its handle, above 0; below 0: a code.
///
/// `slab` has `slab_len` bytes, at least `slots * stride`; `facts` has `facts_len` numbers, at least sixteen for each slot. Both
/// hold initialised memory. They belong to the caller, who keeps them in place until `underpass_feed_close` returned and no
/// call of the feed is under way, and leaves the slab alone while one is.
///
/// # Safety
/// As said above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn underpass_feed_open(
    data_plane_id: u64,
    slab: *mut u8,
    slab_len: usize,
    facts: *mut i64,
    facts_len: usize,
    slots: i32,
    stride: i32,
) -> i64 {
    let opened = catch_unwind(|| {
        let (slots, stride) = sizes(slots, stride)?;
        let slab = Given { at: slab, capacity: slab_len };
        let facts = Given { at: facts.cast(), capacity: facts_len.saturating_mul(size_of::<i64>()) };
        // SAFETY: the caller promised what `new` asks for. A feed whose slab is another's is refused by `list`.
        let memory = unsafe { Memory::new(slab, facts, slots, stride, Box::new(())) }?;
        let tunnel = underpass_uniffi::of_data_plane(data_plane_id).ok_or(Status::Null)?;
        registry::list(Feed::new(tunnel, memory, slots, stride))
    });
    opened.unwrap_or(Err(Status::Panic)).unwrap_or_else(|status| status.code().into())
}

/// Seals the packets of the first `count` slots, in place.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_handle_packets(feed: i64, count: i32) -> i32 {
    status(registry::enter(feed, |feed| feed.handle_packets(count)))
}

/// Opens the datagrams of the first `count` slots, in place.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_handle_datagrams(feed: i64, count: i32) -> i32 {
    status(registry::enter(feed, |feed| feed.handle_datagrams(count)))
}

/// Writes what is to be sent into the first slots, `max` at most. The answer is how many; below 0: a code.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_poll_transmits(feed: i64, max: i32) -> i32 {
    number(registry::enter(feed, |feed| feed.poll_transmits(max)))
}

/// Does what has fallen due.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_handle_timeout(feed: i64) -> i32 {
    status(registry::enter(feed, |feed| feed.handle_timeout()))
}

/// When something falls due, in nanoseconds of the tunnel's clock; `INT64_MAX`: never; below 0: a code.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_poll_timeout(feed: i64) -> i64 {
    registry::enter(feed, |feed| feed.poll_timeout()).unwrap_or_else(|status| status.code().into())
}

/// The datagram of a slot, which was to be sent, could not be. `kind` is the number of a send error.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_send_error(feed: i64, slot: i32, kind: i32) -> i32 {
    status(registry::enter(feed, |feed| feed.send_error(slot, kind)))
}

/// Bytes that a packet needs before it in its slot; below 0: a code.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_headroom(feed: i64) -> i32 {
    number(registry::enter(feed, |feed| Ok(feed.layout()?.headroom())))
}

/// Bytes that a packet needs behind it in its slot; below 0: a code.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_tailroom(feed: i64) -> i32 {
    number(registry::enter(feed, |feed| Ok(feed.layout()?.tailroom())))
}

/// Bytes that a slot must have for `underpass_feed_poll_transmits`; below 0: a code.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_transmit_buffer(feed: i64) -> i32 {
    number(registry::enter(feed, |feed| Ok(feed.layout()?.transmit_buffer())))
}

/// Ends a feed, not its tunnel. A call that is under way ends it when it is done. Doing it again does nothing.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_close(feed: i64) {
    let _ = catch_unwind(AssertUnwindSafe(|| registry::close(feed)));
}

/// How many feeds are open, for tests that look for leaks.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_feed_live() -> i32 {
    number(Ok(registry::live()))
}
