//! Outgoing datagrams in one stretch of memory, so that the kernel takes many at once.
//!
//! Packets are laid out as they will be sealed: header, packet, padding and tag, each place behind the other without
//! a gap. Sealed in place, packets of one size to one peer are then a run: one call sends it.
use crate::recycle::recycle;
use crate::udp::{self, Run, Sent, Sockets};
use nix::errno::Errno;
use std::ops::Range;
use underpass_core::limits::HEADROOM;
use underpass_core::tunnel::{
    Begin, Layout, Outbound, PacketBuf, PacketSlot, Path, SealJob, Sealed, SendError, Span, Transmit,
};
use underpass_core::{Instant, PeerId, Tunnel};

/// Bytes in a train: a full super-packet, sealed, and whatever single datagram the largest MTU makes.
const BYTES: usize = 72 * 1024;
/// Bytes of a transport message's tag (paper § 5.4.6).
const TAG: usize = 16;

/// Packets to seal, then datagrams to send.
#[derive(Debug)]
pub struct Train {
    buf: Box<[u8]>,
    used: usize,
    /// The packets, in order, the places one behind the other from 0.
    places: Vec<Place>,
    /// What is left to seal, with the place where it stands.
    jobs: Vec<(Range<usize>, SealJob)>,
    /// What is sealed and left to finish, with the first byte of its place.
    sealed: Vec<(usize, Sealed<()>)>,
    departures: Vec<Departure>,
    bounces: Vec<Bounce>,
    spare: Vec<PacketSlot<'static>>,
}

/// Where a packet is to be sealed.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Bytes of the place.
    room: usize,
    /// Bytes of the packet, which stands at `HEADROOM`.
    len: usize,
}

/// A datagram to send.
#[derive(Clone, Copy, Debug)]
struct Departure {
    start: usize,
    transmit: Transmit,
}

/// An ICMP error for the virtual interface.
#[derive(Clone, Copy, Debug)]
struct Bounce {
    start: usize,
    len: usize,
}

/// Datagrams of a peer that did not leave, or not from where they were to.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// Whose they are.
    pub peer: PeerId,
    /// Where they were to go, and from where.
    pub path: Path,
    /// How many bytes did not leave.
    pub bytes: usize,
    /// Why.
    pub kind: SendError,
    /// The system's error, if they did not leave.
    pub errno: Option<Errno>,
}

impl Failure {
    fn of(transmit: &Transmit, sent: Sent) -> Option<Self> {
        let (bytes, kind, errno) = match sent {
            Sent::Yes => return None,
            Sent::FromElsewhere => (0, SendError::NoSource, None),
            Sent::Failed(errno, bytes) => (bytes, udp::meaning(errno), Some(errno)),
        };
        Some(Self { peer: transmit.peer, path: transmit.path, bytes, kind, errno })
    }

    /// Tells the tunnel.
    pub fn tell(&self, tunnel: &mut Tunnel) {
        tunnel.handle_send_error(self.peer, self.path, self.bytes, self.kind);
    }
}

impl Default for Train {
    fn default() -> Self {
        Self::new()
    }
}

impl Train {
    /// An empty train.
    #[must_use]
    pub fn new() -> Self {
        let most = BYTES / (HEADROOM + TAG);
        let mut train = Self::of(BYTES, most);
        train.jobs.reserve(most);
        train.sealed.reserve(most);
        train
    }

    /// An empty train of so many bytes for about so many `packets`, which are sealed in one step.
    #[must_use]
    pub fn of(bytes: usize, packets: usize) -> Self {
        Self {
            buf: vec![0; bytes].into(),
            used: 0,
            places: Vec::with_capacity(packets),
            jobs: Vec::new(),
            sealed: Vec::new(),
            departures: Vec::with_capacity(packets),
            bounces: Vec::with_capacity(packets),
            spare: Vec::with_capacity(packets),
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Whether it has gathered so much that it had better leave.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.used >= self.buf.len() / 2
    }

    /// How many packets are loaded.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.places.len()
    }

    /// Lets `write` fill in a packet of `len` bytes, to be sealed under `layout`. `false`: there is no room.
    pub fn load(&mut self, len: usize, layout: Layout, write: impl FnOnce(&mut [u8])) -> bool {
        let room = layout.datagram_len(len);
        let Some(place) = self.buf.get_mut(self.used..self.used + room) else { return false };
        write(&mut place[HEADROOM..HEADROOM + len]);
        self.places.push(Place { room, len });
        self.used += room;
        true
    }

