//! The virtual interface: a descriptor that gives and takes one packet a call.
use super::PumpError;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use underpass_core::Status;

/// The interface, made non-blocking for as long as it is here.
#[derive(Debug)]
pub(crate) struct Tun {
    fd: OwnedFd,
    /// How it was before.
    flags: OFlag,
}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRead {
    /// Nothing waits.
    Empty,
    /// The interface is gone.
    Gone(Errno),
}

impl Tun {
    /// Takes over a descriptor.
    ///
    /// # Errors
    /// `Argument` when it is none, with it.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self, (PumpError, OwnedFd)> {
        let known = fcntl(&fd, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
        let set = known.and_then(|flags| fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(|_| flags));
        match set {
            Ok(flags) => Ok(Self { fd, flags }),
            Err(_) => Err((PumpError::Status(Status::Argument), fd)),
        }
    }

    /// Gives it back as it was.
    pub(crate) fn into_fd(self) -> OwnedFd {
        if !self.flags.contains(OFlag::O_NONBLOCK) {
            _ = fcntl(&self.fd, FcntlArg::F_SETFL(self.flags));
        }
        self.fd
    }

    /// Reads one packet.
    ///
    /// # Errors
    /// [`NotRead`].
    pub(crate) fn read(&self, packet: &mut [u8]) -> Result<usize, NotRead> {
        loop {
            return match nix::unistd::read(&self.fd, packet) {
                Ok(0) => Err(NotRead::Gone(Errno::ENODEV)),
                Ok(len) => Ok(len),
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => Err(NotRead::Empty),
                Err(errno) => Err(NotRead::Gone(errno)),
            };
        }
    }

    /// Writes one packet. `false`: it was lost.
    ///
    /// # Errors
    /// `TunGone`. A packet may get lost while the interface is down: that is none.
    pub(crate) fn write(&self, packet: &[u8]) -> Result<bool, PumpError> {
        loop {
            return match nix::unistd::write(&self.fd, packet) {
                Ok(_) => Ok(true),
                Err(Errno::EINTR) => continue,
                Err(Errno::EBADFD | Errno::EBADF | Errno::ENODEV | Errno::EPIPE) => Err(PumpError::TunGone),
                Err(_) => Ok(false),
            };
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
