//! Packets and datagrams between the two sides, and the ledger of what was sent and what arrived.
use super::script::Script;
use super::world::{Crypted, Flight, Job, Side, World};
use crate::pair::inner;
use underpass_core::DropReason;
use underpass_core::limits::HEADROOM;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot};

/// Bytes of a header of either version, at most; the packet's number stands behind.
const HEADER: usize = 40;

impl World {
    /// A packet that says its number, in a buffer with room around it.
    fn packet(&mut self, who: usize, script: &mut Script<'_>) -> (Vec<u8>, usize) {
        let (shape, len) = (script.byte().unwrap_or(0), script.number());
        self.packets += 1;
        let len = HEADER + 4 + usize::try_from(len % 1500).unwrap_or(0);
        let [from, to] = if who == 0 { [1, 2] } else { [2, 1] };
        let mut packet = inner(from, to, shape & 1 != 0, len, &self.packets.to_le_bytes());
        packet[HEADER..HEADER + 4].copy_from_slice(&self.packets.to_le_bytes());
        packet[1] = if shape & 1 == 0 { shape >> 6 } else { packet[1] };
        self.sides[who].sent.insert(self.packets);
        let room = self.sides[who].tunnel.layout().tailroom();
        let mut buf = vec![0; HEADROOM + len + room];
        buf[HEADROOM..HEADROOM + len].copy_from_slice(&packet);
        (buf, len)
    }

    pub(super) fn send_packet(&mut self, who: usize, script: &mut Script<'_>) {
        let (mut buf, len) = self.packet(who, script);
        let packet = PacketBuf { buf: &mut buf, packet: HEADROOM..HEADROOM + len };
        let now = self.now(who);
        let launched = match self.sides[who].tunnel.handle_packet(now, packet) {
            Outbound::Datagram { transmit, datagram } => Some((transmit.ecn, datagram.to_vec())),
            _ => None,
        };
        if let Some((ecn, bytes)) = launched {
            self.launch(who, ecn, bytes);
        }
    }

    /// Three packets at once.
    pub(super) fn send_batch(&mut self, who: usize, script: &mut Script<'_>) {
        let mut packets: Vec<_> = (0..3).map(|_| self.packet(who, script)).collect();
        let mut batch: Vec<PacketSlot<'_>> = packets
            .iter_mut()
            .map(|(buf, len)| PacketSlot::new(PacketBuf { packet: HEADROOM..HEADROOM + *len, buf }))
            .collect();
        let now = self.now(who);
        self.sides[who].tunnel.handle_packets(now, &mut batch);
        let sent: Vec<_> = batch
            .iter()
            .filter_map(|slot| match slot.outcome() {
                Outbound::Datagram { transmit, datagram } => Some((transmit.ecn, datagram.to_vec())),
                Outbound::Dropped(DropReason::NoRoom) => panic!("a slot was passed over: there was room"),
                _ => None,
            })
            .collect();
        sent.into_iter().for_each(|(ecn, bytes)| self.launch(who, ecn, bytes));
    }

    /// Begins to seal a packet, or to open the oldest datagram; the rest is done later.
    pub(super) fn begin_job(&mut self, who: usize, script: &mut Script<'_>) {
        let now = self.now(who);
        let oldest = self.wire.iter().position(|flight| flight.to == who);
        if let Some(at) = oldest.filter(|_| self.packets % 2 == 1) {
            let Flight { path, ecn, mut bytes, .. } = self.wire.remove(at);
            match self.sides[who].tunnel.begin_open(now, path, ecn, &mut bytes) {
                Begin::Crypt(job) => self.jobs.push(Job::Open(who, job, bytes)),
                Begin::Done(verdict) => self.arrived(who, verdict.of_mut(&mut bytes)),
            }
            return;
        }
        let (mut buf, len) = self.packet(who, script);
        let packet = PacketBuf { buf: &mut buf, packet: HEADROOM..HEADROOM + len };
        if let Begin::Crypt(job) = self.sides[who].tunnel.begin_seal(now, packet) {
            self.jobs.push(Job::Seal(who, job, buf));
        }
    }