    /// Lets `read` fill in a packet where it will be sealed, and say its length. In a train that is not full there is
    /// room for as much as half of its bytes.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_in<E>(&mut self, layout: Layout, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let end = self.buf.len().saturating_sub(layout.tailroom());
        let start = (self.used + HEADROOM).min(end);
        let place = &mut self.buf[start..end];
        let most = place.len();
        let len = read(place)?.min(most);
        let room = layout.datagram_len(len);
        self.places.push(Place { room, len });
        self.used += room;
        Ok(len)
    }

    /// Seals the packets, all three steps at once.
    pub fn seal(&mut self, tunnel: &mut Tunnel, now: Instant) {
        let mut slots = recycle(std::mem::take(&mut self.spare));
        let mut rest = &mut self.buf[..];
        for place in &self.places {
            let (buf, behind) = rest.split_at_mut(place.room);
            let packet = PacketBuf { buf, packet: HEADROOM..HEADROOM + place.len };
            slots.push(PacketSlot::new(packet));
            rest = behind;
        }
        tunnel.handle_packets(now, &mut slots);
        let mut start = 0;
        for (slot, place) in slots.iter().zip(&self.places) {
            note(&mut self.departures, &mut self.bounces, start, slot.verdict);
            start += place.room;
        }
        self.places.clear();
        self.spare = recycle(slots);
    }

    /// First of three steps: looks up where the packets go.
    pub fn begin(&mut self, tunnel: &mut Tunnel, now: Instant) {
        let mut start = 0;
        for place in self.places.drain(..) {
            let range = start..start + place.room;
            start = range.end;
            let packet = PacketBuf { buf: &mut self.buf[range.clone()], packet: HEADROOM..HEADROOM + place.len };
            match tunnel.begin_seal(now, packet) {
                Begin::Crypt(job) => self.jobs.push((range, job)),
                Begin::Done(verdict) => note(&mut self.departures, &mut self.bounces, range.start, verdict),
            }
        }
    }

    /// Second step, on any thread.
    pub fn crypt(&mut self) {
        for (range, job) in self.jobs.drain(..) {
            let start = range.start;
            let (sealed, _) = job.crypt(&mut self.buf[range]).detach();
            self.sealed.push((start, sealed));
        }
    }

    /// Third step: accounts for the packets, in the order of the first.
    pub fn finish(&mut self, tunnel: &mut Tunnel, now: Instant) {
        for (start, sealed) in self.sealed.drain(..) {
            let (verdict, ()) = tunnel.finish_seal(now, sealed);
            note(&mut self.departures, &mut self.bounces, start, verdict);
        }
    }

    /// Takes in what the tunnel itself wants to send. `true`: there may be more, once the train has left.
    #[must_use]
    pub fn collect(&mut self, tunnel: &mut Tunnel, now: Instant) -> bool {
        let needed = tunnel.layout().transmit_buffer();
        loop {
            let free = &mut self.buf[self.used..];
            if free.len() < needed {
                return true;
            }
            let transmit = match tunnel.poll_transmit(now, free) {
                Ok(Some(transmit)) => transmit,
                Ok(None) => return false,
                // It needs more than is free here: an empty train has the most room.
                Err(_) => return self.used > 0,
            };
            self.departures.push(Departure { start: self.used, transmit });
            self.used += transmit.len;
        }
    }

    /// What has been taken in and has not left yet.
    pub fn collected(&self) -> impl Iterator<Item = &Transmit> + '_ {
        self.departures.iter().map(|departure| &departure.transmit)
    }

    /// As [`depart`](Self::depart); what did not leave as it was to is added to `failures`.
    pub fn depart_or_fail(&mut self, sockets: &Sockets, failures: &mut Vec<Failure>) {
        self.depart(sockets, |transmit, sent| failures.extend(Failure::of(transmit, sent)));
    }

    /// Sends the datagrams, telling `outcome` of each run whose first datagram was `Transmit`, and empties the train.
    pub fn depart(&mut self, sockets: &Sockets, mut outcome: impl FnMut(&Transmit, Sent)) {
        let mut left = &self.departures[..];
        while let Some(first) = left.first() {
            let count = count_of_run(left);
            let bytes = left[..count].iter().map(|departure| departure.transmit.len).sum::<usize>();
            let Transmit { path, ecn, len, .. } = first.transmit;
            if len > 0 {
                let datagrams = &self.buf[first.start..first.start + bytes];
                outcome(&first.transmit, sockets.send(&Run { path, ecn, datagrams, size: len }));
            }
            left = &left[count..];
        }
        self.departures.clear();
        self.bounces.clear();
        self.used = 0;
    }

    /// The ICMP errors, for the virtual interface; there until the train departs.
    pub fn bounces(&self) -> impl Iterator<Item = &[u8]> {
        self.bounces.iter().map(|bounce| &self.buf[bounce.start..bounce.start + bounce.len])
    }
}

