//! Memory that belongs to C. Only here is it read and written.
//!
//! What comes from C is copied, what goes there is copied, byte by byte, so that neither alignment nor two pointers to one
//! place matter. Exceptions, for the sake of speed: texts, which are borrowed until they are read; and the slots and jobs
//! of a batch with the buffers behind them, which are borrowed after it is certain that they share nothing.
use crate::batch::underpass_slot;
use crate::job::underpass_job;
use crate::overlap::{check_buffers, extent_of, meet};
use crate::words::UNDERPASS_MAX_BATCH;
use core::ffi::c_char;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use underpass_core::Status;
use zeroize::Zeroize;

/// No struct of the interface comes near this size.
const MAX_RECORD: usize = 4096;

/// The caller of one entry, and the promise of the header: what a pointer of this call points to is there, as large as
/// the call says, and left alone by others until the call returns. Whatever is borrowed from it lives as long as the
/// call.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'c>(PhantomData<&'c mut &'c ()>);

/// A struct that may grow. Its first field is `size: u32`, what the caller takes the struct's size for.
///
/// # Safety
/// The type is `repr(C)`, has no padding, and any bytes make a value of it.
pub(crate) unsafe trait Record: Copy {
    /// Bytes of its first version. Once it has grown: the offset of the first field that was added.
    const FIRST: usize = size_of::<Self>();
}

macro_rules! records {
    ($($name:path $(, grown at $field:ident)?;)*) => {$(
        const _: () = assert!(core::mem::offset_of!($name, size) == 0);
        // SAFETY: numbers, arrays of them and pointers; `layout/print.rs` adds up their sizes.
        unsafe impl Record for $name {
            $(const FIRST: usize = core::mem::offset_of!($name, $field);)?
        }
    )*};
}
records! {
    crate::config::underpass_diagnostic;
    crate::config::underpass_interface;
    crate::options::underpass_options, grown at padding;
    crate::configure::underpass_peer_change, grown at user;
    crate::configure::underpass_layout;
    crate::uapi::underpass_uapi_result;
    crate::drain::underpass_transmit, grown at user;
    crate::drain::underpass_event, grown at user;
    crate::peers::underpass_peer_info, grown at user;
    crate::peers::underpass_stats, grown at send_errors;
}

/// A number, an array of bytes or a struct of them: any bytes make a value of it.
///
/// # Safety
/// As it says.
pub(crate) unsafe trait Plain: Copy {}
macro_rules! plain {
    ($($name:ty,)*) => {$(
        // SAFETY: numbers, arrays of them and pointers.
        unsafe impl Plain for $name {}
    )*};
}
plain! {
    u8, u16, u32, u64, usize, *const c_char, [u8; 12], [u8; 32],
    *mut crate::handle::underpass_tunnel,
    *mut crate::config::underpass_config,
    crate::address::underpass_ip,
    crate::address::underpass_address,
    crate::address::underpass_path,
    crate::configure::underpass_allowed_ip,
}

