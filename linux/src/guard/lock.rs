//! What the kill switch lets pass for the sake of one tunnel.
use crate::quick::Family;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use underpass_core::config::QuickConfig;

/// The kill switch of one tunnel. It is written down, so that whoever comes after a crash or at boot goes by the same mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lock {
    /// The tunnel's interface, whether or not it is there.
    pub interface: String,
    /// The mark of the tunnel's datagrams, and the number of its routing table.
    pub mark: u32,
    /// Whether the private local network stays in reach.
    pub lan: bool,
    /// Whether the rules that send everything to the tunnel's table are to be there.
    pub diverts: bool,
    /// The networks inside the tunnel, but for those of everything: no local network is taken for one of them.
    pub networks: Vec<IpNet>,
    /// Name servers inside the tunnel.
    pub dns: Vec<IpAddr>,
    /// Name servers outside the tunnel, for the names of its endpoints.
    pub servers: Vec<IpAddr>,
    /// Where endpoints were when their names were last resolved.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Whether it was there before the command that is under way, and stays when that fails.
    #[serde(skip)]
    pub stays: bool,
}

impl Lock {
    /// The lock of the tunnel `interface` with `config`. Its mark is still to be chosen.
    #[must_use]
    pub fn new(interface: &str, config: &QuickConfig, lan: bool) -> Self {
        let allowed = config.tunnel.peers.iter().flat_map(|peer| &peer.allowed_ips);
        let networks: Vec<IpNet> =
            allowed.chain(&config.addresses).map(IpNet::trunc).filter(|network| network.prefix_len() > 0).collect();
        Self {
            interface: interface.into(),
            mark: config.fwmark.unwrap_or(0),
            lan,
            networks: IpNet::aggregate(&networks),
            dns: config.dns.clone(),
            ..Self::default()
        }
    }

    /// The number of the table in which `family` ends when the tunnel is gone.
    #[must_use]
    pub fn table(&self) -> u32 {
        self.mark
    }

    /// The routing rule that sends what the tunnel did not send to its table, as `ip` takes it.
    #[must_use]
    pub fn divert(&self, family: Family) -> String {
        format!("{} rule add not fwmark {mark} table {mark}", family.option(), mark = self.mark)
    }
}

/// The last route of a tunnel's table: it outlives the interface, and keeps what was meant for it from the main table.
#[must_use]
pub fn barrier(verb: &str, family: Family, table: u32) -> String {
    format!("{} route {verb} unreachable default metric {LAST} table {table}", family.option())
}

/// The metric of a route behind all others.
const LAST: u32 = u32::MAX;
