//! Facts, checks and feeds without a Java machine.
use crate::facts::{
    BOUNCE, CONSUMED, DELIVER, DROPPED, ECN, Facts, LEN, LINK, LOCAL_FAMILY, LOCAL_HIGH, LOCAL_LOW, LONGS, PEER,
    REASON, REMOTE_FAMILY, REMOTE_HIGH, REMOTE_LOW, REMOTE_PORT, REMOTE_SCOPE, REPLY, SEND, STAGED, START, USER,
    VERDICT,
};
use crate::feed::Feed;
use crate::memory::Memory;
use crate::registry;
use std::net::SocketAddr;
use std::sync::atomic::AtomicI64;
use underpass_core::Status;
use underpass_core::tunnel::Path;
use underpass_uniffi::{Tunnel, TunnelOptions};

fn longs() -> [AtomicI64; LONGS] {
    Default::default()
}

#[test]
fn paths_come_back_as_they_were_written() {
    for (remote, local, link) in [
        ("192.0.2.1:51820", Some("192.0.2.7"), 0),
        ("255.255.255.255:65535", None, u32::MAX),
        ("[2001:db8::1]:1", Some("::1"), 3),
        ("[fe80::ffff:ffff:ffff:ffff%7]:9", None, 1),
    ] {
        let remote: SocketAddr = remote.parse().expect("an address");
        let path = Path::new(remote).with_local(local.map(|ip| ip.parse().expect("an address"))).with_link(link);
        let longs = longs();
        Facts(&longs).set_path(&path);
        assert_eq!(Facts(&longs).path(), Ok(path));
    }
}

#[test]
fn lesson_26_numbers_that_cannot_be_are_refused() {
    for (start, len, good) in [
        (0, 0, true),
        (0, 2048, true),
        (2048, 0, true),
        (1, 2048, false),
        (-1, 1, false),
        (1, -1, false),
        (i64::MAX, i64::MAX, false),
        (i64::MIN, 0, false),
    ] {
        let longs = longs();
        Facts(&longs).write(START, start);
        Facts(&longs).write(LEN, len);
        assert_eq!(Facts(&longs).range(2048).is_ok(), good, "{start} {len}");
    }
    for (family, low, port, good) in
        [(4, 1, 1, true), (0, 1, 1, false), (5, 1, 1, false), (4, -1, 1, false), (4, 1, 65536, false), (6, -1, 1, true)]
    {
        let longs = longs();
        Facts(&longs).write(REMOTE_FAMILY, family);
        Facts(&longs).write(REMOTE_LOW, low);
        Facts(&longs).write(REMOTE_PORT, port);
        assert_eq!(Facts(&longs).path().is_ok(), good, "{family} {low} {port}");
    }
}

/// The numbers are those of the header of C, and the places of facts are those of Kotlin.
#[test]
fn lesson_25_verdicts_are_those_of_c_and_of_kotlin() {
    let header = include_str!("../../../include/underpass.h");
    let kotlin = include_str!("../../../android/tunnel/src/main/kotlin/org/underpass/tunnel/PacketEngine.kt");
    for (name, number) in [
        ("SEND", SEND),
        ("DELIVER", DELIVER),
        ("REPLY", REPLY),
        ("BOUNCE", BOUNCE),
        ("CONSUMED", CONSUMED),
        ("STAGED", STAGED),
        ("DROPPED", DROPPED),
    ] {
        let line = header.lines().find(|line| line.contains(&format!("UNDERPASS_VERDICT_{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is in the header"));
        assert!(
            line.split_whitespace().any(|word| word.trim_matches(['(', ')', ',', ';']) == number.to_string()),
            "{line}"
        );
        assert!(kotlin.contains(&format!("const val {name}: Int = {number}\n")), "{name} in Kotlin");
    }
    for (name, at) in [
        ("LONGS", LONGS),
        ("START", START),
        ("LEN", LEN),
        ("VERDICT", VERDICT),
        ("REASON", REASON),
        ("PEER", PEER),
        ("USER", USER),
        ("ECN", ECN),
        ("LINK", LINK),
        ("REMOTE_HIGH", REMOTE_HIGH),
        ("REMOTE_LOW", REMOTE_LOW),
        ("REMOTE_FAMILY", REMOTE_FAMILY),
        ("REMOTE_PORT", REMOTE_PORT),
        ("REMOTE_SCOPE", REMOTE_SCOPE),
        ("LOCAL_HIGH", LOCAL_HIGH),
        ("LOCAL_LOW", LOCAL_LOW),
        ("LOCAL_FAMILY", LOCAL_FAMILY),
    ] {
        assert!(kotlin.contains(&format!("const val {name} = {at}\n")), "{name} in Kotlin");
    }
}

#[test]
fn lesson_26_memory_that_is_too_small_or_overlaps_is_refused() {
    for (spare, status) in
        [([0, 0], None), ([-1, 0], Some(Status::Buffer)), ([0, -1], Some(Status::Buffer)), ([8, 8], None)]
    {
        assert_eq!(Memory::of_test(4, 256, spare).err(), status);
    }
    for (offset, status) in
        [(0, Status::Overlap), (4088, Status::Overlap), (4096, Status::Ok), (4097, Status::Argument)]
    {
        assert_eq!(Memory::of_bad_test(offset), status, "{offset}");
    }
}

fn feed() -> (std::sync::Arc<Tunnel>, i64) {
    let tunnel = Tunnel::new(TunnelOptions::default(), None).expect("a tunnel");
    let memory = Memory::of_test(4, 2048, [0, 0]).expect("memory");
    let feed = Feed::new(std::sync::Arc::clone(&tunnel), memory, 4, 2048);
    (tunnel, registry::list(feed).expect("it is listed"))
}

#[test]
fn a_call_inside_a_call_is_refused_and_may_close_the_feed() {
    let (_tunnel, handle) = feed();
    let inside = registry::enter(handle, |_| {
        let again = registry::enter(handle, |_| Ok(()));
        registry::close(handle);
        Ok((again, registry::enter(handle, |_| Ok(()))))
    });
    assert_eq!(inside, Ok((Err(Status::Busy), Err(Status::Null))));
    assert_eq!(registry::enter(handle, |_| Ok(())), Err(Status::Null));
    registry::close(handle);
}

#[test]
fn lesson_24_a_panic_poisons_and_goes_no_further() {
    let (tunnel, handle) = feed();
    assert_eq!(registry::enter::<()>(handle, |_| panic!("a bug")), Err(Status::Panic));
    assert_eq!(registry::enter(handle, |feed| feed.handle_packets(0)), Ok(()));
    assert!(tunnel.with_core(|_| panic!("a bug")).is_err());
    assert_eq!(registry::enter(handle, |feed| feed.handle_packets(1)), Err(Status::Poisoned));
    assert_eq!(registry::enter(handle, |feed| feed.poll_timeout()), Err(Status::Poisoned));
    registry::close(handle);
    assert_eq!(registry::enter(handle, |_| Ok(())), Err(Status::Null));
}

#[test]
fn settled_slots_have_nothing_of_earlier_ones() {
    let longs = longs();
    longs.iter().for_each(|long| long.store(99, std::sync::atomic::Ordering::Relaxed));
    let facts = Facts(&longs);
    facts.settle_packet(&underpass_core::tunnel::Outbound::Staged);
    assert_eq!((facts.read(VERDICT), facts.read(LEN), facts.read(PEER)), (STAGED, 0, 0));
    facts.settle_datagram(5, &underpass_core::tunnel::Inbound::Consumed);
    assert_eq!((facts.read(VERDICT), facts.read(REASON)), (CONSUMED, 0));
}
