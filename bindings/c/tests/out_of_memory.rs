//! Memory that runs out under the entries of the C interface: each allocation fails in turn. Every call says so by
//! `UNDERPASS_E_MEMORY` or drops and counts, and works when there is memory again.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_char;
use std::fmt::Write as _;
use std::process::Command;
use std::ptr::{from_mut, null, null_mut};
use underpass::address::{UNDERPASS_FAMILY_IPV4, underpass_address, underpass_ip, underpass_path};
use underpass::batch::{
    UNDERPASS_VERDICT_DELIVER, UNDERPASS_VERDICT_DROPPED, UNDERPASS_VERDICT_PENDING, UNDERPASS_VERDICT_SEND,
    UNDERPASS_VERDICT_STAGED, underpass_slot, underpass_tunnel_handle_packets,
};
use underpass::config::{
    underpass_config, underpass_config_diagnostic, underpass_config_free, underpass_config_more,
    underpass_config_parse, underpass_config_peer, underpass_config_write, underpass_diagnostic,
};
use underpass::configure::{
    UNDERPASS_PEER_HAS_ENDPOINT, underpass_allowed_ip, underpass_peer_change, underpass_tunnel_apply_config,
    underpass_tunnel_configure_peers, underpass_tunnel_remove_all_peers,
};
use underpass::drain::{underpass_transmit, underpass_tunnel_poll_transmit};
use underpass::facts::underpass_tunnel_handle_timeout;
use underpass::handle::underpass_tunnel;
use underpass::job::underpass_job;
use underpass::keys::{underpass_key_to_base64, underpass_public_key};
use underpass::options::{
    UNDERPASS_OPTION_PRIVATE_KEY, underpass_options, underpass_tunnel_free, underpass_tunnel_new,
    underpass_tunnel_new_from_config,
};
use underpass::peers::underpass_tunnel_peers;
use underpass::steps::{
    underpass_jobs_crypt, underpass_tunnel_begin_datagrams, underpass_tunnel_begin_packets,
    underpass_tunnel_finish_datagrams, underpass_tunnel_finish_packets,
};
use underpass::uapi::{underpass_tunnel_uapi_get, underpass_tunnel_uapi_set, underpass_uapi_result};
use underpass::words::{UNDERPASS_DROP_NO_MEMORY, UNDERPASS_E_MEMORY, UNDERPASS_NOTHING, UNDERPASS_OK};

