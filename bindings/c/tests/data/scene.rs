//! Two tunnels that know each other, and memory for batches.
use std::ptr::{null, null_mut};
use underpass::address::*;
use underpass::batch::*;
use underpass::configure::*;
use underpass::drain::*;
use underpass::handle::underpass_tunnel;
use underpass::keys::*;
use underpass::options::*;
use underpass::peers::*;
use underpass::words::*;
use underpass_core::internals::packet::checksum::Sum;

/// Bytes of a buffer.
pub const CAP: usize = 2048;
const PORT: u16 = 51820;

/// One end.
pub struct Side {
    pub tunnel: *mut underpass_tunnel,
    /// The other side's number here.
    pub peer: u64,
    pub address: underpass_address,
}

/// Two ends with a session, the right one's packets being 10.0.0.2.
pub struct Pair {
    pub left: Side,
    pub right: Side,
}

/// The slots of a batch, each with its own part of one memory.
pub struct Room {
    pub memory: Vec<u8>,
    pub slots: Vec<underpass_slot>,
}

impl Drop for Side {
    fn drop(&mut self) {
        assert_eq!(underpass_tunnel_free(self.tunnel), UNDERPASS_OK);
    }
}

impl Pair {
    /// A session is made by a packet from the left, which arrives.
    pub fn connected() -> Self {
        let pair = Self { left: Side::new(1, 2), right: Side::new(2, 1) };
        let mut room = Room::new(1);
        room.packets(&[packet(1, 2, 60, 0)]);
        assert_eq!(pair.left.seal(&mut room), UNDERPASS_OK);
        assert_eq!((room.slots[0].verdict, room.slots[0].len), (UNDERPASS_VERDICT_STAGED, 0));
        let (mut delivered, mut consumed) = (0, 0);
        for _ in 0..3 {
            for (from, to) in [(&pair.left, &pair.right), (&pair.right, &pair.left)] {
                while let Some(datagram) = from.transmit() {
                    room.datagrams(&[datagram], from);
                    assert_eq!(to.open(&mut room), UNDERPASS_OK);
                    delivered += usize::from(room.slots[0].verdict == UNDERPASS_VERDICT_DELIVER);
                    consumed += usize::from(room.slots[0].verdict == UNDERPASS_VERDICT_CONSUMED);
                }
            }
        }
        assert_eq!((delivered, consumed), (1, 2));
        pair
    }
}

impl Side {
    /// The tunnel with private key and address `own`, whose peer is `other`.
    fn new(own: u8, other: u8) -> Self {
        let mut options = blank_options();
        options.flags = UNDERPASS_OPTION_PRIVATE_KEY;
        options.private_key = [own; 32];
        let mut tunnel = null_mut();
        assert_eq!(underpass_tunnel_new(&options, 0, 1_000_000_000, &mut tunnel), UNDERPASS_OK);
        let allowed = [underpass_allowed_ip { network: ip(other), remove: 0 }];
        let mut change = blank_change();
        assert_eq!(underpass_public_key([other; 32].as_ptr(), change.public_key.as_mut_ptr()), UNDERPASS_OK);
        change.flags = UNDERPASS_PEER_HAS_ENDPOINT;
        change.endpoint = address(other);
        (change.allowed_ips, change.allowed_ips_len) = (allowed.as_ptr(), allowed.len());
        assert_eq!(underpass_tunnel_configure_peers(tunnel, 0, &change, 1, std::ptr::null_mut()), UNDERPASS_OK);
        let mut peer = 0;
        assert_eq!(underpass_tunnel_peer_by_key(tunnel, change.public_key.as_ptr(), &mut peer), UNDERPASS_OK);
        assert_ne!(peer, 0);
        Self { tunnel, peer, address: address(own) }
    }

    pub fn seal(&self, room: &mut Room) -> i32 {
        underpass_tunnel_handle_packets(self.tunnel, 0, room.slots.as_mut_ptr(), room.slots.len())
    }

    pub fn open(&self, room: &mut Room) -> i32 {
        underpass_tunnel_handle_datagrams(self.tunnel, 0, room.slots.as_mut_ptr(), room.slots.len())
    }

