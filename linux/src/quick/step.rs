//! One step of a plan: what does it, and what undoes it.
use super::firewall::Firewall;
use super::invocation::Invocation;
use super::machine::{SEEN_MARK, output};
use super::seen::Seen;
use crate::dns::Dns;
use crate::guard::split::{Split, inside_rule, user_rule};
use crate::guard::{self, Lock, lock::barrier};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of `network`.
    #[must_use]
    pub const fn of(network: &IpNet) -> Self {
        match network {
            IpNet::V4(_) => Self::V4,
            IpNet::V6(_) => Self::V6,
        }
    }

    /// The option of `ip` that selects it.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }
}

/// Which commands of the configuration a hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the key of the same name in wg-quick(8)")]
pub enum Phase {
    PreUp,
    PostUp,
    PreDown,
    PostDown,
}

/// One step. Those that leave something behind are written down, see [`Record`](super::Record).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Step {
    /// A command of the configuration.
    #[serde(skip)]
    Hook {
        /// Which.
        phase: Phase,
        /// The shell command; `%i` has been replaced.
        command: String,
    },
    /// Creates the interface and starts the tunnel on it.
    Start,
    /// Gives the interface an address.
    #[serde(skip)]
    Address(IpNet),
    /// Sets the MTU and sets the interface up.
    #[serde(skip)]
    LinkUp {
        /// In bytes.
        mtu: u16,
    },
    /// Announces name servers and search domains.
    Dns(Dns),
    /// Sends a network through the tunnel.
    #[serde(skip)]
    Route {
        /// The network.
        network: IpNet,
        /// The table by number or name; `None`: the main one.
        table: Option<String>,
    },
    /// Sends what the tunnel itself did not send to the table `table`.
    DivertRule {
        /// IPv4 or IPv6.
        family: Family,
        /// The table, and the mark of the tunnel's own datagrams.
        table: u32,
    },
    /// Lets every route of the main table but the default one win over the tunnel.
    MainRule {
        /// IPv4 or IPv6.
        family: Family,
        /// The table of the rule it belongs to.
        table: u32,
    },
    /// Lets the kernel's reverse path check see the mark of the tunnel's datagrams. Stays: other tunnels may need it.
    #[serde(skip)]
    SourceValidMark,
    /// Lets nothing leave but through the tunnel. It has a record of its own, and outlives the tunnel.
    #[serde(skip)]
    Lock(Lock),
    /// Tells programs apart that go another way than all others.
    Split(Split),
    /// Routes what a user sends as if there were no tunnel.
    UserRule {
        /// IPv4 or IPv6.
        family: Family,
        /// The user's number.
        user: u32,
    },
    /// Sends what is marked to the tunnel's table.
    InsideRule {
        /// IPv4 or IPv6.
        family: Family,
        /// The mark.
        mark: u32,
        /// The table.
        table: u32,
    },
    /// Ends the tunnel's table with a route to nowhere.
    Barrier {
        /// IPv4 or IPv6.
        family: Family,
        /// The table.
        table: u32,
    },
    /// Has rules and last routes put back by whoever keeps the kill switch.
    Keep {
        /// The interface.
        name: String,
    },
    /// Drops packets to the tunnel's addresses that do not come out of it (CVE-2019-14899), and carries the mark of the
    /// tunnel's datagrams over to the answers.
    Firewall(Firewall),
}

/// A route or a rule that a list of the machine shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    list: Invocation,
    /// What its line has.
    line: String,
    /// What deletes it.
    pub delete: Invocation,
}

impl Listed {
    /// Whether it is there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let words: Vec<&str> = self.list.arguments.iter().map(String::as_str).collect();
        let listing = output(self.list.program, &words).unwrap_or_default();
        let one_space = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        listing.lines().any(|line| one_space(line).contains(&self.line))
    }
}

