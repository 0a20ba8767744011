//! What only the TUN device itself knows: where its interface is.
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

nix::ioctl_none!(tun_get_dev_netns, b'T', 227);

/// The network namespace that the interface of `device` is in.
///
/// # Errors
/// EBADFD when it was deleted; another when the kernel does not tell.
pub fn of_device(device: impl AsFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes no argument; on success it returns a descriptor that nobody else has.
    unsafe { Ok(OwnedFd::from_raw_fd(tun_get_dev_netns(device.as_fd().as_raw_fd())?)) }
}
