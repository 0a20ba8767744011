//! The three forms of the data path: one by one, in batches, in three steps. All must come to the same.
use super::{Departure, Outbox};
use crate::outcome::Outcome;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, DatagramSlot, Inbound, Layout, Outbound, PacketBuf, PacketSlot, Path, Span};
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
        let layout = tunnel.layout();
        let mut buffers: Vec<_> = packets.iter().map(|packet| roomy(packet, layout)).collect();
        if self == Self::Single {
            return buffers.iter_mut().map(|buf| write_one(tunnel, now, buf, outbox, bounces, &mut drain)).collect();
        }
        let verdicts = match self {
            Self::Batch => seal_batch(tunnel, now, &mut buffers),
            _ => seal_in_steps(tunnel, now, &mut buffers),
        };
        for (buf, verdict) in buffers.iter().zip(&verdicts) {
            sort_out(&verdict.of(buf), outbox, bounces);
        }
        drain(tunnel, outbox);
        verdicts.iter().map(Outcome::from).collect()
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
        for ((path, _, buf), verdict) in datagrams.iter_mut().zip(&verdicts) {
            sort_in(*path, &verdict.of_mut(buf), outbox);
        }
        drain(tunnel, outbox);
        verdicts.iter().map(Outcome::from).collect()
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
    let layout = tunnel.layout();
    let outbound = tunnel.handle_packet(now, packet_buf(buf, layout));
    sort_out(&outbound, outbox, bounces);
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
    sort_in(*path, &inbound, outbox);
    let outcome = Outcome::from(&inbound);
    drain(tunnel, outbox);
    outcome
}

/// Takes what became of a packet to where it goes.
fn sort_out(outbound: &Outbound<&[u8]>, outbox: &mut Outbox, bounces: &mut Vec<Vec<u8>>) {
    match outbound {
        Outbound::Datagram { transmit, datagram } => outbox.datagrams.push(Departure::new(transmit, datagram)),
        Outbound::Bounce { packet, .. } => bounces.push(packet.to_vec()),
        _ => {}
    }
}

/// Takes what became of a datagram that came by `path` to where it goes.
fn sort_in(path: Path, inbound: &Inbound<&mut [u8]>, outbox: &mut Outbox) {
    match inbound {
        Inbound::Packet { peer, packet, .. } => outbox.packets.push((*peer, packet.to_vec())),
        Inbound::Reply(bytes) => outbox.datagrams.push(Departure::reply(path, bytes)),
        _ => {}
    }
}

fn seal_batch(tunnel: &mut Tunnel, now: Instant, buffers: &mut [Vec<u8>]) -> Vec<Outbound<Span>> {
    let layout = tunnel.layout();
    let mut slots: Vec<_> = buffers.iter_mut().map(|buf| PacketSlot::new(packet_buf(buf, layout))).collect();
    tunnel.handle_packets(now, &mut slots);
    slots.iter().map(|slot| slot.verdict).collect()
}

fn open_batch(tunnel: &mut Tunnel, now: Instant, datagrams: &mut [(Path, Ecn, Vec<u8>)]) -> Vec<Inbound<Span>> {
    let mut slots: Vec<_> =
        datagrams.iter_mut().map(|(path, ecn, datagram)| DatagramSlot::new(*path, *ecn, datagram)).collect();
    tunnel.handle_datagrams(now, &mut slots);
    slots.iter().map(|slot| slot.verdict).collect()
}

fn seal_in_steps(tunnel: &mut Tunnel, now: Instant, buffers: &mut [Vec<u8>]) -> Vec<Outbound<Span>> {
    let layout = tunnel.layout();
    let begun: Vec<_> = buffers.iter_mut().map(|buf| tunnel.begin_seal(now, packet_buf(buf, layout))).collect();
    let crypted = crypt_in_reverse(begun.into_iter().zip(buffers), |job, buf| job.crypt(buf));
    let finish = |crypted| match crypted {
        Begin::Crypt(sealed) => tunnel.finish_seal(now, sealed).0,
        Begin::Done(verdict) => verdict,
    };
    crypted.into_iter().map(finish).collect()
}

fn open_in_steps(tunnel: &mut Tunnel, now: Instant, datagrams: &mut [(Path, Ecn, Vec<u8>)]) -> Vec<Inbound<Span>> {
    let begun: Vec<_> =
        datagrams.iter_mut().map(|(path, ecn, datagram)| tunnel.begin_open(now, *path, *ecn, datagram)).collect();
    let buffers = datagrams.iter_mut().map(|(_, _, datagram)| datagram);
    let crypted = crypt_in_reverse(begun.into_iter().zip(buffers), |job, datagram| job.crypt(datagram));
    let finish = |crypted| match crypted {
        Begin::Crypt(opened) => tunnel.finish_open(now, opened).0,
        Begin::Done(verdict) => verdict,
    };
    crypted.into_iter().map(finish).collect()
}

/// The crypt steps, the last first; in the order of the first step again.
fn crypt_in_reverse<'b, Job, Verdict, Crypted>(
    begun: impl DoubleEndedIterator<Item = (Begin<Job, Verdict>, &'b mut Vec<u8>)>,
    crypt: impl Fn(Job, &'b mut Vec<u8>) -> Crypted,
) -> Vec<Begin<Crypted, Verdict>> {
    let step = |(begin, buf)| match begin {
        Begin::Crypt(job) => Begin::Crypt(crypt(job, buf)),
        Begin::Done(verdict) => Begin::Done(verdict),
    };
    let mut crypted: Vec<_> = begun.rev().map(step).collect();
    crypted.reverse();
    crypted
}

fn roomy(packet: &[u8], layout: Layout) -> Vec<u8> {
    let mut buf = vec![0xa5; layout.headroom() + packet.len() + layout.tailroom()];
    buf[layout.headroom()..][..packet.len()].copy_from_slice(packet);
    buf
}

fn packet_buf(buf: &mut [u8], layout: Layout) -> PacketBuf<'_> {
    let packet = layout.headroom()..buf.len() - layout.tailroom();
    PacketBuf { buf, packet }
}