    /// Finishes what was begun, in order; the crypt steps come in another one. Odd: into a buffer that is too short.
    pub(super) fn finish_jobs(&mut self, how: u8) {
        let jobs = std::mem::take(&mut self.jobs);
        let mut crypted: Vec<_> = jobs.into_iter().rev().map(|job| job.crypt(how % 16 == 15)).collect();
        crypted.reverse();
        for crypted in crypted {
            match crypted {
                Crypted::Sealed(who, sealed, buf) => {
                    let now = self.now(who);
                    let (verdict, ()) = self.sides[who].tunnel.finish_seal(now, sealed);
                    if let Outbound::Datagram { transmit, datagram } = verdict.of(&buf) {
                        self.launch(who, transmit.ecn, datagram.to_vec());
                    }
                }
                Crypted::Opened(who, opened) => {
                    let now = self.now(who);
                    let (verdict, mut bytes) = self.sides[who].tunnel.finish_open(now, opened);
                    self.arrived(who, verdict.of_mut(&mut bytes));
                }
            }
        }
    }

    fn arrived(&mut self, who: usize, inbound: Inbound<&mut [u8]>) {
        match inbound {
            Inbound::Packet { packet, .. } => self.account(who, packet),
            Inbound::Reply(reply) => self.launch(who, Ecn::NotCapable, reply.to_vec()),
            _ => {}
        }
    }

    /// A packet came out: it was sent by the other side, is whole, and did not come before.
    fn account(&mut self, who: usize, packet: &[u8]) {
        let number = u32::from_le_bytes(packet[HEADER..HEADER + 4].try_into().expect("four bytes"));
        let pattern = number.to_le_bytes();
        let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
        let whole = packet[header..].iter().zip(pattern.iter().cycle()).all(|(byte, expected)| byte == expected);
        assert!(whole, "packet {number} was altered");
        assert!(self.sides[1 - who].sent.contains(&number), "packet {number} was never sent");
        let Side { delivered, .. } = &mut self.sides[who];
        assert!(delivered.insert(number), "packet {number} came twice");
    }

    /// Delivers the datagram number `nth` of the wire.
    pub(super) fn deliver(&mut self, nth: u8) {
        if let Some(at) = usize::from(nth).checked_rem(self.wire.len()) {
            let flight = self.wire.remove(at);
            self.receive(flight);
        }
    }

    /// Delivers all datagrams there are, those to one side in one batch.
    pub(super) fn deliver_all(&mut self) {
        let mut flights = std::mem::take(&mut self.wire);
        for who in [0, 1] {
            let mut batch: Vec<DatagramSlot<'_>> = flights
                .iter_mut()
                .filter(|flight| flight.to == who)
                .map(|Flight { path, ecn, bytes, .. }| DatagramSlot::new(*path, *ecn, bytes))
                .collect();
            let now = self.now(who);
            self.sides[who].tunnel.handle_datagrams(now, &mut batch);
            batch.into_iter().for_each(|slot| self.arrived(who, slot.into_outcome()));
        }
    }

    fn receive(&mut self, mut flight: Flight) {
        let (who, now) = (flight.to, self.now(flight.to));
        let inbound = self.sides[who].tunnel.handle_datagram(now, flight.path, flight.ecn, &mut flight.bytes);
        self.arrived(who, inbound);
    }

    pub(super) fn lose(&mut self, nth: u8) {
        if let Some(at) = usize::from(nth).checked_rem(self.wire.len()) {
            self.wire.remove(at);
        }
    }

    pub(super) fn double(&mut self, nth: u8) {
        if let Some(at) = usize::from(nth).checked_rem(self.wire.len()) {
            self.wire.push(self.wire[at].clone());
        }
    }

    pub(super) fn damage(&mut self, nth: u8, place: u64, flip: u8) {
        let Some(at) = usize::from(nth).checked_rem(self.wire.len()) else { return };
        let bytes = &mut self.wire[at].bytes;
        let place = usize::try_from(place).unwrap_or(0) % bytes.len();
        bytes[place] ^= flip.max(1);
    }

    /// Bytes that nobody sealed.
    pub(super) fn noise(&mut self, who: usize, script: &mut Script<'_>) {
        let len = usize::from(script.byte().unwrap_or(0));
        let bytes = script.bytes(len).to_vec();
        self.receive(Flight { to: who, path: self.sides[1 - who].path, ecn: Ecn::Capable0, bytes });
    }
}
