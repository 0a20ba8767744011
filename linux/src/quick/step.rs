//! One step of a plan: what does it, and what undoes it.
use super::firewall::Firewall;
use super::invocation::Invocation;
use crate::guard::split::{Split, inside_rule, user_rule};
use crate::guard::{self, Lock, lock::barrier};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command of the configuration.
    Hook {
        /// Which.
        phase: Phase,
        /// The shell command; `%i` has been replaced.
        command: String,
    },
    /// Creates the interface and starts the tunnel on it.
    Start,
    /// Gives the interface an address.
    Address(IpNet),
    /// Sets the MTU and sets the interface up.
    LinkUp {
        /// In bytes.
        mtu: u16,
    },
    /// Announces name servers and search domains.
    Dns {
        /// What resolvconf calls the interface.
        record: String,
        /// Name servers.
        servers: Vec<IpAddr>,
        /// Domains to search.
        search: Vec<String>,
    },
    /// Sends a network through the tunnel.
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
    SourceValidMark,
    /// Lets nothing leave but through the tunnel.
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

/// What is done to the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Runs a shell command of the configuration.
    Shell(String),
    /// Runs a program.
    Run(Invocation),
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
            Self::Dns { record, servers, search } => Action::Run(
                Invocation::new("resolvconf", &format!("-a {record} -m 0 -x")).reading(resolv_conf(servers, search)),
            ),
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
            Self::SourceValidMark => Action::Setting { path: "net/ipv4/conf/all/src_valid_mark", value: "1" },
            Self::Lock(lock) => Action::Lock(lock.clone()),
            Self::Split(split) => Action::Run(split.add()),
            Self::UserRule { family, user } => ip(user_rule("add", *family, *user)),
            Self::InsideRule { family, mark, table } => ip(inside_rule("add", *family, *mark, *table)),
            Self::Barrier { family, table } => ip(barrier("replace", *family, *table)),
            Self::Keep { name } => Action::Keep { name: name.clone(), on: true },
            Self::Firewall(firewall) => Action::Run(firewall.add()),
        }
    }

    /// What undoes it; `None` when nothing does, or when it goes with the interface.
    #[must_use]
    pub fn undoes(&self) -> Option<Action> {
        let ip = |arguments: String| Some(Action::Run(Invocation::new("ip", &arguments)));
        match self {
            Self::Start => Some(Action::StopTunnel),
            Self::Dns { record, .. } => Some(Action::Run(Invocation::new("resolvconf", &format!("-d {record} -f")))),
            Self::DivertRule { family, table } => Some(Action::DeleteDivertRule { family: *family, table: *table }),
            Self::MainRule { family, table } => Some(Action::DeleteMainRule { family: *family, table: *table }),
            Self::Lock(Lock { stays: true, .. }) => None,
            Self::Lock(lock) => Some(Action::Unlock { name: lock.interface.clone() }),
            Self::Split(split) => Some(Action::Run(split.remove())),
            Self::UserRule { family, user } => ip(user_rule("delete", *family, *user)),
            Self::InsideRule { family, mark, table } => ip(inside_rule("delete", *family, *mark, *table)),
            Self::Barrier { family, table } => ip(barrier("delete", *family, *table)),
            Self::Keep { name } => Some(Action::Keep { name: name.clone(), on: false }),
            Self::Firewall(firewall) => Some(Action::Run(firewall.remove())),
            Self::Hook { .. } | Self::Address(_) | Self::LinkUp { .. } | Self::Route { .. } | Self::SourceValidMark => {
                None
            }
        }
    }
}

fn resolv_conf(servers: &[IpAddr], search: &[String]) -> String {
    let mut text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if !search.is_empty() {
        text.push_str(&format!("search {}\n", search.join(" ")));
    }
    text
}

/// As one would type it into a shell; what no command does is said in a comment.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(command) => f.write_str(command),
            Self::Run(invocation) => invocation.fmt(f),
            Self::StartTunnel => f.write_str("# create the interface and start the tunnel"),
            Self::StopTunnel => f.write_str("# delete the interface, which ends the tunnel"),
            Self::Setting { path, value } => write!(f, "echo {value} > /proc/sys/{path}"),
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