    fn transmit(&self) -> Option<Vec<u8>> {
        let mut buf = vec![0; CAP];
        let size = size_of::<underpass_transmit>() as u32;
        let mut out = underpass_transmit { size, ..Default::default() };
        match underpass_tunnel_poll_transmit(self.tunnel, 0, buf.as_mut_ptr(), buf.len(), &mut out) {
            UNDERPASS_OK => {
                assert_eq!(out.peer, self.peer);
                buf.truncate(out.len as usize);
                Some(buf)
            }
            status => {
                assert_eq!(status, UNDERPASS_NOTHING);
                None
            }
        }
    }
}

impl Room {
    pub fn new(count: usize) -> Self {
        let mut memory = vec![0; count * CAP];
        let slot = |at: usize, memory: &mut Vec<u8>| underpass_slot {
            buf: memory.as_mut_ptr().wrapping_add(at * CAP),
            cap: CAP as u32,
            verdict: -1,
            reason: 77,
            peer: 77,
            ..Default::default()
        };
        let slots = (0..count).map(|at| slot(at, &mut memory)).collect();
        Self { memory, slots }
    }

    fn fill(&mut self, at: usize, start: usize, bytes: &[u8]) {
        // The memory is borrowed anew, so the slots must point into it anew.
        let from = at * CAP + start;
        self.memory[from..from + bytes.len()].copy_from_slice(bytes);
        let base = self.memory.as_mut_ptr();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            slot.buf = base.wrapping_add(at * CAP);
        }
        let slot = &mut self.slots[at];
        (slot.cap, slot.start, slot.len) = (CAP as u32, start as u32, bytes.len() as u32);
        (slot.verdict, slot.reason, slot.peer) = (-1, 77, 77);
    }

    pub fn packets(&mut self, packets: &[Vec<u8>]) {
        packets.iter().enumerate().for_each(|(at, packet)| self.fill(at, UNDERPASS_HEADROOM as usize, packet));
    }

    pub fn datagrams(&mut self, datagrams: &[Vec<u8>], from: &Side) {
        datagrams.iter().enumerate().for_each(|(at, datagram)| self.fill(at, 0, datagram));
        self.came_from(from);
    }

    /// What was sealed is received where it lies.
    pub fn came_from(&mut self, from: &Side) {
        for slot in &mut self.slots {
            slot.path = underpass_path { remote: from.address, local: underpass_ip { family: 0, ..ip(0) } };
        }
    }

    /// What is in a slot.
    pub fn of(&self, slot: &underpass_slot) -> Vec<u8> {
        let at = slot.buf.addr() - self.memory.as_ptr().addr() + slot.start as usize;
        self.memory[at..at + slot.len as usize].to_vec()
    }
}

/// A UDP packet of `len` bytes from 10.0.0.`from` to 10.0.0.`to`.
pub fn packet(from: u8, to: u8, len: usize, mark: u8) -> Vec<u8> {
    let mut packet = vec![mark; len];
    let (high, low) = ((len >> 8) as u8, len as u8);
    packet[..20].copy_from_slice(&[0x45, 0, high, low, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
    let checksum = Sum::new().bytes(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

pub fn ip(last: u8) -> underpass_ip {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&[10, 0, 0, last]);
    underpass_ip { family: UNDERPASS_FAMILY_IPV4, prefix: 32, bytes, ..Default::default() }
}

pub fn address(last: u8) -> underpass_address {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&[192, 0, 2, last]);
    underpass_address { family: UNDERPASS_FAMILY_IPV4, port: PORT, ip: bytes, ..Default::default() }
}

pub fn blank_options() -> underpass_options {
    let mut options = underpass_options::default();
    assert_eq!(underpass_options_init(&mut options, size_of::<underpass_options>() as u32), UNDERPASS_OK);
    options
}

pub fn blank_change() -> underpass_peer_change {
    let mut change = underpass_peer_change {
        size: 0,
        action: 9,
        flags: 9,
        persistent_keepalive: 9,
        endpoint_port: 9,
        public_key: [9; 32],
        preshared_key: [9; 32],
        endpoint: address(9),
        endpoint_host: null(),
        allowed_ips: null(),
        allowed_ips_len: 9,
        ..Default::default()
    };
    assert_eq!(underpass_peer_change_init(&mut change, size_of::<underpass_peer_change>() as u32), UNDERPASS_OK);
    change
}

pub fn blank_stats() -> underpass_stats {
    underpass_stats { size: size_of::<underpass_stats>() as u32, ..Default::default() }
}
