//! From what runs to what a file says, without ending sessions.
use super::plan::Plan;
use super::step::Step;
use crate::control::status::{InterfaceStatus, PeerStatus};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use underpass_core::PublicKey;
use underpass_core::config::{Endpoint, NewPeer, QuickConfig};
use zeroize::Zeroizing;

/// What leads from the steps of one plan to those of another, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Steps to do.
    pub added: Vec<Step>,
    /// Steps to undo, once the others are done.
    pub removed: Vec<Step>,
}

impl Change {
    /// What leads from `old` to the steps of `new`. Commands of the configuration are run by `up` alone.
    #[must_use]
    pub fn between(old: &[Step], new: &Plan) -> Self {
        let counts = |step: &&Step| !matches!(step, Step::Hook { .. } | Step::Start);
        let added: Vec<_> = new.steps.iter().filter(counts).filter(|step| !old.contains(step)).cloned().collect();
        let is_replaced = |step: &Step| added.iter().any(|newer| newer.replaces(step));
        let stays = |step: &Step| new.steps.contains(step) || is_replaced(step);
        let removed = old.iter().filter(counts).filter(|step| !stays(step)).cloned().collect();
        Self { added, removed }
    }
}

/// The lines of a `set=1` request that make the tunnel `status` what `config` says, with `mark` for its datagrams. Only what
/// is different is in it. `resolve` tells where a name is.
#[must_use]
pub fn request(
    status: &InterfaceStatus,
    config: &QuickConfig,
    mark: u32,
    mut resolve: impl FnMut(&str, u16) -> Vec<SocketAddr>,
) -> Zeroizing<String> {
    // Twice what keys and endpoints take at most; allowed IPs are no secrets. So no reallocation leaves keys behind.
    let networks: usize = config.tunnel.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
    let mut lines = Zeroizing::new(String::with_capacity(
        1024 + 1024 * (config.tunnel.peers.len() + status.peers.len()) + 128 * networks,
    ));
    if let Some(key) = config.tunnel.private_key.as_ref().filter(|key| status.private_key.as_ref() != Some(key)) {
        line(&mut lines, "private_key", key.to_hex().as_str());
    }
    if let Some(port) = config.listen_port.filter(|port| *port != 0 && *port != status.listen_port) {
        line(&mut lines, "listen_port", port);
    }
    if mark != status.fwmark {
        line(&mut lines, "fwmark", mark);
    }
    let wanted: BTreeMap<&PublicKey, &NewPeer> =
        config.tunnel.peers.iter().map(|peer| (&peer.public_key, peer)).collect();
    let running: BTreeMap<&PublicKey, &PeerStatus> = status.peers.iter().map(|peer| (&peer.public_key, peer)).collect();
    for gone in running.keys().filter(|key| !wanted.contains_key(*key)) {
        line(&mut lines, "public_key", gone.to_hex());
        line(&mut lines, "remove", true);
    }
    let owners = owners(config);
    for (key, peer) in wanted {
        let mut changes = Zeroizing::new(String::with_capacity(1024 + 128 * peer.allowed_ips.len()));
        let now = running.get(key).copied();
        peer_lines(&mut changes, now, peer, &mut resolve);
        let own: BTreeSet<IpNet> =
            peer.allowed_ips.iter().map(IpNet::trunc).filter(|network| owners.get(network) == Some(&key)).collect();
        if own != now.map_or_else(BTreeSet::new, |now| now.allowed_ips.iter().map(IpNet::trunc).collect()) {
            line(&mut changes, "replace_allowed_ips", true);
            own.iter().for_each(|network| line(&mut changes, "allowed_ip", network));
        }
        if now.is_none() || !changes.is_empty() {
            line(&mut lines, "public_key", key.to_hex());
            lines.push_str(&changes);
        }
    }
    lines
}

/// Whose a network is that several peers name: the last one's.
fn owners(config: &QuickConfig) -> BTreeMap<IpNet, &PublicKey> {
    let peers = config.tunnel.peers.iter();
    peers.flat_map(|peer| peer.allowed_ips.iter().map(|network| (network.trunc(), &peer.public_key))).collect()
}

/// What is different of a peer beside its allowed IPs.
fn peer_lines(
    lines: &mut String,
    now: Option<&PeerStatus>,
    peer: &NewPeer,
    resolve: &mut impl FnMut(&str, u16) -> Vec<SocketAddr>,
) {
    let wanted = peer.preshared_key.as_ref().filter(|key| !key.is_zero());
    let preshared = now.and_then(|now| now.preshared_key.as_ref());
    if wanted != preshared {
        match wanted {
            Some(key) => line(lines, "preshared_key", key.to_hex().as_str()),
            None => line(lines, "preshared_key", "0".repeat(64)),
        }
    }
    let places = match &peer.endpoint {
        Some(Endpoint::Address(address)) => vec![*address],
        Some(Endpoint::Name { host, port }) => resolve(host, *port),
        None => Vec::new(),
    };
    let place = now.and_then(|now| now.endpoint.as_ref()).and_then(|text| text.parse::<SocketAddr>().ok());
    if let Some(first) = places.first().filter(|_| place.is_none_or(|place| !places.contains(&place))) {
        line(lines, "endpoint", first);
    }
    if peer.persistent_keepalive != now.map_or(0, |now| now.persistent_keepalive) {
        line(lines, "persistent_keepalive_interval", peer.persistent_keepalive);
    }
}

