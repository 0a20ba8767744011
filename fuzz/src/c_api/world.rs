//! What the calls are made on, and how their answers are judged.
use crate::pair::{address, private_key};
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::net::SocketAddr;
use std::ptr;
use underpass::address::{UNDERPASS_FAMILY_IPV4, underpass_address, underpass_ip, underpass_path};
use underpass::batch::{UNDERPASS_VERDICT_DELIVER, underpass_slot, underpass_tunnel_handle_datagrams};
use underpass::commands::underpass_tunnel_connect;
use underpass::config::{underpass_config, underpass_config_free};
use underpass::configure::{
    UNDERPASS_PEER_HAS_ENDPOINT, underpass_allowed_ip, underpass_peer_change, underpass_peer_change_init,
    underpass_tunnel_configure_peers,
};
use underpass::drain::{underpass_transmit, underpass_tunnel_poll_transmit};
use underpass::handle::underpass_tunnel;
use underpass::job::underpass_job;
use underpass::options::{
    UNDERPASS_OPTION_PRIVATE_KEY, underpass_options, underpass_options_init, underpass_tunnel_free,
    underpass_tunnel_new,
};
use underpass::peers::underpass_tunnel_peer_by_key;
use underpass::words::{UNDERPASS_E_BUFFER, UNDERPASS_E_JOB, UNDERPASS_NOTHING, UNDERPASS_OK};

/// Slots and jobs of a script, and the bytes that their buffers are cut from.
pub(super) const SLOTS: usize = 16;
pub(super) const ARENA: usize = 8192;
/// Datagrams on the wire at most; the oldest are lost beyond it.
const WIRE: usize = 64;
/// Room for every datagram of the MTU that the tunnels begin with.
pub(super) const TRANSMIT: usize = 1420 + 48;
/// The present at first, and the calendar.
const NOW: u64 = 1_000_000_000;
pub(super) const WALL: u64 = 1_700_000_000_000_000_000;

