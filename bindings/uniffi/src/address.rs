//! Addresses as Kotlin and Swift write them: texts and numbers.
use crate::error::TunnelError;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use underpass_core::tunnel;

/// The longest host name of an endpoint (RFC 1035, section 2.3.4).
const HOST: usize = 255;

/// An IP address with the length of its network's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Network {
    /// The address, as `10.0.0.1` or `fd00::1`.
    pub address: String,
    /// Bits of the prefix: up to 32 or 128.
    pub prefix: u8,
}

/// An address of UDP.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct SocketAddress {
    /// The address, as `192.0.2.1` or `2001:db8::1`, without brackets and zone.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The number of the network interface that a link-local IPv6 address belongs to; else 0.
    #[uniffi(default = 0)]
    pub scope_id: u32,
}

/// Where a peer is reached, as configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Enum)]
pub enum Endpoint {
    /// An address.
    Address {
        /// Which.
        address: SocketAddress,
    },
    /// A name that the application is to resolve when an event asks for it.
    Name {
        /// The host name.
        host: String,
        /// The UDP port.
        port: u16,
    },
}

/// Where a peer is reached at present.
#[derive(Clone, Debug, PartialEq, Eq, Hash, uniffi::Record)]
pub struct Path {
    /// The address of the peer.
    pub remote: SocketAddress,
    /// Our own address; none: the system chooses.
    pub local: Option<String>,
    /// The number that the data plane gave the socket.
    pub link: u32,
}

/// The address that a text says; `what` is the argument that it stands in.
pub(crate) fn ip(text: &str, what: &str) -> Result<IpAddr, TunnelError> {
    text.parse().map_err(|_| TunnelError::argument(what))
}

impl Network {
    pub(crate) fn to_core(&self, what: &str) -> Result<IpNet, TunnelError> {
        IpNet::new(ip(&self.address, what)?, self.prefix).map_err(|_| TunnelError::prefix(what))
    }
}

impl From<IpNet> for Network {
    fn from(network: IpNet) -> Self {
        Self { address: network.addr().to_string(), prefix: network.prefix_len() }
    }
}

impl SocketAddress {
    pub(crate) fn to_core(&self, what: &str) -> Result<SocketAddr, TunnelError> {
        match ip(&self.address, what)? {
            IpAddr::V4(_) if self.scope_id != 0 => Err(TunnelError::argument(what)),
            IpAddr::V4(address) => Ok((address, self.port).into()),
            IpAddr::V6(address) => Ok(SocketAddrV6::new(address, self.port, 0, self.scope_id).into()),
        }
    }
}

impl From<SocketAddr> for SocketAddress {
    fn from(address: SocketAddr) -> Self {
        let scope_id = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(address) => address.scope_id(),
        };
        Self { address: address.ip().to_string(), port: address.port(), scope_id }
    }
}

impl Endpoint {
    pub(crate) fn to_core(&self) -> Result<underpass_core::Endpoint, TunnelError> {
        match self {
            Self::Address { address } => Ok(underpass_core::Endpoint::Address(address.to_core("endpoint")?)),
            Self::Name { host, port } if is_name(host) => {
                Ok(underpass_core::Endpoint::Name { host: host.clone(), port: *port })
            }
            Self::Name { .. } => Err(TunnelError::argument("endpoint")),
        }
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && host.len() <= HOST && !host.contains(|c: char| c.is_control() || c.is_whitespace())
}

impl From<&underpass_core::Endpoint> for Endpoint {
    fn from(endpoint: &underpass_core::Endpoint) -> Self {
        match endpoint {
            underpass_core::Endpoint::Address(address) => Self::Address { address: (*address).into() },
            underpass_core::Endpoint::Name { host, port } => Self::Name { host: host.clone(), port: *port },
        }
    }
}

impl From<tunnel::Path> for Path {
    fn from(path: tunnel::Path) -> Self {
        Self { remote: path.remote.into(), local: path.local.map(|local| local.to_string()), link: path.link }
    }
}
