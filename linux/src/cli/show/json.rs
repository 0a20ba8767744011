//! Status as JSON, for programs. Private and preshared keys are not in it.
use crate::control::status::{InterfaceStatus, PeerStatus};
use serde::Serialize;
use std::io::{self, Write};

/// `{"interfaces": [...]}`
#[derive(Serialize)]
struct Document<T> {
    interfaces: Vec<T>,
}

#[derive(Serialize)]
struct Interface<'a> {
    name: &'a str,
    /// Base64, or null without a private key.
    public_key: Option<String>,
    /// Null for none.
    listen_port: Option<u16>,
    /// Null for none.
    fwmark: Option<u32>,
    peers: Vec<Peer<'a>>,
}

#[derive(Serialize)]
struct Peer<'a> {
    public_key: String,
    has_preshared_key: bool,
    endpoint: Option<&'a str>,
    allowed_ips: Vec<String>,
    /// Seconds since 1970, or null for never.
    latest_handshake: Option<u64>,
    rx_bytes: u64,
    tx_bytes: u64,
    /// Seconds, or null for none.
    persistent_keepalive: Option<u16>,
    /// Why nothing could be sent the last time, or null.
    last_send_error: Option<&'static str>,
}

impl<'a> From<&'a InterfaceStatus> for Interface<'a> {
    fn from(status: &'a InterfaceStatus) -> Self {
        Self {
            name: &status.name,
            public_key: status.private_key.as_ref().map(|key| key.public_key().to_base64()),
            listen_port: Some(status.listen_port).filter(|port| *port != 0),
            fwmark: Some(status.fwmark).filter(|mark| *mark != 0),
            peers: status.peers.iter().map(Peer::from).collect(),
        }
    }
}

impl<'a> From<&'a PeerStatus> for Peer<'a> {
    fn from(status: &'a PeerStatus) -> Self {
        Self {
            public_key: status.public_key.to_base64(),
            has_preshared_key: status.preshared_key.is_some(),
            endpoint: status.endpoint.as_deref(),
            allowed_ips: status.allowed_ips.iter().map(ToString::to_string).collect(),
            latest_handshake: status.latest_handshake.map(|at| at.as_secs()),
            rx_bytes: status.rx_bytes,
            tx_bytes: status.tx_bytes,
            persistent_keepalive: Some(status.persistent_keepalive).filter(|seconds| *seconds != 0),
            last_send_error: status.last_send_error.map(|kind| kind.name()),
        }
    }
}

/// Writes the state of `interfaces`.
///
/// # Errors
/// Nowhere to write to.
pub fn write(output: &mut impl Write, interfaces: &[InterfaceStatus]) -> io::Result<()> {
    write_document(output, interfaces.iter().map(Interface::from).collect())
}

/// Writes the names of interfaces.
///
/// # Errors
/// Nowhere to write to.
pub fn write_names(output: &mut impl Write, names: &[String]) -> io::Result<()> {
    write_document(output, names.to_vec())
}

fn write_document<T: Serialize>(output: &mut impl Write, interfaces: Vec<T>) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *output, &Document { interfaces })?;
    writeln!(output)
}