/// Two tunnels, the wire between them, and the memory of their host.
pub(super) struct World {
    pub(super) tunnels: [*mut underpass_tunnel; 2],
    /// The other side, as each knows it.
    pub(super) peers: [u64; 2],
    pub(super) config: *mut underpass_config,
    pub(super) now: u64,
    pub(super) arena: Vec<u8>,
    pub(super) slots: Vec<underpass_slot>,
    pub(super) jobs: Vec<underpass_job>,
    /// To whom, and what.
    pub(super) wire: VecDeque<(usize, Vec<u8>)>,
    pub(super) delivered: usize,
    pub(super) statuses: BTreeSet<i32>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut world = Self {
            tunnels: [ptr::null_mut(); 2],
            peers: [0; 2],
            config: ptr::null_mut(),
            now: NOW,
            arena: vec![0; ARENA],
            slots: vec![underpass_slot::default(); SLOTS],
            jobs: (0..SLOTS).map(|_| underpass_job { opaque: [0; _] }).collect(),
            wire: VecDeque::new(),
            delivered: 0,
            statuses: BTreeSet::new(),
        };
        world.lay_out();
        for who in 0..2 {
            let options = world.options(who);
            assert!(world.make(who, ptr::from_ref(&options)), "a good configuration");
            world.introduce(who);
        }
        world
    }

    /// Gives each slot its part of the arena.
    pub(super) fn lay_out(&mut self) {
        let base = self.arena.as_mut_ptr();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            *slot = underpass_slot::default();
            slot.buf = base.wrapping_add(place * (ARENA / SLOTS));
            slot.cap = (ARENA / SLOTS) as u32;
        }
    }

    /// Options with which a script fills everything soon.
    pub(super) fn options(&mut self, who: usize) -> underpass_options {
        let mut options = underpass_options::default();
        self.judge(underpass_options_init(&mut options, size_of::<underpass_options>() as u32));
        options.flags = UNDERPASS_OPTION_PRIVATE_KEY;
        options.private_key = *private_key(number(who)).as_bytes();
        (options.max_peers, options.events, options.handshakes_per_second) = (4, 8, 4);
        (options.staged_packets_per_peer, options.staged_bytes_per_peer, options.staged_bytes) = (8, 8192, 12_288);
        options
    }

    /// Replaces tunnel `who`. A refusal changes nothing.
    pub(super) fn make(&mut self, who: usize, options: *const underpass_options) -> bool {
        let mut made = ptr::null_mut();
        let status = self.judge(underpass_tunnel_new(options, self.now, WALL, &mut made));
        assert_eq!(made.is_null(), status != UNDERPASS_OK, "a tunnel in spite of status {status}, or none");
        if status == UNDERPASS_OK {
            self.adopt(who, made);
        }
        status == UNDERPASS_OK
    }

    /// `made` is tunnel `who` from now on.
    pub(super) fn adopt(&mut self, who: usize, made: *mut underpass_tunnel) {
        let old = std::mem::replace(&mut self.tunnels[who], made);
        assert_eq!(underpass_tunnel_free(old), UNDERPASS_OK);
    }

    /// Makes the other side the peer of `who`.
    pub(super) fn introduce(&mut self, who: usize) {
        let other = number(1 - who);
        let allowed = [allowed_ip([10, other, 0, 0], 16)];
        let mut change = self.change();
        change.public_key = *private_key(other).public_key().as_bytes();
        change.flags = UNDERPASS_PEER_HAS_ENDPOINT;
        change.endpoint = c_address(address(other));
        (change.allowed_ips, change.allowed_ips_len) = (allowed.as_ptr(), allowed.len());
        self.judge(underpass_tunnel_configure_peers(self.tunnels[who], self.now, &change, 1, ptr::null_mut()));
        self.find_peer(who);
    }

    /// Looks up how `who` knows the other side by now.
    pub(super) fn find_peer(&mut self, who: usize) {
        let key = *private_key(number(1 - who)).public_key().as_bytes();
        let mut peer = 0;
        if self.judge(underpass_tunnel_peer_by_key(self.tunnels[who], key.as_ptr(), &mut peer)) == UNDERPASS_OK {
            assert_ne!(peer, 0);
            self.peers[who] = peer;
        }
    }

    pub(super) fn change(&mut self) -> underpass_peer_change {
        let mut change = blank_change();
        self.judge(underpass_peer_change_init(&mut change, size_of::<underpass_peer_change>() as u32));
        change
    }

    /// No call may stop in a panic, find its handle in use, lack randomness, or answer what the header does not know.
    pub(super) fn judge(&mut self, status: i32) -> i32 {
        assert!((UNDERPASS_E_JOB..=UNDERPASS_NOTHING).contains(&status), "status {status}");
        self.statuses.insert(status);
        status
    }

    /// The same for a call that hands something out: unless it is done, `out` is what it was.
    pub(super) fn judge_out<T: Debug>(&mut self, out: &mut T, call: impl FnOnce(&Self, &mut T) -> i32) -> bool {
        let before = format!("{out:?}");
        let status = call(self, out);
        if self.judge(status) != UNDERPASS_OK {
            assert_eq!(format!("{out:?}"), before, "status {status}, and something written");
        }
        status == UNDERPASS_OK
    }

    /// The same for an array or a text and its length, which is usize::MAX at first and becomes what is needed where there is
    /// too little room.
    pub(super) fn judge_list<T: Debug>(
        &mut self,
        out: &mut (Vec<T>, usize),
        call: impl FnOnce(&Self, &mut (Vec<T>, usize)) -> i32,
    ) -> bool {
        let before = format!("{:?}", out.0);
        let status = call(self, out);
        if self.judge(status) != UNDERPASS_OK {
            assert_eq!(format!("{:?}", out.0), before, "status {status}, and something written");
            let told = out.1 >= out.0.len() && out.1 < usize::MAX;
            assert!(
                if status == UNDERPASS_E_BUFFER { told } else { out.1 == usize::MAX },
                "status {status}: {}",
                out.1
            );
        }
        status == UNDERPASS_OK
    }

    pub(super) fn send(&mut self, to: usize, datagram: Vec<u8>) {
        if self.wire.len() == WIRE {
            self.wire.pop_front();
        }
        self.wire.push_back((to, datagram));
    }

    /// Both connect, and each gets what the other sends, until both are silent.
    pub(super) fn exchange(&mut self) {
        for who in 0..2 {
            self.judge(underpass_tunnel_connect(self.tunnels[who], self.now, self.peers[who]));
        }
        for _ in 0..32 {
            for who in 0..2 {
                while self.transmit(who, TRANSMIT as u64) {}
            }
            let Some((to, mut datagram)) = self.wire.pop_front() else { return };
            let mut slot = underpass_slot::default();
            (slot.buf, slot.cap, slot.len) = (datagram.as_mut_ptr(), datagram.len() as u32, datagram.len() as u32);
            slot.path = path_from(1 - to);
            let status = underpass_tunnel_handle_datagrams(self.tunnels[to], self.now, &mut slot, 1);
            assert_eq!(self.judge(status), UNDERPASS_OK);
            self.delivered += usize::from(slot.verdict == UNDERPASS_VERDICT_DELIVER);
        }
    }

    /// Polls for a datagram with a buffer of `cap` bytes. Whether there was one.
    pub(super) fn transmit(&mut self, who: usize, cap: u64) -> bool {
        let cap = usize::try_from(cap).expect("16 bits") % (TRANSMIT + 1);
        let size = size_of::<underpass_transmit>() as u32;
        let mut out = (vec![0xa5_u8; cap], underpass_transmit { size, ..Default::default() });
        let is_there = self.judge_out(&mut out, |world, (buf, transmit)| {
            underpass_tunnel_poll_transmit(world.tunnels[who], world.now, buf.as_mut_ptr(), cap, transmit)
        });
        let (mut datagram, transmit) = out;
        if is_there {
            assert!(transmit.len as usize <= cap && transmit.ecn <= 3, "{transmit:?}");
            datagram.truncate(transmit.len as usize);
            self.send(1 - who, datagram);
        }
        is_there
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for tunnel in self.tunnels {
            assert_eq!(underpass_tunnel_free(tunnel), UNDERPASS_OK);
        }
        assert_eq!(underpass_config_free(self.config), UNDERPASS_OK);
    }
}

