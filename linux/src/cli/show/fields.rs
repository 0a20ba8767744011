//! One field of every peer, or all of them, in columns for programs: byte for byte what `wg show IFNAME FIELD` writes.
use crate::control::status::{InterfaceStatus, PeerStatus};
use clap::ValueEnum;
use nix::net::if_::if_indextoname;
use std::io::{self, Write};
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// What stands in the place of what is not there.
const NONE: &str = "(none)";
/// What stands in the place of a number that is not set.
const OFF: &str = "off";

/// What to show alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "each is the parameter of the same name in wg(8)")]
pub enum Field {
    PublicKey,
    PrivateKey,
    ListenPort,
    Fwmark,
    Peers,
    PresharedKeys,
    Endpoints,
    AllowedIps,
    LatestHandshakes,
    PersistentKeepalive,
    Transfer,
    Dump,
}

/// Writes `field` of `interface`; `named`: the name of the interface begins every line.
///
/// # Errors
/// Nowhere to write to.
pub fn write(output: &mut impl Write, interface: &InterfaceStatus, field: Field, named: bool) -> io::Result<()> {
    let name = if named { format!("{}\t", interface.name) } else { String::new() };
    let mark = match interface.fwmark {
        0 => OFF.into(),
        mark => format!("{mark:#x}"),
    };
    match field {
        Field::PublicKey => writeln!(output, "{name}{}", public_key(interface)),
        Field::PrivateKey => writeln!(output, "{name}{}", *private_key(interface)),
        Field::ListenPort => writeln!(output, "{name}{}", interface.listen_port),
        Field::Fwmark => writeln!(output, "{name}{mark}"),
        Field::Dump => {
            let (private, public) = (private_key(interface), public_key(interface));
            writeln!(output, "{name}{}\t{public}\t{}\t{mark}", *private, interface.listen_port)?;
            interface.peers.iter().try_for_each(|peer| write_dump(output, &name, peer))
        }
        _ => interface.peers.iter().try_for_each(|peer| write_peer(output, &name, peer, field)),
    }
}

fn write_peer(output: &mut impl Write, name: &str, peer: &PeerStatus, field: Field) -> io::Result<()> {
    let key = peer.public_key.to_base64();
    match field {
        Field::PresharedKeys => writeln!(output, "{name}{key}\t{}", *preshared_key(peer)),
        Field::Endpoints => writeln!(output, "{name}{key}\t{}", endpoint(peer)),
        Field::AllowedIps => writeln!(output, "{name}{key}\t{}", allowed_ips(peer, " ")),
        Field::LatestHandshakes => writeln!(output, "{name}{key}\t{}", latest_handshake(peer)),
        Field::PersistentKeepalive => writeln!(output, "{name}{key}\t{}", keepalive(peer)),
        Field::Transfer => writeln!(output, "{name}{key}\t{}\t{}", peer.rx_bytes, peer.tx_bytes),
        _ => writeln!(output, "{name}{key}"),
    }
}

fn write_dump(output: &mut impl Write, name: &str, peer: &PeerStatus) -> io::Result<()> {
    let (key, psk) = (peer.public_key.to_base64(), preshared_key(peer));
    let (endpoint, allowed_ips) = (endpoint(peer), allowed_ips(peer, ","));
    let (at, keepalive) = (latest_handshake(peer), keepalive(peer));
    let (rx, tx) = (peer.rx_bytes, peer.tx_bytes);
    writeln!(output, "{name}{key}\t{}\t{endpoint}\t{allowed_ips}\t{at}\t{rx}\t{tx}\t{keepalive}", *psk)
}

fn private_key(interface: &InterfaceStatus) -> Zeroizing<String> {
    interface.private_key.as_ref().map_or_else(|| Zeroizing::new(NONE.into()), |key| key.to_base64())
}

fn public_key(interface: &InterfaceStatus) -> String {
    interface.private_key.as_ref().map_or_else(|| NONE.into(), |key| key.public_key().to_base64())
}

fn preshared_key(peer: &PeerStatus) -> Zeroizing<String> {
    peer.preshared_key.as_ref().map_or_else(|| Zeroizing::new(NONE.into()), |key| key.to_base64())
}

fn keepalive(peer: &PeerStatus) -> String {
    match peer.persistent_keepalive {
        0 => OFF.into(),
        seconds => seconds.to_string(),
    }
}

fn latest_handshake(peer: &PeerStatus) -> u64 {
    peer.latest_handshake.map_or(0, |at| at.as_secs())
}

fn allowed_ips(peer: &PeerStatus, separator: &str) -> String {
    if peer.allowed_ips.is_empty() {
        return NONE.into();
    }
    peer.allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// As getnameinfo(3) writes it: the zone of a link-local address is the name of its interface.
fn endpoint(peer: &PeerStatus) -> String {
    let Some(text) = &peer.endpoint else { return NONE.into() };
    match text.parse() {
        Ok(SocketAddr::V6(address)) if address.scope_id() != 0 && address.ip().is_unicast_link_local() => {
            let index = address.scope_id();
            let zone =
                if_indextoname(index).map_or_else(|_| index.to_string(), |name| name.to_string_lossy().into_owned());
            format!("[{}%{zone}]:{}", address.ip(), address.port())
        }
        _ => text.clone(),
    }
}
