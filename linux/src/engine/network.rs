//! Changes of the machine's own network, heard through netlink (RFC 3549).
use crate::error::HostError;
use ipnet::IpNet;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, recv, socket,
};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use underpass_core::Instant;

/// Changes come in bursts: the tunnel hears of them when none came for so long.
const CALM: Duration = Duration::from_millis(200);
/// A burst that does not end is told of this often.
const LONGEST_BURST: Duration = Duration::from_secs(2);

/// Networks whose routes changed, to be remembered at most.
const MOST: usize = 256;
/// Bytes of a route message before its attributes.
const ROUTE: usize = 12;

/// What changed, as far as a tunnel cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The tunnel's own interface: its MTU or state, or it is gone.
    pub own: bool,
    /// Another interface or its addresses.
    pub addresses: bool,
    /// A default route through another interface.
    pub default_route: bool,
}

/// Listens for changes.
#[derive(Debug)]
pub struct NetworkWatch {
    socket: OwnedFd,
    own_index: u32,
    own_name: String,
    /// What the machine's addresses were when last looked at.
    addresses: u64,
    route_changed: bool,
    /// The networks that other routes changed of.
    routed: Vec<IpNet>,
    burst: Burst,
}

/// Changes that come close together.
#[derive(Clone, Copy, Debug, Default)]
struct Burst {
    /// When the tunnel is to hear of it.
    due: Option<Instant>,
    /// When it must, whatever comes.
    latest: Option<Instant>,
    /// When it heard of changes last.
    told: Option<Instant>,
}

impl Burst {
    /// Something changed. A new default route is told of at once, unless changes were told of a moment ago: until then
    /// datagrams go by the old one.
    fn changed(&mut self, now: Instant, route: bool) {
        let is_first = self.due.is_none() && self.told.is_none_or(|told| now.since(told) >= CALM);
        let latest = *self.latest.get_or_insert(now + LONGEST_BURST);
        self.due = Some(if route && is_first { now } else { (now + CALM).min(latest) });
    }

    /// Whether the tunnel is to hear of it now.
    fn is_due(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|at| at > now) {
            return false;
        }
        *self = Self { told: Some(now), ..Self::default() };
        true
    }
}

impl NetworkWatch {
    /// Listens from now on; the tunnel's own interface is `own_index`, called `own_name`.
    ///
    /// # Errors
    /// [`HostError`] when there is no descriptor left or netlink is not to be had.
    pub fn new(own_index: u32, own_name: &str) -> Result<Self, HostError> {
        let failed = |errno: Errno| HostError::system("listening for network changes", errno.into());
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket =
            socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute).map_err(failed)?;
        let groups = libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_ROUTE;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups as u32)).map_err(failed)?;
        let addresses = fingerprint(own_name);
        let own_name = own_name.to_owned();
        let (route_changed, routed, burst) = (false, Vec::new(), Burst::default());
        Ok(Self { socket, own_index, own_name, addresses, route_changed, routed, burst })
    }

    /// Takes in what netlink tells. Returns whether our own interface was among it.
    pub fn listen(&mut self, now: Instant) -> bool {
        let mut own = false;
        let mut buf = [0; 16384];
        loop {
            let changes = match recv(self.socket.as_raw_fd(), &mut buf, MsgFlags::MSG_DONTWAIT) {
                Ok(len) => {
                    self.note(routed(&buf[..len], self.own_index), now);
                    changes(&buf[..len], self.own_index)
                }
                // Told too fast: anything may have changed.
                Err(Errno::ENOBUFS) => Changes { own: true, addresses: true, default_route: false },
                Err(Errno::EINTR) => continue,
                Err(_) => return own,
            };
            own |= changes.own;
            self.route_changed |= changes.default_route;
            if changes.addresses || changes.default_route {
                self.burst.changed(now, changes.default_route);
            }
        }
    }

    /// Routes of `networks` changed: they matter if a peer is there.
    fn note(&mut self, networks: Vec<IpNet>, now: Instant) {
        if networks.is_empty() {
            return;
        }
        self.burst.changed(now, true);
        self.routed.extend(networks);
        if self.routed.len() > MOST {
            // So many that peers may be anywhere.
            self.route_changed = true;
            self.routed.clear();
        }
    }

    /// The tunnel's own interface is another by number and name: it was away.
    pub fn follow(&mut self, own_index: u32, own_name: &str) {
        self.own_index = own_index;
        own_name.clone_into(&mut self.own_name);
    }

    /// When [`settled`](Self::settled) wants to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.burst.due
    }

    /// Whether the network has changed, and the tunnel is to hear of it now. `has_peers` says whether peers are in one of the
    /// networks that the routes of changed.
    pub fn settled(&mut self, now: Instant, has_peers: impl FnOnce(&[IpNet]) -> bool) -> bool {
        if !self.burst.is_due(now) {
            return false;
        }
        let before = std::mem::replace(&mut self.addresses, fingerprint(&self.own_name));
        let routed = std::mem::take(&mut self.routed);
        std::mem::take(&mut self.route_changed) | (before != self.addresses) || has_peers(&routed)
    }
}

