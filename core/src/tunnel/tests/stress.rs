//! Random histories of two tunnels over a network that loses, doubles and reorders, whose clocks stand still, leap and
//! step back, whose hosts start again, and whose configuration changes at any moment. After each step what a tunnel remembers
//! must agree with itself, and what leaves it with what left before; in the end, when all is mended, packets must flow both
//! ways.
mod agree;
mod change;
#[cfg(feature = "control")]
mod channel;
mod ending;
mod fate;
mod watch;

use super::*;
use crate::limits::REKEY_TIMEOUT;
use crate::noise::Tai64N;
use crate::peer::timers::Due;
use agree::check;
use core::net::IpAddr;
use fate::Clocks;
use std::collections::BTreeMap;
use watch::Watch;

const STEPS: u32 = 250;
const HISTORIES: u64 = 300;

struct Story {
    rng: Seeded,
    hosts: [Host; 2],
    clocks: [Clocks; 2],
    watch: [Watch; 2],
    /// Datagrams under way: to whom, over which path, the bytes.
    wire: Vec<(usize, Path, Vec<u8>)>,
    /// Jobs begun and not finished: of whom, the buffer.
    sealing: Vec<(usize, SealJob, Vec<u8>)>,
    opening: Vec<(usize, OpenJob, Vec<u8>)>,
    /// The byte that each private key is made of.
    keys: [u8; 2],
    /// When each last sent an initiation or a response to a peer, under its present key.
    sent: BTreeMap<(usize, PeerId), Instant>,
    /// Control messages that came to each.
    #[cfg(feature = "control")]
    heard: [u32; 2],
}

impl Story {
    fn new(seed: u64) -> Self {
        Self {
            rng: Seeded(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            hosts: [host(1, 2), host(2, 1)],
            clocks: [Clocks::new(); 2],
            watch: [Watch::default(), Watch::default()],
            wire: Vec::new(),
            sealing: Vec::new(),
            opening: Vec::new(),
            keys: [1, 2],
            sent: BTreeMap::new(),
            #[cfg(feature = "control")]
            heard: [0; 2],
        }
    }

    fn below(&mut self, end: u32) -> u32 {
        crate::crypto::rng::random_u32(&mut self.rng).expect("seeded") % end
    }

    fn address(&mut self, who: usize) -> SocketAddr {
        // Nearly always at home; else behind a translator that writes IPv4 as IPv6, or that has no port.
        match self.below(20) {
            0 => SocketAddr::from((core::net::Ipv4Addr::new(192, 0, 2, who as u8 + 1).to_ipv6_mapped(), 51820)),
            1 => SocketAddr::from(([203, 0, 113, who as u8 + 1], 0)),
            2 => SocketAddr::from(([203, 0, 113, who as u8 + 1], 7)),
            _ => address(who as u8 + 1),
        }
    }

    fn packet(&mut self, who: usize) {
        let len = 20 + self.below(1480) as usize;
        let (mut buf, range) = packet(who as u8 + 1, 2 - who as u8 + u8::from(self.below(20) == 0) * 9, len);
        buf.resize(range.end + self.hosts[who].tunnel.layout().tailroom(), 0);
        let packet = PacketBuf { buf: &mut buf, packet: range };
        if self.below(2) == 0 {
            if let Begin::Crypt(job) = self.hosts[who].tunnel.begin_seal(self.clocks[who].now, packet) {
                self.sealing.push((who, job, buf));
            }
        } else if let Outbound::Datagram { datagram, .. } =
            self.hosts[who].tunnel.handle_packet(self.clocks[who].now, packet)
        {
            let sealed = datagram.to_vec();
            self.launch(who, sealed);
        }
    }

    fn arrive(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.below(self.wire.len() as u32) as usize;
        let (who, path, mut bytes) = self.wire[at].clone();
        match self.below(10) {
            0 => {}
            1 => drop(self.wire.swap_remove(at)),
            _ => {
                let _ = self.wire.remove(at);
                if self.below(30) == 0 {
                    let hit = self.below(bytes.len() as u32) as usize;
                    bytes[hit] ^= 1 << self.below(8);
                }
                if self.below(40) == 0 {
                    bytes.truncate(self.below(bytes.len() as u32) as usize);
                }
                self.receive(who, path, bytes);
            }
        }
    }

    fn receive(&mut self, who: usize, path: Path, mut bytes: Vec<u8>) {
        let (now, tunnel) = (self.clocks[who].now, &mut self.hosts[who].tunnel);
        let inbound = if bytes.len().is_multiple_of(2) {
            match tunnel.begin_open(now, path, Ecn::NotCapable, &mut bytes) {
                Begin::Crypt(job) => return self.opening.push((who, job, bytes)),
                Begin::Done(verdict) => verdict.of_mut(&mut bytes),
            }
        } else {
            tunnel.handle_datagram(now, path, Ecn::NotCapable, &mut bytes)
        };
        if let Inbound::Reply(cookie) = inbound {
            let cookie = cookie.to_vec();
            self.launch(who, cookie);
        }
    }

    /// Finishes the jobs that are under way, in their order.
    fn finish(&mut self) {
        for (who, job, buf) in core::mem::take(&mut self.sealing) {
            let (verdict, buf) = self.hosts[who].tunnel.finish_seal(self.clocks[who].now, job.crypt(buf));
            if let Outbound::Datagram { datagram, .. } = verdict.of(&buf) {
                let sealed = datagram.to_vec();
                self.launch(who, sealed);
            }
        }
        for (who, job, bytes) in core::mem::take(&mut self.opening) {
            let _ = self.hosts[who].tunnel.finish_open(self.clocks[who].now, job.crypt(bytes));
        }
    }

    fn step(&mut self) {
        let who = self.below(2) as usize;
        match self.below(20) {
            0..4 => self.packet(who),
            4..11 => self.arrive(),
            11..14 => self.pass_time(who),
            14 => self.change(who),
            #[cfg(feature = "control")]
            15 if self.below(2) == 0 => self.post(who),
            15 | 16 => self.command(who),
            17 => self.misfortune(who),
            _ => self.finish(),
        }
        // Batches: not every call is followed by draining.
        for who in 0..2 {
            check(&self.hosts[who].tunnel, false);
            if self.below(3) > 0 {
                self.drain(who);
                check(&self.hosts[who].tunnel, true);
            }
        }
    }
}

#[test]
fn random_histories_agree_with_themselves_and_end_well() {
    for seed in 1..=HISTORIES {
        let told = std::panic::catch_unwind(|| {
            let mut story = Story::new(seed);
            (0..STEPS).for_each(|_| story.step());
            story.ends_well();
        });
        if let Err(panic) = told {
            std::eprintln!("history {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
