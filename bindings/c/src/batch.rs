//! B. The data plane: packets and datagrams in batches, in place.
use crate::address::underpass_path;
use crate::boundary::{enter, enter_marked, enter_tunnel};
use crate::handle::underpass_tunnel;
use crate::job::{Begun, Work, underpass_job};
use crate::memory::{Slots, Which};
use core::array;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Begin, DatagramSlot, PacketBuf, PacketSlot, Path, Verdict};
use underpass_core::{Instant, Status, Tunnel};

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

/// One packet or datagram of a batch. The memory of slot and buffer is the caller's. Never grows.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
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
    pub peer: u64,
    /// In: the path a datagram came by. Out, with UNDERPASS_VERDICT_SEND: the path it takes.
    pub path: underpass_path,
}

/// Slots that go to the core at a time: as many as it looks ahead.
const FEW: usize = 16;

/// Seals packets from the virtual interface, in place.
///
/// now: as in underpass_tunnel_new(). slots: len of them, UNDERPASS_MAX_BATCH at most; each says what became of its packet.
/// One call on a tunnel at a time. Then poll.
///
/// - UNDERPASS_OK: look at each verdict.
/// - UNDERPASS_E_ARGUMENT: start and len of a slot are beyond its cap, or slots are not aligned. UNDERPASS_E_OVERLAP: two
///   slots share memory. UNDERPASS_E_BATCH: too many slots. UNDERPASS_E_NULL, UNDERPASS_E_BUSY. Nothing was done: mend
///   the call.
/// - UNDERPASS_E_PANIC, UNDERPASS_E_POISONED: free the tunnel.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_packets(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    len: usize,
) -> i32 {
    enter_tunnel(tunnel, |caller, tunnel| {
        let (now, slots) = (Instant::from_nanos(now), caller.slots(slots, len, every)?);
        match len {
            1 => seal::<1>(tunnel, now, slots),
            _ => seal::<FEW>(tunnel, now, slots),
        }
        Ok(())
    })
}

/// Opens datagrams from the network, in place.
///
/// Parameters and statuses as those of underpass_handle_packets(). UNDERPASS_E_ARGUMENT is also that of a slot whose path
/// has no remote address or whose ecn is greater than 3.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_handle_datagrams(
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
            _ => open::<FEW>(tunnel, now, slots),
        }
        Ok(())
    })
}

/// The first of three steps that do what underpass_handle_packets() does, for many cores: routes, counts, and writes the
/// headers.
///
/// slots: as in underpass_handle_packets(). jobs: one for each slot, zeroed before its first use. Slots whose verdict is
/// UNDERPASS_VERDICT_PENDING have a job now, which underpass_crypt() is to run on any thread, and then
/// underpass_finish_packets() in the order of the packets; slots, buffers and jobs stay where they are until then. The
/// others are done. One call on a tunnel at a time. Then poll.
///
/// Statuses as those of underpass_handle_packets().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_begin_packets(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, mark| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, every)?;
        for ((slot, buf), job) in opened(slots).zip(jobs) {
            let packet = PacketBuf { packet: slot.range(), buf };
            match tunnel.begin_seal(Instant::from_nanos(now), packet) {
                Begin::Crypt(work) => slot.begin(job, mark, Work::Seal(work)),
                Begin::Done(verdict) => slot.done(job, &verdict),
            }
        }
        Ok(())
    })
}

/// The first of three steps that do what underpass_handle_datagrams() does, for many cores: finds the sessions. Handshake
/// messages are done with it.
///
/// Slots as in underpass_handle_datagrams(), the rest as in underpass_begin_packets(), with underpass_finish_datagrams().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_begin_datagrams(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, mark| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, every)?;
        slots.look().iter().try_for_each(underpass_slot::check_source)?;
        for ((slot, buf), job) in opened(slots).zip(jobs) {
            let (path, ecn) = slot.source();
            let datagram = buf.get_mut(slot.range()).unwrap_or_default();
            match tunnel.begin_open(Instant::from_nanos(now), path, ecn, datagram) {
                Begin::Crypt(work) => slot.begin(job, mark, Work::Open(work)),
                Begin::Done(verdict) => slot.done(job, &verdict),
            }
        }
        Ok(())
    })
}

