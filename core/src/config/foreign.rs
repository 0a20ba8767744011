//! Keys that other products read in such files and this one does not: they are ignored, each with a warning.
//!
//! A key that nobody knows is an error, since it may be a misspelt one without which packets leave unprotected. A key
//! gets into this table when it is known what it does, and so what is missing where it is ignored.
use crate::config::settings::same_name;

/// A key of another product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The key as it is written; read without regard to case and white space.
    pub name: &'static str,
    /// Who reads it.
    pub product: &'static str,
    /// What it says there.
    pub meaning: &'static str,
    /// What is lost where it is ignored, if that is some protection.
    pub loss: Option<&'static str>,
    /// Whether its value is nobody else's business.
    pub is_secret: bool,
}

const fn key(name: &'static str, product: &'static str, meaning: &'static str) -> ForeignKey {
    ForeignKey { name, product, meaning, loss: None, is_secret: false }
}

const fn losing(row: ForeignKey, loss: &'static str) -> ForeignKey {
    ForeignKey { loss: Some(loss), ..row }
}

const fn secret(row: ForeignKey) -> ForeignKey {
    ForeignKey { is_secret: true, ..row }
}

const NO_PROXY: &str = "datagrams go to the peer without a proxy";
const NO_DISGUISE: &str = "datagrams can be told to be WireGuard's";

/// Every key of other products that is known, product by product.
#[rustfmt::skip]
pub const FOREIGN_KEYS: &[ForeignKey] = &[
    key("AllowedApps", "WireSock", "applications that use the tunnel"),
    key("DisallowedApps", "WireSock", "applications that stay outside the tunnel"),
    key("DisallowedIPs", "WireSock", "networks that stay outside the tunnel"),
    key("BypassLanTraffic", "WireSock", "the local network stays outside the tunnel"),
    key("VirtualAdapterMode", "WireSock", "the kind of the virtual interface"),
    key("ScriptExecTimeout", "WireSock", "how long a command may take"),
    losing(key("Socks5Proxy", "WireSock", "the proxy for datagrams"), NO_PROXY),
    losing(key("Socks5ProxyAllTraffic", "WireSock", "all datagrams go through the proxy"), NO_PROXY),
    secret(losing(key("Socks5ProxyUsername", "WireSock", "the user of the proxy"), NO_PROXY)),
    secret(losing(key("Socks5ProxyPassword", "WireSock", "the password of the proxy"), NO_PROXY)),
    losing(key("Id", "WireSock", "a disguise"), NO_DISGUISE),
    losing(key("Ip", "WireSock", "a disguise"), NO_DISGUISE),
    losing(key("Ib", "WireSock", "a disguise"), NO_DISGUISE),
    losing(key("BlockDNS", "TunSafe", "name servers outside the tunnel are blocked"), "names may be asked for outside the tunnel"),
    losing(key("BlockInternet", "TunSafe", "what goes past the tunnel is blocked"), "packets may go past the tunnel"),
    key("ExcludedIPs", "TunSafe", "networks that stay outside the tunnel"),
    key("AllowMulticast", "TunSafe", "multicast goes through the tunnel"),
    secret(losing(key("HeaderObfuscation", "TunSafe", "a disguise"), NO_DISGUISE)),
    losing(key("AdvancedSecurity", "AmneziaWG", "a disguise"), NO_DISGUISE),
    key("CheckAlive", "wireproxy", "addresses to ping"),
    key("CheckAliveInterval", "wireproxy", "seconds between pings"),
    key("Reserved", "v2rayNG", "bytes in datagrams, without which the peer may not answer"),
    losing(key("PrivateKeyFile", "systemd-networkd", "the file that holds the private key"), "no private key comes from it"),
    losing(key("PresharedKeyFile", "systemd-networkd", "the file that holds the preshared key"), "no preshared key comes from it"),
    losing(key("FirewallMark", "systemd-networkd", "the mark of datagrams, here FwMark"), "datagrams do not carry it"),
    key("RouteTable", "systemd-networkd", "the table for routes, here Table"),
    key("RouteMetric", "systemd-networkd", "the metric of routes"),
];

/// The row of the key written as `text`.
#[must_use]
pub fn find(text: &str) -> Option<&'static ForeignKey> {
    FOREIGN_KEYS.iter().find(|row| same_name(text, row.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings;

    #[test]
    fn every_name_is_found_and_is_none_of_ours() {
        for (i, row) in FOREIGN_KEYS.iter().enumerate() {
            assert_eq!(find(&row.name.to_ascii_lowercase()), Some(row), "row {i}");
            assert_eq!(settings::find(row.name), None, "row {i}");
        }
    }
}
