//! A wg-quick configuration as values.
use crate::config::change::TunnelConfig;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use ipnet::IpNet;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// All that a wg-quick text says: the tunnel, and what its host does around it.
///
/// Secrets are redacted in `Debug`, compared in constant time and wiped on drop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuickConfig {
    /// What the tunnel is made from. Its `mtu` is [`QuickConfig::mtu`] or the default; limits and timestamp floor are
    /// no part of the text.
    pub tunnel: TunnelConfig,
    /// Addresses of the virtual interface, each with the length of its network's prefix.
    pub addresses: Vec<IpNet>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains to search, as written after `DNS` among the name servers.
    pub search_domains: Vec<String>,
    /// The MTU, where one is given.
    pub mtu: Option<u16>,
    /// The UDP port to listen on; 0 and `None`: any.
    pub listen_port: Option<u16>,
    /// The firewall mark of outgoing datagrams; 0: none.
    pub fwmark: Option<u32>,
    /// Where routes to the allowed IPs go.
    pub table: Table,
    /// Shell commands to run before the interface is up, in order; `%i` stands for its name.
    pub pre_up: Vec<String>,
    /// Shell commands to run after it.
    pub post_up: Vec<String>,
    /// Shell commands to run before the interface goes down.
    pub pre_down: Vec<String>,
    /// Shell commands to run after it.
    pub post_down: Vec<String>,
    /// Whether the running configuration is written back when the interface goes down.
    pub save_config: bool,
    /// What the host for Linux does, and no other.
    pub linux: LinuxSettings,
    /// Applications that use the tunnel; empty: all. Not both lists are filled.
    pub included_applications: Vec<String>,
    /// Applications that do not use the tunnel.
    pub excluded_applications: Vec<String>,
    /// AmneziaWG's settings as written, each key once.
    pub amnezia: Vec<AmneziaSetting>,
}

/// Settings that the host for Linux alone carries out. Other hosts keep them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinuxSettings {
    /// Zones of name servers (RFC 4007 § 11): the place of the server in [`QuickConfig::dns`], and the name or number of the
    /// interface that it is reached by.
    pub dns_zones: Vec<(usize, String)>,
    /// The kill switch; `None`: the text does not say.
    pub kill_switch: Option<KillSwitch>,
    /// Users, by name or number, whose programs stay outside the tunnel.
    pub exclude_users: Vec<String>,
    /// Control groups, by their path, whose programs stay outside the tunnel.
    pub exclude_cgroups: Vec<String>,
    /// Users whose programs alone use the tunnel; with [`only_cgroups`](Self::only_cgroups) empty too: all.
    pub only_users: Vec<String>,
    /// Control groups whose programs alone use the tunnel.
    pub only_cgroups: Vec<String>,
}

impl LinuxSettings {
    /// The zone of the name server at `place` in [`QuickConfig::dns`], if it has one.
    #[must_use]
    pub fn dns_zone(&self, place: usize) -> Option<&str> {
        self.dns_zones.iter().find(|(server, _)| *server == place).map(|(_, zone)| zone.as_str())
    }
}

/// What may leave the machine beside the tunnel's own datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillSwitch {
    /// Anything.
    Off,
    /// Only what goes through the tunnel.
    On,
    /// What goes through the tunnel, and what stays in the private local network.
    Lan,
}

impl KillSwitch {
    /// The word for it in a configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Lan => "lan",
        }
    }
}

/// The routing table to which routes are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// The main table, with special treatment of default routes.
    #[default]
    Auto,
    /// None: no routes are added.
    Off,
    /// The table with this number.
    Number(u32),
    /// The table with this name.
    Name(String),
}

/// One setting of AmneziaWG. Values are treated as secrets: some are keys, all of them tell what to look for.
#[derive(Clone)]
pub struct AmneziaSetting {
    /// The key in its usual spelling.
    pub key: &'static str,
    /// The value as written.
    pub value: Zeroizing<String>,
}

impl fmt::Debug for AmneziaSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = (redacted)", self.key)
    }
}

impl PartialEq for AmneziaSetting {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value.as_bytes().ct_eq(other.value.as_bytes()).into()
    }
}
impl Eq for AmneziaSetting {}