impl<'c> Caller<'c> {
    /// Runs one entry. Nothing borrowed from C leaves it.
    pub(crate) fn attend<R>(body: impl for<'a> FnOnce(Caller<'a>) -> R) -> R {
        body(Caller(PhantomData))
    }

    /// A value behind a pointer.
    pub(crate) fn read<T: Plain>(self, from: *const T) -> Result<T, Status> {
        let from = present(from)?;
        // SAFETY: the header promises a readable T there; any bytes make one, at any address.
        Ok(unsafe { from.read_unaligned() })
    }

    /// Room for a value.
    pub(crate) fn out<T: Plain>(self, to: *mut T) -> Result<Out<'c, T>, Status> {
        Ok(Out { to: present(to)?, borrowed: PhantomData })
    }

    /// A struct as its caller knows it: fields that he does not know are those of `defaults`; what this library does not
    /// know must be zero.
    pub(crate) fn record<T: Record>(self, from: *const T, defaults: T) -> Result<Copied<T>, Status> {
        let from = present(from)?;
        let size = record_size(from)?;
        let known = size.min(size_of::<T>());
        // SAFETY: the header promises `size` readable bytes.
        let unknown = unsafe { core::slice::from_raw_parts(from.as_ptr().cast::<u8>().add(known), size - known) };
        if unknown.iter().any(|byte| *byte != 0) {
            return Err(Status::Size);
        }
        let mut record = Copied(MaybeUninit::new(defaults));
        // SAFETY: `known` bytes are readable there and fit a T, of which any bytes make one.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr().cast::<u8>(), record.0.as_mut_ptr().cast(), known) };
        Ok(record)
    }

    /// Room for a struct, whose size the caller has set.
    pub(crate) fn record_out<T: Record>(self, to: *mut T) -> Result<RecordOut<'c, T>, Status> {
        let to = present(to)?;
        Ok(RecordOut { to, size: record_size(to)?, borrowed: PhantomData })
    }

    /// Makes a struct of `size` bytes what its caller is to start from: `defaults`, and zeros behind them.
    pub(crate) fn init<T: Record>(self, to: *mut T, size: u32, defaults: T) -> Result<(), Status> {
        let to = present(to)?.cast::<u8>();
        let size = checked_size::<T>(size)?;
        let known = size.min(size_of::<T>());
        // SAFETY: the caller says that there are `size` writable bytes.
        unsafe {
            ptr::copy_nonoverlapping((&raw const defaults).cast::<u8>(), to.as_ptr(), known);
            to.add(known).write_bytes(0, size - known);
        }
        Ok(())
    }

    /// Bytes; NULL for none of them is fine.
    pub(crate) fn bytes(self, from: *const u8, len: usize) -> Result<&'c [u8], Status> {
        if len == 0 {
            return Ok(&[]);
        }
        let from = present(from)?;
        if isize::try_from(len).is_err() {
            return Err(Status::Argument);
        }
        // SAFETY: the header promises `len` readable bytes, which nobody changes before the call returns; nothing is
        // written to C's memory while they are borrowed but by the entries that have read them already.
        Ok(unsafe { core::slice::from_raw_parts(from.as_ptr(), len) })
    }

    /// Room for so many values.
    pub(crate) fn outs<T: Plain>(self, to: *mut T, len: usize) -> Result<ListOut<'c, T>, Status> {
        Ok(ListOut { to: array(to, len, size_of::<T>())?, cap: len, asks: false, len: None })
    }

    /// Text of `len` bytes.
    pub(crate) fn text(self, from: *const c_char, len: usize) -> Result<&'c str, Status> {
        core::str::from_utf8(self.bytes(from.cast(), len)?).map_err(|_| Status::Argument)
    }

    /// Text up to its NUL, of at most `most` bytes; NULL is none.
    pub(crate) fn word(self, from: *const c_char, most: usize) -> Result<Option<&'c str>, Status> {
        let Some(from) = NonNull::new(from.cast_mut()) else { return Ok(None) };
        // SAFETY: the header promises text that ends with a NUL; no byte behind it is read.
        let len = (0..=most).find(|at| unsafe { from.add(*at).read() } == 0).ok_or(Status::Argument)?;
        self.text(from.as_ptr(), len).map(Some)
    }

    /// Copies of the values of an array.
    pub(crate) fn list<T: Plain + 'c>(
        self,
        from: *const T,
        len: usize,
    ) -> Result<impl Iterator<Item = T> + 'c, Status> {
        let from = array(from, len, size_of::<T>())?;
        // SAFETY: the header promises `len` readable values.
        Ok((0..len).map(move |at| unsafe { from.add(at).read_unaligned() }))
    }

    /// Copies of the structs of an array, all of the size of the first.
    pub(crate) fn records<T: Record + 'c>(
        self,
        from: *const T,
        len: usize,
        defaults: T,
    ) -> Result<impl Iterator<Item = Result<Copied<T>, Status>> + 'c, Status> {
        let stride = if len == 0 { 0 } else { record_size(present(from)?)? };
        let from = array(from.cast::<u8>(), len, stride)?;
        Ok((0..len).map(move |at| {
            // SAFETY: the header promises `len` structs of the size of the first.
            let one = unsafe { from.add(at * stride) }.cast::<T>();
            if record_size(one)? == stride { self.record(one.as_ptr(), defaults) } else { Err(Status::Size) }
        }))
    }

    /// Room for an array, and for the number of its values.
    pub(crate) fn list_out<T: Plain>(self, to: *mut T, cap: usize, len: *mut usize) -> Result<ListOut<'c, T>, Status> {
        let asks = to.is_null() && cap == 0;
        Ok(ListOut { to: if asks { NonNull::dangling() } else { present(to)? }, cap, asks, len: Some(self.out(len)?) })
    }

    /// Room for text with its NUL, and for its length without.
    pub(crate) fn text_out(self, to: *mut c_char, cap: usize, len: *mut usize) -> Result<TextOut<'c>, Status> {
        let asks = to.is_null() && cap == 0;
        let to = if asks { NonNull::dangling() } else { present(to)? };
        Ok(TextOut { to, cap, asks, len: Some(self.out(len)?) })
    }

    /// Room for text with its NUL, whose length the caller knows.
    pub(crate) fn word_out(self, to: *mut c_char, cap: usize) -> Result<TextOut<'c>, Status> {
        let to = if cap == 0 { NonNull::dangling() } else { present(to)? };
        Ok(TextOut { to, cap, asks: false, len: None })
    }

    /// Memory to write a datagram to.
    pub(crate) fn buffer(self, to: *mut u8, cap: usize) -> Result<&'c mut [u8], Status> {
        let to = array(present(to)?.as_ptr(), cap, 1)?;
        // SAFETY: the header promises `cap` writable bytes, which nobody else uses before the call returns.
        Ok(unsafe { core::slice::from_raw_parts_mut(to.as_ptr(), cap) })
    }

    /// Overwrites memory with zeros, in a way that is not optimised away.
    pub(crate) fn wipe(self, memory: *mut u8, len: usize) -> Result<(), Status> {
        if len == 0 {
            return Ok(());
        }
        let memory = array(memory, len, 1)?;
        // SAFETY: the header promises `len` writable bytes, which may be uninitialised.
        let bytes = unsafe { core::slice::from_raw_parts_mut(memory.cast::<MaybeUninit<u8>>().as_ptr(), len) };
        bytes.zeroize();
        Ok(())
    }

    /// The slots of a batch. `which` of them are looked at: their buffers are there and share nothing.
    #[inline]
    pub(crate) fn slots<W: Which>(
        self,
        slots: *mut underpass_slot,
        len: usize,
        which: W,
    ) -> Result<Slots<'c, W>, Status> {
        let slots = self.aligned(slots, len)?;
        check_buffers(slots, which, &[extent_of(slots.as_ptr(), len)])?;
        Ok(Slots { slots, which })
    }

    /// The slots of a batch with a job for each.
    pub(crate) fn slots_with_jobs<W: Which>(
        self,
        slots: *mut underpass_slot,
        jobs: *mut underpass_job,
        len: usize,
        which: W,
    ) -> Result<(Slots<'c, W>, &'c mut [underpass_job]), Status> {
        let (slots_at, jobs_at) = (batch_of(slots, len)?, batch_of(jobs, len)?);
        let (slots_at, jobs_at) = (extent_of(slots_at.as_ptr(), len), extent_of(jobs_at.as_ptr(), len));
        if meet(&slots_at, &jobs_at) {
            return Err(Status::Overlap);
        }
        let (slots, jobs) = (self.aligned(slots, len)?, self.aligned(jobs, len)?);
        check_buffers(slots, which, &[slots_at, jobs_at])?;
        Ok((Slots { slots, which }, jobs))
    }

    /// The jobs of a batch.
    pub(crate) fn jobs(self, jobs: *mut underpass_job, len: usize) -> Result<&'c mut [underpass_job], Status> {
        self.aligned(jobs, len)
    }

    /// An array of a batch, used where it lies.
    fn aligned<T: Element>(self, from: *mut T, len: usize) -> Result<&'c mut [T], Status> {
        let from = batch_of(from, len)?;
        // SAFETY: the header promises `len` of them, which nobody else uses before the call returns; any bytes make one.
        Ok(unsafe { core::slice::from_raw_parts_mut(from.as_ptr(), len) })
    }
}

