//! Addresses as the functions of sockets want them.
use crate::address::{UNDERPASS_FAMILY_IPV6, UNDERPASS_FAMILY_NONE, underpass_address};
use crate::boundary::enter;
use core::ffi::c_void;
use core::mem::offset_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use libc::{sa_family_t, sockaddr_in, sockaddr_in6};
use underpass_core::Status;

/// Bytes of the longer one.
const LEN: usize = size_of::<sockaddr_in6>();

/// Reads a struct sockaddr_in or sockaddr_in6. An IPv4 address in IPv6 (::ffff:a.b.c.d), as sockets of both families give
/// it, becomes one of IPv4.
/// - sockaddr: len bytes, aligned or not; more than needed is fine.
/// - UNDERPASS_E_ARGUMENT: it is of another family, or shorter than its family wants.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_address_from_sockaddr(
    sockaddr: *const c_void,
    len: usize,
    out: *mut underpass_address,
) -> i32 {
    enter(|caller| {
        let out = caller.out(out)?;
        let bytes = caller.bytes(sockaddr.cast(), len)?;
        out.put(read(bytes).ok_or(Status::Argument)?.into());
        Ok(())
    })
}

/// Writes an address as a struct sockaddr_in or sockaddr_in6.
/// - family: that of the socket, UNDERPASS_FAMILY_*: for one of IPv6, IPv4 becomes ::ffff:a.b.c.d;
///   UNDERPASS_FAMILY_NONE: that of the address.
/// - sockaddr: out, cap bytes; a struct sockaddr_storage has room for any.
/// - len: out, how many were written.
/// - UNDERPASS_E_ARGUMENT: there is no address, or it is one of IPv6 for a socket of IPv4.
#[unsafe(no_mangle)]
pub extern "C" fn underpass_address_to_sockaddr(
    address: *const underpass_address,
    family: u8,
    sockaddr: *mut c_void,
    cap: usize,
    len: *mut usize,
) -> i32 {
    enter(|caller| {
        let out = caller.list_out(sockaddr.cast::<u8>(), cap, len)?;
        let address = caller.read(address)?;
        let socket = match (address.socket()?, family) {
            (SocketAddr::V4(v4), UNDERPASS_FAMILY_IPV6) => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            (socket, UNDERPASS_FAMILY_NONE) => socket,
            (socket, family) if underpass_address::from(socket).family == family => socket,
            _ => return Err(Status::Argument),
        };
        let (bytes, len) = write(socket);
        out.put(|| bytes.iter().copied().take(len))
    })
}

fn read(bytes: &[u8]) -> Option<SocketAddr> {
    let family = sa_family_t::from_ne_bytes(part(bytes, offset_of!(sockaddr_in, sin_family))?);
    if family == libc::AF_INET as sa_family_t {
        bytes.get(..size_of::<sockaddr_in>())?;
        let ip = Ipv4Addr::from(part::<4>(bytes, offset_of!(sockaddr_in, sin_addr))?);
        Some(SocketAddr::from((ip, u16::from_be_bytes(part(bytes, offset_of!(sockaddr_in, sin_port))?))))
    } else if family == libc::AF_INET6 as sa_family_t {
        bytes.get(..LEN)?;
        let ip = Ipv6Addr::from(part::<16>(bytes, offset_of!(sockaddr_in6, sin6_addr))?);
        let port = u16::from_be_bytes(part(bytes, offset_of!(sockaddr_in6, sin6_port))?);
        let scope = u32::from_ne_bytes(part(bytes, offset_of!(sockaddr_in6, sin6_scope_id))?);
        Some(match ip.to_canonical() {
            IpAddr::V4(ip) => SocketAddr::from((ip, port)),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        })
    } else {
        None
    }
}

/// The bytes of one of the two, and how many they are.
fn write(socket: SocketAddr) -> ([u8; LEN], usize) {
    let mut bytes = [0; LEN];
    let mut put = |at: usize, part: &[u8]| {
        bytes.iter_mut().skip(at).zip(part).for_each(|(to, from)| *to = *from);
    };
    let len = match socket {
        SocketAddr::V4(v4) => {
            put(offset_of!(sockaddr_in, sin_family), &(libc::AF_INET as sa_family_t).to_ne_bytes());
            put(offset_of!(sockaddr_in, sin_port), &v4.port().to_be_bytes());
            put(offset_of!(sockaddr_in, sin_addr), &v4.ip().octets());
            size_of::<sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            put(offset_of!(sockaddr_in6, sin6_family), &(libc::AF_INET6 as sa_family_t).to_ne_bytes());
            put(offset_of!(sockaddr_in6, sin6_port), &v6.port().to_be_bytes());
            put(offset_of!(sockaddr_in6, sin6_addr), &v6.ip().octets());
            put(offset_of!(sockaddr_in6, sin6_scope_id), &v6.scope_id().to_ne_bytes());
            LEN
        }
    };
    // Systems of the BSD family have the length in the first byte.
    if offset_of!(sockaddr_in, sin_family) == 1 {
        put(0, &[len as u8]);
    }
    (bytes, len)
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
