//! `set=1`: reads a request into changes.
use super::fault::{Fault, UapiError};
use crate::config::{AllowedIp, Change, PeerAction, PeerChange, value};
use crate::crypto::{PresharedKey, PrivateKey, PublicKey};
use crate::memory::push;
use alloc::vec::Vec;

/// What a `set=1` request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetRequest {
    /// The UDP port the host shall listen on; 0: any.
    pub listen_port: Option<u16>,
    /// The firewall mark of the host's sockets; 0: none.
    pub fwmark: Option<u32>,
    /// What the tunnel shall change, in order.
    pub changes: Vec<Change>,
}

/// The keys of the protocol's set operation; the peer's begin with `public_key`.
const KEYS: [&str; 13] = [
    "private_key",
    "listen_port",
    "fwmark",
    "replace_peers",
    "public_key",
    "remove",
    "update_only",
    "preshared_key",
    "endpoint",
    "persistent_keepalive_interval",
    "replace_allowed_ips",
    "allowed_ip",
    "protocol_version",
];

/// Reads the lines between `set=1` and the empty line that ends the request.
///
/// An endpoint whose IPv6 zone is the name of an interface, as `wg` writes link-local ones, becomes an
/// [`Endpoint::Name`](crate::Endpoint::Name) for the host to resolve.
///
/// # Errors
/// [`UapiError`]: the first line that is not of the protocol, or the one where memory ran out. Nothing of the request is to
/// be applied.
pub fn parse_set(text: &str) -> Result<SetRequest, UapiError> {
    let mut request = SetRequest::default();
    let mut peer = None;
    for (line, number) in text.lines().zip(1..=u32::MAX).take_while(|(line, _)| !line.is_empty()) {
        let at = |key, fault| UapiError { line: number, key, fault };
        let (key, value) = line.split_once('=').ok_or(at(None, Fault::NotKeyValue))?;
        let known = KEYS.into_iter().find(|known| *known == key);
        let read = match (known, &mut peer) {
            (Some("public_key"), peer) => {
                let last = request.finish(peer.take());
                last.and_then(|()| public_key(value)).map(|key| *peer = Some(PeerChange::new(key)))
            }
            (Some(key), None) => request.tunnel_line(key, value),
            (Some(key), Some(peer)) => peer_line(peer, key, value),
            (None, _) => Err(Fault::UnknownKey),
        };
        read.map_err(|fault| at(known, fault))?;
    }
    request.finish(peer).map_err(UapiError::of_operation)?;
    Ok(request)
}

impl SetRequest {
    fn tunnel_line(&mut self, key: &str, value: &str) -> Result<(), Fault> {
        match key {
            "private_key" => {
                let key = PrivateKey::from_hex(value).map_err(Fault::Key)?;
                push(&mut self.changes, Change::PrivateKey(Some(key).filter(|key| !key.is_zero())))?;
            }
            "listen_port" => self.listen_port = Some(short(value)?),
            "fwmark" => self.fwmark = Some(value::decimal(value).ok_or(Fault::Number)?),
            "replace_peers" => {
                must_be_true(value)?;
                push(&mut self.changes, Change::RemoveAllPeers)?;
            }
            _ => return Err(Fault::UnknownKey),
        }
        Ok(())
    }

    /// Adds the change of a peer whose lines are all read. Of a peer to remove nothing else counts.
    fn finish(&mut self, peer: Option<PeerChange>) -> Result<(), Fault> {
        let Some(peer) = peer else { return Ok(()) };
        let change = match peer.action {
            PeerAction::Remove => PeerChange { action: peer.action, ..PeerChange::new(peer.public_key) },
            _ => peer,
        };
        Ok(push(&mut self.changes, Change::Peer(change))?)
    }
}

fn peer_line(peer: &mut PeerChange, key: &str, value: &str) -> Result<(), Fault> {
    match key {
        "remove" => {
            must_be_true(value)?;
            peer.action = PeerAction::Remove;
        }
        "update_only" => {
            must_be_true(value)?;
            if peer.action == PeerAction::Set {
                peer.action = PeerAction::Update;
            }
        }
        "preshared_key" => peer.preshared_key = Some(PresharedKey::from_hex(value).map_err(Fault::Key)?),
        "endpoint" => peer.endpoint = Some(value::socket_address(value).ok_or(Fault::Endpoint)??),
        "persistent_keepalive_interval" => peer.persistent_keepalive = Some(short(value)?),
        "replace_allowed_ips" => {
            must_be_true(value)?;
            peer.replace_allowed_ips = true;
            peer.allowed_ips.clear();
        }
        "allowed_ip" => push(&mut peer.allowed_ips, allowed_ip(value)?)?,
        "protocol_version" if value == "1" => {}
        "protocol_version" => return Err(Fault::Version),
        _ => return Err(Fault::UnknownKey),
    }
    Ok(())
}

fn public_key(value: &str) -> Result<PublicKey, Fault> {
    PublicKey::from_hex(value).map_err(Fault::Key)
}

/// An address with its prefix length, to take away if `-` stands before it.
fn allowed_ip(value: &str) -> Result<AllowedIp, Fault> {
    let (text, remove) = value.strip_prefix('-').map_or((value, false), |text| (text, true));
    if !text.contains('/') {
        return Err(Fault::AllowedIp);
    }
    let network = value::network(text).map_err(|_| Fault::AllowedIp)?.trunc();
    Ok(AllowedIp { network, remove })
}

fn short(value: &str) -> Result<u16, Fault> {
    value::decimal(value).and_then(|n| u16::try_from(n).ok()).ok_or(Fault::Number)
}

fn must_be_true(value: &str) -> Result<(), Fault> {
    if value == "true" { Ok(()) } else { Err(Fault::NotTrue) }
}
