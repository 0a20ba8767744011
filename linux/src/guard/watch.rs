//! Hears of changes to the firewall, to routes and rules, and to the records of locks.
use anyhow::Context as _;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The group of changes to nftables (`NFNLGRP_NFTABLES`, number 7), as a bit.
const NFTABLES: u32 = 1 << 6;
/// The groups of IPv4 routes, IPv4 rules, IPv6 routes and IPv6 rules (rtnetlink(7)), as bits.
const ROUTES: u32 = 0x40 | 0x80 | 0x400 | 1 << 18;
/// How long to rest between two looks at least, so that a machine whose routes never rest has time for other things.
const REST: Duration = Duration::from_millis(20);
/// How often to look where nobody tells of changes, as with the iptables of old kernels.
const GLANCE: Duration = Duration::from_secs(1);

/// Waits for changes.
#[derive(Debug)]
pub struct Watch {
    firewall: Option<OwnedFd>,
    routes: OwnedFd,
    records: Inotify,
    looked: Instant,
}

impl Watch {
    /// Listens from now on, also to changes in `folder`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new(folder: &Path, nftables: bool) -> anyhow::Result<Self> {
        let records = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).context("cannot watch files")?;
        let flags = AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_DELETE_SELF;
        records.add_watch(folder, flags).with_context(|| format!("cannot watch {}", folder.display()))?;
        let routes = listen(SockProtocol::NetlinkRoute, ROUTES).context("cannot listen for changes of routes")?;
        let firewall = if nftables { listen(SockProtocol::NetlinkNetFilter, NFTABLES).ok() } else { None };
        Ok(Self { firewall, routes, records, looked: Instant::now() })
    }

    /// Waits until something may have changed, or one of those ended who hold the other ends of the pipes `lives`, but no longer
    /// than `pause`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn wait<'l>(
        &mut self,
        lives: impl Iterator<Item = BorrowedFd<'l>>,
        pause: Option<Duration>,
    ) -> anyhow::Result<()> {
        let lives: Vec<PollFd<'l>> = lives.map(|end| PollFd::new(end, PollFlags::empty())).collect();
        let glance = if self.firewall.is_some() { None } else { Some(GLANCE) };
        let timeout = pause.into_iter().chain(glance).min();
        let timeout = timeout.map_or(PollTimeout::NONE, |time| PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX));
        loop {
            let mut waiting = lives.clone();
            waiting.push(PollFd::new(self.routes.as_fd(), PollFlags::POLLIN));
            waiting.push(PollFd::new(self.records.as_fd(), PollFlags::POLLIN));
            waiting.extend(self.firewall.as_ref().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
            match poll(&mut waiting, timeout) {
                Ok(0) => break,
                Ok(_) if waiting[..lives.len()].iter().any(|end| end.any() == Some(true)) => break,
                Ok(_) => {}
                Err(nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let in_records = matches!(self.records.read_events(), Ok(events) if !events.is_empty());
            let in_firewall = self.firewall.as_ref().is_some_and(|socket| drain(socket, |_| true));
            if drain(&self.routes, concerns_us) | in_records | in_firewall {
                break;
            }
        }
        thread::sleep(REST.saturating_sub(self.looked.elapsed()));
        self.looked = Instant::now();
        Ok(())
    }
}

fn listen(protocol: SockProtocol, groups: u32) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

/// Reads what waits at `socket`, and says whether something of it matters.
fn drain(socket: &OwnedFd, matters: impl Fn(&[u8]) -> bool) -> bool {
    let (mut buf, mut any) = ([0; 16384], false);
    loop {
        match recv(socket.as_raw_fd(), &mut buf, MsgFlags::MSG_DONTWAIT) {
            Ok(len) => any |= matters(&buf[..len]),
            Err(nix::errno::Errno::EINTR) => {}
            // Told too fast: anything may have changed.
            Err(nix::errno::Errno::ENOBUFS) => any = true,
            Err(_) => return any,
        }
    }
}

/// Whether the messages in `bytes` tell of a route that is gone, or of a rule.
fn concerns_us(mut bytes: &[u8]) -> bool {
    while let Some(header) = bytes.first_chunk::<16>() {
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        if matches!(kind, libc::RTM_DELROUTE | libc::RTM_NEWRULE | libc::RTM_DELRULE) {
            return true;
        }
        let len = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        bytes = bytes.get(len.next_multiple_of(4).max(16)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_taken_away_concerns_us() {
        let message = |kind: u16| {
            let mut bytes = 20u32.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.resize(20, 0);
            bytes
        };
        let table = [
            (libc::RTM_NEWROUTE, false),
            (libc::RTM_DELROUTE, true),
            (libc::RTM_NEWRULE, true),
            (libc::RTM_DELRULE, true),
            (libc::RTM_NEWLINK, false),
        ];
        for (kind, expected) in table {
            assert_eq!(concerns_us(&[message(libc::RTM_NEWROUTE), message(kind)].concat()), expected, "{kind}");
        }
        assert!(!concerns_us(&[0; 64]) && !concerns_us(&[0xff; 40]));
    }
}
