//! Gives a tunnel its addresses and routes back after its interface was set down and up.
//!
//! The kernel takes every route away from an interface that is set down, and its addresses of IPv6. What `up` put there comes
//! back with the interface; what others put there does not.
use super::rtnetlink::Kernel;
use crate::quick::facts::has_ipv6;
use crate::quick::firewall::Program;
use crate::quick::{Facts, Plan, Step};
use crate::watched::{self, Died};
use ipnet::IpNet;
use nix::errno::Errno;
use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use underpass_core::config::QuickConfig;
use underpass_core::limits::DEFAULT_MTU;

/// The number of the main table.
const MAIN: u32 = libc::RT_TABLE_MAIN as u32;
/// Files that give numbers of tables names: lines of both.
const TABLE_NAMES: [&str; 2] = ["/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"];

/// What an interface has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    addresses: Vec<IpNet>,
    routes: Vec<(IpNet, u32)>,
}

/// Gives the interface `name` back what belongs to it, as long as this process lives; `over` is told how the thread for that
/// ended.
///
/// # Errors
/// There is no descriptor or thread left.
pub fn start(
    name: &str,
    belongings: Belongings,
    over: impl FnOnce(Result<(), Died>) + Send + 'static,
) -> io::Result<()> {
    if belongings == Belongings::default() {
        return Ok(());
    }
    let links = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    bind(links.as_raw_fd(), &NetlinkAddr::new(0, libc::RTMGRP_LINK as u32))?;
    let kernel = Kernel::open()?;
    let name = name.to_owned();
    watched::start("heal", move || heal(&name, &belongings, &links, &kernel), over).map(drop)
}

/// Whether the interface is up, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was never up: whoever sets it up gives it what belongs to it.
    New,
    Up,
    Down,
}

fn heal(name: &str, belongings: &Belongings, links: &OwnedFd, kernel: &Kernel) {
    let mut state = State::New;
    let mut buf = vec![0; 32 * 1024];
    loop {
        let len = match recv(links.as_raw_fd(), &mut buf, MsgFlags::empty()) {
            Ok(len) => len,
            // Told too fast: what was missed is told again with the next change.
            Err(Errno::EINTR | Errno::ENOBUFS) => continue,
            Err(errno) => return tracing::error!(%errno, "routes will not come back when the interface is set down"),
        };
        let Ok(index) = if_nametoindex(name) else { continue };
        for is_up in states(&buf[..len], index) {
            let before = state;
            state = match (before, is_up) {
                (State::New, false) => State::New,
                (_, true) => State::Up,
                (_, false) => State::Down,
            };
            if (before, state) == (State::Down, State::Up) {
                belongings.give(kernel, index);
            }
        }
    }
}

/// What the messages in `bytes` say of the interface `index`: whether it is up.
fn states(mut bytes: &[u8], index: u32) -> Vec<bool> {
    let mut states = Vec::new();
    while let Some(header) = bytes.first_chunk::<32>() {
        let number = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        if kind == libc::RTM_NEWLINK && number(20) == index {
            states.push(number(24) & libc::IFF_UP as u32 != 0);
        }
        bytes = bytes.get((number(0) as usize).next_multiple_of(4).max(16)..).unwrap_or_default();
    }
    states
}

impl Belongings {
    /// What the interface `name` has that `config` is brought up as.
    #[must_use]
    pub fn new(name: &str, config: &QuickConfig) -> Self {
        Self::of(name, config, |path| fs::read_to_string(path).unwrap_or_default())
    }

    /// These addresses, and routes in the main table.
    #[must_use]
    pub fn of_main(addresses: Vec<IpNet>, routes: Vec<IpNet>) -> Self {
        Self { addresses, routes: routes.into_iter().map(|network| (network, MAIN)).collect() }
    }

    fn of(name: &str, config: &QuickConfig, read: impl Fn(&str) -> String) -> Self {
        // What `up` chose beside this is no matter of addresses and routes.
        let facts = Facts {
            mtu: DEFAULT_MTU,
            table: config.fwmark.unwrap_or(0),
            firewall: Program::Nft,
            resolvers: Vec::new(),
            guard: None,
            split: None,
            ipv6: has_ipv6(),
        };
        let mut belongings = Self::default();
        for step in Plan::up(name, config, &facts).steps {
            match step {
                Step::Address(address) => belongings.addresses.push(address),
                Step::Route { network, table } => {
                    let number = table.as_ref().map_or(Some(MAIN), |table| table_number(table, &read));
                    belongings.routes.extend(number.map(|number| (network, number)));
                }
                _ => {}
            }
        }
        belongings
    }

    fn give(&self, kernel: &Kernel, index: u32) {
        let addresses = self.addresses.iter().map(|address| kernel.add_address(index, address));
        let failed = addresses.filter(Result::is_err).count();
        let routes = self.routes.iter().map(|(network, table)| kernel.add_route(index, network, *table));
        let failed = failed + routes.filter(Result::is_err).count();
        match failed {
            0 => tracing::info!("the interface was set up again, and has its addresses and routes back"),
            failed => tracing::error!(failed, "the interface was set up again; not all addresses and routes are back"),
        }
    }
}

/// The number of a table by its number or name.
fn table_number(table: &str, read: impl Fn(&str) -> String) -> Option<u32> {
    let number = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (number, name) = (words.next()?.parse().ok()?, words.next()?);
        (name == table).then_some(number)
    };
    table.parse().ok().or_else(|| TABLE_NAMES.iter().find_map(|path| read(path).lines().find_map(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::config::parse;

    fn belongings(interface: &str) -> Belongings {
        let text = format!(
            "[Interface]\nPrivateKey = dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\nAddress = 10.9.0.2/24\n{interface}\n\
             [Peer]\nPublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\nAllowedIPs = 0.0.0.0/0, 192.0.2.0/24\n"
        );
        let names =
            |path: &str| if path.starts_with("/etc") { "255 local\n7 office # ours\n".into() } else { String::new() };
        Belongings::of("wg0", &parse(&text).config.expect("valid"), names)
    }

    #[test]
    fn routes_belong_to_their_tables() {
        let tables = |interface| belongings(interface).routes.into_iter().map(|(_, table)| table).collect::<Vec<_>>();
        assert_eq!(tables("FwMark = 51820"), [MAIN, 51820]);
        assert_eq!(tables("Table = 9"), [9, 9]);
        assert_eq!(tables("Table = office"), [7, 7]);
        assert_eq!((tables("Table = off"), tables("Table = nowhere")), (vec![], vec![]));
        assert_eq!(belongings("").addresses.len(), 1);
    }

    #[test]
    fn messages_tell_whether_the_interface_is_up() {
        let message = |index: u32, flags: u32| {
            let mut bytes = 32u32.to_ne_bytes().to_vec();
            bytes.extend(libc::RTM_NEWLINK.to_ne_bytes());
            bytes.resize(20, 0);
            bytes.extend([index.to_ne_bytes(), flags.to_ne_bytes(), [0; 4]].concat());
            bytes
        };
        let bytes = [message(7, 0x1003), message(8, 1), message(7, 0x1002)].concat();
        assert_eq!(states(&bytes, 7), [true, false]);
        assert!(states(&[0; 64], 7).is_empty() && states(&[0xff; 40], 7).is_empty());
    }
}
