//! Sending runs of datagrams, and what to do when the kernel refuses.
use super::bundling::{is_about_bundle, may_leave_singly};
use super::many;
use super::socket::Socket;
use crate::fault::errno;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quinn_udp::{EcnCodepoint, Transmit, UdpSockRef};
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;
use underpass_core::packet::ecn::Ecn;
use underpass_core::tunnel::{Path, SendError};

/// Bytes of the longest datagram IPv4 carries, and of the longest run sent at once.
pub const MAX_DATAGRAM: usize = 65507;

/// Datagrams for one destination, one behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// From where, and where to.
    pub path: Path,
    /// The ECN bits of all.
    pub ecn: Ecn,
    /// The datagrams, all of `size` bytes but the last, which may be shorter.
    pub datagrams: &'a [u8],
    /// Bytes of each datagram; at least 1.
    pub size: usize,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Yes,
    /// It is on its way, but not from the address it was to leave from: that one is gone or has no route.
    FromElsewhere,
    /// It, or the rest of it, so many bytes, is lost.
    Failed(Errno, usize),
}

/// What an error in sending means to the tunnel.
#[must_use]
pub fn meaning(errno: Errno) -> SendError {
    match errno {
        Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN | Errno::EHOSTDOWN | Errno::ENODEV => {
            SendError::Unreachable
        }
        Errno::EAFNOSUPPORT => SendError::FamilyGone,
        Errno::EADDRNOTAVAIL => SendError::NoSource,
        Errno::EMSGSIZE => SendError::TooBig,
        Errno::ECONNREFUSED => SendError::Refused,
        Errno::EPERM | Errno::EACCES => SendError::Denied,
        _ => SendError::Other,
    }
}

impl Socket {
    /// Sends a run, in as few calls as the kernel allows.
    pub fn send(&self, run: &Run<'_>) -> Sent {
        let mut run = *run;
        let mut sent = Sent::Yes;
        let mut bundles = self.offload && self.bundling.allows(run.size);
        while !run.datagrams.is_empty() {
            let count = if bundles { self.most_at_once(run.size) } else { 1 };
            if count == 1 && run.datagrams.len() > run.size && self.send_many(&mut run) {
                continue;
            }
            let (now, later) = run.datagrams.split_at(run.datagrams.len().min(count * run.size));
            let part = Run { datagrams: now, ..run };
            let errno = match self.send_part(&part) {
                Ok(()) => {
                    run.datagrams = later;
                    continue;
                }
                Err(errno) => errno,
            };
            self.forgive(errno);
            if run.path.local.is_some() && is_about_source(errno) {
                // The address may have gone with a network we left; the bundle was not at fault.
                run.path.local = None;
                sent = Sent::FromElsewhere;
            } else if now.len() > run.size && may_leave_singly(errno) {
                if is_about_bundle(errno) {
                    self.bundling.refused(errno, run.size);
                    bundles = false;
                }
                if let Err((errno, lost)) = self.send_singly(&part) {
                    self.forgive(errno);
                    return Sent::Failed(errno, lost + later.len());
                }
                run.datagrams = later;
            } else {
                return Sent::Failed(errno, run.datagrams.len());
            }
        }
        sent
    }

    /// Sends the first datagrams of a run in one call, and takes them off. `false`: the first did not leave; alone, it tells why.
    fn send_many(&self, run: &mut Run<'_>) -> bool {
        match many::send(&self.io, run) {
            Ok(sent) => {
                run.datagrams = run.datagrams.get(sent * run.size..).unwrap_or_default();
                true
            }
            Err(_) => false,
        }
    }

    /// How many datagrams of `size` bytes the kernel takes in one bundle.
    fn most_at_once(&self, size: usize) -> usize {
        self.state.borrow().max_gso_segments().min(MAX_DATAGRAM / size).max(1)
    }

    /// Two errors make quinn-udp give up bundles and ECN for good, whatever they were about.
    fn forgive(&self, errno: Errno) {
        if matches!(errno, Errno::EINVAL | Errno::EIO) {
            self.renew_state();
        }
    }

    /// Sends a part that the kernel did not take as a bundle: it may fragment single datagrams, and sum those of a
    /// device that cannot. An error comes with the bytes that did not leave.
    fn send_singly(&self, part: &Run<'_>) -> Result<(), (Errno, usize)> {
        let mut left = part.datagrams.len();
        part.datagrams.chunks(part.size).try_for_each(|datagram| {
            self.send_part(&Run { datagrams: datagram, ..*part }).map_err(|errno| (errno, left))?;
            left -= datagram.len();
            Ok(())
        })
    }

    fn send_part(&self, part: &Run<'_>) -> Result<(), Errno> {
        let transmit = Transmit {
            destination: part.path.remote,
            ecn: EcnCodepoint::from_bits(part.ecn as u8),
            contents: part.datagrams,
            segment_size: (part.datagrams.len() > part.size).then_some(part.size),
            src_ip: part.path.local,
        };
        loop {
            match self.state.borrow().try_send(UdpSockRef::from(&self.io), &transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(error) => return Err(errno(&error)),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Waits until the socket's buffer has room, as long as its patience lasts: that is what slows down who sends into the
    /// tunnel.
    fn wait_for_room(&self) -> Result<(), Errno> {
        let millis = self.patience.left(Instant::now()).ok_or(Errno::EAGAIN)?;
        let mut fds = [PollFd::new(self.io.as_fd(), PollFlags::POLLOUT)];
        let outcome = poll(&mut fds, PollTimeout::from(millis));
        self.patience.spend(Instant::now());
        match outcome {
            Ok(0) => Err(Errno::EAGAIN),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// Whether the error may be due to the source address.
fn is_about_source(errno: Errno) -> bool {
    matches!(errno, Errno::EINVAL | Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EADDRNOTAVAIL | Errno::ENODEV)
}