/// What a caller of a later version hands in: a struct that has grown.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Later<T> {
    pub(super) known: T,
    pub(super) more: [u8; 64],
}

/// The number of a side, of which key and addresses are made.
pub(super) fn number(who: usize) -> u8 {
    if who == 0 { 1 } else { 2 }
}

/// The path of datagrams that come from `who`.
pub(super) fn path_from(who: usize) -> underpass_path {
    underpass_path { remote: c_address(address(number(who))), ..Default::default() }
}

pub(super) fn c_address(address: SocketAddr) -> underpass_address {
    let SocketAddr::V4(address) = address else { return underpass_address::default() };
    let mut ip = [0; 16];
    ip[..4].copy_from_slice(&address.ip().octets());
    underpass_address { family: UNDERPASS_FAMILY_IPV4, port: address.port(), ip, ..Default::default() }
}

pub(super) fn allowed_ip(network: [u8; 4], prefix: u8) -> underpass_allowed_ip {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&network);
    let network = underpass_ip { family: UNDERPASS_FAMILY_IPV4, prefix, bytes, ..Default::default() };
    underpass_allowed_ip { network, remove: 0 }
}

/// A change that names no peer.
pub(super) fn blank_change() -> underpass_peer_change {
    underpass_peer_change { size: size_of::<underpass_peer_change>() as u32, ..Default::default() }
}
