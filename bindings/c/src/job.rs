//! The crypt step of one slot, kept in memory of C between begin and finish.
use crate::batch::underpass_slot;
use crate::words::UNDERPASS_HEADROOM;
use core::ops::Range;
use core::{mem, ptr};
use underpass_core::tunnel::{OpenJob, Opened, SealJob, Sealed};
use zeroize::Zeroize;

/// What is in a job: `tag ^ its address` tells it from zeros, from what is done and from a copy made elsewhere.
const TAG: u64 = 0x756e_6465_7270_6173;

/// One packet or datagram between begin and finish: an array of as many as there are slots, zeroed before its first use.
/// Do not move slots, buffers and jobs until they are finished or discarded; a job holds a key until then.
#[repr(C)]
pub struct underpass_job {
    /// Not for the caller.
    pub opaque: [u64; 24],
}

/// What is to be crypted, or is. The buffer stays with the caller, so that no job holds it.
pub(crate) enum Work {
    Seal(SealJob),
    Sealed(Sealed<()>),
    Open(OpenJob),
    Opened(Opened<()>),
    /// The crypt step took it and did not return.
    Lost,
}

impl Work {
    /// Crypts what is not crypted yet: `buf` is the buffer, `datagram` what of it is to be opened.
    pub(crate) fn crypt(&mut self, buf: &mut [u8], datagram: Range<usize>) {
        *self = match mem::replace(self, Self::Lost) {
            Self::Seal(job) => Self::Sealed(job.crypt(buf).detach().0),
            Self::Open(job) => Self::Opened(job.crypt(buf.get_mut(datagram).unwrap_or_default()).detach().0),
            done => done,
        };
    }
}

/// A job as it lies in the opaque words.
#[repr(C)]
pub(crate) struct Begun {
    tag: u64,
    /// The mark of the tunnel that began it.
    pub(crate) mark: u64,
    /// The process that began it: the child of a fork must not seal what its parent seals.
    pub(crate) process: u32,
    /// The buffer it was begun with.
    buffer: usize,
    /// The header of its datagram, which a buffer that was filled anew meanwhile does not have.
    header: [u8; UNDERPASS_HEADROOM as usize],
    pub(crate) work: Work,
}

impl Begun {
    /// Whether it was begun with this slot and what is in its buffer.
    pub(crate) fn belongs_to(&self, slot: &underpass_slot, buf: &[u8]) -> bool {
        self.buffer == slot.buf.addr() && header_of(&self.work, slot, buf) == Some(self.header)
    }
}

/// The header of the datagram in the buffer of a pending slot.
fn header_of(work: &Work, slot: &underpass_slot, buf: &[u8]) -> Option<[u8; UNDERPASS_HEADROOM as usize]> {
    let start = match work {
        Work::Seal(_) | Work::Sealed(_) => slot.start.checked_sub(UNDERPASS_HEADROOM)?,
        Work::Open(_) | Work::Opened(_) | Work::Lost => slot.start,
    };
    buf.get(start as usize..)?.first_chunk().copied()
}

// There is room to grow: callers have compiled the size in.
const _: () = assert!(size_of::<Begun>() <= size_of::<underpass_job>());
const _: () = assert!(align_of::<Begun>() <= align_of::<underpass_job>());

impl underpass_job {
    /// Begins a job, whatever was there before.
    pub(crate) fn begin(&mut self, mark: u64, process: u32, slot: &underpass_slot, buf: &[u8], work: Work) {
        self.wipe();
        let header = header_of(&work, slot, buf).unwrap_or_default();
        let begun = Begun { tag: self.own_tag(), mark, process, buffer: slot.buf.addr(), header, work };
        // SAFETY: it fits, in size and alignment, and it is not dropped there but by `finish` or, having no more than
        // bytes to its name, by `wipe`.
        unsafe { ptr::from_mut(self).cast::<Begun>().write(begun) };
    }

    /// The job, if one was begun here and is not done.
    pub(crate) fn begun(&mut self) -> Option<&mut Begun> {
        let [tag, ..] = self.opaque;
        // SAFETY: this tag is written by `begin` alone, here alone, and wiped when the job is done.
        (tag == self.own_tag()).then(|| unsafe { &mut *ptr::from_mut(self).cast::<Begun>() })
    }

    /// Takes the job out; nothing of it stays.
    pub(crate) fn finish(&mut self) -> Option<Work> {
        let begun = self.begun()?;
        // SAFETY: it is read once, for its tag goes with the next line, and dropped by who gets it.
        let Begun { work, .. } = unsafe { ptr::read(begun) };
        self.wipe();
        Some(work)
    }

    /// Overwrites whatever is there.
    pub(crate) fn wipe(&mut self) {
        self.opaque.zeroize();
    }

    fn own_tag(&self) -> u64 {
        TAG ^ ptr::from_ref(self).addr() as u64
    }
}
