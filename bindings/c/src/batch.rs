//! B. The data plane: packets and datagrams in batches, in place.
use crate::address::underpass_path;
use crate::boundary::enter_tunnel;
use crate::handle::underpass_tunnel;
use crate::memory::{Slots, Which};
use crate::words::underpass_peer_id;
use core::array;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use underpass_core::limits::AHEAD;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{DatagramSlot, Inbound, Outbound, PacketBuf, PacketSlot, Path, Span};
use underpass_core::{DropReason, Instant, Status, Tunnel};

/// Begun, and not finished: crypt and finish it.
pub const UNDERPASS_VERDICT_PENDING: i32 = 0;
/// buf[start] and the len bytes from there are a datagram: send it along path.
pub const UNDERPASS_VERDICT_SEND: i32 = 1;
/// They are a packet from peer: give it to the virtual interface.
pub const UNDERPASS_VERDICT_DELIVER: i32 = 2;
/// They are a cookie reply: send it back along path.
pub const UNDERPASS_VERDICT_REPLY: i32 = 3;
/// They are an ICMP error: give it to the virtual interface. reason says what happened to the packet.
pub const UNDERPASS_VERDICT_BOUNCE: i32 = 4;
/// Taken in (handshake, keepalive): poll.
pub const UNDERPASS_VERDICT_CONSUMED: i32 = 5;
/// Copied, until there is a session: poll.
pub const UNDERPASS_VERDICT_STAGED: i32 = 6;
/// Gone, and counted; reason says why.
pub const UNDERPASS_VERDICT_DROPPED: i32 = 7;

/// One packet or datagram of a batch: an array of len slots, UNDERPASS_MAX_BATCH at most. After UNDERPASS_OK each says
/// what became of it: do what its verdict asks for. UNDERPASS_E_ARGUMENT: start and len of one lie beyond its cap, or,
/// of a datagram, its path has no remote address or its ecn is greater than 3; then nothing was done. Buffers stay where they
/// are; set start and len anew for each batch. Never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct underpass_slot {
    /// In: memory that no other slot shares.
    pub buf: *mut u8,
    /// In: its bytes.
    pub cap: u32,
    /// In: where in it the packet (with UNDERPASS_HEADROOM bytes before it and UNDERPASS_TAILROOM behind) or the datagram
    /// begins. Out: where that begins which is to be sent or delivered.
    pub start: u32,
    /// In: bytes of the packet or datagram. Out: bytes of what is to be sent or delivered; 0 where nothing is.
    pub len: u32,
    /// Out: UNDERPASS_VERDICT_*.
    pub verdict: i32,
    /// Out, with UNDERPASS_VERDICT_DROPPED and UNDERPASS_VERDICT_BOUNCE: UNDERPASS_DROP_*.
    pub reason: u32,
    /// The ECN bits of the outer IP header, 0 to 3. In: of a datagram. Out, with UNDERPASS_VERDICT_SEND and
    /// UNDERPASS_VERDICT_REPLY: for it.
    pub ecn: u8,
    /// 0.
    pub reserved: [u8; 3],
    /// Out: where it goes to or comes from; 0: no peer.
    pub peer: underpass_peer_id,
    /// Out: what the host calls that peer, see underpass_peer_change.
    pub user: u64,
    /// In: the path a datagram came by. Out, with UNDERPASS_VERDICT_SEND: the path it takes.
    pub path: underpass_path,
}

/// Seals packets from the virtual interface, in place. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_handle_packets(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    len: usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let (now, slots) = (Instant::from_nanos(now), caller.slots(slots, len, every)?);
        match len {
            1 => seal::<1>(tunnel, now, slots),
            _ => seal::<AHEAD>(tunnel, now, slots),
        }
        Ok(())
    })
}

/// Opens datagrams from the network, in place. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_handle_datagrams(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    len: usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let (now, slots) = (Instant::from_nanos(now), caller.slots(slots, len, every)?);
        slots.look().iter().try_for_each(underpass_slot::check_source)?;
        match len {
            1 => open::<1>(tunnel, now, slots),
            _ => open::<AHEAD>(tunnel, now, slots),
        }
        Ok(())
    })
}

/// Stands where no datagram came from.
const NOWHERE: Path = Path::new(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));

/// Every slot is looked at.
pub(crate) const fn every(_: &underpass_slot) -> bool {
    true
}

/// All slots with their buffers, when every slot is looked at.
#[inline]
pub(crate) fn opened<'c, W: Which>(
    slots: Slots<'c, W>,
) -> impl Iterator<Item = (&'c mut underpass_slot, &'c mut [u8])> {
    slots.open().map(|(slot, buf)| (slot, buf.unwrap_or_default()))
}

