//! The core through its C interface, as a program in C calls it: by address, with slots of its own.
use super::{FLIGHT, Manner, Party, timed};
use std::hint::black_box;
use std::ptr;
use std::time::Duration;
use underpass::address::{UNDERPASS_FAMILY_IPV4, underpass_address, underpass_path};
use underpass::batch::{
    UNDERPASS_VERDICT_CONSUMED, UNDERPASS_VERDICT_DELIVER, UNDERPASS_VERDICT_PENDING, UNDERPASS_VERDICT_SEND,
    underpass_slot, underpass_tunnel_handle_datagrams, underpass_tunnel_handle_packets,
};
use underpass::commands::underpass_tunnel_connect;
use underpass::config::{underpass_config_free, underpass_config_parse};
use underpass::drain::{underpass_transmit, underpass_tunnel_poll_transmit};
use underpass::handle::underpass_tunnel;
use underpass::options::{underpass_tunnel_free, underpass_tunnel_new_from_config};
use underpass::peers::underpass_tunnel_peer_by_key;
use underpass_budget::{key, path, room, write_packet};
use underpass_core::limits::HEADROOM;

const OK: i32 = 0;
/// No clock runs while packets are measured.
const NOW: u64 = 0;
/// Seconds since 1970, in nanoseconds.
const WALL: u64 = 1_700_000_000 * 1_000_000_000;

type Handle = extern "C" fn(*mut underpass_tunnel, u64, *mut underpass_slot, usize) -> i32;

/// Two tunnels behind handles.
pub struct OursC {
    a: Tunnel,
    b: Tunnel,
    manner: Manner,
    len: usize,
    /// One piece of memory, as a program in C would have: a buffer for each slot, ascending.
    memory: Vec<u8>,
    slots: Vec<underpass_slot>,
}

struct Tunnel(*mut underpass_tunnel);

impl Drop for Tunnel {
    fn drop(&mut self) {
        assert_eq!(underpass_tunnel_free(self.0), OK);
    }
}

impl OursC {
    /// Packets of `len` bytes.
    pub fn new(manner: Manner, len: usize) -> Self {
        let [a, b] = [(0, 1), (1, 0)].map(|(me, other)| tunnel(me, other));
        shake_hands(&a, &b);
        let (memory, slots) = (vec![0; room(len) * FLIGHT], Vec::with_capacity(FLIGHT));
        Self { a, b, manner, len, memory, slots }
    }

    /// Makes each slot a packet for the other end.
    fn fill(&mut self) {
        let Self { len, memory, slots, .. } = self;
        slots.clear();
        for buf in memory.chunks_mut(room(*len)) {
            write_packet(buf, *len, 0, 1);
            slots.push(slot(buf, HEADROOM, *len, path_of(0)));
        }
    }

    fn call(&mut self, tunnel: *mut underpass_tunnel, handle: Handle, verdict: i32) -> Duration {
        let handle = black_box(handle);
        let (took, ()) = match self.manner {
            Manner::Single => timed(|| measured_singly(handle, tunnel, &mut self.slots)),
            Manner::Batch | Manner::Spread => timed(|| measured_batch(handle, tunnel, &mut self.slots)),
        };
        assert!(self.slots.iter().all(|slot| slot.verdict == verdict), "{:?}", self.slots.first());
        took
    }
}

impl Party for OursC {
    fn name(&self) -> String {
        match self.manner {
            Manner::Single => "Underpass in C, one by one".into(),
            Manner::Batch | Manner::Spread => "Underpass in C, batches of 64".into(),
        }
    }

    fn flight(&mut self) -> (Duration, Duration) {
        self.fill();
        let seal = self.call(self.a.0, underpass_tunnel_handle_packets, UNDERPASS_VERDICT_SEND);
        // What the network says of each: the slots keep where the datagram is.
        for slot in &mut self.slots {
            (slot.path, slot.ecn) = (path_of(0), 0);
        }
        (seal, self.call(self.b.0, underpass_tunnel_handle_datagrams, UNDERPASS_VERDICT_DELIVER))
    }
}

#[inline(never)]
fn measured_batch(handle: Handle, tunnel: *mut underpass_tunnel, slots: &mut [underpass_slot]) {
    assert_eq!(handle(tunnel, NOW, slots.as_mut_ptr(), slots.len()), OK);
}

#[inline(never)]
fn measured_singly(handle: Handle, tunnel: *mut underpass_tunnel, slots: &mut [underpass_slot]) {
    for slot in slots {
        assert_eq!(handle(tunnel, NOW, slot, 1), OK);
    }
}

/// Tunnel `me` with the one peer `other`, by way of a configuration.
fn tunnel(me: u32, other: u32) -> Tunnel {
    let text = format!(
        "[Interface]\nPrivateKey = {}\n[Peer]\nPublicKey = {}\nAllowedIPs = 10.0.0.{other}/32\nEndpoint = {}\n",
        key(me).to_base64().as_str(),
        key(other).public_key(),
        path(other).remote
    );
    let (mut config, mut tunnel) = (ptr::null_mut(), ptr::null_mut());
    assert_eq!(underpass_config_parse(text.as_ptr().cast(), text.len(), &raw mut config), OK);
    assert_eq!(underpass_tunnel_new_from_config(config, ptr::null(), NOW, WALL, &raw mut tunnel), OK);
    assert_eq!(underpass_config_free(config), OK);
    Tunnel(tunnel)
}

/// One handshake.
fn shake_hands(a: &Tunnel, b: &Tunnel) {
    let mut peer = 0;
    let known = key(1).public_key();
    assert_eq!(underpass_tunnel_peer_by_key(a.0, known.as_bytes().as_ptr(), &raw mut peer), OK);
    assert_eq!(underpass_tunnel_connect(a.0, NOW, peer), OK);
    let mut buf = vec![0; 2048];
    for (from, to, number) in [(a, b, 0), (b, a, 1), (a, b, 0)] {
        let len = poll(from, &mut buf);
        hear(to, &mut buf, len, path_of(number));
    }
}

/// Writes the next datagram that the tunnel wants to send; returns its length.
fn poll(tunnel: &Tunnel, buf: &mut [u8]) -> usize {
    let size = size_of::<underpass_transmit>() as u32;
    let mut out = underpass_transmit { size, ..Default::default() };
    assert_eq!(underpass_tunnel_poll_transmit(tunnel.0, NOW, buf.as_mut_ptr(), buf.len(), &raw mut out), OK);
    out.len as usize
}

/// What datagrams from tunnel `number` come by.
fn path_of(number: u8) -> underpass_path {
    let mut ip = [0; 16];
    ip[..4].copy_from_slice(&[198, 18, 0, number]);
    underpass_path {
        remote: underpass_address { family: UNDERPASS_FAMILY_IPV4, port: 51820, ip, ..Default::default() },
        ..Default::default()
    }
}

/// Gives a handshake message to the tunnel.
fn hear(tunnel: &Tunnel, buf: &mut [u8], len: usize, path: underpass_path) {
    let mut slot = slot(buf, 0, len, path);
    assert_eq!(underpass_tunnel_handle_datagrams(tunnel.0, NOW, &raw mut slot, 1), OK);
    assert_eq!(slot.verdict, UNDERPASS_VERDICT_CONSUMED);
}

fn slot(buf: &mut [u8], start: usize, len: usize, path: underpass_path) -> underpass_slot {
    underpass_slot {
        buf: buf.as_mut_ptr(),
        cap: buf.len() as u32,
        start: start as u32,
        len: len as u32,
        verdict: UNDERPASS_VERDICT_PENDING,
        path,
        ..Default::default()
    }
}