/// What is done to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Runs a shell command of the configuration.
    Shell(String),
    /// Runs a program.
    Run(Invocation),
    /// Adds the rules of a tunnel to the firewall, in the place of those that are there.
    AddFirewall(Firewall),
    /// Removes the rules of a tunnel from the firewall, as far as they are there.
    RemoveFirewall(Firewall),
    /// Creates the interface and starts the tunnel.
    StartTunnel,
    /// Deletes the interface, which ends the tunnel, and waits until it has ended.
    StopTunnel,
    /// Writes a setting of the kernel.
    Setting {
        /// Its path below /proc/sys.
        path: &'static str,
        /// What to write.
        value: &'static str,
    },
    /// Runs a program, if the machine still has it: without it, what it kept is gone too.
    RunIfThere(Invocation),
    /// Tells the machine's resolvers of name servers.
    SetDns(Dns),
    /// Takes that back.
    UnsetDns(Dns),
    /// Sets the kill switch.
    Lock(Lock),
    /// Removes the kill switch of an interface.
    Unlock {
        /// The interface.
        name: String,
    },
    /// Has rules and last routes put back, or no longer.
    Keep {
        /// The interface.
        name: String,
        /// Whether they are.
        on: bool,
    },
    /// Deletes a route or a rule, if it is there.
    DeleteListed(Listed),
    /// Deletes the rule that diverts to `table`.
    DeleteDivertRule {
        /// IPv4 or IPv6.
        family: Family,
        /// The table.
        table: u32,
    },
    /// Deletes the rule for the main table that belongs to the one that diverts to `table`.
    DeleteMainRule {
        /// IPv4 or IPv6.
        family: Family,
        /// The table.
        table: u32,
    },
}

impl Step {
    /// What does it on interface `name`.
    #[must_use]
    pub fn does(&self, name: &str) -> Action {
        let ip = |arguments: String| Action::Run(Invocation::new("ip", &arguments));
        match self {
            Self::Hook { command, .. } => Action::Shell(command.clone()),
            Self::Start => Action::StartTunnel,
            Self::Address(address) => ip(format!("{} address add {address} dev {name}", Family::of(address).option())),
            Self::LinkUp { mtu } => ip(format!("link set mtu {mtu} up dev {name}")),
            Self::Dns(dns) => Action::SetDns(dns.clone()),
            Self::Route { network, table } => {
                let table = table.as_ref().map(|table| format!(" table {table}")).unwrap_or_default();
                ip(format!("{} route add {network} dev {name}{table}", Family::of(network).option()))
            }
            Self::DivertRule { family, table } => {
                ip(format!("{} rule add not fwmark {table} table {table}", family.option()))
            }
            Self::MainRule { family, .. } => {
                ip(format!("{} rule add table main suppress_prefixlength 0", family.option()))
            }
            Self::SourceValidMark => Action::Setting { path: SEEN_MARK, value: "1" },
            Self::Lock(lock) => Action::Lock(lock.clone()),
            Self::Split(split) => Action::Run(split.add()),
            Self::UserRule { family, user } => ip(user_rule("add", *family, *user)),
            Self::InsideRule { family, mark, table } => ip(inside_rule("add", *family, *mark, *table)),
            Self::Barrier { family, table } => ip(barrier("replace", *family, *table)),
            Self::Keep { name } => Action::Keep { name: name.clone(), on: true },
            Self::Firewall(firewall) => Action::AddFirewall(firewall.clone()),
        }
    }

    /// What undoes it, however little of it is there; `None` when nothing does, or when it goes with the interface.
    #[must_use]
    pub fn undoes(&self) -> Option<Action> {
        match self {
            Self::Start => Some(Action::StopTunnel),
            Self::Dns(dns) => Some(Action::UnsetDns(dns.clone())),
            Self::DivertRule { family, table } => Some(Action::DeleteDivertRule { family: *family, table: *table }),
            Self::MainRule { family, table } => Some(Action::DeleteMainRule { family: *family, table: *table }),
            Self::Lock(Lock { stays: true, .. }) => None,
            Self::Lock(lock) => Some(Action::Unlock { name: lock.interface.clone() }),
            Self::Split(split) => Some(Action::RunIfThere(split.remove())),
            Self::UserRule { .. } | Self::InsideRule { .. } | Self::Barrier { .. } => {
                self.deletes().map(Action::DeleteListed)
            }
            Self::Keep { name } => Some(Action::Keep { name: name.clone(), on: false }),
            Self::Firewall(firewall) => Some(Action::RemoveFirewall(firewall.clone())),
            Self::Hook { .. } | Self::Address(_) | Self::LinkUp { .. } | Self::Route { .. } | Self::SourceValidMark => {
                None
            }
        }
    }

    /// Where to look for a route or a rule that has no better way to be told, and what deletes it.
    fn deletes(&self) -> Option<Listed> {
        let listed = |family: Family, list: &str, line: String, delete: String| Listed {
            list: Invocation::new("ip", &format!("{} {list}", family.option())),
            line,
            delete: Invocation::new("ip", &delete),
        };
        match self {
            Self::UserRule { family, user } => {
                let line = format!("uidrange {user}-{user} lookup main");
                Some(listed(*family, "rule show", line, user_rule("delete", *family, *user)))
            }
            Self::InsideRule { family, mark, table } => {
                let line = format!("from all fwmark {mark:#x} lookup {table}");
                Some(listed(*family, "rule show", line, inside_rule("delete", *family, *mark, *table)))
            }
            Self::Barrier { family, table } => {
                let list = format!("route show table {table}");
                Some(listed(*family, &list, "unreachable default".into(), barrier("delete", *family, *table)))
            }
            _ => None,
        }
    }

