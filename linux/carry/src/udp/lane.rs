//! Handshake messages in a queue of their own: a flood of them keeps no data waiting.
//!
//! A second socket on the same port takes what is no data. The kernel chooses by the first byte of a datagram (socket(7),
//! `SO_ATTACH_REUSEPORT_CBPF`); one that came into the wrong queue is as good as any.
use nix::libc::{self, sock_filter, sock_fprog};
use nix::sys::socket::{setsockopt, sockopt};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};

/// The type of transport data, in the first byte (paper § 5.4.6).
const DATA: u32 = 4;
/// Bytes of the queue. A newcomer stands behind what is in it: a longer one would only make it wait.
const BUFFER: usize = 1 << 20;

/// What `SO_ATTACH_REUSEPORT_CBPF` sets.
#[derive(Clone, Copy)]
struct AttachReuseportCbpf;
nix::setsockopt_impl!(
    AttachReuseportCbpf,
    libc::SOL_SOCKET,
    libc::SO_ATTACH_REUSEPORT_CBPF,
    sock_fprog,
    sockopt::SetStruct<'_, sock_fprog>
);

/// The second socket.
#[derive(Debug)]
pub struct Lane {
    io: Socket,
    state: UdpSocketState,
}

impl Lane {
    /// Takes what is no data away from `first`, which is bound. Nobody else could share its port: it was bound alone.
    ///
    /// # Errors
    /// The system's; then `first` gets everything, as before.
    pub(super) fn beside(first: &Socket, is_v6: bool) -> io::Result<Self> {
        let opened = Self::open(first, is_v6);
        if opened.is_err() {
            first.set_reuse_port(false)?;
        }
        opened
    }

    fn open(first: &Socket, is_v6: bool) -> io::Result<Self> {
        let address: SockAddr = first.local_addr()?;
        let domain = if is_v6 { Domain::IPV6 } else { Domain::IPV4 };
        let io = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if is_v6 {
            io.set_only_v6(true)?;
        }
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        if setsockopt(&io, sockopt::RcvBufForce, &BUFFER).is_err() {
            io.set_recv_buffer_size(BUFFER)?;
        }
        first.set_reuse_port(true)?;
        io.set_reuse_port(true)?;
        io.bind(&address)?;
        attach(first)?;
        Ok(Self { io, state })
    }

    /// As [`Socket::receive`](super::Socket::receive).
    ///
    /// # Errors
    /// `WouldBlock` when nothing waits; otherwise the system's.
    pub fn receive(&self, bufs: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> io::Result<usize> {
        self.state.recv(UdpSockRef::from(&self.io), bufs, meta)
    }
}

impl AsFd for Lane {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

/// Words of classic BPF (linux/filter.h, linux/bpf_common.h), which libc lacks for Android: load a byte from a place, jump if
/// equal to a constant, return a constant.
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

/// Has the kernel choose: 0, the first socket, for data; 1, the second, for all else.
fn attach(first: &Socket) -> io::Result<()> {
    let instruction = |code, jt: u8, jf: u8, k: u32| sock_filter { code, jt, jf, k };
    let mut program = [
        instruction(LOAD_BYTE, 0, 0, 0),
        instruction(JUMP_IF_EQUAL, 0, 1, DATA),
        instruction(RETURN, 0, 0, 0),
        instruction(RETURN, 0, 0, 1),
    ];
    let program = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    Ok(setsockopt(first, AttachReuseportCbpf, &program)?)
}
