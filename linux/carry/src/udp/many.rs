//! Datagrams of one run in one system call, on a kernel that does not split a bundle (before 4.18) or for a device where it may
//! not.
use super::send::Run;
use nix::errno::Errno;
use nix::libc::{self, c_int, c_uint};
use socket2::{SockAddr, Socket};
use std::mem;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

/// Datagrams in one call at most.
const MOST: usize = 64;
/// Bytes that say from where datagrams leave, and with which ECN bits: of IPv6, on a machine of 64 bits.
const CONTROL: usize = 64;

/// What goes along with each datagram, where the kernel wants it aligned.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Sends the first datagrams of a run. Says how many have left, at least one.
///
/// # Errors
/// The system's, about the first.
pub fn send(io: &Socket, run: &Run<'_>) -> Result<usize, Errno> {
    let address = SockAddr::from(run.path.remote);
    let mut control = Control([0; CONTROL]);
    // SAFETY: a header of zeros is one of nothing.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = address.as_ptr().cast_mut().cast();
    header.msg_namelen = address.len();
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    header.msg_controllen = write_control(&header, run) as _;
    let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MOST];
    let mut messages = [libc::mmsghdr { msg_hdr: header, msg_len: 0 }; MOST];
    let mut count: c_uint = 0;
    for ((datagram, part), message) in run.datagrams.chunks(run.size).zip(&mut parts).zip(&mut messages) {
        *part = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
        message.msg_hdr.msg_iov = part;
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    loop {
        // SAFETY: `count` messages are filled in. What they point to, which the kernel only reads, lives until the end of this
        // function: the address, the control bytes, the parts, and the datagrams of `run`.
        let sent = unsafe { libc::sendmmsg(io.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        match usize::try_from(sent) {
            Ok(sent) => return Ok(sent),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(Errno::last()),
        }
    }
}

/// Writes what goes along into the room that `header` names. Says how many bytes that is.
fn write_control(header: &libc::msghdr, run: &Run<'_>) -> usize {
    let ecn = c_int::from(run.ecn as u8);
    let is_v4 = run.path.remote.is_ipv4();
    let (level, kind) = if is_v4 { (libc::IPPROTO_IP, libc::IP_TOS) } else { (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) };
    let mut used = append(header, 0, level, kind, &ecn);
    match run.path.local {
        Some(IpAddr::V4(local)) if is_v4 => {
            let from = libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: from, ipi_addr: libc::in_addr { s_addr: 0 } };
            used = append(header, used, level, libc::IP_PKTINFO, &info);
        }
        Some(IpAddr::V6(local)) if !is_v4 => {
            let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: local.octets() }, ipi6_ifindex: 0 };
            used = append(header, used, level, libc::IPV6_PKTINFO, &info);
        }
        _ => {}
    }
    used
}

/// Writes one value behind the `used` bytes. Says how many bytes are used then.
fn append<T: Copy>(header: &libc::msghdr, used: usize, level: c_int, kind: c_int, value: &T) -> usize {
    let len = mem::size_of::<T>() as c_uint;
    // SAFETY: it computes from a number.
    let (space, whole) = unsafe { (libc::CMSG_SPACE(len) as usize, libc::CMSG_LEN(len)) };
    assert!(used + space <= CONTROL, "two values have room");
    // SAFETY: the room that `header` names has CONTROL bytes and is aligned, and so is what is behind each whole value in it; one
    // more of this size has room, as was just asked. Nobody else refers to it.
    unsafe {
        let place = header.msg_control.cast::<u8>().add(used).cast::<libc::cmsghdr>();
        (*place).cmsg_level = level;
        (*place).cmsg_type = kind;
        (*place).cmsg_len = whole as _;
        libc::CMSG_DATA(place).cast::<T>().write_unaligned(*value);
    }
    used + space
}
