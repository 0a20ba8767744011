//! Options of a UDP socket that quinn-udp does not set, or sets for QUIC.
use nix::libc::{self, c_int};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;

/// Bytes of the socket's buffers: about 20 ms at 3 Gbit/s, as wireguard-go asks for.
const BUFFER: usize = 7 << 20;

/// What `IP_MTU_DISCOVER` sets.
#[derive(Clone, Copy)]
struct IpMtuDiscover;
nix::setsockopt_impl!(
    IpMtuDiscover,
    libc::IPPROTO_IP,
    libc::IP_MTU_DISCOVER,
    c_int,
    nix::sys::socket::sockopt::SetStruct<'_, c_int>
);

/// What `IPV6_MTU_DISCOVER` sets.
#[derive(Clone, Copy)]
struct Ipv6MtuDiscover;
nix::setsockopt_impl!(
    Ipv6MtuDiscover,
    libc::IPPROTO_IPV6,
    libc::IPV6_MTU_DISCOVER,
    c_int,
    nix::sys::socket::sockopt::SetStruct<'_, c_int>
);

/// Sets what helps but is not needed: larger buffers, no time stamps, no refusal to fragment.
pub fn set_helpful(io: &Socket, is_v6: bool) {
    if setsockopt(io, sockopt::SndBufForce, &BUFFER).is_err() {
        _ = io.set_send_buffer_size(BUFFER);
    }
    if setsockopt(io, sockopt::RcvBufForce, &BUFFER).is_err() {
        _ = io.set_recv_buffer_size(BUFFER);
    }
    _ = setsockopt(io, sockopt::ReceiveTimestampns, &false);
    // A datagram is as long as the packet in it demands: where the path is narrower it travels in fragments, as with
    // every WireGuard, and the inner connections find their own packet size.
    if is_v6 {
        _ = setsockopt(io, Ipv6MtuDiscover, &libc::IPV6_PMTUDISC_DONT);
        _ = setsockopt(io, sockopt::Ipv6DontFrag, &false);
    } else {
        _ = setsockopt(io, IpMtuDiscover, &libc::IP_PMTUDISC_DONT);
    }
}

/// Turns the bundling of received datagrams on or off.
pub fn set_bundling(io: &Socket, on: bool) {
    _ = setsockopt(io, sockopt::UdpGroSegment, &on);
}
