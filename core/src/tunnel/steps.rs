//! Sealing and opening in three steps: begin and finish here, in order; the crypt step between them on any thread.
use super::inbound::openable;
use super::job::{OpenJob, SealJob};
use super::{Begin, DatagramSlot, PacketBuf, PacketSlot, Tunnel, Verdict};
use crate::packet::ecn::Ecn;
use crate::peer::Path;
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{Message, Transport as Header};

impl Tunnel {
    /// The first of three steps: routes, counts, pads and writes the header. The job then seals on any thread.
    pub fn begin_seal(&mut self, now: Instant, packet: PacketBuf<'_>) -> Begin<SealJob> {
        let mut slot = PacketSlot { packet, verdict: Verdict::Pending };
        let mut begun = None;
        self.enter(now).seal_one(&mut slot, |pair, counter, _| begun = Some((pair.raw_send.clone(), counter)));
        match (slot.verdict, begun) {
            (Verdict::Send { transmit, start }, Some((key, counter))) => {
                Begin::Crypt(SealJob { key, counter, transmit, start: start as usize, sealed: false })
            }
            (verdict, _) => Begin::Done(verdict),
        }
    }

    /// The last of three steps, in the order of `begin_seal`: what became of the packet. Nothing goes to a peer that was
    /// removed meanwhile.
    pub fn finish_seal(&mut self, now: Instant, job: SealJob) -> Verdict {
        let call = self.enter(now);
        if job.transmit.peer.and_then(|peer| call.peers.find(peer)).is_none() {
            return call.shared.drop(DropReason::NoRoute);
        }
        match u32::try_from(job.start) {
            Ok(start) if job.sealed => Verdict::Send { transmit: job.transmit, start },
            _ => call.shared.drop(DropReason::NoRoom),
        }
    }

    /// The first of three steps: finds the session and pre-checks the counter. Handshake messages are handled here.
    pub fn begin_open(&mut self, now: Instant, path: Path, ecn: Ecn, datagram: &mut [u8]) -> Begin<OpenJob> {
        let mut call = self.enter(now);
        let header = match Message::parse(datagram) {
            Some(Message::Transport(header)) => header,
            Some(_) => return Begin::Done(call.handle_handshake(path, datagram)),
            None => return Begin::Done(call.shared.drop(DropReason::Malformed)),
        };
        let Header { receiver: local, counter } = header;
        let (now, owner) = (call.now, call.shared.indices.lookup(local));
        let Some(peer) = owner.and_then(|owner| call.peers.at_mut(owner)) else {
            return Begin::Done(call.shared.drop(DropReason::UnknownIndex));
        };
        match openable(peer, header, now) {
            Ok(pair) => {
                let key = pair.raw_receive.clone();
                Begin::Crypt(OpenJob { key, counter, peer: peer.id, local, path, ecn, opened: false })
            }
            Err(reason) => Begin::Done(call.shared.drop_of(peer, reason)),
        }
    }

    /// The last of three steps, in the order of `begin_open`: marks the counter, confirms, roams, checks the packet.
    /// `datagram` is the buffer of `begin_open`.
    pub fn finish_open(&mut self, now: Instant, job: OpenJob, datagram: &mut [u8]) -> Verdict {
        let mut call = self.enter(now);
        let OpenJob { counter, peer, local, path, ecn, opened, .. } = job;
        if call.peers.find(peer).is_none() {
            return call.shared.drop(DropReason::UnknownIndex);
        }
        let now = call.now;
        let verdict = call.with(peer.slot, |peer, shared| {
            if !opened {
                return shared.drop_of(peer, DropReason::BadTag);
            }
            let mut slot = DatagramSlot { path, ecn, datagram, verdict: Verdict::Pending };
            shared.opened(peer, now, Header { receiver: local, counter }, &mut slot)
        });
        verdict.unwrap_or(Verdict::Dropped(DropReason::UnknownIndex))
    }
}
