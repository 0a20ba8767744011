//! What the firmware gives where there is no operating system: memory, randomness, and an end for panics. It defines these
//! functions, which the header declares under UNDERPASS_NO_OS (cbindgen.toml). They are found by the linker and not set by
//! a call: no state is needed for them, none can change under a tunnel, and a firmware that lacks one does not link.
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_void};
use core::panic::PanicInfo;
use underpass_core::NoRandomness;

// SAFETY: they are what the header declares.
unsafe extern "C" {
    fn underpass_host_allocate(size: usize, alignment: usize) -> *mut c_void;
    fn underpass_host_release(memory: *mut c_void, size: usize, alignment: usize);
    fn underpass_host_entropy(out: *mut u8, len: usize) -> i32;
    fn underpass_host_panic(
        message: *const c_char,
        message_len: usize,
        file: *const c_char,
        file_len: usize,
        line: u32,
    );
}

/// Randomness where neither options nor a parameter name a source.
pub(crate) fn from_system(dest: &mut [u8]) -> Result<(), NoRandomness> {
    // SAFETY: `dest` is as long as the function is told.
    let status = unsafe { underpass_host_entropy(dest.as_mut_ptr(), dest.len()) };
    if status == 0 { Ok(()) } else { Err(NoRandomness) }
}

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: the header asks of the two functions what Rust asks of an allocator: memory of that size and alignment which is
// nobody else's, until it is released; NULL where there is none; and that they do not unwind.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and any power of two may be asked for.
        unsafe { underpass_host_allocate(layout.size(), layout.align()).cast() }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: Rust gives back what `alloc` gave, once and with the same layout.
        unsafe { underpass_host_release(memory.cast(), layout.size(), layout.align()) }
    }
}

/// A panic is a bug. The firmware is told where. What the panic says is handed on only where it is a text of the source
/// code: a text with values in it could hold what must not be shown, such as a part of a configuration.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let message = info.message().as_str().unwrap_or_default();
    let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
    // SAFETY: each text is as long as the function is told.
    unsafe {
        underpass_host_panic(message.as_ptr().cast(), message.len(), file.as_ptr().cast(), file.len(), line);
    }
    // It has returned, which it must not. Going on is no choice, so a watchdog finds the device here.
    loop {
        core::hint::spin_loop();
    }
}
