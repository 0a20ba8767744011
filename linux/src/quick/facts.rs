//! What a plan must know about the machine.
use super::firewall::Program;
use super::machine::{find_program, output};
use super::plan::has_default_route;
use super::{mtu, names};
use anyhow::bail;
use std::fs;
use std::net::SocketAddr;
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
}

impl Facts {
    /// Looks at this machine, as far as bringing `config` up as interface `name` depends on it.
    ///
    /// # Errors
    /// A program that is needed is not there.
    pub fn gather(name: &str, config: &QuickConfig) -> anyhow::Result<Self> {
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
        Ok(Self {
            mtu: if config.mtu.is_some() { DEFAULT_MTU } else { mtu::of_tunnel(path_mtus(config)) },
            table: match config.fwmark {
                Some(mark) if mark != 0 => mark,
                _ if everything => free_table(),
                _ => FIRST_TABLE,
            },
            firewall,
            resolvconf_record: resolvconf_record(name, &fs::read_to_string(INTERFACE_ORDER).unwrap_or_default()),
        })
    }
}

/// The first table from 51820 on that has no routes.
fn free_table() -> u32 {
    let is_free = |table: &u32| {
        ["-4", "-6"].iter().all(|family| {
            let routes = output("ip", &[family, "route", "show", "table", &table.to_string()]);
            routes.is_none_or(|routes| routes.trim().is_empty())
        })
    };
    (FIRST_TABLE..FIRST_TABLE + 1000).find(is_free).unwrap_or(FIRST_TABLE)
}

/// The MTU of the path to each endpoint, or of the default route when there is none.
fn path_mtus(config: &QuickConfig) -> Vec<u32> {
    let endpoints = || config.tunnel.peers.iter().filter_map(|peer| peer.endpoint.as_ref());
    // A name that does not resolve yet has no say in the MTU; the tunnel tries again later.
    let found = names::look_up(endpoints().filter_map(name_of), names::PATIENCE);
    let address_of = |endpoint: &Endpoint| match endpoint {
        Endpoint::Address(address) => Some(address.ip()),
        Endpoint::Name { host, port } => found.get(&(host.clone(), *port))?.first().map(SocketAddr::ip),
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
