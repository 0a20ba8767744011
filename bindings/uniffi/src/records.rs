//! What a configuration says, as records.
use crate::address::{Endpoint, Network, ip};
use crate::error::TunnelError;
use crate::keys::{PresharedKey, PrivateKey, PublicKey};
use std::fmt;
use std::sync::Arc;
use underpass_core::config::{LinuxSettings, QuickConfig, Table};
use underpass_core::limits::{DEFAULT_MTU, MIN_MTU};
use underpass_core::{NewPeer, TunnelConfig};

/// The routing table to which routes are added, where it is not the main one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum RoutingTable {
    /// No routes are added.
    Off,
    /// The table with this number.
    Number {
        /// Which.
        number: u32,
    },
    /// The table with this name.
    Name {
        /// Which.
        name: String,
    },
}

/// What the `[Interface]` section says.
///
/// Commands, firewall mark and routing table are for programs that keep them; phones have no use for them.
#[derive(Clone, Default, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct InterfaceConfiguration {
    /// Our private key.
    #[uniffi(default = None)]
    pub private_key: Option<Arc<PrivateKey>>,
    /// Addresses of the virtual interface, each with the length of its network's prefix.
    #[uniffi(default = [])]
    pub addresses: Vec<Network>,
    /// Addresses of name servers.
    #[uniffi(default = [])]
    pub dns: Vec<String>,
    /// Domains to search.
    #[uniffi(default = [])]
    pub search_domains: Vec<String>,
    /// Bytes of the largest packet; none: the usual 1420.
    #[uniffi(default = None)]
    pub mtu: Option<u16>,
    /// The UDP port to listen on; none and 0: any.
    #[uniffi(default = None)]
    pub listen_port: Option<u16>,
    /// The firewall mark of outgoing datagrams.
    #[uniffi(default = None)]
    pub fwmark: Option<u32>,
    /// Where routes go; none: to the main table.
    #[uniffi(default = None)]
    pub table: Option<RoutingTable>,
    /// Applications that use the tunnel; empty: all. Not both lists are filled.
    #[uniffi(default = [])]
    pub included_applications: Vec<String>,
    /// Applications that do not use the tunnel.
    #[uniffi(default = [])]
    pub excluded_applications: Vec<String>,
    /// Commands to run before the interface is up.
    #[uniffi(default = [])]
    pub pre_up: Vec<String>,
    /// Commands to run after it.
    #[uniffi(default = [])]
    pub post_up: Vec<String>,
    /// Commands to run before the interface goes down.
    #[uniffi(default = [])]
    pub pre_down: Vec<String>,
    /// Commands to run after it.
    #[uniffi(default = [])]
    pub post_down: Vec<String>,
    /// Whether the running configuration is written back when the interface goes down.
    #[uniffi(default = false)]
    pub save_config: bool,
}

/// What a `[Peer]` section says.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PeerConfiguration {
    /// Its public key.
    pub public_key: Arc<PublicKey>,
    /// The networks that are routed to it, and from which its packets may come. Bits behind the prefix are ignored.
    #[uniffi(default = [])]
    pub allowed_ips: Vec<Network>,
    /// Where it is reached; none: from where it is heard first.
    #[uniffi(default = None)]
    pub endpoint: Option<Endpoint>,
    /// The secret that we share with it.
    #[uniffi(default = None)]
    pub preshared_key: Option<Arc<PresharedKey>>,
    /// Seconds between persistent keepalives; 0: none.
    #[uniffi(default = 0)]
    pub persistent_keepalive: u16,
}

