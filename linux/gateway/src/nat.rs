//! Rules of nftables for what a gateway forwards: one table, put up and taken away in one step each.
//!
//! - From the tunnel, only packets of tunnel addresses are forwarded, and only to the networks of `forward`, if it names any.
//! - Into the tunnel, only what belongs to a connection that was begun from it, or comes from a site, is forwarded.
//! - Behind the interfaces of `masquerade`, clients' addresses are hidden; sites keep theirs.
//! - TCP's segments are made to fit the path (RFC 4459 § 3.2), where `clamp_mss` says so.
//!
//! From one peer to another, packets pass by the tunnel's own rules, and by these once more.
use crate::settings::Settings;
use ipnet::IpNet;
use std::fmt::Write;

/// The name of the table for the interface called `interface`. One table for each tunnel: gateways do not know each other.
#[must_use]
pub fn table(interface: &str) -> String {
    // A table's name has fewer characters than an interface's.
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:02x}", u32::from(c)) };
    format!("underpass_gateway_{}", interface.chars().map(plain).collect::<String>())
}

/// What takes the table away, whether it is there or not.
#[must_use]
pub fn removal(interface: &str) -> String {
    let table = table(interface);
    // To add it first is how nft takes away what may not be there.
    format!("add table inet {table}\ndelete table inet {table}\n")
}

/// What replaces the table by the one that `settings` ask for: a text for `nft -f`.
#[must_use]
pub fn rules(settings: &Settings) -> String {
    let mut text = removal(&settings.interface);
    let clients: Vec<IpNet> = settings.pools.iter().map(|pool| pool.network).collect();
    let sites: Vec<IpNet> = settings.sites.iter().flat_map(|site| site.networks.iter().copied()).collect();
    let tunnel: Vec<IpNet> = clients.iter().chain(&sites).copied().collect();
    let lines = [
        format!("table inet {} {{", table(&settings.interface)),
        sets(&[("client", &clients), ("site", &sites), ("tunnel", &tunnel), ("forward", &settings.nat.forward)]),
        forward(settings),
        postrouting(settings),
        "}".into(),
    ];
    for line in lines.iter().filter(|line| !line.is_empty()) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The two families of networks as sets.
fn sets(named: &[(&str, &[IpNet])]) -> String {
    let mut text = String::new();
    for (name, networks) in named {
        for (family, kind, is_v4) in [("v4", "ipv4_addr", true), ("v6", "ipv6_addr", false)] {
            let of_family = IpNet::aggregate(
                &networks.iter().copied().filter(|network| network.addr().is_ipv4() == is_v4).collect(),
            );
            let elements: Vec<String> = of_family.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "\tset {name}_{family} {{");
            let _ = writeln!(text, "\t\ttype {kind}; flags interval;");
            if !elements.is_empty() {
                let _ = writeln!(text, "\t\telements = {{ {} }}", elements.join(", "));
            }
            let _ = writeln!(text, "\t}}");
        }
    }
    text
}

fn forward(settings: &Settings) -> String {
    let interface = quoted(&settings.interface);
    let mut text = String::from("\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n");
    let mut rule = |rule: String| {
        let _ = writeln!(text, "\t\t{rule}");
    };
    if settings.nat.clamp_mss {
        for direction in ["iifname", "oifname"] {
            rule(format!("{direction} {interface} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu"));
        }
    }
    // Others' traffic is others' business.
    rule(format!("iifname != {interface} oifname != {interface} return"));
    rule(format!("iifname {interface} ip saddr != @tunnel_v4 drop"));
    rule(format!("iifname {interface} ip6 saddr != @tunnel_v6 drop"));
    rule("ct state established,related accept".into());
    rule("ct state invalid drop".into());
    rule(format!("iifname {interface} oifname {interface} accept"));
    if settings.nat.forward.is_empty() {
        rule(format!("iifname {interface} accept"));
    } else {
        rule(format!("iifname {interface} ip daddr @forward_v4 accept"));
        rule(format!("iifname {interface} ip6 daddr @forward_v6 accept"));
    }
    // Hosts behind this gateway reach sites, and no client that did not ask.
    rule(format!("oifname {interface} ip daddr @site_v4 accept"));
    rule(format!("oifname {interface} ip6 daddr @site_v6 accept"));
    rule("drop".into());
    text.push_str("\t}");
    text
}

fn postrouting(settings: &Settings) -> String {
    if settings.nat.masquerade.is_empty() {
        return String::new();
    }
    let behind: Vec<String> = settings.nat.masquerade.iter().map(|name| quoted(name)).collect();
    let behind = behind.join(", ");
    format!(
        "\tchain postrouting {{\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\
         \t\toifname {{ {behind} }} ip saddr @client_v4 masquerade\n\
         \t\toifname {{ {behind} }} ip6 saddr @client_v6 masquerade\n\t}}"
    )
}

/// Names of interfaces have no quotes in them: they were checked.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_two_interfaces_are_two() {
        let names = ["wg0", "wg-0", "wg_0", "wg.0", "wg_2d0"].map(table);
        for (number, name) in names.iter().enumerate() {
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
            assert!(!names[..number].contains(name), "{name}");
        }
    }
}