/// Seals the packets, `N` at a time. The core's slots are made once and filled again, for they are large.
#[inline]
fn seal<const N: usize>(tunnel: &mut Tunnel, now: Instant, slots: Slots<'_, impl Which>) {
    let mut slots = opened(slots);
    let mut heads = [const { None::<&mut underpass_slot> }; N];
    let mut few: [_; N] = array::from_fn(|_| PacketSlot::new(PacketBuf { buf: &mut [], packet: 0..0 }));
    loop {
        let mut count = 0;
        for ((head, place), (slot, buf)) in heads.iter_mut().zip(&mut few).zip(&mut slots) {
            place.packet = PacketBuf { packet: slot.range(), buf };
            *head = Some(slot);
            count += 1;
        }
        let few = few.get_mut(..count).unwrap_or_default();
        if few.is_empty() {
            return;
        }
        tunnel.handle_packets(now, few);
        for (head, done) in heads.iter_mut().zip(few) {
            head.take().into_iter().for_each(|slot| slot.settle_packet(&done.verdict));
        }
    }
}

/// Opens the datagrams, `N` at a time, as `seal` seals packets.
#[inline]
fn open<const N: usize>(tunnel: &mut Tunnel, now: Instant, slots: Slots<'_, impl Which>) {
    let mut slots = opened(slots);
    let mut heads = [const { None::<&mut underpass_slot> }; N];
    let mut few: [_; N] = array::from_fn(|_| DatagramSlot::new(NOWHERE, Ecn::NotCapable, &mut []));
    loop {
        let mut count = 0;
        for ((head, place), (slot, buf)) in heads.iter_mut().zip(&mut few).zip(&mut slots) {
            (place.path, place.ecn) = slot.source();
            place.datagram = buf.get_mut(slot.range()).unwrap_or_default();
            *head = Some(slot);
            count += 1;
        }
        let few = few.get_mut(..count).unwrap_or_default();
        if few.is_empty() {
            return;
        }
        tunnel.handle_datagrams(now, few);
        for (head, done) in heads.iter_mut().zip(few) {
            head.take().into_iter().for_each(|slot| slot.settle_datagram(&done.verdict));
        }
    }
}

impl underpass_slot {
    pub(crate) fn is_pending(&self) -> bool {
        self.verdict == UNDERPASS_VERDICT_PENDING
    }

    /// Where the packet or datagram is in the buffer.
    #[inline]
    pub(crate) fn range(&self) -> core::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }

    /// Whether `source` can be told.
    #[inline]
    pub(crate) fn check_source(&self) -> Result<(), Status> {
        if self.ecn > 3 { Err(Status::Argument) } else { self.path.path().map(|_| ()) }
    }

    /// What the outer header of a datagram said.
    #[inline]
    pub(crate) fn source(&self) -> (Path, Ecn) {
        (self.path.path().unwrap_or(NOWHERE), Ecn::from_bits(self.ecn))
    }

    /// Tells C what the core says about a packet.
    #[inline]
    pub(crate) fn settle_packet(&mut self, verdict: &Outbound<Span>) {
        self.reason = 0;
        (self.peer, self.user) = (0, 0);
        match verdict {
            Outbound::Datagram { transmit, datagram } => {
                self.verdict = UNDERPASS_VERDICT_SEND;
                self.start = datagram.start;
                self.len = datagram.len;
                (self.peer, self.user) = (transmit.peer.to_u64(), transmit.user);
                self.ecn = transmit.ecn as u8;
                self.path = transmit.path.into();
            }
            Outbound::Bounce { reason, packet } => {
                self.verdict = UNDERPASS_VERDICT_BOUNCE;
                self.reason = *reason as u32;
                self.start = packet.start;
                self.len = packet.len;
            }
            Outbound::Staged => self.nothing(UNDERPASS_VERDICT_STAGED),
            Outbound::Dropped(reason) => self.dropped(*reason),
            // C has no word for it yet: nothing is sent.
            _ => self.dropped(DropReason::NoRoom),
        }
    }

    /// Tells C what the core says about a datagram.
    #[inline]
    pub(crate) fn settle_datagram(&mut self, verdict: &Inbound<Span>) {
        self.reason = 0;
        (self.peer, self.user) = (0, 0);
        match verdict {
            Inbound::Packet { peer, user, packet } => {
                self.verdict = UNDERPASS_VERDICT_DELIVER;
                self.start += packet.start;
                self.len = packet.len;
                (self.peer, self.user) = (peer.to_u64(), *user);
            }
            Inbound::Reply(reply) => {
                self.verdict = UNDERPASS_VERDICT_REPLY;
                self.len = reply.len;
                self.ecn = 0;
            }
            Inbound::Consumed => self.nothing(UNDERPASS_VERDICT_CONSUMED),
            Inbound::Dropped(reason) => self.dropped(*reason),
            // C has no word for it yet: nothing is delivered.
            _ => self.nothing(UNDERPASS_VERDICT_CONSUMED),
        }
    }

    fn dropped(&mut self, reason: DropReason) {
        self.nothing(UNDERPASS_VERDICT_DROPPED);
        self.reason = reason as u32;
    }

    fn nothing(&mut self, verdict: i32) {
        self.verdict = verdict;
        self.len = 0;
    }
}
