//! An interface that was moved to another network namespace, where this process is not: its MTU and state are asked for, and
//! their changes are heard of, through netlink (rtnetlink(7), netlink(7)).
mod kernel;
mod message;

use self::message::{Request, attribute, u32_of};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::stat::fstat;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Attributes of messages about namespaces (linux/net_namespace.h).
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;
/// The namespace has no number here.
const NOT_ASSIGNED: u32 = u32::MAX;

nix::setsockopt_impl!(
    ListenAllNsid,
    libc::SOL_NETLINK,
    libc::NETLINK_LISTEN_ALL_NSID,
    libc::c_int,
    sockopt::SetStruct<'_, libc::c_int>
);

/// What `NETLINK_LISTEN_ALL_NSID` sets.
#[derive(Clone, Copy)]
struct ListenAllNsid;

/// Where an interface is.
#[derive(Debug)]
pub struct Whereabouts {
    /// The namespace that it was made in.
    home: u64,
}

/// A namespace away from home.
#[derive(Debug)]
pub struct Abroad(OwnedFd);

impl Whereabouts {
    /// The interface of `device` is at home now.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn at_home(device: impl AsFd) -> Result<Self, Errno> {
        Ok(Self { home: fstat(kernel::of_device(device)?)?.st_ino })
    }

    /// Where the interface of `device` is, unless it is at home.
    ///
    /// # Errors
    /// EBADFD when it was deleted.
    pub fn abroad(&self, device: impl AsFd) -> Result<Option<Abroad>, Errno> {
        let namespace = kernel::of_device(device)?;
        Ok((fstat(&namespace)?.st_ino != self.home).then_some(Abroad(namespace)))
    }
}

/// What is known of an interface abroad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its MTU.
    pub mtu: u16,
    /// Whether it is up and running.
    pub is_up: bool,
}

/// Asks about interfaces in other namespaces, and hears of their changes.
#[derive(Debug)]
pub struct Correspondent {
    news: OwnedFd,
    questions: OwnedFd,
}

impl Correspondent {
    /// Hears from now on of changes of links in all namespaces that have a number here.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> Result<Self, Errno> {
        let open = || {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)
        };
        let (news, questions) = (open()?, open()?);
        setsockopt(&news, ListenAllNsid, &1)?;
        bind(news.as_raw_fd(), &NetlinkAddr::new(0, libc::RTMGRP_LINK as u32))?;
        Ok(Self { news, questions })
    }

    /// Takes in what there is to hear: that something changed.
    pub fn listen(&self) {
        let mut buf = [0; 16384];
        while !matches!(recv(self.news.as_raw_fd(), &mut buf, MsgFlags::MSG_DONTWAIT), Err(Errno::EAGAIN)) {}
    }

    /// What the interface `name` is like in the namespace `abroad`.
    ///
    /// # Errors
    /// The system's.
    pub fn look(&self, name: &str, abroad: &Abroad) -> Result<Link, Errno> {
        let mut request = Request::new(libc::RTM_GETLINK, &[0; 16]);
        request.add(libc::IFLA_TARGET_NETNSID, &self.number_of(abroad)?.to_ne_bytes());
        request.add(libc::IFLA_IFNAME, &[name.as_bytes(), &[0]].concat());
        let answer = self.ask(&request)?;
        link(&answer).ok_or(Errno::EPROTO)
    }

    /// The number of a namespace here; one that has none is given one.
    fn number_of(&self, abroad: &Abroad) -> Result<u32, Errno> {
        let by_descriptor = |kind| {
            let mut request = Request::new(kind, &[0; 4]);
            request.add(NETNSA_FD, &(abroad.0.as_raw_fd() as u32).to_ne_bytes());
            request
        };
        let asked = || -> Result<u32, Errno> {
            let answer = self.ask(&by_descriptor(libc::RTM_GETNSID))?;
            attribute(answer.get(4..).unwrap_or_default(), NETNSA_NSID).and_then(u32_of).ok_or(Errno::EPROTO)
        };
        let number = asked()?;
        if number != NOT_ASSIGNED {
            return Ok(number);
        }
        let mut assign = by_descriptor(libc::RTM_NEWNSID);
        assign.add(NETNSA_NSID, &NOT_ASSIGNED.to_ne_bytes());
        self.ask(&assign.acknowledged())?;
        asked()
    }

    /// Sends `request` and returns the body of the answer, which is there when the call returns.
    fn ask(&self, request: &Request) -> Result<Vec<u8>, Errno> {
        send(self.questions.as_raw_fd(), request.as_bytes(), MsgFlags::empty())?;
        let mut buf = vec![0; 32768];
        let len = recv(self.questions.as_raw_fd(), &mut buf, MsgFlags::MSG_DONTWAIT)?;
        message::body(&buf[..len])
    }
}

impl AsFd for Correspondent {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

/// Reads the body of a link message: index and flags, then attributes.
fn link(body: &[u8]) -> Option<Link> {
    let flags = u32_of(body.get(8..12)?)?;
    let mtu = attribute(body.get(16..)?, libc::IFLA_MTU).and_then(u32_of)?;
    let running = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
    Some(Link { mtu: u16::try_from(mtu).unwrap_or(u16::MAX), is_up: flags & running == running })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read() {
        let up = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        for (flags, is_up) in [(up, true), (libc::IFF_UP as u32, false), (0, false)] {
            let mut body = [[0; 8], [0; 8]].concat();
            body[8..12].copy_from_slice(&flags.to_ne_bytes());
            body.extend([6u16.to_ne_bytes(), libc::IFLA_IFNAME.to_ne_bytes(), *b"w\0", [0; 2]].concat());
            body.extend([8u16.to_ne_bytes(), libc::IFLA_MTU.to_ne_bytes()].concat());
            assert_eq!(link(&body), None, "cut short");
            body.extend(1300u32.to_ne_bytes());
            assert_eq!(link(&body), Some(Link { mtu: 1300, is_up }));
        }
        assert_eq!(link(&[0; 7]), None);
    }
}
