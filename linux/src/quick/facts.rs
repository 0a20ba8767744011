//! What a plan must know about the machine.
use super::firewall::Program;
use super::machine::{find_program, output};
use super::mtu;
use super::plan::has_default_route;
use super::rules::is_used;
use super::step::Family;
use crate::guard::split::Split;
use crate::guard::{self, Lock};
use anyhow::bail;
use std::fs;
use std::net::{IpAddr, ToSocketAddrs};
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
    /// What resolvconf calls the interface.
    pub resolvconf_record: String,
    /// The kill switch, if there is to be one.
    pub guard: Option<Lock>,
    /// The programs that go another way than all others.
    pub split: Option<Split>,
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
        if !config.dns.is_empty() && find_program("resolvconf").is_none() {
            bail!("DNS is set, but the program `resolvconf` is missing: install openresolv, or remove DNS");
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
        let place = |endpoint: &Endpoint| address_of(endpoint, guard.as_ref());
        Ok(Self {
            mtu: if config.mtu.is_some() { DEFAULT_MTU } else { mtu::of_tunnel(path_mtus(config, place)) },
            table,
            guard: guard.clone().map(|lock| Lock { mark: table, ..lock }),
            split: if everything { Split::of(name, config, table).0 } else { None },
            firewall,
            resolvconf_record: record_of(name),
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
            resolvconf_record: record_of(name),
            guard: None,
            split: None,
        }
    }

    /// Goes by the mark of a tunnel that is up, which is the number of its table.
    pub fn go_by(&mut self, mark: u32) {
        self.table = mark;
        self.split.iter_mut().for_each(|split| split.mark = mark);
        self.guard.iter_mut().for_each(|lock| lock.mark = mark);
    }
}

fn record_of(name: &str) -> String {
    resolvconf_record(name, &fs::read_to_string(INTERFACE_ORDER).unwrap_or_default())
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
fn path_mtus(config: &QuickConfig, place: impl Fn(&Endpoint) -> Option<IpAddr>) -> Vec<u32> {
    let mut mtus: Vec<u32> = config
        .tunnel
        .peers
        .iter()
        .filter_map(|peer| peer.endpoint.as_ref())
        .filter_map(place)
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

/// Where an endpoint is. A name that does not resolve yet has no say in the MTU; the tunnel tries again later.
/// Under a kill switch nobody is asked: names are where they were when they were last resolved.
fn address_of(endpoint: &Endpoint, guard: Option<&Lock>) -> Option<IpAddr> {
    match endpoint {
        Endpoint::Address(address) => Some(address.ip()),
        Endpoint::Name { host, .. } if guard.is_some() => guard?.addresses.get(host).copied(),
        Endpoint::Name { host, port } => (host.as_str(), *port).to_socket_addrs().ok()?.next().map(|found| found.ip()),
    }
}

/// Debian's resolvconf sorts records by interface; the first pattern of its list puts a record before all others.
const INTERFACE_ORDER: &str = "/etc/resolvconf/interface-order";

fn resolvconf_record(name: &str, interface_order: &str) -> String {
    let is_prefix = |prefix: &&str| {
        !prefix.is_empty() && prefix.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    let first = interface_order.lines().filter_map(|line| line.strip_suffix('*')).find(is_prefix);
    first.map_or_else(|| name.into(), |prefix| format!("{prefix}.{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_goes_where_resolvconf_looks_first() {
        assert_eq!(resolvconf_record("wg0", ""), "wg0");
        let order = "# interface-order(5)\nlo.inet6\nlo.inet\nlo.@(dhclient|pump)*\ntun*\ntap*\n";
        assert_eq!(resolvconf_record("wg0", order), "tun.wg0");
    }
}