impl AsFd for NetworkWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A number that changes with the machine's addresses and the state of their interfaces, but for the tunnel's own.
fn fingerprint(own_name: &str) -> u64 {
    let mut hash = 0u64;
    for entry in getifaddrs().into_iter().flatten().filter(|entry| entry.interface_name != own_name) {
        let Some(address) = entry.address.as_ref().filter(|address| is_ip(address)) else { continue };
        let state = entry.flags & (InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING);
        let mut hasher = DefaultHasher::new();
        (entry.interface_name.as_str(), address.to_string(), state.bits()).hash(&mut hasher);
        // The order of interfaces is of no interest.
        hash = hash.wrapping_add(hasher.finish());
    }
    hash
}

fn is_ip(address: &SockaddrStorage) -> bool {
    address.as_sockaddr_in().is_some() || address.as_sockaddr_in6().is_some()
}

/// What the messages in `bytes` say (RFC 3549 § 2.3, rtnetlink(7)).
fn changes(bytes: &[u8], own_index: u32) -> Changes {
    let mut changes = Changes::default();
    for (kind, body) in messages(bytes) {
        match kind {
            libc::RTM_NEWLINK | libc::RTM_DELLINK if body.len() >= 8 && u32_at(body, 4) == own_index => {
                changes.own = true;
            }
            libc::RTM_NEWADDR | libc::RTM_DELADDR if body.len() >= 8 && u32_at(body, 4) == own_index => {}
            libc::RTM_NEWLINK | libc::RTM_DELLINK | libc::RTM_NEWADDR | libc::RTM_DELADDR => changes.addresses = true,
            libc::RTM_NEWROUTE | libc::RTM_DELROUTE => changes.default_route |= is_default_route(body, own_index),
            _ => {}
        }
    }
    changes
}

/// The messages in `bytes`: what kind each is of, and what is behind its header.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const HEADER: usize = 16;
    std::iter::from_fn(move || {
        let header = bytes.first_chunk::<HEADER>()?;
        let len = u32_at(header, 0) as usize;
        let body = bytes.get(HEADER..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([header[4], header[5]]), body))
    })
}

/// The networks in `bytes` that routes changed of, but for default routes and for those that lead into the tunnel.
fn routed(bytes: &[u8], own_index: u32) -> Vec<IpNet> {
    let routes = messages(bytes).filter(|(kind, _)| matches!(*kind, libc::RTM_NEWROUTE | libc::RTM_DELROUTE));
    routes.filter_map(|(_, body)| network(body).filter(|_| !leads_into(body, own_index))).collect()
}

