//! Programs that stay outside the tunnel, or that alone use it, by user and by control group.
//!
//! The kernel tells whose a packet is when it leaves, after it was routed. So packets are marked and routed anew, answers find back by
//! the mark of their connection, and the source address follows the way. All of it is a table of its own: a control group that is not
//! there costs nobody the kill switch.
use crate::quick::Family;
use crate::quick::invocation::Invocation;
use crate::quick::machine::find_program;
use anyhow::bail;
use nix::unistd::User;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::Path;
use underpass_core::config::QuickConfig;

/// Where control groups are.
const CGROUPS: &str = "/sys/fs/cgroup";
/// What the mark of packets that are let in differs in from that of the tunnel's own, and so the mark of their connections.
const INSIDE: u32 = 1 << 30;
/// What the mark of connections differs in that stay outside: the packets have the mark of the tunnel's own, but what the kernel has to
/// say about the tunnel's own is none of them.
const OUTSIDE: u32 = 1 << 29;

/// Which programs go another way than all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The tunnel's interface.
    pub interface: String,
    /// The mark of the tunnel's datagrams.
    pub mark: u32,
    /// Whether those alone use the tunnel; else they stay outside.
    pub alone: bool,
    /// Users, by number.
    pub users: Vec<u32>,
    /// Control groups, by path.
    pub cgroups: Vec<String>,
    /// The tunnel's addresses.
    pub addresses: Vec<IpAddr>,
    /// Name servers inside the tunnel, which everybody asks there.
    pub dns: Vec<IpAddr>,
}

impl Split {
    /// What `config` of the tunnel `interface` asks for, and what of it cannot be had.
    #[must_use]
    pub fn of(interface: &str, config: &QuickConfig, mark: u32) -> (Option<Self>, Vec<String>) {
        let linux = &config.linux;
        let alone = !linux.only_users.is_empty() || !linux.only_cgroups.is_empty();
        let (names, groups) = match alone {
            true => (&linux.only_users, &linux.only_cgroups),
            false => (&linux.exclude_users, &linux.exclude_cgroups),
        };
        let (mut split, mut missing) = (
            Self {
                interface: interface.into(),
                mark,
                alone,
                users: Vec::new(),
                cgroups: Vec::new(),
                addresses: config.addresses.iter().map(ipnet::IpNet::addr).collect(),
                dns: config.dns.clone(),
            },
            Vec::new(),
        );
        for name in names {
            match user(name) {
                Some(number) => split.users.push(number),
                None => missing.push(format!("there is no user {name}")),
            }
        }
        for group in groups {
            let group = group.trim_matches('/');
            match Path::new(CGROUPS).join(group).is_dir() {
                true => split.cgroups.push(group.into()),
                false => missing.push(format!("there is no control group {CGROUPS}/{group}")),
            }
        }
        let is_any = alone || !split.users.is_empty() || !split.cgroups.is_empty();
        (is_any.then_some(split), missing)
    }

    /// Refuses what cannot be had, where programs would leave outside for want of it; of the rest it tells.
    ///
    /// # Errors
    /// A program that is to use the tunnel alone cannot be told, or there is no nft.
    pub fn check(split: Option<&Self>, missing: &[String]) -> anyhow::Result<Vec<String>> {
        let Some(split) = split else { return Ok(told(missing)) };
        if find_program("nft").is_none() {
            bail!("programs are told apart by nft, which is missing: install nftables");
        }
        match missing.first() {
            Some(fault) if split.alone => bail!("{fault}, whose programs alone are to use the tunnel"),
            _ => Ok(told(missing)),
        }
    }

    /// The mark of packets that are let into the tunnel.
    #[must_use]
    pub const fn inside(&self) -> u32 {
        self.mark ^ INSIDE
    }

    /// What puts the table in the place of one that is there, in one step.
    #[must_use]
    pub fn add(&self) -> Invocation {
        let (name, marks, answers) = (self.name(), self.marks(), self.answers());
        let (source, last) = (self.source(), self.last());
        Invocation::new("nft", "-f -").reading(format!(
            "add table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n\
             \x20 chain output {{\n    type route hook output priority -150;\n{marks}  }}\n\
             \x20 chain answers {{\n    type filter hook prerouting priority -150;\n{answers}  }}\n\
             \x20 chain source {{\n    type nat hook postrouting priority 100;\n{source}  }}\n{last}}}\n"
        ))
    }

    /// What removes it; no error when it is not there.
    #[must_use]
    pub fn remove(&self) -> Invocation {
        let name = self.name();
        Invocation::new("nft", "-f -").reading(format!("add table inet {name}\ndelete table inet {name}\n"))
    }

    fn name(&self) -> String {
        format!("underpass-split-{}", self.mark)
    }

    /// The mark that packets of the programs get.
    const fn given(&self) -> u32 {
        if self.alone { self.inside() } else { self.mark }
    }

    /// The mark that their connections get.
    const fn connection(&self) -> u32 {
        if self.alone { self.inside() } else { self.mark ^ OUTSIDE }
    }

    fn marks(&self) -> String {
        let (mark, connection) = (self.given(), self.connection());
        let mut text = String::from("    oifname \"lo\" return\n");
        for server in self.dns.iter().filter(|_| !self.alone) {
            let word = if server.is_ipv4() { "ip" } else { "ip6" };
            text.push_str(&format!("    {word} daddr {server} return\n"));
        }
        // What comes without a program, as the last words of a connection do.
        text.push_str(&format!("    ct mark {connection} meta mark set {mark}\n"));
        for who in self.who() {
            text.push_str(&format!("    {who} ct mark set {connection} meta mark set {mark}\n"));
        }
        text
    }