/// What batches are arrays of: any bytes make one.
trait Element {}
impl Element for underpass_slot {}
impl Element for underpass_job {}

/// Slots whose buffers share nothing with each other, with the slots, or with the jobs beside them.
pub(crate) struct Slots<'c, W> {
    slots: &'c mut [underpass_slot],
    which: W,
}

/// Tells the slots of a batch that are looked at, the same ones as long as nobody changes them.
pub(crate) trait Which: Fn(&underpass_slot) -> bool + Copy {}
impl<W: Fn(&underpass_slot) -> bool + Copy> Which for W {}

impl<'c, W: Which> Slots<'c, W> {
    /// All slots.
    pub(crate) fn look(&self) -> &[underpass_slot] {
        self.slots
    }

    /// The slots that are looked at, each with its place in the batch and its buffer.
    pub(crate) fn look_inside(&self) -> impl Iterator<Item = (usize, &underpass_slot, &[u8])> {
        let looked_at = self.slots.iter().enumerate().filter(|(_, slot)| (self.which)(slot));
        // SAFETY: `check_buffers` has found `cap` bytes there, apart from all else that is borrowed in this call, and nobody
        // has changed the slot since; they are given up before `open` hands them out.
        looked_at.map(|(at, slot)| (at, slot, unsafe { core::slice::from_raw_parts(slot.buf, slot.cap as usize) }))
    }

