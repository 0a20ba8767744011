//! A name server: its address, and the zone that a link-local one needs.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{AddrParseError, IpAddr};
use std::str::FromStr;
use underpass_core::config::QuickConfig;

/// A name server, as it stands in resolv.conf(5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Server {
    /// Its address.
    pub address: IpAddr,
    /// The name or number of the interface that it is reached by (RFC 4007 § 11).
    pub zone: Option<String>,
}

impl Server {
    /// The name servers that `config` names, in its order.
    #[must_use]
    pub fn of(config: &QuickConfig) -> Vec<Self> {
        let zone = |place| config.linux.dns_zone(place).map(str::to_owned);
        config.dns.iter().enumerate().map(|(place, address)| Self { address: *address, zone: zone(place) }).collect()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        self.zone.as_ref().map_or(Ok(()), |zone| write!(f, "%{zone}"))
    }
}

impl From<IpAddr> for Server {
    fn from(address: IpAddr) -> Self {
        Self { address, zone: None }
    }
}

impl FromStr for Server {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
        Ok(Self { address: address.parse()?, zone: zone.map(str::to_owned) })
    }
}

impl TryFrom<String> for Server {
    type Error = AddrParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use underpass_core::config::parse;

    #[test]
    fn each_server_has_its_own_zone() {
        let text = "[Interface]\nDNS = fe80::1%eth0, 10.0.0.1\nDNS = lan, fe80::1%3, fe80::2\n";
        let servers = Server::of(&parse(text).config.expect("valid"));
        let shown = ["fe80::1%eth0", "10.0.0.1", "fe80::1%3", "fe80::2"];
        assert_eq!(servers.iter().map(ToString::to_string).collect::<Vec<_>>(), shown);
        let again: Vec<Server> =
            serde_json::from_str(&serde_json::to_string(&servers).expect("text")).expect("servers");
        assert_eq!(again, servers);
        assert!("fe80::x%eth0".parse::<Server>().is_err());
    }
}
