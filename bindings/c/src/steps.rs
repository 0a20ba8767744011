//! B. The data plane in three steps, for many cores: begin and finish with the tunnel, crypt without.
use crate::batch::{UNDERPASS_VERDICT_PENDING, every, opened, underpass_slot};
use crate::boundary::{enter, enter_marked};
use crate::fork::number_of_this;
use crate::handle::{Marks, underpass_tunnel};
use crate::job::{Begun, Work, underpass_job};
use crate::memory::{Slots, Which};
use underpass_core::tunnel::{Begin, PacketBuf};
use underpass_core::{Instant, Status};

/// The first of three steps that do what underpass_tunnel_handle_packets() does, for many cores: finds the sessions,
/// counts, writes the headers. Then poll.
/// - jobs: one for each slot. Slots that are UNDERPASS_VERDICT_PENDING have one now, which underpass_jobs_crypt() is to
///   run, and then underpass_tunnel_finish_packets(), in the order of the packets. Do with the others what their
///   verdicts say.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_begin_packets(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, marks| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, every)?;
        for ((slot, buf), job) in opened(slots).zip(jobs) {
            let packet = PacketBuf { packet: slot.range(), buf };
            match tunnel.begin_seal(Instant::from_nanos(now), packet) {
                Begin::Crypt(work) => slot.begin(buf, job, marks, Work::Seal(work)),
                Begin::Done(verdict) => {
                    job.wipe();
                    slot.settle_packet(&verdict);
                }
            }
        }
        Ok(())
    })
}

/// The first of three steps that do what underpass_tunnel_handle_datagrams() does, for many cores: finds the sessions.
/// Handshake messages are done with it. Then poll.
/// - jobs: as of underpass_tunnel_begin_packets(); underpass_tunnel_finish_datagrams() comes last.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_begin_datagrams(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, marks| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, every)?;
        slots.look().iter().try_for_each(underpass_slot::check_source)?;
        for ((slot, buf), job) in opened(slots).zip(jobs) {
            let (path, ecn) = slot.source();
            let datagram = buf.get_mut(slot.range()).unwrap_or_default();
            match tunnel.begin_open(Instant::from_nanos(now), path, ecn, datagram) {
                Begin::Crypt(work) => slot.begin(buf, job, marks, Work::Open(work)),
                Begin::Done(verdict) => {
                    job.wipe();
                    slot.settle_datagram(&verdict);
                }
            }
        }
        Ok(())
    })
}

/// The second of three steps: seals and opens what is begun, in both directions. It needs no tunnel: any threads may do
/// it, in any order, with any part of a batch, but one call for a slot and its job at a time.
/// - slots, jobs: len of each, as they were begun. Slots that are not UNDERPASS_VERDICT_PENDING are not looked at.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_jobs_crypt(slots: *mut underpass_slot, jobs: *mut underpass_job, len: usize) -> i32 {
    enter(|caller| {
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, underpass_slot::is_pending)?;
        // There is no tunnel here that could tell, so the system is asked, once for all jobs.
        let process = number_of_this();
        check_jobs(&slots, jobs, |begun| begun.process == process)?;
        for ((slot, buf), job) in slots.open().zip(jobs) {
            let (Some(buf), Some(begun)) = (buf, job.begun()) else { continue };
            begun.work.crypt(buf, slot.range());
        }
        Ok(())
    })
}

/// The last of three steps for packets, in the order in which they were begun. Slots that are not
/// UNDERPASS_VERDICT_PENDING are not looked at. The jobs hold no keys any more. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_finish_packets(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    finish(tunnel, now, slots, jobs, len, |work| matches!(work, Work::Sealed(_)))
}

/// The last of three steps for datagrams, as underpass_tunnel_finish_packets() is for packets. Then poll.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_tunnel_finish_datagrams(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
) -> i32 {
    finish(tunnel, now, slots, jobs, len, |work| matches!(work, Work::Opened(_)))
}

/// Wipes jobs that will not be finished, in any state. What they were begun for is lost, as a datagram may be on its
/// way. Any thread may do it, but none may crypt or finish them meanwhile.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_jobs_discard(jobs: *mut underpass_job, len: usize) -> i32 {
    enter(|caller| {
        caller.jobs(jobs, len)?.iter_mut().for_each(underpass_job::wipe);
        Ok(())
    })
}

/// The last step of crypted jobs that `fits` likes.
fn finish(
    tunnel: *mut underpass_tunnel,
    now: u64,
    slots: *mut underpass_slot,
    jobs: *mut underpass_job,
    len: usize,
    fits: impl Fn(&Work) -> bool,
) -> i32 {
    enter_marked(tunnel, |caller, tunnel, Marks { jobs: mark, .. }| {
        let now = Instant::from_nanos(now);
        let (slots, jobs) = caller.slots_with_jobs(slots, jobs, len, underpass_slot::is_pending)?;
        check_jobs(&slots, jobs, |begun| begun.mark == mark && fits(&begun.work))?;
        for ((slot, buf), job) in slots.open().zip(jobs) {
            let Some(buf) = buf else { continue };
            let Some(work) = job.finish() else { continue };
            match work {
                Work::Sealed(sealed) => slot.settle_packet(&tunnel.finish_seal(now, sealed).0),
                Work::Opened(opened) => {
                    let datagram = buf.get_mut(slot.range()).unwrap_or_default();
                    slot.settle_datagram(&tunnel.finish_open(now, opened.attach(datagram)).0);
                }
                Work::Seal(_) | Work::Open(_) | Work::Lost => {}
            }
        }
        Ok(())
    })
}

/// Whether every pending slot has its job, and `fits` likes it.
fn check_jobs(
    slots: &Slots<'_, impl Which>,
    jobs: &mut [underpass_job],
    fits: impl Fn(&Begun) -> bool,
) -> Result<(), Status> {
    for (at, slot, buf) in slots.look_inside().filter(|(_, slot, _)| slot.is_pending()) {
        let begun = jobs.get_mut(at).and_then(underpass_job::begun);
        if begun.is_none_or(|begun| !begun.belongs_to(slot, buf) || !fits(begun)) {
            return Err(Status::Job);
        }
    }
    Ok(())
}

impl underpass_slot {
    fn begin(&mut self, buf: &[u8], job: &mut underpass_job, marks: Marks, work: Work) {
        job.begin(marks.jobs, marks.process, self, buf, work);
        self.verdict = UNDERPASS_VERDICT_PENDING;
    }
}