/// Remembers what became of the packet whose place begins at `start`.
fn note(departures: &mut Vec<Departure>, bounces: &mut Vec<Bounce>, start: usize, verdict: Outbound<Span>) {
    match verdict {
        Outbound::Datagram { transmit, datagram } => {
            departures.push(Departure { start: start + datagram.start as usize, transmit });
        }
        Outbound::Bounce { packet, .. } => {
            bounces.push(Bounce { start: start + packet.start as usize, len: packet.len as usize });
        }
        // Staged or dropped; the core has counted it.
        _ => {}
    }
}

/// How many datagrams at the front of `departures`, which is not empty, make a run: for one destination, gapless in
/// memory, of one length, the last perhaps shorter.
fn count_of_run(departures: &[Departure]) -> usize {
    let follows = |pair: &[Departure]| {
        let [before, after] = pair else { return false };
        let (first, a, b) = (&departures[0].transmit, &before.transmit, &after.transmit);
        a.path == b.path
            && a.ecn == b.ecn
            && a.len == first.len
            && b.len <= first.len
            && before.start + a.len == after.start
    };
    1 + departures.windows(2).take_while(|pair| follows(pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use underpass_core::PeerId;
    use underpass_core::packet::ecn::Ecn;
    use underpass_core::tunnel::Padding;
    use underpass_core::tunnel::Path;

    fn departures(of: &[(usize, usize, u16, Ecn)]) -> Vec<Departure> {
        let transmit = |len, port, ecn| {
            let path = Path::new(SocketAddr::from(([127, 0, 0, 1], port)));
            Transmit { peer: PeerId::from_u64(1), user: 0, path, len, ecn }
        };
        of.iter()
            .map(|(start, len, port, ecn)| Departure { start: *start, transmit: transmit(*len, *port, *ecn) })
            .collect()
    }

    #[test]
    fn runs_end_where_the_kernel_could_not_split_them() {
        use Ecn::{Capable0 as E, NotCapable as N};
        type Case = (&'static str, &'static [(usize, usize, u16, Ecn)], usize);
        let table: &[Case] = &[
            ("one", &[(0, 100, 1, N)], 1),
            ("alike", &[(0, 100, 1, N), (100, 100, 1, N), (200, 100, 1, N)], 3),
            ("the last shorter", &[(0, 100, 1, N), (100, 60, 1, N)], 2),
            ("a shorter one ends it", &[(0, 100, 1, N), (100, 60, 1, N), (160, 60, 1, N)], 2),
            ("a longer one", &[(0, 100, 1, N), (100, 116, 1, N)], 1),
            ("a gap", &[(0, 100, 1, N), (104, 100, 1, N)], 1),
            ("another peer", &[(0, 100, 1, N), (100, 100, 2, N)], 1),
            ("another ECN", &[(0, 100, 1, N), (100, 100, 1, E)], 1),
        ];
        for (what, of, count) in table {
            assert_eq!(count_of_run(&departures(of)), *count, "{what}");
        }
    }

    #[test]
    fn packets_of_one_size_lie_without_gaps() {
        let mut train = Train::new();
        // Padded to a multiple of 16, but not beyond the MTU; longer packets as they are.
        for (len, mtu, room) in [(1420, 1420, 1452), (1409, 1420, 1452), (52, 1420, 96), (1500, 1420, 1532)] {
            let before = train.used;
            let layout = Layout::new(mtu, Padding::Sixteen);
            assert!(train.load(len, layout, |packet| assert_eq!(packet.len(), len)));
            assert_eq!(train.used - before, room, "{len} of {mtu}");
        }
        let layout = Layout::new(1420, Padding::Sixteen);
        while train.load(1420, layout, |_| {}) {}
        assert!(train.used > BYTES - 1452 && train.used <= BYTES);
    }

    #[test]
    fn the_longest_packet_fits_an_empty_train() {
        assert!(Train::new().load(65535, Layout::new(65535, Padding::Sixteen), |_| {}));
    }
}
