//! What is carried, and what wakes a pump.
use super::scene::{End, eventually, interface, packet, pair, pair_by, put, receive, text, tunnel};
use crate::pump::Statistics;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use underpass_uniffi::PrivateKey;

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[test]
fn packets_go_both_ways_over_both_families_and_the_interface_comes_back() {
    for remote in LOOPBACKS {
        let (left, right) = pair(remote);
        for word in 0..200 {
            let there = packet(1, 2, 28 + 6 * u16::from(word), word);
            left.send(&there);
            assert!(right.receive() == there, "{word}");
            let back = packet(2, 1, 1420, word);
            right.send(&back);
            assert!(left.receive() == back, "{word}");
        }
        // A packet is there before it is counted.
        let arrived = |end: &End| end.pump.statistics().inward[0] == 200;
        eventually("all are counted", || arrived(&left) && arrived(&right));
        let (one, other) = (left.pump.statistics(), right.pump.statistics());
        assert_eq!((one.out[0], one.inward[0], one.drops), (200, 200, 0));
        assert_eq!((one.out[1], one.inward[1]), (other.inward[1], other.out[1]));
        assert!(one.out[2] <= 200 && one.wakeups > 0);
        for end in [left, right] {
            let tun = end.pump.stop().expect("not from its own thread").expect("it was not given back yet");
            assert_eq!(tun.as_raw_fd(), end.number);
            let flags = OFlag::from_bits_retain(fcntl(&tun, FcntlArg::F_GETFL).expect("it is open"));
            assert!(!flags.contains(OFlag::O_NONBLOCK), "it is as it was");
            assert!(end.pump.stop().expect("harmless").is_none(), "once");
            assert!(end.stopped.recv().is_err(), "an end that was asked for is not told");
        }
    }
}

#[test]
fn a_flood_comes_through_in_batches_and_in_order() {
    for offload in [true, false] {
        let (left, right) = pair_by(LOOPBACKS[0], offload);
        left.send(&packet(1, 2, 100, 0));
        right.receive();
        let before = left.pump.statistics();
        flood(&left, &right);
        let Statistics { out, .. } = left.pump.statistics();
        assert!(out[2] - before.out[2] < (out[0] - before.out[0]) / 2, "in batches: {out:?}");
    }
}

/// 20 000 packets from left to right.
pub(super) fn flood(left: &End, right: &End) {
    let arrived = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let world = &left.world;
        scope.spawn(|| {
            (0..20_000_u32).for_each(|number| put(world, &numbered(number)));
            // The socket's buffer is as large as the machine allows, so some are lost, and the last may be among them.
            while !arrived.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
                put(world, &numbered(19_999));
            }
        });
        let mut last = None;
        while last != Some(19_999) {
            let number = u32::from_be_bytes(*right.receive().last_chunk().expect("four bytes"));
            assert!(last.is_none_or(|last| last < number), "{last:?} before {number}");
            last = Some(number);
        }
        arrived.store(true, Ordering::SeqCst);
    });
}

fn numbered(number: u32) -> Vec<u8> {
    let mut packet = packet(1, 2, 1400, 0);
    packet.splice(1396.., number.to_be_bytes());
    packet
}

#[test]
fn an_idle_pump_never_wakes() {
    let (left, right) = pair(LOOPBACKS[0]);
    // Nobody has spoken yet: no deadline, no traffic.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((left.pump.statistics().wakeups, right.pump.statistics().wakeups), (0, 0));
    left.send(&packet(1, 2, 100, 7));
    right.receive();
    right.send(&packet(2, 1, 100, 7));
    left.receive();
    // With a session there are deadlines, but none of them within a second.
    let settled = || {
        let before = (left.pump.statistics().wakeups, right.pump.statistics().wakeups);
        std::thread::sleep(Duration::from_millis(500));
        before == (left.pump.statistics().wakeups, right.pump.statistics().wakeups)
    };
    eventually("they sleep", settled);
    assert!(left.pump.statistics().wakeups < 50);
}

#[test]
fn a_rebind_takes_new_protected_sockets_and_the_peer_follows() {
    for remote in LOOPBACKS {
        let (left, right) = pair(remote);
        left.send(&packet(1, 2, 100, 1));
        right.receive();
        let before = left.guard.ports();
        for round in 2..10 {
            left.pump.rebind().expect("it may");
            // The peer learns where we are though we send it nothing.
            eventually("the peer heard of it", || {
                right.tunnel.peers().expect("open")[0].path.as_ref().is_some_and(|path| path.remote.port == left.port())
            });
            right.send(&packet(2, 1, 100, round));
            assert!(left.receive() == packet(2, 1, 100, round));
        }
        assert_eq!(left.guard.ports().len(), before.len() * 9, "each socket was asked about");
    }
}

#[test]
fn a_refused_rebind_goes_on_with_the_sockets_that_were_there() {
    let (left, right) = pair(LOOPBACKS[0]);
    left.send(&packet(1, 2, 100, 1));
    right.receive();
    let port = left.port();
    left.guard.refuses.store(true, Ordering::SeqCst);
    assert_eq!(left.pump.rebind(), Err(crate::pump::PumpError::NotProtected));
    assert_eq!(left.guard.ports().last(), Some(&0), "what was refused was not even bound");
    right.send(&packet(2, 1, 100, 2));
    left.receive();
    assert!(left.guard.ports().contains(&port));
}

#[test]
fn another_interface_takes_over_without_a_packet_lost() {
    let (left, right) = pair(LOOPBACKS[0]);
    left.send(&packet(1, 2, 100, 1));
    right.receive();
    let mut number = left.number;
    let mut worlds = Vec::new();
    for round in 0..5 {
        let (tun, world) = interface();
        let next = tun.as_raw_fd();
        let old = left.pump.replace_tun(tun).map_err(|(error, _)| error).expect("it may");
        assert_eq!(old.as_raw_fd(), number);
        number = next;
        right.send(&packet(2, 1, 100, round));
        assert!(receive(&world) == packet(2, 1, 100, round));
        put(&world, &packet(1, 2, 90, round));
        assert!(right.receive() == packet(1, 2, 90, round));
        // The old one is not heard any more, and closing it harms nothing.
        worlds.push((old, world));
    }
    let back = left.pump.stop().expect("not from its own thread").expect("the last one");
    assert_eq!(back.as_raw_fd(), number);
}

#[test]
fn what_cannot_be_sent_is_told_to_the_tunnel() {
    let (own, other) = (PrivateKey::generate().expect("randomness"), PrivateKey::generate().expect("randomness"));
    // Nobody may broadcast without asking for it.
    let end = End::start(tunnel(text(&own, &other, "10.0.0.2", Some("255.255.255.255:9")), None));
    end.send(&packet(1, 2, 100, 1));
    eventually("the tunnel knows", || end.tunnel.statistics().expect("open").send_errors > 0);
    eventually("it is counted", || end.pump.statistics().drops > 0);
}