impl InterfaceConfiguration {
    pub(crate) fn of(config: &QuickConfig) -> Self {
        Self {
            private_key: config.tunnel.private_key.clone().map(|key| Arc::new(PrivateKey(key))),
            addresses: config.addresses.iter().copied().map(Network::from).collect(),
            dns: config.dns.iter().map(ToString::to_string).collect(),
            search_domains: config.search_domains.clone(),
            mtu: config.mtu,
            listen_port: config.listen_port,
            fwmark: config.fwmark,
            table: match &config.table {
                Table::Auto => None,
                Table::Off => Some(RoutingTable::Off),
                Table::Number(number) => Some(RoutingTable::Number { number: *number }),
                Table::Name(name) => Some(RoutingTable::Name { name: name.clone() }),
            },
            included_applications: config.included_applications.clone(),
            excluded_applications: config.excluded_applications.clone(),
            pre_up: config.pre_up.clone(),
            post_up: config.post_up.clone(),
            pre_down: config.pre_down.clone(),
            post_down: config.post_down.clone(),
            save_config: config.save_config,
        }
    }

    /// The core's form of it, without peers.
    pub(crate) fn to_core(&self) -> Result<QuickConfig, TunnelError> {
        if self.mtu.is_some_and(|mtu| mtu < MIN_MTU) {
            return Err(TunnelError::Mtu);
        }
        let addresses = self.addresses.iter().map(|address| address.to_core("addresses"));
        Ok(QuickConfig {
            tunnel: TunnelConfig {
                private_key: self.private_key.as_ref().map(|key| key.0.clone()).filter(|key| !key.is_zero()),
                mtu: self.mtu.unwrap_or(DEFAULT_MTU),
                ..TunnelConfig::default()
            },
            addresses: addresses.collect::<Result<_, _>>()?,
            dns: self.dns.iter().map(|server| ip(server, "dns")).collect::<Result<_, _>>()?,
            search_domains: self.search_domains.clone(),
            mtu: self.mtu,
            listen_port: self.listen_port,
            fwmark: self.fwmark,
            table: match &self.table {
                None => Table::Auto,
                Some(RoutingTable::Off) => Table::Off,
                Some(RoutingTable::Number { number }) => Table::Number(*number),
                Some(RoutingTable::Name { name }) => Table::Name(name.clone()),
            },
            included_applications: self.included_applications.clone(),
            excluded_applications: self.excluded_applications.clone(),
            pre_up: self.pre_up.clone(),
            post_up: self.post_up.clone(),
            pre_down: self.pre_down.clone(),
            post_down: self.post_down.clone(),
            save_config: self.save_config,
            amnezia: Vec::new(),
            linux: LinuxSettings::default(),
        })
    }
}

impl PeerConfiguration {
    pub(crate) fn of(peer: &NewPeer) -> Self {
        Self {
            public_key: PublicKey::shared(&peer.public_key),
            allowed_ips: peer.allowed_ips.iter().copied().map(Network::from).collect(),
            endpoint: peer.endpoint.as_ref().map(Endpoint::from),
            preshared_key: peer.preshared_key.clone().map(|key| Arc::new(PresharedKey(key))),
            persistent_keepalive: peer.persistent_keepalive,
        }
    }

    pub(crate) fn to_core(&self) -> Result<NewPeer, TunnelError> {
        let networks = self.allowed_ips.iter().map(|network| Ok(network.to_core("allowed_ips")?.trunc()));
        Ok(NewPeer {
            allowed_ips: networks.collect::<Result<_, TunnelError>>()?,
            endpoint: self.endpoint.as_ref().map(Endpoint::to_core).transpose()?,
            preshared_key: self.preshared_key.as_ref().map(|key| key.0.clone()).filter(|key| !key.is_zero()),
            persistent_keepalive: self.persistent_keepalive,
            ..NewPeer::new(self.public_key.0)
        })
    }
}

/// Without commands, which may hold secrets.
impl fmt::Debug for InterfaceConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterfaceConfiguration")
            .field("private_key", &self.private_key)
            .field("addresses", &self.addresses)
            .field("dns", &self.dns)
            .field("mtu", &self.mtu)
            .field("listen_port", &self.listen_port)
            .finish_non_exhaustive()
    }
}