std::thread_local! {
    /// How many allocations of this thread succeed before all fail; `None`: all succeed.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Refuses once what [`LEFT`] allows is used up.
struct Failing;

fn refuses() -> bool {
    let left = LEFT.get();
    LEFT.set(left.map(|left| left.saturating_sub(1)));
    left == Some(0)
}

// SAFETY: what is not refused is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is handed on.
        if refuses() { null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise about `place` and `layout` is handed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Failing = Failing;

/// Calls an entry with memory for so many allocations.
fn with<T>(left: usize, call: impl FnOnce() -> T) -> T {
    LEFT.set(Some(left));
    let answer = call();
    LEFT.set(None);
    answer
}

/// Makes the call with memory for no allocation, for one, and so on until it is done; each refusal is the one for want of
/// memory. Returns how many were refused.
fn until_done(mut call: impl FnMut() -> i32) -> usize {
    for left in 0.. {
        match with(left, &mut call) {
            UNDERPASS_E_MEMORY => {}
            status => {
                assert_eq!(status, UNDERPASS_OK);
                return left;
            }
        }
    }
    unreachable!("no call takes so much")
}

const NOW: u64 = 1_000_000_000;
const WALL: u64 = 1_700_000_000_000_000_000;
const TEXT: &str = "[Interface]\nPrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nTable = mine\nPostUp = echo\n\
    DNS = example.org, 1.1.1.1\nBlockDNS = 1\n[Peer]\nPublicKey = fWoX8qwc/e/mawb2xv6F6UoI/EeIcOz6jjJeiMtkvA0=\n\
    AllowedIPs = 10.0.0.2/32, 10.2.0.0/16, ::/0\nEndpoint = 192.0.2.2:51820\n[Peer]\n\
    PublicKey = 6GHmlwAEIzT0DQZfsmUaILHJGCeDxNFxKe+E3209c1s=\nAllowedIPs = 10.0.0.3/32\nEndpoint = vpn.example.org:1\n";

fn parsed() -> *mut underpass_config {
    let mut config = null_mut();
    assert_eq!(underpass_config_parse(TEXT.as_ptr().cast(), TEXT.len(), from_mut(&mut config)), UNDERPASS_OK);
    config
}

fn peers(tunnel: *mut underpass_tunnel) -> usize {
    let mut count = 0;
    assert_eq!(underpass_tunnel_peers(tunnel, null_mut(), 0, from_mut(&mut count)), UNDERPASS_OK);
    count
}

fn texts_are_refused_and_read() {
    let mut config: *mut underpass_config = null_mut();
    let refused = until_done(|| {
        assert!(config.is_null(), "nothing is written");
        underpass_config_parse(TEXT.as_ptr().cast(), TEXT.len(), from_mut(&mut config))
    });
    assert!(refused > 20, "{refused}");
    let (mut more, mut len, mut text) = (9, 0, [0 as c_char; 2000]);
    let mut change = underpass_peer_change { size: size_of::<underpass_peer_change>() as u32, ..Default::default() };
    let mut found = underpass_diagnostic { size: size_of::<underpass_diagnostic>() as u32, ..Default::default() };
    // What only reads takes no memory.
    with(0, || {
        assert_eq!(underpass_config_more(config, from_mut(&mut more)), UNDERPASS_OK);
        assert_eq!(underpass_config_diagnostic(config, 0, from_mut(&mut found)), UNDERPASS_OK);
        assert_eq!(underpass_config_peer(config, 1, from_mut(&mut change)), UNDERPASS_OK);
        assert_eq!(underpass_config_write(config, text.as_mut_ptr(), text.len(), from_mut(&mut len)), UNDERPASS_OK);
        assert_eq!(underpass_key_to_base64([1; 32].as_ptr(), text.as_mut_ptr(), 45), UNDERPASS_OK);
    });
    assert_eq!((more, change.endpoint_port), (0, 1));
    assert_eq!(underpass_config_free(config), UNDERPASS_OK);
}

fn tunnels_are_refused_and_made() {
    let config = parsed();
    let mut tunnel: *mut underpass_tunnel = null_mut();
    assert!(until_done(|| underpass_tunnel_new(null(), NOW, WALL, from_mut(&mut tunnel))) > 0);
    // All or nothing: no peer before it is done.
    let refused = until_done(|| {
        LEFT.with(|left| {
            let kept = left.take();
            assert_eq!(peers(tunnel), 0);
            left.set(kept);
        });
        underpass_tunnel_apply_config(tunnel, NOW, config)
    });
    assert!(refused > 8, "{refused}");
    assert_eq!(peers(tunnel), 2);
    let networks = [underpass_allowed_ip::default(); 1];
    let change = underpass_peer_change {
        size: size_of::<underpass_peer_change>() as u32,
        public_key: [9; 32],
        allowed_ips: networks.as_ptr(),
        ..Default::default()
    };
    assert!(
        until_done(|| underpass_tunnel_configure_peers(tunnel, NOW, &raw const change, 1, std::ptr::null_mut())) > 0
    );
    assert_eq!(peers(tunnel), 3);
    // What takes away needs no memory.
    assert_eq!(with(0, || underpass_tunnel_remove_all_peers(tunnel, NOW)), UNDERPASS_OK);
    assert_eq!(underpass_tunnel_free(tunnel), UNDERPASS_OK);
    assert!(until_done(|| underpass_tunnel_new_from_config(config, null(), NOW, WALL, from_mut(&mut tunnel))) > 10);
    packets_are_dropped_and_staged(tunnel);
    requests_are_refused_and_applied(tunnel);
    assert_eq!(underpass_tunnel_free(tunnel), UNDERPASS_OK);
    assert_eq!(underpass_config_free(config), UNDERPASS_OK);
}

fn packets_are_dropped_and_staged(tunnel: *mut underpass_tunnel) {
    let mut buf = [0; 200];
    let mut out = underpass_transmit { size: size_of::<underpass_transmit>() as u32, ..Default::default() };
    let mut datagram = [0; 1500];
    for left in 0..10 {
        buf[16] = 0x45;
        buf[18..20].copy_from_slice(&100_u16.to_be_bytes());
        buf[32..36].copy_from_slice(&[10, 0, 0, 2]);
        let mut slot = underpass_slot { buf: buf.as_mut_ptr(), cap: 200, start: 16, len: 100, ..Default::default() };
        assert_eq!(with(left, || underpass_tunnel_handle_packets(tunnel, NOW, from_mut(&mut slot), 1)), UNDERPASS_OK);
        match slot.verdict {
            UNDERPASS_VERDICT_STAGED => {}
            verdict => assert_eq!((verdict, slot.reason), (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_NO_MEMORY)),
        }
    }
    // An initiation that wants for memory is sent later.
    let mut poll = |now| underpass_tunnel_poll_transmit(tunnel, now, datagram.as_mut_ptr(), 1500, from_mut(&mut out));
    let first = with(0, || poll(NOW));
    assert_eq!(first, UNDERPASS_NOTHING);
    let later = NOW + 6_000_000_000;
    assert_eq!(underpass_tunnel_handle_timeout(tunnel, later), UNDERPASS_OK);
    assert_eq!(poll(later), UNDERPASS_OK);
}

fn requests_are_refused_and_applied(tunnel: *mut underpass_tunnel) {
    let mut text = String::new();
    write!(text, "replace_peers=true\npublic_key={}\n", "07".repeat(32)).expect("a string takes all");
    text += "allowed_ip=10.0.0.9/32\nendpoint=[fe80::1%eth0]:1\n";
    let mut result = underpass_uapi_result { size: size_of::<underpass_uapi_result>() as u32, ..Default::default() };
    for left in 0.. {
        let status = with(left, || {
            underpass_tunnel_uapi_set(tunnel, NOW, text.as_ptr().cast(), text.len(), from_mut(&mut result))
        });
        assert_eq!(status, UNDERPASS_OK);
        if result.error_number == 0 {
            assert!(left > 3);
            break;
        }
        assert_eq!((result.error_number, peers(tunnel)), (12, 2));
    }
    let (mut answer, mut len) = ([0 as c_char; 2000], 0);
    let status = with(0, || underpass_tunnel_uapi_get(tunnel, 0, 0, answer.as_mut_ptr(), 2000, from_mut(&mut len)));
    assert_eq!((status, peers(tunnel)), (UNDERPASS_OK, 1));
}

/// One of two tunnels that know each other: 10.0.0.number inside, 192.0.2.number outside.
struct Side {
    tunnel: *mut underpass_tunnel,
    number: u8,
}

/// Two tunnels without a session.
fn sides() -> [Side; 2] {
    let sides = [1, 2].map(|number| {
        let options = underpass_options {
            size: size_of::<underpass_options>() as u32,
            flags: UNDERPASS_OPTION_PRIVATE_KEY,
            private_key: [number; 32],
            ..Default::default()
        };
        let mut tunnel = null_mut();
        assert_eq!(underpass_tunnel_new(&raw const options, NOW, WALL, from_mut(&mut tunnel)), UNDERPASS_OK);
        Side { tunnel, number }
    });
    for (own, other) in [(&sides[0], 2_u8), (&sides[1], 1)] {
        let mut key = [0; 32];
        assert_eq!(underpass_public_key([other; 32].as_ptr(), key.as_mut_ptr()), UNDERPASS_OK);
        let network = underpass_ip { prefix: 32, ..inside(other) };
        let networks = [underpass_allowed_ip { network, remove: 0 }];
        let change = underpass_peer_change {
            size: size_of::<underpass_peer_change>() as u32,
            flags: UNDERPASS_PEER_HAS_ENDPOINT,
            public_key: key,
            endpoint: path_from(other).remote,
            allowed_ips: networks.as_ptr(),
            allowed_ips_len: 1,
            ..Default::default()
        };
        let status = underpass_tunnel_configure_peers(own.tunnel, NOW, &raw const change, 1, null_mut());
        assert_eq!(status, UNDERPASS_OK);
    }
    sides
}

fn inside(number: u8) -> underpass_ip {
    let mut ip = underpass_ip { family: UNDERPASS_FAMILY_IPV4, ..Default::default() };
    ip.bytes[..4].copy_from_slice(&[10, 0, 0, number]);
    ip
}

fn path_from(number: u8) -> underpass_path {
    let mut remote = underpass_address { family: UNDERPASS_FAMILY_IPV4, port: 1, ..Default::default() };
    remote.ip[..4].copy_from_slice(&[192, 0, 2, number]);
    underpass_path { remote, ..Default::default() }
}

impl Side {
    /// A packet for the other side goes in, in three steps; what waits goes to it. Returns whether it delivered one.
    fn speaks_to(&self, other: &Self, now: u64) -> bool {
        let mut buf = [0; 200];
        buf[16] = 0x45;
        buf[18..20].copy_from_slice(&100_u16.to_be_bytes());
        buf[28..32].copy_from_slice(&[10, 0, 0, self.number]);
        buf[32..36].copy_from_slice(&[10, 0, 0, other.number]);
        let mut slot = underpass_slot { buf: buf.as_mut_ptr(), cap: 200, start: 16, len: 100, ..Default::default() };
        let (at, mut job) = (from_mut(&mut slot), underpass_job { opaque: [0; 24] });
        assert_eq!(underpass_tunnel_begin_packets(self.tunnel, now, at, &raw mut job, 1), UNDERPASS_OK);
        if slot.verdict == UNDERPASS_VERDICT_PENDING {
            assert_eq!(underpass_jobs_crypt(at, &raw mut job, 1), UNDERPASS_OK);
            assert_eq!(underpass_tunnel_finish_packets(self.tunnel, now, at, &raw mut job, 1), UNDERPASS_OK);
        }
        match slot.verdict {
            UNDERPASS_VERDICT_SEND => {
                let at = slot.start as usize;
                other.hears(self, &mut buf[at..at + slot.len as usize], now)
            }
            UNDERPASS_VERDICT_STAGED => false,
            verdict => {
                assert_eq!((verdict, slot.reason), (UNDERPASS_VERDICT_DROPPED, UNDERPASS_DROP_NO_MEMORY));
                false
            }
        }
    }

    /// A datagram of the other side comes in, in three steps. Returns whether it was a packet.
    fn hears(&self, other: &Self, datagram: &mut [u8], now: u64) -> bool {
        let len = datagram.len() as u32;
        let path = path_from(other.number);
        let mut slot = underpass_slot { buf: datagram.as_mut_ptr(), cap: len, len, path, ..Default::default() };
        let (at, mut job) = (from_mut(&mut slot), underpass_job { opaque: [0; 24] });
        assert_eq!(underpass_tunnel_begin_datagrams(self.tunnel, now, at, &raw mut job, 1), UNDERPASS_OK);
        if slot.verdict == UNDERPASS_VERDICT_PENDING {
            assert_eq!(underpass_jobs_crypt(at, &raw mut job, 1), UNDERPASS_OK);
            assert_eq!(underpass_tunnel_finish_datagrams(self.tunnel, now, at, &raw mut job, 1), UNDERPASS_OK);
        }
        slot.verdict == UNDERPASS_VERDICT_DELIVER
    }

    /// Hands the other side what waits. Returns whether it delivered a packet.
    fn writes_to(&self, other: &Self, now: u64) -> bool {
        let mut out = underpass_transmit { size: size_of::<underpass_transmit>() as u32, ..Default::default() };
        let (mut buf, mut has_delivered) = ([0; 1500], false);
        while underpass_tunnel_poll_transmit(self.tunnel, now, buf.as_mut_ptr(), 1500, from_mut(&mut out))
            == UNDERPASS_OK
        {
            has_delivered |= other.hears(self, &mut buf[..out.len as usize], now);
        }
        has_delivered
    }
}

/// A packet each way. Returns whether both sides delivered one.
fn both_speak([left, right]: &[Side; 2], now: u64) -> bool {
    for side in [left, right] {
        assert_eq!(underpass_tunnel_handle_timeout(side.tunnel, now), UNDERPASS_OK);
    }
    let (mut to_right, mut to_left) = (left.speaks_to(right, now), false);
    for _ in 0..3 {
        to_right |= left.writes_to(right, now);
        to_left |= right.writes_to(left, now);
    }
    to_left |= right.speaks_to(left, now);
    to_right && to_left
}

/// Memory runs out anywhere in a handshake, or in one of the three steps, on either side. When there is memory again, packets
/// pass, at the latest after an initiation is repeated.
fn sessions_come_when_memory_does() {
    for left in 0.. {
        let sides = sides();
        LEFT.set(Some(left));
        let at_once = both_speak(&sides, NOW);
        let rest = LEFT.take();
        if rest > Some(0) {
            assert!(at_once, "nothing was refused");
            assert!(left > 10, "{left}");
            return sides.iter().for_each(|side| assert_eq!(underpass_tunnel_free(side.tunnel), UNDERPASS_OK));
        }
        let later = (1..5).any(|again| both_speak(&sides, NOW + again * 6_000_000_000));
        assert!(later, "no packet passes after {left} allocations");
        sides.iter().for_each(|side| assert_eq!(underpass_tunnel_free(side.tunnel), UNDERPASS_OK));
    }
}

/// A failure that nobody asked for ends the process, so this runs in one of its own.
#[test]
fn every_allocation_of_an_entry_may_fail() {
    const OWN: &str = "UNDERPASS_C_OUT_OF_MEMORY";
    if std::env::var(OWN).is_ok() {
        texts_are_refused_and_read();
        sessions_come_when_memory_does();
        return tunnels_are_refused_and_made();
    }
    let own = std::env::current_exe().expect("a test is a program");
    let child = Command::new(own)
        .args(["--exact", "every_allocation_of_an_entry_may_fail", "--nocapture"])
        .env(OWN, "1")
        .output();
    let child = child.expect("the test starts itself");
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{}: {said}", child.status);
}