/// The network that a route message is about; `None` for a default route, and for what is no unicast route.
fn network(body: &[u8]) -> Option<IpNet> {
    let (prefix, kind) = (*body.get(1)?, *body.get(7)?);
    if prefix == 0 || matches!(kind, libc::RTN_LOCAL | libc::RTN_BROADCAST | libc::RTN_ANYCAST | libc::RTN_MULTICAST) {
        return None;
    }
    let address = attribute(body, libc::RTA_DST)?;
    let v4 = || <[u8; 4]>::try_from(address).ok().map(IpAddr::from);
    let address = v4().or_else(|| <[u8; 16]>::try_from(address).ok().map(IpAddr::from))?;
    IpNet::new(address, prefix).ok()
}

/// Whether a route message is about a default route that does not lead into the tunnel.
fn is_default_route(body: &[u8], own_index: u32) -> bool {
    body.len() >= ROUTE && body[1] == 0 && !leads_into(body, own_index)
}

/// Whether a route message is about one that leads into the tunnel.
fn leads_into(body: &[u8], own_index: u32) -> bool {
    attribute(body, libc::RTA_OIF).is_some_and(|value| value.len() == 4 && u32_at(value, 0) == own_index)
}

/// The value of the attribute `wanted` of a route message.
fn attribute(body: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut attributes = body.get(ROUTE..)?;
    while let Some(header) = attributes.first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let value = attributes.get(4..len)?;
        if u16::from_ne_bytes([header[2], header[3]]) == wanted {
            return Some(value);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
    None
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_ne_bytes(*four))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 7;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(index: u32) -> Vec<u8> {
        [&[0; 4][..], &index.to_ne_bytes(), &[0; 8]].concat()
    }

    fn route(prefix: u8, interface: u32) -> Vec<u8> {
        let mut body = vec![2, prefix, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0];
        // A priority, and an attribute whose length is no multiple of four.
        body.extend([8u16.to_ne_bytes(), libc::RTA_PRIORITY.to_ne_bytes()].concat());
        body.extend(100u32.to_ne_bytes());
        body.extend([6u16.to_ne_bytes(), libc::RTA_METRICS.to_ne_bytes()].concat());
        body.extend([1, 2, 0, 0]);
        body.extend([8u16.to_ne_bytes(), libc::RTA_OIF.to_ne_bytes()].concat());
        body.extend(interface.to_ne_bytes());
        body
    }

    #[test]
    fn messages_are_told_apart() {
        let own = Changes { own: true, ..Changes::default() };
        let addresses = Changes { addresses: true, ..Changes::default() };
        let default_route = Changes { default_route: true, ..Changes::default() };
        let none = Changes::default();
        let table: &[(&str, u16, Vec<u8>, Changes)] = &[
            ("our interface", libc::RTM_NEWLINK, link(OWN), own),
            ("our interface gone", libc::RTM_DELLINK, link(OWN), own),
            ("another interface", libc::RTM_NEWLINK, link(3), addresses),
            ("our address", libc::RTM_NEWADDR, link(OWN), none),
            ("another address", libc::RTM_DELADDR, link(3), addresses),
            ("a default route", libc::RTM_NEWROUTE, route(0, 3), default_route),
            ("a default route gone", libc::RTM_DELROUTE, route(0, 3), default_route),
            ("a default route through us", libc::RTM_NEWROUTE, route(0, OWN), none),
            ("a route", libc::RTM_NEWROUTE, route(24, 3), none),
            ("something else", libc::RTM_NEWNEIGH, link(3), none),
        ];
        for (what, kind, body, expected) in table {
            assert_eq!(changes(&message(*kind, body), OWN), *expected, "{what}");
        }
    }

    #[test]
    fn messages_behind_each_other_are_all_read() {
        let bytes = [message(libc::RTM_NEWROUTE, &route(0, 3)), message(libc::RTM_NEWLINK, &link(OWN))].concat();
        assert_eq!(changes(&bytes, OWN), Changes { own: true, addresses: false, default_route: true });
    }

    #[test]
    fn cut_messages_end_the_reading() {
        let bytes = message(libc::RTM_NEWROUTE, &route(0, 3));
        for len in 0..bytes.len() {
            changes(&bytes[..len], OWN);
        }
        let mut lying = bytes.clone();
        lying[0..4].copy_from_slice(&3u32.to_ne_bytes());
        assert_eq!(changes(&lying, OWN), Changes::default());
    }

    #[test]
    fn a_burst_is_one_change_and_only_if_something_is_different() {
        let mut watch = NetworkWatch::new(OWN, "none").expect("netlink");
        let start = Instant::from_nanos(1);
        let at = |millis| start + Duration::from_millis(millis);
        let settled = |watch: &mut NetworkWatch, now| watch.settled(now, |_| false);
        assert!(!settled(&mut watch, start));
        watch.burst.changed(start, false);
        assert!(!settled(&mut watch, start), "not calm yet");
        assert!(!settled(&mut watch, at(200)), "calm, but the same addresses");
        watch.burst.changed(at(300), false);
        watch.route_changed = true;
        assert!(settled(&mut watch, at(500)));
        watch.burst.changed(at(600), false);
        assert!(!settled(&mut watch, at(800)), "once");
        watch.burst.changed(at(900), false);
        watch.addresses ^= 1;
        assert!(settled(&mut watch, at(1100)));
    }

    #[test]
    fn a_route_to_a_network_matters_to_the_peers_in_it() {
        let to = |prefix, interface| {
            let mut body = route(prefix, interface);
            body.extend([8u16.to_ne_bytes(), libc::RTA_DST.to_ne_bytes()].concat());
            body.extend([192, 0, 2, 0]);
            message(libc::RTM_NEWROUTE, &body)
        };
        let network: IpNet = "192.0.2.0/24".parse().expect("network");
        assert_eq!(routed(&[to(24, 3), to(0, 3), to(24, OWN), to(25, 3)].concat(), OWN).len(), 2);
        assert_eq!(routed(&to(24, 3), OWN), [network]);
        for bad in
            [to(33, 3), message(libc::RTM_NEWROUTE, &[]), message(libc::RTM_DELROUTE, &[2, 24, 0]), vec![0xff; 40]]
        {
            assert_eq!(routed(&bad, OWN), [], "{bad:?}");
        }
        let mut watch = NetworkWatch::new(OWN, "none").expect("netlink");
        let at = |millis| Instant::from_nanos(1) + Duration::from_millis(millis);
        for (number, has_peers) in [(1, true), (2, false)] {
            watch.note(vec![network], at(number * 1000));
            let asked = |networks: &[IpNet]| networks == [network] && has_peers;
            assert_eq!(watch.settled(at(number * 1000), asked), has_peers, "case {number}: at once");
        }
        watch.note(vec![network; MOST + 1], at(3000));
        assert!(watch.settled(at(3000), |networks| !networks.is_empty()), "of so many, all matter");
    }

    #[test]
    fn a_new_route_is_told_of_at_once_and_a_burst_that_does_not_end_now_and_then() {
        let at = |millis| Instant::from_nanos(1) + Duration::from_millis(millis);
        let mut burst = Burst::default();
        burst.changed(at(0), true);
        assert!(burst.is_due(at(0)), "the first");
        burst.changed(at(50), true);
        assert!(!burst.is_due(at(50)), "not again within a moment");
        assert!(burst.is_due(at(250)));
        burst.changed(at(600), true);
        assert!(burst.is_due(at(600)), "after a rest");
        // One each 100 ms, for ten seconds.
        let mut told = 0;
        for number in 0..100 {
            burst.changed(at(700 + number * 100), number % 2 == 0);
            told += u32::from(burst.is_due(at(700 + number * 100)));
        }
        assert_eq!(told, 4, "every two seconds, and once more soon");
    }
}
