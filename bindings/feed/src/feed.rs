//! A feed: a tunnel, and the slots through which an application moves its packets.
use crate::facts::{Facts, LEN, LONGS, PEER};
use crate::memory::Memory;
use std::array;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use underpass_core::limits::AHEAD;
use underpass_core::packet::ecn::Ecn;
use underpass_core::stats::SendError;
use underpass_core::tunnel::{DatagramSlot, Layout, PacketBuf, PacketSlot, Path, Span, TransmitError};
use underpass_core::{PeerId, Status, Tunnel as Core};
use underpass_uniffi::Tunnel;

/// Slots of a feed at most, as in a batch of C.
const MAX_SLOTS: usize = 256;
/// Bytes of a slot at most: what an IP packet may have, and the room around it.
const MAX_STRIDE: usize = 1 << 17;
/// How many slots a feed is to have and of how many bytes, as the application said it.
///
/// # Errors
/// `Argument`: one of both is not within its bounds.
pub fn sizes(slots: i32, stride: i32) -> Result<(usize, usize), Status> {
    let within = |number: i32, max: usize| usize::try_from(number).ok().filter(|n| (1..=max).contains(n));
    within(slots, MAX_SLOTS).zip(within(stride, MAX_STRIDE)).ok_or(Status::Argument)
}

/// Stands where no datagram came from.
const NOWHERE: Path = Path::new(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));

/// A tunnel and its slots.
pub struct Feed {
    tunnel: Arc<Tunnel>,
    memory: Memory,
    stride: usize,
    /// What the application said of each slot of the batch, read once. Made when the feed is.
    places: Vec<Place>,
    /// What went wrong after datagrams had been handed out, to be told next.
    untold: Option<Status>,
}

/// One packet or datagram, as it was when it was looked at.
#[derive(Clone, Debug)]
struct Place {
    range: Range<usize>,
    path: Path,
    ecn: Ecn,
}

impl Feed {
    /// A feed of a tunnel. `memory` has slots of `stride` bytes.
    pub fn new(tunnel: Arc<Tunnel>, memory: Memory, slots: usize, stride: usize) -> Self {
        let places = vec![Place { range: 0..0, path: NOWHERE, ecn: Ecn::NotCapable }; slots];
        Self { tunnel, memory, stride, places, untold: None }
    }

    /// Where its buffers lie.
    pub fn extents(&self) -> [Range<usize>; 2] {
        self.memory.extents()
    }

    /// Seals the packets of the first `count` slots, in place.
    pub fn handle_packets(&mut self, count: i32) -> Result<(), Status> {
        self.batch(
            count,
            |facts, stride| Ok(Place { range: facts.range(stride)?, path: NOWHERE, ecn: Ecn::NotCapable }),
            seal,
        )
    }

    /// Opens the datagrams of the first `count` slots, in place.
    pub fn handle_datagrams(&mut self, count: i32) -> Result<(), Status> {
        self.batch(
            count,
            |facts, stride| Ok(Place { range: facts.range(stride)?, path: facts.path()?, ecn: facts.ecn()? }),
            open,
        )
    }

