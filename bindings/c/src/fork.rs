//! Whether this process is a copy of the one that made the tunnel. Both have its keys then, and only one may use them.
use core::sync::atomic::{AtomicU32, Ordering};

/// The number of the process that a tunnel belongs to. On Linux it lies in a page that the kernel empties in the child
/// of a fork, so that asking costs one read; elsewhere, and where the kernel cannot do that (before 4.14), the system
/// is asked.
pub(crate) struct Owner {
    #[cfg(all(feature = "std", target_os = "linux"))]
    page: Option<page::Page>,
    known: AtomicU32,
}

/// A process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) number: u32,
    /// It is not the one that the tunnel belongs to.
    pub(crate) is_new: bool,
}

impl Owner {
    /// This process.
    pub(crate) fn this() -> Self {
        let owner = Self {
            #[cfg(all(feature = "std", target_os = "linux"))]
            page: if cfg!(feature = "fork-by-number") { None } else { page::Page::new() },
            known: AtomicU32::new(0),
        };
        owner.take_over(number_of_this());
        owner
    }

    /// Which process asks.
    #[inline]
    pub(crate) fn ask(&self) -> Process {
        match self.wiped_by_forks() {
            Some(word) => match word.load(Ordering::Relaxed) {
                0 => Process { number: number_of_this(), is_new: true },
                number => Process { number, is_new: false },
            },
            None => {
                let number = number_of_this();
                Process { number, is_new: self.known.load(Ordering::Relaxed) != number }
            }
        }
    }

    /// The tunnel belongs to this process from now on.
    pub(crate) fn take_over(&self, number: u32) {
        self.wiped_by_forks().unwrap_or(&self.known).store(number, Ordering::Relaxed);
    }

    #[inline]
    fn wiped_by_forks(&self) -> Option<&AtomicU32> {
        #[cfg(all(feature = "std", target_os = "linux"))]
        return self.page.as_ref().map(page::Page::word);
        #[cfg(not(all(feature = "std", target_os = "linux")))]
        None
    }
}

/// The number of this process.
#[cfg(feature = "std")]
pub(crate) fn number_of_this() -> u32 {
    std::process::id()
}

/// Without an operating system there is one program, and nothing forks it.
#[cfg(not(feature = "std"))]
pub(crate) const fn number_of_this() -> u32 {
    1
}

#[cfg(all(feature = "std", target_os = "linux"))]
mod page {
    use core::ptr::{self, NonNull};
    use core::sync::atomic::AtomicU32;

    /// Bytes that are asked for; the kernel gives a page.
    const LEN: usize = 4096;

    /// A page of memory that is all zeros in the child of a fork.
    pub(super) struct Page(NonNull<AtomicU32>);

    // SAFETY: the page belongs to the tunnel and is read and written by atomic operations.
    unsafe impl Send for Page {}
    // SAFETY: as above.
    unsafe impl Sync for Page {}

    impl Page {
        pub(super) fn new() -> Option<Self> {
            let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            // SAFETY: a mapping at an address of the kernel's choice touches no other memory.
            let at = unsafe { libc::mmap(ptr::null_mut(), LEN, access, kind, -1, 0) };
            if at == libc::MAP_FAILED {
                return None;
            }
            let page = Self(NonNull::new(at.cast())?);
            // SAFETY: the mapping is ours.
            let done = unsafe { libc::madvise(at, LEN, libc::MADV_WIPEONFORK) } == 0;
            done.then_some(page)
        }

        #[inline]
        pub(super) fn word(&self) -> &AtomicU32 {
            // SAFETY: the mapping is there as long as the page, is aligned as pages are, and began as zeros.
            unsafe { self.0.as_ref() }
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            // SAFETY: the mapping is ours, and nobody borrows from it any more.
            unsafe { libc::munmap(self.0.as_ptr().cast(), LEN) };
        }
    }
}