/// The second of three steps: seals and opens what is begun. It needs no tunnel: any thread, any order, any part of a
/// batch; but one call for a slot.
///
/// slots, jobs: len of each, UNDERPASS_MAX_BATCH at most, as they were begun. Slots that are not pending are not looked at.
///
/// - UNDERPASS_OK: finish them.
/// - UNDERPASS_E_JOB: a pending slot has no job that was begun with it. Nothing was done; discard the jobs.
/// - UNDERPASS_E_NULL, UNDERPASS_E_ARGUMENT, UNDERPASS_E_OVERLAP, UNDERPASS_E_BATCH: nothing was done; mend the call.
/// - UNDERPASS_E_PANIC: discard the jobs.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_crypt(slots: *mut underpass_slot, jobs: *mut underpass_job, len: usize) -> i32 {
    enter(|caller| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, underpass_slot::is_pending)?;
        check_jobs(&slots, jobs, |_| true)?;
        for ((slot, buf), job) in slots.open().zip(jobs) {
            let (Some(buf), Some(begun)) = (buf, job.begun()) else { continue };
            if core::mem::replace(&mut begun.is_crypted, true) {
                continue;
            }
            match &mut begun.work {
                Work::Seal(work) => work.crypt(buf),
                Work::Open(work) => work.crypt(buf.get_mut(slot.range()).unwrap_or_default()),
            }
        }
        Ok(())
    })
}

/// The last of three steps for packets, in the order in which they were begun. The jobs are done and hold no keys any more.
///
/// slots, jobs: as in underpass_crypt(). One call on a tunnel at a time. Then poll.
///
/// - UNDERPASS_OK: look at each verdict.
/// - UNDERPASS_E_JOB: a pending slot has no job that was begun with it for packets by this tunnel, and crypted. Nothing
///   was done; discard the jobs.
/// - others as those of underpass_handle_packets().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_finish_packets(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, mark| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, underpass_slot::is_pending)?;
        check_jobs(&slots, jobs, |begun| begun.is_ready(mark) && matches!(begun.work, Work::Seal(_)))?;
        for ((slot, buf), job) in slots.open().zip(jobs) {
            if buf.is_none() {
                continue;
            }
            if let Some(Work::Seal(work)) = job.finish() {
                slot.settle(&tunnel.finish_seal(Instant::from_nanos(now), work));
            }
        }
        Ok(())
    })
}

/// The last of three steps for datagrams, in the order in which they were begun. Parameters and statuses as those of
/// underpass_finish_packets().
#[unsafe(no_mangle)]
pub extern "C" fn underpass_finish_datagrams(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, mark| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, underpass_slot::is_pending)?;
        check_jobs(&slots, jobs, |begun| begun.is_ready(mark) && matches!(begun.work, Work::Open(_)))?;
        for ((slot, buf), job) in slots.open().zip(jobs) {
            let Some(buf) = buf else { continue };
            if let Some(Work::Open(work)) = job.finish() {
                let datagram = buf.get_mut(slot.range()).unwrap_or_default();
                slot.settle(&tunnel.finish_open(Instant::from_nanos(now), work, datagram));
            }
        }
        Ok(())
    })
}

/// Wipes jobs that will not be finished. What they were begun for is lost, as a datagram is on its way.
///
/// jobs: len of them, UNDERPASS_MAX_BATCH at most, in any state. Any thread, but none that crypts or finishes them.
///
/// - UNDERPASS_OK: they are gone.
/// - UNDERPASS_E_NULL, UNDERPASS_E_ARGUMENT, UNDERPASS_E_BATCH: mend the call.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_discard_jobs(jobs: *mut underpass_job, len: usize) -> i32 {
    enter(|caller| {
        caller.jobs(jobs, len)?.iter_mut().for_each(underpass_job::wipe);
        Ok(())
    })
}

/// Stands where no datagram came from.
const NOWHERE: Path = Path { remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), local: None };

const fn every(_: &underpass_slot) -> bool {
    true
}

/// All slots with their buffers, when every slot is looked at.
#[inline]
fn opened<'c, W: Which>(slots: Slots<'c, W>) -> impl Iterator<Item = (&'c mut underpass_slot, &'c mut [u8])> {
    slots.open().map(|(slot, buf)| (slot, buf.unwrap_or_default()))
}

/// Seals the packets, `N` at a time. The core's slots are made once and filled again, for they are large.
#[inline]
fn seal<const N: usize>(tunnel: &mut Tunnel, now: Instant, slots: Slots<'_, impl Which>) {
    let mut slots = opened(slots);
    let mut heads = [const { None::<&mut underpass_slot> }; N];
    let mut few: [_; N] =
        array::from_fn(|_| PacketSlot { packet: PacketBuf { buf: &mut [], packet: 0..0 }, verdict: Verdict::Pending });
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
            head.take().into_iter().for_each(|slot| slot.settle(&done.verdict));
        }
    }
}