    fn answers(&self) -> String {
        format!("    ct mark {} meta mark set {}\n", self.connection(), self.given())
    }

    /// The source address was chosen for the way that the packet did not take.
    fn source(&self) -> String {
        let (mark, interface) = (self.given(), &self.interface);
        if self.alone {
            return format!("    oifname \"{interface}\" meta mark {mark} masquerade\n");
        }
        let from = |address: &IpAddr| {
            let word = if address.is_ipv4() { "ip" } else { "ip6" };
            format!("    oifname != \"{interface}\" meta mark {mark} {word} saddr {address} masquerade\n")
        };
        self.addresses.iter().map(from).collect()
    }

    /// Whoever uses the tunnel alone leaves by no other way.
    fn last(&self) -> String {
        if !self.alone {
            return String::new();
        }
        // Here control groups are not told apart; their packets have the mark.
        let users: String = self.users.iter().map(|user| format!("    meta skuid {user} drop\n")).collect();
        let (interface, mark) = (&self.interface, self.inside());
        format!(
            "  chain alone {{\n    type filter hook postrouting priority 50;\n    oifname {{ \"lo\", \"{interface}\" }} accept\n{users}    \
             meta mark {mark} drop\n  }}\n"
        )
    }

    fn who(&self) -> impl Iterator<Item = String> {
        let groups = self.cgroups.iter();
        let groups = groups.map(|group| format!("socket cgroupv2 level {} \"{group}\"", group.split('/').count()));
        self.users.iter().map(|user| format!("meta skuid {user}")).chain(groups)
    }
}

fn told(missing: &[String]) -> Vec<String> {
    missing.iter().map(|fault| format!("{fault}: its programs use the tunnel like all others")).collect()
}

/// The number of a user.
fn user(name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| User::from_name(name).ok().flatten().map(|user| user.uid.as_raw()))
}

/// The rule that has the packets of a user routed as if there were no tunnel, so that they get their source address by that way.
#[must_use]
pub fn user_rule(verb: &str, family: Family, user: u32) -> String {
    format!("{} rule {verb} uidrange {user}-{user} table main", family.option())
}

/// The rule that sends what is let in to the tunnel's table.
#[must_use]
pub fn inside_rule(verb: &str, family: Family, mark: u32, table: u32) -> String {
    format!("{} rule {verb} fwmark {mark} table {table}", family.option())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(alone: bool) -> Split {
        Split {
            interface: "wg0".into(),
            mark: 7,
            alone,
            users: vec![1000],
            cgroups: vec!["system.slice/a.service".into()],
            addresses: vec![[10, 9, 0, 1].into()],
            dns: vec![[10, 9, 0, 53].into()],
        }
    }

    #[test]
    fn whoever_stays_outside_is_marked_as_the_tunnel_is() {
        let text = split(false).add().input.expect("text");
        let expected = "\
add table inet underpass-split-7
delete table inet underpass-split-7
table inet underpass-split-7 {
  chain output {
    type route hook output priority -150;
    oifname \"lo\" return
    ip daddr 10.9.0.53 return
    ct mark 536870919 meta mark set 7
    meta skuid 1000 ct mark set 536870919 meta mark set 7
    socket cgroupv2 level 2 \"system.slice/a.service\" ct mark set 536870919 meta mark set 7
  }
  chain answers {
    type filter hook prerouting priority -150;
    ct mark 536870919 meta mark set 7
  }
  chain source {
    type nat hook postrouting priority 100;
    oifname != \"wg0\" meta mark 7 ip saddr 10.9.0.1 masquerade
  }
}
";
        assert_eq!(text, expected);
    }

    #[test]
    fn whoever_is_alone_inside_leaves_by_no_other_way() {
        let text = split(true).add().input.expect("text");
        assert!(text.contains("meta skuid 1000 ct mark set 1073741831 meta mark set 1073741831\n"), "{text}");
        assert!(text.contains("oifname { \"lo\", \"wg0\" } accept\n    meta skuid 1000 drop\n"), "{text}");
        assert!(text.ends_with("skuid 1000 drop\n    meta mark 1073741831 drop\n  }\n}\n"), "{text}");
    }

    #[test]
    fn what_is_missing_is_refused_where_programs_would_leave_for_want_of_it() {
        let of = |linux| Split::of("wg0", &QuickConfig { linux, ..QuickConfig::default() }, 7);
        let linux = |alone: bool| {
            let groups = vec!["underpass/no-such-group".into()];
            let settings = underpass_core::config::LinuxSettings::default();
            match alone {
                true => underpass_core::config::LinuxSettings { only_cgroups: groups, ..settings },
                false => underpass_core::config::LinuxSettings { exclude_cgroups: groups, ..settings },
            }
        };
        let (outside, missing) = of(linux(false));
        assert_eq!(outside, None, "nobody is left");
        let told = Split::check(outside.as_ref(), &missing).expect("a warning");
        assert!(told[0].contains("use the tunnel like all others"), "{told:?}");
        let (alone, missing) = of(linux(true));
        assert!(Split::check(alone.as_ref(), &missing).is_err());
        assert_eq!(of(underpass_core::config::LinuxSettings::default()), (None, Vec::new()));
    }
}