    /// Every slot with its buffer, in order; `None` for those that are not looked at.
    #[inline]
    pub(crate) fn open(self) -> impl Iterator<Item = (&'c mut underpass_slot, Option<&'c mut [u8]>)> {
        let which = self.which;
        self.slots.iter_mut().map(move |slot| {
            // SAFETY: `check_buffers` has found `cap` bytes there, apart from all else that is borrowed in this call, and
            // nobody has changed the slot since; each buffer is handed out once.
            let buffer = which(slot).then(|| unsafe { core::slice::from_raw_parts_mut(slot.buf, slot.cap as usize) });
            (slot, buffer)
        })
    }
}

/// A copy of a struct of C, wiped when it is dropped: there may be a key in it.
pub(crate) struct Copied<T: Record>(MaybeUninit<T>);

impl<T: Record> Deref for Copied<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: it was initialised, and any bytes make a T.
        unsafe { self.0.assume_init_ref() }
    }
}

impl<T: Record> Drop for Copied<T> {
    fn drop(&mut self) {
        core::slice::from_mut(&mut self.0).zeroize();
    }
}

/// Room for one value.
pub(crate) struct Out<'c, T> {
    to: NonNull<T>,
    borrowed: PhantomData<&'c mut T>,
}

impl<T: Plain> Out<'_, T> {
    /// Hands the value out.
    pub(crate) fn put(self, value: T) {
        // SAFETY: the header promises a writable T there.
        unsafe { self.to.write_unaligned(value) };
    }
}

/// Room for one struct, as large as its caller knows it.
pub(crate) struct RecordOut<'c, T> {
    to: NonNull<T>,
    size: usize,
    borrowed: PhantomData<&'c mut T>,
}

impl<T: Record> RecordOut<'_, T> {
    /// Hands the struct out, its size field left as the caller has set it.
    pub(crate) fn put(self, value: T) {
        let value = Copied(MaybeUninit::new(value));
        let known = self.size.min(size_of::<T>());
        let (from, to) = (value.0.as_ptr().cast::<u8>(), self.to.as_ptr().cast::<u8>());
        // SAFETY: `size` bytes are writable there and at least four were checked.
        unsafe {
            ptr::copy_nonoverlapping(from.add(size_of::<u32>()), to.add(size_of::<u32>()), known - size_of::<u32>())
        };
    }
}

/// Room for an array.
pub(crate) struct ListOut<'c, T> {
    to: NonNull<T>,
    cap: usize,
    asks: bool,
    len: Option<Out<'c, usize>>,
}

