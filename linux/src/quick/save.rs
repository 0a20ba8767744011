//! SaveConfig: writes what a running tunnel is configured with back to its file.
use super::seen::Seen;
use super::shelf::replace;
use crate::control::status::{InterfaceStatus, PeerStatus};
use anyhow::anyhow;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::path::Path;
use underpass_core::PublicKey;
use underpass_core::config::{Endpoint, NewPeer, QuickConfig, write};

/// Writes to the file at `path` what the tunnel `status` runs with; what neither the tunnel nor its interface knows is as in
/// `config`.
///
/// # Errors
/// The file cannot be written; then it is as it was.
pub fn save(path: &Path, config: &QuickConfig, status: &InterfaceStatus) -> anyhow::Result<()> {
    let seen = Seen::of(&status.name);
    let text = write(&running(config, status, seen.addresses(), seen.mtu()));
    replace(path, text.as_bytes()).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// `config` with what is different while it runs.
fn running(config: &QuickConfig, status: &InterfaceStatus, addresses: &[IpNet], mtu: Option<u32>) -> QuickConfig {
    let mut saved = config.clone();
    saved.tunnel.private_key.clone_from(&status.private_key);
    saved.listen_port = Some(status.listen_port).filter(|port| *port != 0);
    // Without one in the file it is worked out at every start.
    saved.mtu = config.mtu.map(|configured| mtu.and_then(|mtu| mtu.try_into().ok()).unwrap_or(configured));
    saved.addresses = addresses.to_vec();
    saved.addresses.retain(|address| !is_link_local(address) || config.addresses.contains(address));
    let configured: BTreeMap<&PublicKey, &NewPeer> =
        config.tunnel.peers.iter().map(|peer| (&peer.public_key, peer)).collect();
    let peer = |status: &PeerStatus| running_peer(configured.get(&status.public_key).copied(), status);
    saved.tunnel.peers = status.peers.iter().map(peer).collect();
    // A mark that was chosen for a default route is chosen again.
    if config.fwmark.is_some() || !super::plan::has_default_route(&saved) {
        saved.fwmark = Some(status.fwmark).filter(|mark| *mark != 0);
    }
    saved
}

fn running_peer(configured: Option<&NewPeer>, status: &PeerStatus) -> NewPeer {
    // A host name says more than the address it had today.
    let name =
        configured.and_then(|peer| peer.endpoint.clone()).filter(|endpoint| matches!(endpoint, Endpoint::Name { .. }));
    let address = || status.endpoint.as_ref().and_then(|text| text.parse().ok()).map(Endpoint::Address);
    NewPeer {
        preshared_key: status.preshared_key.clone(),
        endpoint: name.or_else(address),
        persistent_keepalive: status.persistent_keepalive,
        allowed_ips: status.allowed_ips.clone(),
        ..NewPeer::new(status.public_key)
    }
}

/// Whether the kernel gave the interface this address by itself (RFC 4291 § 2.5.6).
fn is_link_local(address: &IpNet) -> bool {
    matches!(address, IpNet::V6(address) if address.addr().is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::super::seen::parse_addresses;
    use super::*;
    use underpass_core::config::parse;

    const CONFIG: &str = "\
[Interface]
PrivateKey = FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=
Address = 10.0.0.1/24
PostUp = echo %i
SaveConfig = true

[Peer]
PublicKey = hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
AllowedIPs = 0.0.0.0/0
Endpoint = vpn.example.com:51820
";

    const ANSWER: &str = "\
private_key=1690b2870b3d731c16a15e3110bb5f26f8c937ecd05513c84a59515a07a8a551
listen_port=40000
fwmark=51820
public_key=8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a
preshared_key=0000000000000000000000000000000000000000000000000000000000000000
endpoint=192.0.2.1:51820
allowed_ip=0.0.0.0/0
persistent_keepalive_interval=25
public_key=de9edb7d7b7dbdb4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f
endpoint=[2001:db8::1]:7
allowed_ip=10.0.0.9/32
errno=0

";

    #[test]
    fn what_runs_is_what_is_saved() {
        let config = parse(CONFIG).config.expect("valid");
        let status = InterfaceStatus::parse("wg0", ANSWER).expect("valid");
        let addresses = "4: wg0    inet 10.0.0.2/24 scope global wg0\\\n4: wg0    inet6 fe80::1/64 scope link \\\n";
        let saved = running(&config, &status, &parse_addresses(addresses), Some(1400));
        let text = write(&saved);
        assert_eq!(parse(&text).config.as_ref(), Some(&saved), "it can be read again");
        assert_eq!(saved.addresses, ["10.0.0.2/24".parse::<IpNet>().expect("network")]);
        assert_eq!((saved.listen_port, saved.fwmark, saved.mtu), (Some(40000), None, None));
        let configured = QuickConfig { mtu: Some(1420), ..config.clone() };
        assert_eq!(running(&configured, &status, &[], Some(1400)).mtu, Some(1400));
        assert_eq!(saved.post_up, ["echo %i"]);
        let [first, second] = &saved.tunnel.peers[..] else { panic!("two peers") };
        assert!(matches!(&first.endpoint, Some(Endpoint::Name { host, .. }) if host == "vpn.example.com"));
        assert_eq!(first.persistent_keepalive, 25);
        assert!(matches!(second.endpoint, Some(Endpoint::Address(_))));
    }

    /// At this size, work that grows with the square of it is 40 000 000 000 steps.
    #[test]
    fn many_peers_are_saved() {
        let keys = (0..200_000u32).map(|number| {
            let mut key = [7; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            PublicKey::from_bytes(key)
        });
        let mut config = parse(CONFIG).config.expect("valid");
        let named = config.tunnel.peers[0].endpoint.clone();
        config.tunnel.peers =
            keys.clone().map(|key| NewPeer { endpoint: named.clone(), ..NewPeer::new(key) }).collect();
        let answer: String = keys.map(|key| format!("public_key={}\n", key.to_hex())).collect();
        let status = InterfaceStatus::parse("wg0", &(answer + "errno=0\n\n")).expect("valid");
        let saved = running(&config, &status, &[], None);
        assert_eq!(saved.tunnel.peers.len(), 200_000);
        assert!(saved.tunnel.peers.iter().all(|peer| peer.endpoint == named));
    }
}
