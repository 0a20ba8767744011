//! What a plan must know about the machine.
use super::firewall::Program;
use super::machine::{find_program, output};
use super::plan::has_default_route;
use super::rules::is_used;
use super::step::Family;
use super::{mtu, names};
use crate::dns::{self, Places, Resolver};
use crate::guard::split::Split;
use crate::guard::{self, Lock};
use anyhow::bail;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use underpass_core::config::{Endpoint, QuickConfig};
use underpass_core::limits::DEFAULT_MTU;

/// The first routing table to try for a default route, as wg-quick(8) does: WireGuard's usual port.
const FIRST_TABLE: u32 = 51820;

/// What is known about the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The MTU for a tunnel that has none in its configuration.
    pub mtu: u16,
    /// The routing table for a default route, and the mark that goes with it.
    pub table: u32,
    /// The firewall program there is.
    pub firewall: Program,
    /// Who is told of the tunnel's name servers.
    pub resolvers: Vec<Resolver>,
    /// The kill switch, if there is to be one.
    pub guard: Option<Lock>,
    /// The programs that go another way than all others.
    pub split: Option<Split>,
    /// Whether IPv6 is on.
    pub ipv6: bool,
}

impl Facts {
    /// Looks at this machine, as far as bringing `config` up as interface `name` depends on it. `guard` is the kill switch that
    /// it is to have; with one, no name is asked for.
    ///
    /// # Errors
    /// A program that is needed is not there.
    pub fn gather(name: &str, config: &QuickConfig, guard: Option<Lock>) -> anyhow::Result<Self> {
        if find_program("ip").is_none() {
            bail!("the program `ip` is missing: install iproute2");
        }
        let everything = has_default_route(config);
        let firewall = match (find_program("nft"), find_program("iptables-restore")) {
            (None, Some(_)) => Program::Iptables,
            (None, None) if everything => {
                bail!("neither `nft` nor `iptables-restore` is there to guard a default route: install nftables")
            }
            _ => Program::Nft,
        };
        let recorded = guard.as_ref().map(|lock| lock.mark).filter(|mark| *mark != 0);
        let table = match config.fwmark.filter(|mark| *mark != 0).or(recorded) {
            Some(mark) => mark,
            None if everything || guard.is_some() => free_table(&guard::other_marks(name)),
            None => FIRST_TABLE,
        };
        Ok(Self {
            mtu: if config.mtu.is_some() { DEFAULT_MTU } else { mtu::of_tunnel(path_mtus(config, guard.as_ref())) },
            table,
            guard: guard.clone().map(|lock| Lock { mark: table, ..lock }),
            split: if everything { Split::of(name, config, table).0 } else { None },
            ipv6: has_ipv6(),
            firewall,
            resolvers: if config.dns.is_empty() { vec![] } else { dns::find(name, &Places::default())? },
        })
    }

    /// What can be said of a tunnel that is to be taken down and has the mark `table`. What is missing is no hindrance.
    #[must_use]
    pub fn of_running(name: &str, table: u32) -> Self {
        let has_nft = find_program("nft").is_some();
        Self {
            mtu: DEFAULT_MTU,
            table,
            firewall: if has_nft { Program::Nft } else { Program::Iptables },
            resolvers: dns::find(name, &Places::default()).unwrap_or_default(),
            guard: None,
            split: None,
            ipv6: true,
        }
    }

    /// Goes by the mark of a tunnel that is up, which is the number of its table.
    pub fn go_by(&mut self, mark: u32) {
        self.table = mark;
        self.split.iter_mut().for_each(|split| split.mark = mark);
        self.guard.iter_mut().for_each(|lock| lock.mark = mark);
    }
}

/// Whether IPv6 is on: in the kernel, and on an interface or for those to come.
#[must_use]
pub fn has_ipv6() -> bool {
    is_on(Path::new("/proc/sys/net/ipv6/conf"))
}

/// The same by the settings in `folder`. The loopback does not count.
fn is_on(folder: &Path) -> bool {
    let interfaces = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| entry.file_name() != "lo");
    let is_off = |path: PathBuf| fs::read_to_string(path).is_ok_and(|value| value.trim_end() == "1");
    interfaces.map(|entry| entry.path().join("disable_ipv6")).any(|path| !is_off(path))
}

/// The first table from 51820 on that is none of `taken`, has no routes, and that no rule looks at: a tunnel whose program died
/// leaves those.
pub(crate) fn free_table(taken: &[u32]) -> u32 {
    let rules = Family::ALL.map(|family| output("ip", &[family.option(), "rule", "show"]).unwrap_or_default());
    let is_free = |table: &u32| {
        !taken.contains(table)
            && !rules.iter().any(|listing| is_used(listing, *table))
            && Family::ALL.iter().all(|family| {
                let routes = output("ip", &[family.option(), "route", "show", "table", &table.to_string()]);
                routes.is_none_or(|routes| routes.trim().is_empty())
            })
    };
    (FIRST_TABLE..FIRST_TABLE + 1000).find(is_free).unwrap_or(FIRST_TABLE)
}

/// The MTU of the path to each endpoint, or of the default route when there is none.
fn path_mtus(config: &QuickConfig, guard: Option<&Lock>) -> Vec<u32> {
    let endpoints = || config.tunnel.peers.iter().filter_map(|peer| peer.endpoint.as_ref());
    // A name that does not resolve yet has no say in the MTU; the tunnel tries again later. Under a kill switch nobody is asked:
    // names are where they were when they were last resolved.
    let found = match guard {
        Some(_) => BTreeMap::new(),
        None => names::look_up(endpoints().filter_map(name_of), names::PATIENCE),
    };
    let address_of = |endpoint: &Endpoint| match (endpoint, guard) {
        (Endpoint::Address(address), _) => Some(address.ip()),
        (Endpoint::Name { host, .. }, Some(lock)) => lock.addresses.get(host).copied(),
        (Endpoint::Name { host, port }, None) => found.get(&(host.clone(), *port))?.first().map(SocketAddr::ip),
    };
    let mut mtus: Vec<u32> = endpoints()
        .filter_map(address_of)
        .filter_map(|address| mtu::of_route(&output("ip", &["route", "get", &address.to_string()])?, link_mtu))
        .collect();
    if mtus.is_empty() {
        let routes = output("ip", &["route", "show", "default"]).unwrap_or_default();
        mtus.extend(routes.lines().next().and_then(|route| mtu::of_route(route, link_mtu)));
    }
    mtus
}

fn link_mtu(interface: &str) -> Option<u32> {
    mtu::of_link(&output("ip", &["link", "show", "dev", interface])?)
}

fn name_of(endpoint: &Endpoint) -> Option<names::Name> {
    match endpoint {
        Endpoint::Address(_) => None,
        Endpoint::Name { host, port } => Some((host.clone(), *port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_off_where_it_is_off_for_every_interface_and_those_to_come() {
        let root = tempfile::tempdir().expect("temporary directory");
        let folder = root.path().join("conf");
        assert!(!is_on(&folder), "the kernel has none");
        let set = |interface: &str, value: &str| {
            fs::create_dir_all(folder.join(interface)).expect("folder");
            fs::write(folder.join(interface).join("disable_ipv6"), value).expect("writes");
        };
        for interface in ["all", "default", "eth0"] {
            set(interface, "1\n");
        }
        set("lo", "0\n");
        assert!(!is_on(&folder));
        for interface in ["eth0", "default", "wlan0"] {
            set(interface, "0\n");
            assert!(is_on(&folder), "{interface}");
            set(interface, "1\n");
        }
    }
}
