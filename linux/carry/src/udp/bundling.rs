//! Which datagrams leave in bundles, learnt from what the kernel refuses.
use nix::errno::Errno;
use std::cell::Cell;

/// Runs that leave one by one after a first refusal, before a bundle is tried again.
const FIRST_PAUSE: u32 = 64;
/// Runs after many refusals.
const LONGEST_PAUSE: u32 = 1 << 16;

/// What is known of a socket's bundles.
#[derive(Debug)]
pub(super) struct Bundling {
    /// Datagrams of this size and larger are not bundled.
    too_large: Cell<usize>,
    /// Runs left until they are tried again.
    wait: Cell<u32>,
    /// How many it will be after the next refusal.
    pause: Cell<u32>,
}

impl Bundling {
    /// Nothing was refused yet.
    pub(super) fn new() -> Self {
        Self { too_large: usize::MAX.into(), wait: 0.into(), pause: FIRST_PAUSE.into() }
    }

    /// Whether the next run, of datagrams of `size` bytes, may leave in bundles. Asked once a run.
    pub(super) fn allows(&self, size: usize) -> bool {
        if size < self.too_large.get() {
            return true;
        }
        self.wait.set(self.wait.get().saturating_sub(1));
        if self.wait.get() == 0 {
            self.too_large.set(usize::MAX);
        }
        self.wait.get() == 0
    }

    /// A bundle of datagrams of `size` bytes was refused. `EIO`: the device cannot sum any; else the path is too narrow for this
    /// size.
    pub(super) fn refused(&self, errno: Errno, size: usize) {
        self.too_large.set(if errno == Errno::EIO { 0 } else { size.min(self.too_large.get()) });
        self.wait.set(self.pause.get());
        self.pause.set(LONGEST_PAUSE.min(2 * self.pause.get()));
    }

    /// The network is another: what was refused on the old one says nothing.
    pub(super) fn forget(&self) {
        self.too_large.set(usize::MAX);
        self.pause.set(FIRST_PAUSE);
    }
}

/// Whether the error may be about the bundle, and not about where it goes or when. The path may be narrower than its datagrams
/// (`EINVAL`, `EMSGSIZE`), or a device on it unable to sum them (`EIO`).
pub(super) fn is_about_bundle(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::EIO | Errno::EMSGSIZE | Errno::EOPNOTSUPP)
}

/// Whether single datagrams may leave where a bundle did not.
pub(super) fn may_leave_singly(errno: Errno) -> bool {
    is_about_bundle(errno) || matches!(errno, Errno::ENOBUFS | Errno::ENOMEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of datagrams of `size` bytes that do not leave in bundles.
    fn runs_without(bundling: &Bundling, size: usize) -> u32 {
        (0..).find(|_| bundling.allows(size)).expect("it is tried again")
    }

    #[test]
    fn what_was_refused_is_tried_again_ever_more_rarely() {
        let bundling = Bundling::new();
        assert_eq!(runs_without(&bundling, 1400), 0);
        for pause in [64, 128, 256] {
            bundling.refused(Errno::EINVAL, 1400);
            assert!(bundling.allows(1399), "smaller ones are not concerned");
            assert_eq!(runs_without(&bundling, 1400), pause - 1);
            assert_eq!(runs_without(&bundling, 1400), 0, "it was not refused again");
        }
        for _ in 0..40 {
            bundling.refused(Errno::EIO, 1400);
        }
        assert!(!bundling.allows(1), "no size is summed");
        assert_eq!(runs_without(&bundling, 1), LONGEST_PAUSE - 2);
        bundling.refused(Errno::EIO, 1);
        bundling.forget();
        assert_eq!(runs_without(&bundling, 1400), 0);
        bundling.refused(Errno::EMSGSIZE, 1400);
        assert_eq!(runs_without(&bundling, 1400), FIRST_PAUSE - 1);
    }

    #[test]
    fn most_errors_say_nothing_about_bundles() {
        for (errno, about, singly) in [
            (Errno::EINVAL, true, true),
            (Errno::EIO, true, true),
            (Errno::EMSGSIZE, true, true),
            (Errno::ENOBUFS, false, true),
            (Errno::EPERM, false, false),
            (Errno::ENETUNREACH, false, false),
            (Errno::EAGAIN, false, false),
            (Errno::ECONNREFUSED, false, false),
        ] {
            assert_eq!((is_about_bundle(errno), may_leave_singly(errno)), (about, singly), "{errno}");
        }
    }
}