fn line(lines: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = writeln!(lines, "{key}={value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Resolver;
    use crate::quick::Facts;
    use crate::quick::firewall::Program;
    use underpass_core::config::parse;

    const PRIVATE: &str = "1690b2870b3d731c16a15e3110bb5f26f8c937ecd05513c84a59515a07a8a551";
    const FIRST: &str = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    const SECOND: &str = "de9edb7d7b7dbdb4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";

    fn config(interface: &str, first: &str, second: &str) -> QuickConfig {
        let parsed = parse(&format!(
            "[Interface]\nPrivateKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\n{interface}\n\
             [Peer]\nPublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n{first}\n\
             [Peer]\nPublicKey = 3p7bfXt9vbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\n{second}\n"
        ));
        parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
    }

    fn asked(answer: &str, config: &QuickConfig, mark: u32) -> String {
        let status = InterfaceStatus::parse("wg0", &format!("{answer}errno=0\n\n")).expect("valid");
        let places =
            |host: &str, port| if host == "known" { vec![SocketAddr::from(([192, 0, 2, 7], port))] } else { vec![] };
        request(&status, config, mark, places).to_string()
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        let answer = format!(
            "private_key={PRIVATE}\nlisten_port=7\nfwmark=9\npublic_key={FIRST}\nallowed_ip=10.0.0.0/8\n\
             persistent_keepalive_interval=25\nendpoint=192.0.2.7:5\npublic_key={SECOND}\nallowed_ip=fd00::/64\n"
        );
        let same = config(
            "ListenPort = 7",
            "AllowedIPs = 10.0.0.0/8, fd00::/64\nPersistentKeepalive = 25\nEndpoint = known:5",
            "AllowedIPs = fd00::1/64\nEndpoint = unknown:7",
        );
        assert_eq!(asked(&answer, &same, 9), "");
    }

    #[test]
    fn only_what_is_different_is_asked_for() {
        let answer = format!(
            "private_key={PRIVATE}\nlisten_port=7\npublic_key={FIRST}\nallowed_ip=10.0.0.0/8\nendpoint=192.0.2.9:5\n\
             preshared_key={PRIVATE}\npublic_key={PRIVATE}\nallowed_ip=10.9.0.0/16\n"
        );
        let other = config("ListenPort = 8", "AllowedIPs = 10.0.0.0/8\nEndpoint = known:5", "PersistentKeepalive = 5");
        let expected = format!(
            "listen_port=8\nfwmark=3\npublic_key={PRIVATE}\nremove=true\n\
             public_key={FIRST}\npreshared_key={}\nendpoint=192.0.2.7:5\n\
             public_key={SECOND}\npersistent_keepalive_interval=5\n",
            "0".repeat(64)
        );
        assert_eq!(asked(&answer, &other, 3), expected);
    }

    #[test]
    fn steps_are_added_and_removed_and_some_replaced() {
        let facts = Facts {
            mtu: 1420,
            table: 51820,
            firewall: Program::Nft,
            resolvers: vec![Resolver::File],
            guard: None,
            split: None,
            ipv6: true,
        };
        let plan = |interface: &str, allowed: &str| {
            let allowed = format!("AllowedIPs = {allowed}");
            Plan::up("wg0", &config(interface, &allowed, ""), &facts)
        };
        let old = plan("Address = 10.0.0.2/32\nDNS = 10.0.0.1\nPostUp = true", "192.0.2.0/24, 0.0.0.0/0");
        assert_eq!(Change::between(&old.steps, &old), Change::default());
        let new = plan("Address = 10.0.0.3/32\nDNS = 10.0.0.9\nPostUp = false", "198.51.100.0/24, 0.0.0.0/0");
        let change = Change::between(&old.steps, &new);
        let kinds = |steps: &[Step]| steps.iter().map(|step| step.does("wg0").to_string()).collect::<Vec<_>>();
        let added = kinds(&change.added);
        assert_eq!(added.len(), 4, "an address, name servers, a route, a guard: {added:?}");
        assert_eq!(
            kinds(&change.removed),
            ["ip -4 address add 10.0.0.2/32 dev wg0", "ip -4 route add 192.0.2.0/24 dev wg0"]
        );
    }
}
