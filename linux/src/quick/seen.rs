//! What of a tunnel is on the machine now. Each kind is asked for once, when it is wanted first.
use super::machine::output;
use super::step::Family;
use super::{mtu, rules};
use ipnet::IpNet;
use nix::net::if_::if_nametoindex;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;

/// Where the two programs named resolvconf keep their records.
const RECORDS: [&str; 3] = ["/run/resolvconf/interface", "/run/resolvconf/interfaces", "/etc/resolvconf/run/interface"];

/// What there is of the interface `name`.
#[derive(Debug)]
pub struct Seen {
    name: String,
    addresses: OnceCell<Vec<IpNet>>,
    routes: OnceCell<HashSet<(IpNet, String)>>,
    rules: [OnceCell<String>; 2],
}

impl Seen {
    /// Looks at this machine for the interface `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self { name: name.into(), addresses: OnceCell::new(), routes: OnceCell::new(), rules: Default::default() }
    }

    /// Whether there is an interface of that name, of whatever kind.
    #[must_use]
    pub fn has_interface(&self) -> bool {
        index_of(&self.name).is_some()
    }

    /// The addresses of the interface.
    pub fn addresses(&self) -> &[IpNet] {
        self.addresses.get_or_init(|| {
            let listing = output("ip", &["-o", "address", "show", "dev", &self.name]).unwrap_or_default();
            parse_addresses(&listing)
        })
    }

    /// The MTU of the interface.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        mtu::of_link(&output("ip", &["link", "show", "dev", &self.name])?)
    }

    /// Whether `network` is sent to the interface by `table`, the main one for `None`.
    #[must_use]
    pub fn has_route(&self, network: &IpNet, table: Option<&str>) -> bool {
        let routes = self.routes.get_or_init(|| {
            let of = |family: Family| {
                let words = [family.option(), "route", "show", "table", "all", "dev", &self.name];
                let listing = output("ip", &words).unwrap_or_default();
                parse_routes(&listing, family).collect::<Vec<_>>()
            };
            Family::ALL.into_iter().flat_map(of).collect()
        });
        routes.contains(&(network.trunc(), table.unwrap_or(MAIN).into()))
    }

    /// Whether what lacks the mark `table` is sent to that table.
    #[must_use]
    pub fn has_divert_rule(&self, family: Family, table: u32) -> bool {
        !rules::divert_rules(self.rules(family), table).is_empty()
    }

    /// Whether the rule for the main table that goes with it is there.
    #[must_use]
    pub fn has_main_rule(&self, family: Family, table: u32) -> bool {
        !rules::main_rules(self.rules(family), table).is_empty()
    }

    /// Whether resolvconf has a record of that name.
    #[must_use]
    pub fn has_resolvconf_record(&self, record: &str) -> bool {
        RECORDS.iter().any(|directory| Path::new(directory).join(record).exists())
            || output("resolvconf", &["-l", record]).is_some_and(|listing| !listing.trim().is_empty())
    }

    fn rules(&self, family: Family) -> &str {
        let cell = &self.rules[usize::from(family == Family::V6)];
        cell.get_or_init(|| output("ip", &[family.option(), "rule", "show"]).unwrap_or_default())
    }
}

/// The number of the interface `name`, of whatever kind. No other gets it as long as the network namespace lives.
#[must_use]
pub fn index_of(name: &str) -> Option<u32> {
    // Not by /sys, which may have been mounted in another network namespace.
    if_nametoindex(name).ok()
}

/// What `ip` calls the main table.
const MAIN: &str = "main";

/// The addresses in `listing` (the output of `ip -o address show`).
#[must_use]
pub fn parse_addresses(listing: &str) -> Vec<IpNet> {
    let address = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "inet" && *word != "inet6").skip(1);
        let address = words.next()?;
        // Without a length behind it: a peer's, or a single one.
        address.parse().ok().or_else(|| address.parse::<IpAddr>().map(IpNet::from).ok())
    };
    listing.lines().filter_map(address).collect()
}

/// The networks in `listing` (the output of `ip route show table all dev NAME`), and the tables that route them.
fn parse_routes(listing: &str, family: Family) -> impl Iterator<Item = (IpNet, String)> {
    let everything = if family == Family::V4 { "0.0.0.0/0" } else { "::/0" };
    listing.lines().filter_map(move |line| {
        let mut words = line.split_whitespace();
        let network = words.next()?;
        let network = if network == "default" { everything } else { network };
        let network = network.parse().ok().or_else(|| network.parse::<IpAddr>().map(IpNet::from).ok())?;
        let table = words.skip_while(|word| *word != "table").nth(1).unwrap_or(MAIN);
        Some((network, table.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_told_by_network_and_table() {
        let v4 = "default table 51820 scope link\n10.0.0.0/8 scope link\n10.9.9.9 table office scope link\n\
                  local 10.0.0.2 table local proto kernel scope host src 10.0.0.2\n";
        let found: Vec<_> = parse_routes(v4, Family::V4).map(|(net, table)| format!("{net} {table}")).collect();
        assert_eq!(found, ["0.0.0.0/0 51820", "10.0.0.0/8 main", "10.9.9.9/32 office"]);
        let v6 = "default table 7 metric 1024 pref medium\nfd00::/64 proto kernel metric 256 pref medium\n";
        let found: Vec<_> = parse_routes(v6, Family::V6).map(|(net, table)| format!("{net} {table}")).collect();
        assert_eq!(found, ["::/0 7", "fd00::/64 main"]);
    }

    #[test]
    fn what_is_not_there_is_not_seen() {
        let seen = Seen::of("underpass-none");
        assert!(!seen.has_interface() && seen.addresses().is_empty() && seen.mtu().is_none());
        assert!(!seen.has_route(&"10.0.0.0/8".parse().expect("network"), None));
    }
}
