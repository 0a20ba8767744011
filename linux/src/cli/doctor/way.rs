//! Where packets go: into the tunnel, or past it.
use super::Finding;
use super::subject::{Subject, device_of, way_to};
use crate::quick::machine::output;
use crate::quick::plan::has_default_route;
use crate::quick::{Family, rules as rule};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use underpass_core::config::Table;

/// Networks that are looked at, at most.
const MOST: usize = 64;
/// Somewhere in the network, for each family: addresses that documents use and nobody has (RFC 5737, RFC 3849).
const SOMEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// Whether packets for the allowed IPs go into the tunnel.
pub(super) fn routes(subject: &Subject) -> Finding {
    let check = "route";
    if subject.config().is_some_and(|config| config.table == Table::Off) {
        return Finding::unknown(check, "with `Table = off` routes are yours");
    }
    if subject.config().is_some_and(|config| !matches!(config.table, Table::Auto)) {
        return Finding::unknown(check, "they are in a table of their own; rules of yours lead there");
    }
    let networks = allowed(subject);
    let wrong: Vec<String> = networks.iter().take(MOST).filter_map(|network| strays(network, subject)).collect();
    match (networks.len(), wrong.len()) {
        (0, _) => {
            Finding::warning(check, "no peer has allowed IPs: nothing goes into the tunnel", "AllowedIPs in [Peer]")
        }
        (count, 0) => Finding::good(
            check,
            format!("{count} network{} into the tunnel", if count == 1 { " goes" } else { "s go" }),
        ),
        _ => Finding::fault(
            check,
            wrong.join("\n"),
            format!(
                "another route is more specific, or the tunnel's is gone: `underpass down {0}`, and `up {0}`",
                subject.name
            ),
        ),
    }
}

fn allowed(subject: &Subject) -> Vec<IpNet> {
    let running = subject.running().map(|running| &running.peers[..]).unwrap_or_default();
    running.iter().flat_map(|peer| peer.allowed_ips.iter().copied()).collect()
}

/// What is wrong with the way to `network`, if something is.
fn strays(network: &IpNet, subject: &Subject) -> Option<String> {
    let is_own = |address: &IpAddr| subject.link.as_ref().is_some_and(|link| link.addresses.contains(address));
    let address = match network.prefix_len() {
        0 => SOMEWHERE[usize::from(matches!(network, IpNet::V6(_)))],
        // A network of nothing but our own address stays here.
        _ => network.hosts().take(MOST).find(|address| !is_own(address))?,
    };
    match way_to(address, 0) {
        // Another tunnel of this machine has it.
        Some(way) if way.starts_with("local ") => None,
        Some(way) => match device_of(&way) {
            Some(device) if device == subject.name => None,
            Some(device) => Some(format!("{network} goes to `{device}` instead of the tunnel")),
            None => Some(format!("{network} goes nowhere")),
        },
        None => Some(format!("there is no route to {network}")),
    }
}

/// Whether the rules are there that lead everything but the tunnel's own datagrams into it.
pub(super) fn rules(subject: &Subject) -> Option<Finding> {
    let check = "rule";
    if !subject.config().is_some_and(has_default_route) {
        return None;
    }
    let again = format!("`underpass down {0}`, and `up {0}`", subject.name);
    let Some(table) = subject.takes_everything() else {
        return Some(Finding::fault(check, "what runs has no mark: its own datagrams go into the tunnel", again));
    };
    let families: Vec<Family> = Family::ALL
        .into_iter()
        .filter(|family| {
            allowed(subject).iter().any(|network| network.prefix_len() == 0 && Family::of(network) == *family)
        })
        .collect();
    let lacks = |family: &&Family| {
        let listing = output("ip", &[family.option(), "rule", "show"]).unwrap_or_default();
        rule::divert_rules(&listing, table).is_empty() || rule::main_rules(&listing, table).is_empty()
    };
    let lacking: Vec<&str> = families.iter().filter(lacks).map(|family| word(*family)).collect();
    Some(match lacking[..] {
        [] => Finding::good(check, format!("all but what carries the mark {table:#x} goes to table {table}")),
        _ => Finding::fault(check, format!("rules are gone for {}", lacking.join(" and ")), again),
    })
}

const fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

/// Whether packets may go past a tunnel that everything is to go through.
pub(super) fn leaks(subject: &Subject) -> Finding {
    let check = "leak";
    if !subject.config().is_some_and(has_default_route) {
        return Finding::good(check, "only the allowed IPs are meant to go into the tunnel");
    }
    let mut ways = Vec::new();
    for (somewhere, family) in SOMEWHERE.into_iter().zip(Family::ALL) {
        let past = way_to(somewhere, 0).and_then(|way| device_of(&way).map(str::to_owned));
        if let Some(device) = past.filter(|device| *device != subject.name && device != "lo") {
            ways.push(format!("{} goes past it, to `{device}`", word(family)));
        }
        let table = output("ip", &[family.option(), "route", "show", "table", "main"]).unwrap_or_default();
        ways.extend(table.lines().filter_map(|route| passes_by(route, &subject.name)));
    }
    match ways.is_empty() {
        true => Finding::good(check, "there is no way past the tunnel but to networks that are on the link"),
        false => Finding::warning(
            check,
            ways.join("\n"),
            "AllowedIPs = 0.0.0.0/0, ::/0 takes both families; a kill switch stops what a network's routes lead past",
        ),
    }
}

/// A route of the main table over a gateway, which wins over the tunnel's default route (TunnelVision, CVE-2024-3661).
fn passes_by(route: &str, name: &str) -> Option<String> {
    let network = route.split_whitespace().next().filter(|network| *network != "default")?;
    let is_past = route.contains(" via ") && device_of(route) != Some(name);
    is_past.then(|| format!("{network} goes past it, to `{}`", device_of(route).unwrap_or("a gateway")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_over_a_gateway_passes_by() {
        assert_eq!(passes_by("default via 192.0.2.1 dev eth0", "wg0"), None);
        assert_eq!(passes_by("192.0.2.0/24 dev eth0 proto kernel scope link", "wg0"), None);
        assert_eq!(passes_by("10.0.0.0/8 via 10.9.0.1 dev wg0", "wg0"), None);
        let found = passes_by("0.0.0.0/1 via 192.0.2.9 dev eth0 proto dhcp", "wg0");
        assert_eq!(found.as_deref(), Some("0.0.0.0/1 goes past it, to `eth0`"));
    }
}
