//! Sealing and opening in three steps: begin and finish here, in order; the crypt step between them on any thread.
use super::call::Call;
use super::inbound::openable;
use super::job::{Arrival, OpenJob, Opened, SealJob, Sealed};
use super::{Begin, DatagramSlot, Inbound, Outbound, PacketBuf, Span, Tunnel};
use crate::packet::ecn::Ecn;
use crate::peer::Path;
use crate::session::Keypair;
use crate::stats::DropReason;
use crate::time::Instant;
use crate::wire::{Message, Transport as Header};

impl Tunnel {
    /// The first of three steps: routes, counts, pads and writes the header. The job then seals on any thread.
    pub fn begin_seal(&mut self, now: Instant, mut packet: PacketBuf<'_>) -> Begin<SealJob, Outbound<Span>> {
        let mut call = self.enter(now);
        let mut begun = None;
        let mut note = |pair: &Keypair, counter: u64, _: &mut [u8]| begun = Some((pair.raw_send.clone(), counter));
        let made = call.seal_one(&mut packet, &mut note);
        #[cfg(feature = "filter")]
        let made = match made {
            Err(route) => match call.seal_ruled(&mut packet, route, &mut note) {
                Some(Outbound::Datagram { transmit, datagram }) => Ok((transmit, datagram)),
                Some(verdict) => return Begin::Done(verdict),
                None => Err(route),
            },
            made => made,
        };
        match made {
            Ok((transmit, span)) => match begun {
                Some((key, counter)) => Begin::Crypt(SealJob { key, counter, transmit, span }),
                None => Begin::Done(call.shared.drop(DropReason::NoRoom)),
            },
            Err(route) => Begin::Done(call.not_sealed(&mut packet, route)),
        }
    }

    /// The last of three steps, in the order of `begin_seal`: what became of the packet, as spans of its buffer, which is
    /// given back. Nothing goes to a peer that was removed or locked meanwhile.
    pub fn finish_seal<B>(&mut self, now: Instant, sealed: Sealed<B>) -> (Outbound<Span>, B) {
        let call = self.enter(now);
        let Sealed { transmit, span, done, buf } = sealed;
        #[cfg(feature = "control")]
        if let Some(peer) = call.peers.find_mut(transmit.peer)
            && peer.access == crate::config::Gate::Locked
        {
            return (call.shared.drop_of(peer, DropReason::Locked), buf);
        }
        let verdict = if call.peers.find(transmit.peer).is_none() {
            call.shared.drop(DropReason::NoRoute)
        } else if done {
            Outbound::Datagram { transmit, datagram: span }
        } else {
            call.shared.drop(DropReason::NoRoom)
        };
        (verdict, buf)
    }

    /// The first of three steps: finds the session and pre-checks the counter. Handshake messages are handled here.
    pub fn begin_open(
        &mut self,
        now: Instant,
        path: Path,
        ecn: Ecn,
        datagram: &mut [u8],
    ) -> Begin<OpenJob, Inbound<Span>> {
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
                Begin::Crypt(OpenJob { key, arrival: Arrival { counter, peer: peer.id, local, path, ecn } })
            }
            Err(reason) => Begin::Done(call.shared.drop_of(peer, reason)),
        }
    }

    /// The last of three steps, in the order of `begin_open`: marks the counter, confirms, roams, checks the packet. Says
    /// what became of the datagram, as a span of its buffer, which is given back.
    pub fn finish_open<B: AsMut<[u8]>>(&mut self, now: Instant, opened: Opened<B>) -> (Inbound<Span>, B) {
        let Opened { arrival, authentic, mut buf } = opened;
        let verdict = self.enter(now).finish_open(arrival, authentic, buf.as_mut());
        (verdict, buf)
    }
}

impl Call<'_> {
    fn finish_open(&mut self, arrival: Arrival, authentic: bool, datagram: &mut [u8]) -> Inbound<Span> {
        let Arrival { counter, peer, local, path, ecn } = arrival;
        let now = self.now;
        let verdict = self.with_known(peer, |peer, shared| {
            if !authentic {
                return shared.drop_of(peer, DropReason::BadTag);
            }
            let mut slot = DatagramSlot::new(path, ecn, datagram);
            shared.opened(peer, now, Header { receiver: local, counter }, &mut slot)
        });
        verdict.unwrap_or_else(|| self.shared.drop(DropReason::UnknownIndex))
    }
}
