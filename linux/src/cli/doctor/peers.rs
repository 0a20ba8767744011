//! The peers: where they are, whether they answer, and how large a datagram may be on the way to them.
use super::Finding;
use super::subject::{Subject, device_of, way_to};
use crate::cli::probe::probe;
use crate::cli::wait::CAUSES;
use crate::control::status::PeerStatus;
use crate::quick::machine::output;
use crate::quick::{mtu, names};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use underpass_core::config::Endpoint;

/// Peers that are looked at, at most.
const MOST: usize = 16;
/// How old a handshake of a session in use may be (REJECT_AFTER_TIME).
const SESSION: Duration = Duration::from_secs(180);
/// Bytes that a datagram adds to a packet: UDP 8, header and tag of transport data 32, and the header of IP.
const UDP_AND_TRANSPORT: u32 = 8 + 32;

/// Where a peer is.
#[derive(Debug)]
pub(super) enum Place {
    /// There, by a name or not.
    Known(SocketAddr),
    /// Nobody knows the name.
    Unknown(String),
}

/// The endpoints of the peers, names looked up.
pub(super) fn endpoints(subject: &Subject) -> Vec<Place> {
    let configured = subject.config().map(|config| &config.tunnel.peers[..]).unwrap_or_default();
    let configured: Vec<&Endpoint> = configured.iter().filter_map(|peer| peer.endpoint.as_ref()).take(MOST).collect();
    let wanted = configured.iter().filter_map(|endpoint| match endpoint {
        Endpoint::Name { host, port } => Some((host.clone(), *port)),
        Endpoint::Address(_) => None,
    });
    let found = names::look_up(wanted, names::PATIENCE);
    let place = |endpoint: &&Endpoint| match endpoint {
        Endpoint::Address(address) => Place::Known(*address),
        Endpoint::Name { host, port } => match found.get(&(host.clone(), *port)).and_then(|all| all.first()) {
            Some(address) => Place::Known(*address),
            None => Place::Unknown(host.clone()),
        },
    };
    let mut places: Vec<Place> = configured.iter().map(place).collect();
    if subject.config().is_none() {
        let running = subject.running().map(|running| &running.peers[..]).unwrap_or_default();
        let addresses = running.iter().filter_map(|peer| peer.endpoint.as_ref()?.parse().ok());
        places.extend(addresses.take(MOST).map(Place::Known));
    }
    places
}

/// Whether the names of endpoints are known.
pub(super) fn names(places: &[Place]) -> Option<Finding> {
    let unknown = |place: &Place| match place {
        Place::Unknown(host) => Some(host.clone()),
        Place::Known(_) => None,
    };
    let lost: Vec<String> = places.iter().filter_map(unknown).collect();
    Some(match (places.len(), lost.len()) {
        (0, _) => Finding::good("endpoint", "no peer has an endpoint: they call us"),
        (_, 0) if known(places).any(|address| address.port() == 0) => Finding::fault(
            "endpoint",
            "nobody is reached at port 0",
            "Endpoint, with the port that the peer listens on",
        ),
        (count, 0) => Finding::good("endpoint", format!("{count} known")),
        _ => Finding::fault(
            "endpoint",
            format!("no address is found for {} within {} s", lost.join(", "), names::PATIENCE.as_secs()),
            "check the name, and whether the name servers in /etc/resolv.conf answer without the tunnel",
        ),
    })
}

/// Whether the tunnel's own datagrams find a way around it.
pub(super) fn ways(subject: &Subject, places: &[Place]) -> Option<Finding> {
    let check = "way out";
    let mark = subject.running()?.fwmark;
    let (mut devices, mut wrong) = (Vec::new(), Vec::new());
    for address in known(places) {
        match way_to(address.ip(), mark).as_deref().map(device_of) {
            Some(Some(device)) if device == subject.name => {
                wrong.push(format!("{} lies in the tunnel itself", address.ip()))
            }
            Some(Some(device)) => devices.push(device.to_owned()),
            _ => wrong.push(format!("there is no route to {}", address.ip())),
        }
    }
    devices.sort();
    devices.dedup();
    match (wrong.is_empty(), devices.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Finding::good(check, format!("datagrams leave by {}", devices.join(", ")))),
        _ => Some(Finding::fault(
            check,
            wrong.join("\n"),
            "is the network up? An endpoint inside AllowedIPs needs a route of its own",
        )),
    }
}

