//! Datagrams of one sender that came in one piece of memory, and are opened where they lie.
use crate::recycle::recycle;
use quinn_udp::RecvMeta;
#[cfg(feature = "control")]
use underpass_core::PeerId;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, DatagramSlot, Inbound, OpenJob, Opened, Path, Span};
use underpass_core::{Instant, Tunnel};

/// Bytes of the longest bundle.
pub const LEN: usize = 65536;
/// Datagrams in one bundle at most (UDP_GRO_CNT_MAX).
pub const MOST: usize = 64;

/// A bundle and what becomes of its datagrams.
#[derive(Debug)]
pub struct Bundle {
    /// Where it is received.
    pub buf: Box<[u8]>,
    meta: RecvMeta,
    /// One for each datagram, in order.
    verdicts: Vec<Inbound<Span>>,
    /// What is left to open, with the number of its datagram.
    jobs: Vec<(usize, OpenJob)>,
    /// What is opened and left to finish, likewise.
    opened: Vec<(usize, Opened<()>)>,
    spare: Vec<DatagramSlot<'static>>,
}

impl Default for Bundle {
    fn default() -> Self {
        Self::new()
    }
}

impl Bundle {
    /// Room for a bundle.
    #[must_use]
    pub fn new() -> Self {
        let mut bundle = Self::of(LEN, MOST);
        bundle.jobs.reserve(MOST);
        bundle.opened.reserve(MOST);
        bundle
    }

    /// Room for `len` bytes of at most so many `datagrams`, which are opened in one step.
    #[must_use]
    pub fn of(len: usize, datagrams: usize) -> Self {
        Self {
            buf: vec![0; len].into(),
            meta: RecvMeta::default(),
            verdicts: Vec::with_capacity(datagrams),
            jobs: Vec::new(),
            opened: Vec::new(),
            spare: Vec::with_capacity(datagrams),
        }
    }

    /// A bundle has been received to `buf`; `meta` describes it.
    pub fn received(&mut self, meta: RecvMeta) {
        self.meta = meta;
        self.verdicts.clear();
        self.jobs.clear();
        self.opened.clear();
    }

    /// Where it came from, and where it arrived.
    #[must_use]
    pub fn path(&self) -> Path {
        Path::new(self.meta.addr).with_local(self.meta.dst_ip)
    }

    /// How many datagrams there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.len().div_ceil(self.stride())
    }

    fn len(&self) -> usize {
        self.meta.len.min(self.buf.len())
    }

    fn stride(&self) -> usize {
        self.meta.stride.max(1)
    }

    fn ecn(&self) -> Ecn {
        self.meta.ecn.map_or(Ecn::NotCapable, |ecn| Ecn::from_bits(ecn as u8))
    }

    /// Opens the datagrams, all three steps at once.
    pub fn open(&mut self, tunnel: &mut Tunnel, now: Instant) {
        let (path, ecn, len, stride) = (self.path(), self.ecn(), self.len(), self.stride());
        let mut slots = recycle(std::mem::take(&mut self.spare));
        let datagrams = self.buf[..len].chunks_mut(stride);
        slots.extend(datagrams.map(|datagram| DatagramSlot::new(path, ecn, datagram)));
        tunnel.handle_datagrams(now, &mut slots);
        self.verdicts.extend(slots.iter().map(|slot| slot.verdict));
        self.spare = recycle(slots);
    }

    /// First of three steps: looks the datagrams up.
    pub fn begin(&mut self, tunnel: &mut Tunnel, now: Instant) {
        let (path, ecn, len, stride) = (self.path(), self.ecn(), self.len(), self.stride());
        for (number, datagram) in self.buf[..len].chunks_mut(stride).enumerate() {
            self.verdicts.push(match tunnel.begin_open(now, path, ecn, datagram) {
                Begin::Crypt(job) => {
                    self.jobs.push((number, job));
                    // Until it is finished there is nothing to do with it.
                    Inbound::Consumed
                }
                Begin::Done(verdict) => verdict,
            });
        }
    }

    /// Second step, on any thread.
    pub fn crypt(&mut self) {
        let (len, stride) = (self.len(), self.stride());
        for (number, job) in self.jobs.drain(..) {
            let at = number * stride;
            let (opened, _) = job.crypt(&mut self.buf[at..len.min(at + stride)]).detach();
            self.opened.push((number, opened));
        }
    }

    /// Third step: accounts for the datagrams, in the order of the first.
    pub fn finish(&mut self, tunnel: &mut Tunnel, now: Instant) {
        let (len, stride) = (self.len(), self.stride());
        for (number, opened) in self.opened.drain(..) {
            let at = number * stride;
            let datagram = &mut self.buf[at..len.min(at + stride)];
            (self.verdicts[number], _) = tunnel.finish_open(now, opened.attach(datagram));
        }
    }

    /// The packets for the virtual interface, in order.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.verdicts.iter().enumerate().filter_map(|(number, verdict)| match *verdict {
            Inbound::Packet { packet, .. } => packet.of(&self.buf[number * self.stride()..]),
            _ => None,
        })
    }

    /// The messages of the control channel, with who sent them.
    #[cfg(feature = "control")]
    pub fn messages(&self) -> impl Iterator<Item = (PeerId, &[u8])> {
        self.verdicts.iter().enumerate().filter_map(|(number, verdict)| match *verdict {
            Inbound::Control { peer, message, .. } => Some((peer, message.of(&self.buf[number * self.stride()..])?)),
            _ => None,
        })
    }

    /// The cookie replies to send back.
    pub fn replies(&self) -> impl Iterator<Item = &[u8]> {
        self.verdicts.iter().enumerate().filter_map(|(number, verdict)| match *verdict {
            Inbound::Reply(reply) => reply.of(&self.buf[number * self.stride()..]),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_datagram_is_no_division_by_zero() {
        let mut bundle = Bundle::new();
        bundle.received(RecvMeta::default());
        assert_eq!((bundle.count(), bundle.packets().count()), (0, 0));
    }
}