    /// What undoes it while the interface `name` stays.
    #[must_use]
    pub fn withdraws(&self, name: &str) -> Option<Action> {
        let ip = |arguments: String| Some(Action::Run(Invocation::new("ip", &arguments)));
        match self {
            Self::Start => None,
            Self::Address(address) => {
                ip(format!("{} address delete {address} dev {name}", Family::of(address).option()))
            }
            Self::Route { network, table } => {
                let table = table.as_ref().map(|table| format!(" table {table}")).unwrap_or_default();
                ip(format!("{} route delete {network} dev {name}{table}", Family::of(network).option()))
            }
            _ => self.undoes(),
        }
    }

    /// Whether it leaves something behind that has to be undone: it belongs into the record.
    #[must_use]
    pub fn leaves_something(&self) -> bool {
        // The kill switch has a record of its own.
        !matches!(self, Self::Lock(_)) && self.undoes().is_some()
    }

    /// Whether doing it puts it in the place of `other`, so that the other need not be undone.
    #[must_use]
    pub fn replaces(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::LinkUp { .. }, Self::LinkUp { .. }) => true,
            // What was told before is told anew.
            (Self::Dns(own), Self::Dns(other)) => own.interface == other.interface,
            (Self::Lock(own), Self::Lock(other)) => own.interface == other.interface,
            (Self::Split(own), Self::Split(other)) => own.mark == other.mark,
            (Self::Firewall(own), Self::Firewall(other)) => (own.program, own.family) == (other.program, other.family),
            _ => false,
        }
    }

    /// Whether its traces are on the machine.
    #[must_use]
    pub fn is_there(&self, seen: &Seen) -> bool {
        match self {
            Self::Hook { .. } => false,
            Self::Start => seen.has_interface(),
            Self::Address(address) => seen.addresses().contains(address),
            Self::LinkUp { mtu } => seen.mtu() == Some((*mtu).into()),
            Self::Dns(dns) => dns.is_set(),
            Self::Route { network, table } => seen.has_route(network, table.as_deref()),
            Self::DivertRule { family, table } => seen.has_divert_rule(*family, *table),
            Self::MainRule { family, table } => seen.has_main_rule(*family, *table),
            Self::SourceValidMark => false,
            Self::Firewall(firewall) => firewall.is_there(),
            // Whether somebody keeps them is not seen from here; to say it again changes nothing.
            Self::Lock(_) | Self::Keep { .. } | Self::Split(_) => false,
            Self::UserRule { .. } | Self::InsideRule { .. } | Self::Barrier { .. } => {
                self.deletes().is_some_and(|listed| listed.is_there())
            }
        }
    }
}

/// As one would type it into a shell; what no command does is said in a comment.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(command) => f.write_str(command),
            Self::Run(invocation) | Self::RunIfThere(invocation) => invocation.fmt(f),
            Self::AddFirewall(firewall) => firewall.add().fmt(f),
            Self::RemoveFirewall(firewall) => firewall.remove().fmt(f),
            Self::SetDns(dns) => dns.fmt(f),
            Self::UnsetDns(dns) => f.write_str(&dns.undoing()),
            Self::StartTunnel => f.write_str("# create the interface and start the tunnel"),
            Self::StopTunnel => f.write_str("# delete the interface, which ends the tunnel"),
            Self::Setting { path, value } => write!(f, "echo {value} > /proc/sys/{path}"),
            Self::DeleteListed(listed) => listed.delete.fmt(f),
            Self::Lock(lock) => guard::shown(lock).fmt(f),
            Self::Unlock { name } => write!(f, "underpass unlock {name}"),
            Self::Keep { on: true, .. } => {
                f.write_str("# from here on, rules and last routes are put back when they are deleted")
            }
            Self::Keep { on: false, .. } => f.write_str("# from here on, rules and last routes may be deleted"),
            Self::DeleteDivertRule { family, table } => {
                write!(f, "ip {} rule delete not fwmark {table} table {table}", family.option())
            }
            Self::DeleteMainRule { family, .. } => {
                write!(f, "ip {} rule delete table main suppress_prefixlength 0", family.option())
            }
        }
    }
}
