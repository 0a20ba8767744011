//! Addresses and routes, asked of the kernel by netlink (rtnetlink(7)): no program is needed for it.
use ipnet::IpNet;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// Bytes of the header of a message.
const HEADER: usize = 16;
/// A request that is to be answered, for something that is not there yet.
const CREATE: i32 = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;

/// A socket to ask by.
#[derive(Debug)]
pub struct Kernel {
    socket: OwnedFd,
}

impl Kernel {
    /// Opens it.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        Ok(Self { socket: socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)? })
    }

    /// Gives the interface `index` an address; no error when it has it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add_address(&self, index: u32, address: &IpNet) -> io::Result<()> {
        let mut body = vec![family(address), address.prefix_len(), 0, 0];
        body.extend(index.to_ne_bytes());
        attribute(&mut body, libc::IFA_LOCAL, &bytes(address.addr()));
        attribute(&mut body, libc::IFA_ADDRESS, &bytes(address.addr()));
        self.ask(libc::RTM_NEWADDR, &body)
    }

    /// Routes `network` to the interface `index`, in `table`; no error when it is routed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn add_route(&self, index: u32, network: &IpNet, table: u32) -> io::Result<()> {
        let scope = if network.addr().is_ipv4() { libc::RT_SCOPE_LINK } else { libc::RT_SCOPE_UNIVERSE };
        let small = u8::try_from(table).unwrap_or(libc::RT_TABLE_UNSPEC);
        let mut body = vec![family(network), network.prefix_len(), 0, 0];
        body.extend([small, libc::RTPROT_BOOT, scope, libc::RTN_UNICAST, 0, 0, 0, 0]);
        if network.prefix_len() > 0 {
            attribute(&mut body, libc::RTA_DST, &bytes(network.network()));
        }
        attribute(&mut body, libc::RTA_OIF, &index.to_ne_bytes());
        attribute(&mut body, libc::RTA_TABLE, &table.to_ne_bytes());
        self.ask(libc::RTM_NEWROUTE, &body)
    }

    fn ask(&self, kind: u16, body: &[u8]) -> io::Result<()> {
        let len = u32::try_from(HEADER + body.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut message = len.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend((CREATE as u16).to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        sendto(self.socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut buf = [0; 4096];
        let len = recv(self.socket.as_raw_fd(), &mut buf, MsgFlags::empty())?;
        match error(&buf[..len]).ok_or(io::ErrorKind::InvalidData)? {
            0 => Ok(()),
            errno if Errno::from_raw(-errno) == Errno::EEXIST => Ok(()),
            errno => Err(io::Error::from_raw_os_error(-errno)),
        }
    }
}

/// The error in an acknowledgement, 0 for none.
fn error(message: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?);
    let code = message.get(HEADER..HEADER + 4)?.try_into().ok().map(i32::from_ne_bytes);
    code.filter(|_| i32::from(kind) == libc::NLMSG_ERROR)
}

fn family(network: &IpNet) -> u8 {
    let family = if network.addr().is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    u8::try_from(family).unwrap_or_default()
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend((4 + value.len() as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}
