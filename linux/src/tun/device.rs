//! The virtual interface itself.
use super::vnet;
use crate::confine::capabilities::{NET_ADMIN, has};
use crate::error::{HostError, errno};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use tun_rs::{DeviceBuilder, SyncDevice};

/// The device that interfaces are made by.
const TUN: &str = "/dev/net/tun";
/// Bytes one read may yield: the header and the longest packet there is.
pub const READ_LEN: usize = vnet::LEN + 65536;

/// A TUN device. Unless it was made persistent by someone else, the interface vanishes when this is dropped.
pub struct Device {
    tun: SyncDevice,
    name: String,
    index: u32,
    offload: bool,
}

/// What a read yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A packet, or a bundle of them: this many bytes at [`vnet::LEN`] of the buffer.
    Bundle(vnet::Header, usize),
    /// Something that is no packet.
    Nothing,
    /// Nothing waits.
    Empty,
    /// The interface was deleted.
    Gone,
}

impl Device {
    /// Creates the interface `name`, or takes over one that was made for us with `ip tuntap`. A `%d` in the name is
    /// replaced by a number. The interface is down if it is new, and has no addresses.
    ///
    /// # Errors
    /// [`HostError`] for names, permissions and whatever the kernel refuses.
    pub fn create(name: &str, mtu: u16, offload: bool) -> Result<Self, HostError> {
        check_name(name)?;
        let failed = |doing| move |source| HostError::tun(name, doing, source);
        if !Path::new(TUN).exists() {
            return Err(HostError::TunMissing);
        }
        let build = |offload| {
            DeviceBuilder::new().name(name).inherit_enable_state().with(|opt| _ = opt.offload(offload)).build_sync()
        };
        let tun = build(offload).map_err(|error| why_not_created(name, error))?;
        tun.set_nonblocking(true).map_err(failed("making it non-blocking"))?;
        let name_in_kernel = tun.name().map_err(failed("reading its name"))?;
        let index = index_of(&tun).map_err(failed("reading its index"))?;
        let device = Self { offload: tun.tcp_gso(), tun, name: name_in_kernel, index };
        if device.mtu().map_err(failed("reading its MTU"))? != mtu {
            device.tun.set_mtu(mtu).map_err(failed("setting its MTU"))?;
        }
        Ok(device)
    }

    /// The interface's name as the kernel knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's index.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Whether the interface takes bundles of UDP.
    #[must_use]
    pub fn takes_udp_bundles(&self) -> bool {
        self.tun.udp_gso()
    }

    /// Whether the interface takes bundles at all.
    #[must_use]
    pub fn takes_bundles(&self) -> bool {
        self.offload
    }

    /// What the interface is called at present, in whatever network namespace it is.
    ///
    /// # Errors
    /// The system's; also when the interface was deleted.
    pub fn present_name(&self) -> io::Result<String> {
        self.tun.name()
    }

    /// The interface's MTU at present.
    ///
    /// # Errors
    /// The system's; also when the interface was deleted.
    pub fn mtu(&self) -> io::Result<u16> {
        self.tun.mtu()
    }

    /// Whether the interface is up and running.
    ///
    /// # Errors
    /// The system's; also when the interface was deleted.
    pub fn is_up(&self) -> io::Result<bool> {
        self.tun.is_running()
    }

    /// Reads a packet or bundle to `buf[vnet::LEN..]`; `buf` holds [`READ_LEN`].
    ///
    /// # Errors
    /// The system's, as far as [`Read`] does not say it.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<Read> {
        let into = if self.offload { &mut *buf } else { &mut buf[vnet::LEN..] };
        match self.tun.recv(into) {
            Ok(len) if !self.offload => Ok(Read::Bundle(vnet::Header::default(), len)),
            Ok(len) => Ok(match (vnet::Header::parse(&buf[..len]), len.checked_sub(vnet::LEN)) {
                (Some(header), Some(len)) if len > 0 => Read::Bundle(header, len),
                _ => Read::Nothing,
            }),
            Err(error) => match errno(&error) {
                Errno::EAGAIN => Ok(Read::Empty),
                Errno::EINTR => Ok(Read::Nothing),
                Errno::EBADFD => Ok(Read::Gone),
                _ => Err(error),
            },
        }
    }

    /// Writes one packet or bundle: `parts` are its header (left out if the interface takes no bundles) and its bytes.
    ///
    /// # Errors
    /// The system's: EIO while the interface is down, EBADFD when it was deleted, EINVAL for what the kernel does not
    /// take for a packet.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let parts = if self.offload { parts } else { parts.get(1..).unwrap_or_default() };
        loop {
            match self.tun.send_vectored(parts) {
                Err(error) if errno(&error) == Errno::EINTR => {}
                other => return other.map(|_| ()),
            }
        }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tun.as_fd()
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("name", &self.name).field("offload", &self.offload).finish_non_exhaustive()
    }
}

/// Whether an interface can have this name, by the kernel's own rules.
fn check_name(name: &str) -> Result<(), HostError> {
    let allowed = |c: char| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control();
    // The kernel numbers one `%d`, and refuses every other `%`.
    let percents = name.matches('%').count();
    let sound = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && name.chars().all(allowed)
        && (percents == 0 || percents == 1 && name.contains("%d"));
    if sound { Ok(()) } else { Err(HostError::NameInvalid { name: name.escape_debug().to_string() }) }
}

/// The C library asks by a socket of its own, and for want of a descriptor it reports something else.
fn index_of(tun: &SyncDevice) -> io::Result<u32> {
    tun.if_index().map_err(|error| {
        let other = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
        other.err().map_or(error, io::Error::from)
    })
}

fn why_not_created(name: &str, error: io::Error) -> HostError {
    match errno(&error) {
        Errno::ENOENT | Errno::ENODEV | Errno::ENXIO => HostError::TunMissing,
        // Who lacks the capability too is told of that.
        Errno::EACCES if has(NET_ADMIN).unwrap_or(false) => HostError::TunClosed,
        Errno::EBUSY | Errno::EEXIST => HostError::NameTaken { name: name.into() },
        Errno::EINVAL if if_nametoindex(name).is_ok() => HostError::NameTaken { name: name.into() },
        _ => HostError::tun(name, "creating it", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_interface_can_have_are_refused() {
        for name in ["wg0", "a", "fifteen-bytes-x", "wg%d", "tunnel.1", "ümlaut"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", "sixteen-bytes-xx", "a/b", "a:1", "a b", "a\tb", "a\0b", "%", "%s", "%d%d"] {
            assert!(matches!(check_name(name), Err(HostError::NameInvalid { .. })), "{name:?}");
        }
    }
}