/// Opens the datagrams, `N` at a time, as `seal` seals packets.
#[inline]
fn open<const N: usize>(tunnel: &mut Tunnel, now: Instant, slots: Slots<'_, impl Which>) {
    let mut slots = opened(slots);
    let mut heads = [const { None::<&mut underpass_slot> }; N];
    let mut few: [_; N] = array::from_fn(|_| DatagramSlot {
        path: NOWHERE,
        ecn: Ecn::NotCapable,
        datagram: &mut [],
        verdict: Verdict::Pending,
    });
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
            head.take().into_iter().for_each(|slot| slot.settle(&done.verdict));
        }
    }
}

/// Whether every pending slot has its job, and `fits` likes it.
fn check_jobs(
    slots: &Slots<'_, impl Which>,
    jobs: &mut [underpass_job],
    fits: impl Fn(&Begun) -> bool,
) -> Result<(), Status> {
    let mut pending = slots.look().iter().zip(jobs).filter(|(slot, _)| slot.is_pending());
    let has_job = |slot: &underpass_slot, job: &mut underpass_job| {
        job.begun().is_some_and(|begun| begun.buffer == slot.buf.addr() && fits(begun))
    };
    if pending.all(|(slot, job)| has_job(slot, job)) { Ok(()) } else { Err(Status::Job) }
}

impl Begun {
    /// Whether the tunnel of this mark may finish it.
    fn is_ready(&self, mark: u64) -> bool {
        self.is_crypted && self.mark == mark
    }
}

impl underpass_slot {
    fn is_pending(&self) -> bool {
        self.verdict == UNDERPASS_VERDICT_PENDING
    }

    /// Where the packet or datagram is in the buffer.
    #[inline]
    fn range(&self) -> core::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }

    /// Whether `source` can be told.
    #[inline]
    fn check_source(&self) -> Result<(), Status> {
        if self.ecn > 3 { Err(Status::Argument) } else { self.path.path().map(|_| ()) }
    }

    /// What the outer header of a datagram said.
    #[inline]
    fn source(&self) -> (Path, Ecn) {
        (self.path.path().unwrap_or(NOWHERE), Ecn::from_bits(self.ecn))
    }

    fn begin(&mut self, job: &mut underpass_job, mark: u64, work: Work) {
        job.begin(mark, self.buf, work);
        self.verdict = UNDERPASS_VERDICT_PENDING;
    }

    fn done(&mut self, job: &mut underpass_job, verdict: &Verdict) {
        job.wipe();
        self.settle(verdict);
    }

    /// Tells C what the core says.
    #[inline]
    fn settle(&mut self, verdict: &Verdict) {
        self.reason = 0;
        self.peer = 0;
        match verdict {
            Verdict::Send { transmit, start } => {
                self.verdict = UNDERPASS_VERDICT_SEND;
                self.start = *start;
                self.len = transmit.len as u32;
                self.peer = transmit.peer.map_or(0, |peer| peer.to_u64());
                self.ecn = transmit.ecn as u8;
                self.path = transmit.path.into();
            }
            Verdict::Deliver { peer, start, len } => {
                self.verdict = UNDERPASS_VERDICT_DELIVER;
                self.start += start;
                self.len = *len;
                self.peer = peer.to_u64();
            }
            Verdict::Reply { len } => {
                self.verdict = UNDERPASS_VERDICT_REPLY;
                self.len = *len;
                self.ecn = 0;
            }
            Verdict::Bounce { reason, start, len } => {
                self.verdict = UNDERPASS_VERDICT_BOUNCE;
                self.reason = *reason as u32;
                self.start = *start;
                self.len = *len;
            }
            Verdict::Consumed => self.nothing(UNDERPASS_VERDICT_CONSUMED),
            Verdict::Staged => self.nothing(UNDERPASS_VERDICT_STAGED),
            Verdict::Dropped(reason) => {
                self.nothing(UNDERPASS_VERDICT_DROPPED);
                self.reason = *reason as u32;
            }
            // The core looks at every slot.
            Verdict::Pending => self.nothing(UNDERPASS_VERDICT_DROPPED),
        }
    }

    fn nothing(&mut self, verdict: i32) {
        self.verdict = verdict;
        self.len = 0;
    }
}