impl<T: Plain> ListOut<'_, T> {
    /// Hands out all values, or their number alone if that is asked for or there is too little room. `items` is called
    /// twice.
    pub(crate) fn put<I: Iterator<Item = T>>(self, items: impl Fn() -> I) -> Result<(), Status> {
        let count = items().count();
        if !self.asks && count > self.cap {
            self.len.into_iter().for_each(|len| len.put(count));
            return Err(Status::Buffer);
        }
        self.put_what_fits(items);
        Ok(())
    }

    /// Hands out as many values as there is room for, and the number of all.
    pub(crate) fn put_what_fits<I: Iterator<Item = T>>(self, items: impl Fn() -> I) {
        let mut count = 0;
        for item in items() {
            if count < self.cap {
                // SAFETY: the header promises room for `cap` values.
                unsafe { self.to.add(count).write_unaligned(item) };
            }
            count += 1;
        }
        if let Some(len) = self.len {
            len.put(count);
        }
    }
}

/// Room for text.
pub(crate) struct TextOut<'c> {
    to: NonNull<c_char>,
    cap: usize,
    asks: bool,
    len: Option<Out<'c, usize>>,
}

impl TextOut<'_> {
    /// Hands the text out, or its length alone if that is asked for or there is too little room. `write` is called twice, so
    /// that it is measured first.
    pub(crate) fn put(self, write: impl Fn(&mut Sink) -> fmt::Result) -> Result<(), Status> {
        let mut measured = Sink { to: None, left: usize::MAX, len: 0 };
        write(&mut measured).map_err(|_| Status::Buffer)?;
        if !self.asks {
            let Some(room) = self.cap.checked_sub(1).filter(|room| measured.len <= *room) else {
                self.len.into_iter().for_each(|len| len.put(measured.len));
                return Err(Status::Buffer);
            };
            let mut sink = Sink { to: Some(self.to.cast()), left: room, len: 0 };
            write(&mut sink).map_err(|_| Status::Buffer)?;
            // SAFETY: `len <= room < cap`, and the header promises `cap` writable bytes.
            unsafe { self.to.add(sink.len).write(0) };
        }
        if let Some(len) = self.len {
            len.put(measured.len);
        }
        Ok(())
    }
}

/// Where text is written, or only measured.
pub(crate) struct Sink {
    to: Option<NonNull<u8>>,
    left: usize,
    len: usize,
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        if let Some(to) = self.to {
            // SAFETY: `left` was the room behind `to + len`; the text is Rust's own.
            unsafe { ptr::copy_nonoverlapping(text.as_ptr(), to.as_ptr().add(self.len), text.len()) };
        }
        self.len += text.len();
        Ok(())
    }
}

pub(crate) fn present<T>(pointer: *const T) -> Result<NonNull<T>, Status> {
    NonNull::new(pointer.cast_mut()).ok_or(Status::Null)
}

/// An array whose end can be counted.
fn array<T>(from: *const T, len: usize, stride: usize) -> Result<NonNull<T>, Status> {
    if len == 0 {
        return Ok(NonNull::dangling());
    }
    let from = present(from)?;
    let bytes = len.checked_mul(stride).filter(|bytes| isize::try_from(*bytes).is_ok());
    bytes.and_then(|bytes| from.addr().get().checked_add(bytes)).map(|_| from).ok_or(Status::Argument)
}

/// An array of a batch.
fn batch_of<T: Element>(from: *mut T, len: usize) -> Result<NonNull<T>, Status> {
    if len > UNDERPASS_MAX_BATCH as usize {
        return Err(Status::Batch);
    }
    let from = array(from, len, size_of::<T>())?;
    if from.is_aligned() { Ok(from) } else { Err(Status::Argument) }
}

/// The size that a caller gives his struct.
fn record_size<T: Record>(from: NonNull<T>) -> Result<usize, Status> {
    // SAFETY: the header promises a struct whose first field is set.
    checked_size::<T>(unsafe { from.cast::<u32>().read_unaligned() })
}

fn checked_size<T: Record>(size: u32) -> Result<usize, Status> {
    let size = size as usize;
    // Every version ends where a struct can: none is cut within a field.
    let is_whole = size == T::FIRST || size.is_multiple_of(align_of::<T>());
    if is_whole && (T::FIRST..=MAX_RECORD).contains(&size) { Ok(size) } else { Err(Status::Size) }
}
