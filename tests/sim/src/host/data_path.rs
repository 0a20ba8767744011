//! The three forms of the data path: one by one, in batches, in three steps. All must come to the same.
use super::Outbox;
use crate::outcome::Outcome;
use underpass_core::limits::{HEADROOM, TAILROOM};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot, Path, Transmit, Verdict};
use underpass_core::{Instant, Tunnel};

/// In which form a host calls the tunnel's data path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataPath {
    /// `handle_packet`, `handle_datagram`.
    #[default]
    Single,
    /// `handle_packets`, `handle_datagrams`.
    Batch,
    /// begin, crypt, finish; the crypt steps of a batch run in reverse, as threads might.
    Steps,
}

type Drain<'d> = &'d mut dyn FnMut(&mut Tunnel, &mut Outbox);

impl DataPath {
    /// Seals `packets`, one outcome each.
    pub(super) fn write(
        self,
        tunnel: &mut Tunnel,
        now: Instant,
        packets: &[Vec<u8>],
        outbox: &mut Outbox,
        bounces: &mut Vec<Vec<u8>>,
        mut drain: impl FnMut(&mut Tunnel, &mut Outbox),
    ) -> Vec<Outcome> {
        let mut buffers: Vec<_> = packets.iter().map(|packet| roomy(packet)).collect();
        if self == Self::Single {
            return buffers.iter_mut().map(|buf| write_one(tunnel, now, buf, outbox, bounces, &mut drain)).collect();
        }
        let verdicts = match self {
            Self::Batch => seal_batch(tunnel, now, &mut buffers),
            _ => seal_in_steps(tunnel, now, &mut buffers),
        };
        for (buf, verdict) in buffers.iter().zip(&verdicts) {
            match *verdict {
                Verdict::Send { transmit, start } => {
                    outbox.datagrams.push((transmit, cut(buf, start, transmit.len)));
                }
                Verdict::Bounce { start, len, .. } => bounces.push(cut(buf, start, len as usize)),
                _ => {}
            }
        }
        drain(tunnel, outbox);
        verdicts.into_iter().map(Outcome::from).collect()
    }

    /// Opens `datagrams`, one outcome each.
    pub(super) fn receive(
        self,
        tunnel: &mut Tunnel,
        now: Instant,
        datagrams: &mut [(Path, Ecn, Vec<u8>)],
        outbox: &mut Outbox,
        mut drain: impl FnMut(&mut Tunnel, &mut Outbox),
    ) -> Vec<Outcome> {
        if self == Self::Single {
            return datagrams.iter_mut().map(|one| receive_one(tunnel, now, one, outbox, &mut drain)).collect();
        }
        let verdicts = match self {
            Self::Batch => open_batch(tunnel, now, datagrams),
            _ => open_in_steps(tunnel, now, datagrams),
        };
        for ((path, _, buf), verdict) in datagrams.iter().zip(&verdicts) {
            match *verdict {
                Verdict::Deliver { peer, start, len } => outbox.packets.push((peer, cut(buf, start, len as usize))),
                Verdict::Reply { len } => outbox.datagrams.push(reply(*path, &buf[..len as usize])),
                _ => {}
            }
        }
        drain(tunnel, outbox);
        verdicts.into_iter().map(Outcome::from).collect()
    }
}

fn write_one(
    tunnel: &mut Tunnel,
    now: Instant,
    buf: &mut [u8],
    outbox: &mut Outbox,
    bounces: &mut Vec<Vec<u8>>,
    drain: Drain<'_>,
) -> Outcome {
    let outbound = tunnel.handle_packet(now, packet_buf(buf));
    match &outbound {
        Outbound::Datagram { transmit, datagram } => outbox.datagrams.push((*transmit, datagram.to_vec())),
        Outbound::Bounce { packet, .. } => bounces.push(packet.to_vec()),
        Outbound::Staged | Outbound::Dropped(_) => {}
    }
    let outcome = Outcome::from(&outbound);
    drain(tunnel, outbox);
    outcome
}