fn known(places: &[Place]) -> impl Iterator<Item = &SocketAddr> {
    places.iter().filter_map(|place| match place {
        Place::Known(address) => Some(address),
        Place::Unknown(_) => None,
    })
}

/// Whether peers answer.
pub(super) fn handshakes(subject: &Subject) -> Finding {
    let check = "handshake";
    let peers = subject.running().map(|running| &running.peers[..]).unwrap_or_default();
    let now = crate::clock::wall().as_duration();
    let age = |peer: &PeerStatus| peer.latest_handshake.map(|at| now.saturating_sub(at));
    let live = peers.iter().filter_map(age).filter(|age| *age < SESSION).count();
    let silent: Vec<&PeerStatus> = peers.iter().filter(|peer| peer.endpoint.is_some() && age(peer).is_none()).collect();
    if let Some(error) = silent.iter().find_map(|peer| peer.last_send_error) {
        let text = format!(
            "{} of {} peers never answered; what is sent does not leave: {}",
            silent.len(),
            peers.len(),
            error.text()
        );
        return Finding::fault(check, text, "see `way out`, and the firewall of this machine");
    }
    let mark = subject.running().map_or(0, |running| running.fwmark);
    let nobody_listens = |address: &SocketAddr| {
        probe(address, mark, 1).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    let mut addresses = silent.iter().filter_map(|peer| peer.endpoint.as_ref()?.parse::<SocketAddr>().ok()).take(MOST);
    if let Some(address) = addresses.find(nobody_listens) {
        return Finding::fault(
            check,
            format!("nobody listens at {address}"),
            "check the port, and that the peer is running",
        );
    }
    match (peers.len(), silent.len(), live) {
        (0, ..) => Finding::warning(check, "there are no peers", "[Peer] in the file"),
        (count, 0, 0) => Finding::warning(
            check,
            format!("none of {count} peers was heard from in the last {} s", SESSION.as_secs()),
            "send something through the tunnel, or set PersistentKeepalive = 25",
        ),
        (count, 0, live) => Finding::good(check, format!("{live} of {count} peers connected")),
        (count, silent, _) => {
            let text = format!("{silent} of {count} peers never answered; possible causes:\n{}", CAUSES.trim_end());
            Finding::fault(check, text, "`underpass show` has our public key; compare it with what the peer has")
        }
    }
}

/// Whether the longest datagram fits the way to the peer, as far as the routers on it tell.
pub(super) fn mtu(subject: &Subject, places: &[Place]) -> Option<Finding> {
    let check = "mtu";
    let inner = mtu::of_link(&output("ip", &["link", "show", "dev", &subject.name])?)?;
    let mark = subject.running()?.fwmark;
    let mut least: Option<(u32, u32)> = None;
    for address in known(places) {
        let header = if address.is_ipv4() { 20 } else { 40 };
        let needed = inner + UDP_AND_TRANSPORT + header;
        // A router that cannot pass it on tells the kernel, which then knows.
        let _ = probe(address, mark, usize::try_from(needed - 8 - header).unwrap_or(0));
        let way = way_to(address.ip(), mark)?;
        let path = mtu::of_route(&way, |device| mtu::of_link(&output("ip", &["link", "show", "dev", device])?))?;
        least = least.min(Some((path, needed))).or(Some((path, needed)));
    }
    let (path, needed) = least?;
    Some(match path >= needed {
        true => {
            Finding::good(check, format!("packets of {inner} bytes fit: the path takes {path}, {needed} are needed"))
        }
        false => Finding::fault(
            check,
            format!("packets of {inner} bytes are too long: the path takes {path} bytes, and {needed} are needed"),
            format!("MTU = {} in [Interface]", path.saturating_sub(mtu::OVERHEAD.into()).max(68)),
        ),
    })
}