    /// Reads the facts, all of them before anything is done, and hands the batch over.
    fn batch(
        &mut self,
        count: i32,
        read: impl Fn(Facts<'_>, usize) -> Result<Place, Status>,
        work: impl FnOnce(&mut Core, underpass_core::Instant, &mut Batch<'_>),
    ) -> Result<(), Status> {
        let Self { tunnel, memory, stride, places, .. } = self;
        let count = usize::try_from(count).map_err(|_| Status::Argument)?;
        let places = places.get_mut(..count).ok_or(Status::Batch)?;
        let (slab, facts) = memory.open();
        for (place, facts) in places.iter_mut().zip(facts) {
            *place = read(Facts(facts), *stride)?;
        }
        let mut batch = Batch { slab, facts, places, stride: *stride };
        let now = tunnel.now();
        tunnel.with_core(|core| work(core, now, &mut batch)).map_err(|error| error.status())
    }

    /// Writes what is to be sent into the first slots, `max` at most. Says how many.
    pub fn poll_transmits(&mut self, max: i32) -> Result<usize, Status> {
        let Self { tunnel, memory, stride, places, untold } = self;
        let max = usize::try_from(max).map_err(|_| Status::Argument)?;
        if max > places.len() {
            return Err(Status::Batch);
        }
        if let Some(status) = untold.take() {
            return Err(status);
        }
        let (slab, facts) = memory.open();
        let now = tunnel.now();
        let polled = tunnel.with_core(|core| {
            if core.layout().transmit_buffer() > *stride {
                return (0, Some(Status::Buffer));
            }
            for (count, (slot, facts)) in slab.chunks_exact_mut(*stride).zip(facts).take(max).enumerate() {
                match core.poll_transmit(now, slot) {
                    Ok(Some(transmit)) => Facts(facts).send(&transmit, Span { start: 0, len: transmit.len as u32 }),
                    Ok(None) => return (count, None),
                    Err(TransmitError::NoRandomness) => return (count, Some(Status::Random)),
                    Err(_) => return (count, Some(Status::Buffer)),
                }
            }
            (max, None)
        });
        match polled.map_err(|error| error.status())? {
            (0, Some(status)) => Err(status),
            (count, status) => {
                *untold = status;
                Ok(count)
            }
        }
    }

    /// Does what has fallen due.
    pub fn handle_timeout(&self) -> Result<(), Status> {
        let now = self.tunnel.now();
        self.tunnel.with_core(|core| core.handle_timeout(now)).map_err(|error| error.status())
    }

    /// When something falls due, on the tunnel's clock; `i64::MAX`: never.
    pub fn poll_timeout(&self) -> Result<i64, Status> {
        let due = self.tunnel.with_core(|core| core.poll_timeout()).map_err(|error| error.status())?;
        Ok(due.and_then(|due| i64::try_from(due.as_nanos()).ok()).unwrap_or(i64::MAX))
    }

    /// The datagram of a slot, which was to be sent, could not be.
    pub fn send_error(&mut self, slot: i32, kind: i32) -> Result<(), Status> {
        let kind = usize::try_from(kind).ok().and_then(|kind| SendError::ALL.get(kind)).ok_or(Status::Argument)?;
        let slot = usize::try_from(slot).map_err(|_| Status::Argument)?;
        let facts = Facts(self.memory.open().1.get(slot).ok_or(Status::Argument)?);
        let len = usize::try_from(facts.read(LEN)).ok().filter(|len| *len <= self.stride).ok_or(Status::Argument)?;
        let (peer, path) = (PeerId::from_u64(facts.read(PEER).cast_unsigned()), facts.path()?);
        let told = self.tunnel.with_core(|core| {
            core.peer(peer).ok_or(Status::NoPeer)?;
            core.handle_send_error(peer, path, len, *kind);
            Ok(())
        });
        told.map_err(|error| error.status())?
    }

    /// How much room a packet needs.
    pub fn layout(&self) -> Result<Layout, Status> {
        self.tunnel.with_core(|core| core.layout()).map_err(|error| error.status())
    }
}

/// Slots of one call.
struct Batch<'b> {
    slab: &'b mut [u8],
    facts: &'b [[AtomicI64; LONGS]],
    places: &'b [Place],
    stride: usize,
}

/// Seals some packets at a time. The core's slots are made once and filled again, for they are large.
fn seal(core: &mut Core, now: underpass_core::Instant, batch: &mut Batch<'_>) {
    let mut bufs = batch.slab.chunks_exact_mut(batch.stride);
    let mut few: [_; AHEAD] = array::from_fn(|_| PacketSlot::new(PacketBuf { buf: &mut [], packet: 0..0 }));
    for (places, facts) in batch.places.chunks(AHEAD).zip(batch.facts.chunks(AHEAD)) {
        for ((slot, place), buf) in few.iter_mut().zip(places).zip(&mut bufs) {
            slot.packet = PacketBuf { buf, packet: place.range.clone() };
        }
        let few = few.get_mut(..places.len()).unwrap_or_default();
        core.handle_packets(now, few);
        for (slot, facts) in few.iter().zip(facts) {
            Facts(facts).settle_packet(&slot.verdict);
        }
    }
}

/// Opens some datagrams at a time, as `seal` seals packets.
fn open(core: &mut Core, now: underpass_core::Instant, batch: &mut Batch<'_>) {
    let mut bufs = batch.slab.chunks_exact_mut(batch.stride);
    let mut few: [_; AHEAD] = array::from_fn(|_| DatagramSlot::new(NOWHERE, Ecn::NotCapable, &mut []));
    for (places, facts) in batch.places.chunks(AHEAD).zip(batch.facts.chunks(AHEAD)) {
        for ((slot, place), buf) in few.iter_mut().zip(places).zip(&mut bufs) {
            (slot.path, slot.ecn) = (place.path, place.ecn);
            slot.datagram = buf.get_mut(place.range.clone()).unwrap_or_default();
        }
        let few = few.get_mut(..places.len()).unwrap_or_default();
        core.handle_datagrams(now, few);
        for ((slot, place), facts) in few.iter().zip(places).zip(facts) {
            Facts(facts).settle_datagram(place.range.start, &slot.verdict);
        }
    }
}