fn receive_one(
    tunnel: &mut Tunnel,
    now: Instant,
    (path, ecn, bytes): &mut (Path, Ecn, Vec<u8>),
    outbox: &mut Outbox,
    drain: Drain<'_>,
) -> Outcome {
    let inbound = tunnel.handle_datagram(now, *path, *ecn, bytes);
    let outcome = Outcome::from(&inbound);
    match inbound {
        Inbound::Packet { peer, packet } => outbox.packets.push((peer, packet.to_vec())),
        Inbound::Reply(bytes) => outbox.datagrams.push(reply(*path, bytes)),
        Inbound::Consumed | Inbound::Dropped(_) => {}
    }
    drain(tunnel, outbox);
    outcome
}

fn seal_batch(tunnel: &mut Tunnel, now: Instant, buffers: &mut [Vec<u8>]) -> Vec<Verdict> {
    let slot = |buf| PacketSlot { packet: packet_buf(buf), verdict: Verdict::Pending };
    let mut slots: Vec<_> = buffers.iter_mut().map(|buf| slot(buf)).collect();
    tunnel.handle_packets(now, &mut slots);
    slots.iter().map(|slot| slot.verdict).collect()
}

fn open_batch(tunnel: &mut Tunnel, now: Instant, datagrams: &mut [(Path, Ecn, Vec<u8>)]) -> Vec<Verdict> {
    let mut slots: Vec<_> = datagrams
        .iter_mut()
        .map(|(path, ecn, datagram)| DatagramSlot { path: *path, ecn: *ecn, datagram, verdict: Verdict::Pending })
        .collect();
    tunnel.handle_datagrams(now, &mut slots);
    slots.iter().map(|slot| slot.verdict).collect()
}

fn seal_in_steps(tunnel: &mut Tunnel, now: Instant, buffers: &mut [Vec<u8>]) -> Vec<Verdict> {
    let mut begun: Vec<_> = buffers.iter_mut().map(|buf| tunnel.begin_seal(now, packet_buf(buf))).collect();
    for (begin, buf) in begun.iter_mut().zip(buffers.iter_mut()).rev() {
        if let Begin::Crypt(job) = begin {
            job.crypt(buf);
        }
    }
    begun
        .into_iter()
        .map(|begin| match begin {
            Begin::Crypt(job) => tunnel.finish_seal(now, job),
            Begin::Done(verdict) => verdict,
        })
        .collect()
}

fn open_in_steps(tunnel: &mut Tunnel, now: Instant, datagrams: &mut [(Path, Ecn, Vec<u8>)]) -> Vec<Verdict> {
    let mut begun: Vec<_> =
        datagrams.iter_mut().map(|(path, ecn, datagram)| tunnel.begin_open(now, *path, *ecn, datagram)).collect();
    for (begin, (_, _, datagram)) in begun.iter_mut().zip(datagrams.iter_mut()).rev() {
        if let Begin::Crypt(job) = begin {
            job.crypt(datagram);
        }
    }
    begun
        .into_iter()
        .zip(datagrams.iter_mut())
        .map(|(begin, (_, _, datagram))| match begin {
            Begin::Crypt(job) => tunnel.finish_open(now, job, datagram),
            Begin::Done(verdict) => verdict,
        })
        .collect()
}

fn roomy(packet: &[u8]) -> Vec<u8> {
    let mut buf = vec![0xa5; HEADROOM + packet.len() + TAILROOM];
    buf[HEADROOM..HEADROOM + packet.len()].copy_from_slice(packet);
    buf
}

fn packet_buf(buf: &mut [u8]) -> PacketBuf<'_> {
    let packet = HEADROOM..buf.len() - TAILROOM;
    PacketBuf { buf, packet }
}

fn cut(buf: &[u8], start: u32, len: usize) -> Vec<u8> {
    buf[start as usize..][..len].to_vec()
}

fn reply(path: Path, bytes: &[u8]) -> (Transmit, Vec<u8>) {
    (Transmit { peer: None, path, len: bytes.len(), ecn: Ecn::NotCapable }, bytes.to_vec())
}
