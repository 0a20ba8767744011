//! What `wg show IFNAME dump` says.
use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;

/// An interface and its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Private key in base64, or `(none)`.
    pub private_key: String,
    /// Public key in base64, or `(none)`.
    pub public_key: String,
    /// UDP port.
    pub listen_port: u16,
    /// `off`, or a number with `0x` before it.
    pub fwmark: String,
    /// Peers in `wg`'s order.
    pub peers: Vec<PeerStatus>,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Public key in base64.
    pub public_key: String,
    /// Preshared key in base64, or `(none)`.
    pub preshared_key: String,
    /// Where it is reached.
    pub endpoint: Option<SocketAddr>,
    /// Allowed IPs in `wg`'s order.
    pub allowed_ips: Vec<String>,
    /// Seconds since 1970 of the latest handshake, 0 for none.
    pub latest_handshake: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Seconds between keepalives, or `off`.
    pub keepalive: String,
}

impl Status {
    /// Reads the dump of one interface.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(dump: &str) -> Result<Self> {
        let mut lines = dump.lines();
        let first: Vec<&str> = lines.next().context("an empty dump")?.split('\t').collect();
        let [private_key, public_key, listen_port, fwmark] = first[..] else {
            anyhow::bail!("the interface has {} fields, not 4: {first:?}", first.len());
        };
        Ok(Self {
            private_key: private_key.to_owned(),
            public_key: public_key.to_owned(),
            listen_port: listen_port.parse()?,
            fwmark: fwmark.to_owned(),
            peers: lines.map(PeerStatus::parse).collect::<Result<_>>()?,
        })
    }

    /// The peer with this public key.
    ///
    /// # Errors
    /// When there is none.
    pub fn peer(&self, public_key: &str) -> Result<&PeerStatus> {
        self.peers.iter().find(|peer| peer.public_key == public_key).with_context(|| format!("no peer {public_key}"))
    }

    /// The only peer.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn only_peer(&self) -> Result<&PeerStatus> {
        ensure!(self.peers.len() == 1, "{} peers, not one", self.peers.len());
        Ok(&self.peers[0])
    }
}

impl PeerStatus {
    fn parse(line: &str) -> Result<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let [public, preshared, endpoint, allowed, handshake, received, sent, keepalive] = fields[..] else {
            anyhow::bail!("a peer has {} fields, not 8: {line}", fields.len());
        };
        Ok(Self {
            public_key: public.to_owned(),
            preshared_key: preshared.to_owned(),
            endpoint: if endpoint == "(none)" { None } else { Some(endpoint.parse()?) },
            allowed_ips: if allowed == "(none)" { vec![] } else { allowed.split(',').map(str::to_owned).collect() },
            latest_handshake: handshake.parse()?,
            received: received.parse()?,
            sent: sent.parse()?,
            keepalive: keepalive.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_read_field_by_field() {
        let dump = "priv=\tpub=\t51820\toff\n\
                    aa=\t(none)\t[fd00::1]:7\t10.0.0.0/8,fd00::/64\t1700000000\t5\t6\t25\n\
                    bb=\tpsk=\t(none)\t(none)\t0\t0\t0\toff\n";
        let status = Status::parse(dump).expect("a good dump");
        assert_eq!((status.listen_port, status.fwmark.as_str(), status.peers.len()), (51820, "off", 2));
        let first = status.peer("aa=").expect("the first peer");
        assert_eq!(first.endpoint, Some("[fd00::1]:7".parse().expect("an endpoint")));
        assert_eq!(first.allowed_ips, ["10.0.0.0/8", "fd00::/64"]);
        assert_eq!((first.latest_handshake, first.received, first.sent), (1_700_000_000, 5, 6));
        let second = status.peer("bb=").expect("the second peer");
        assert_eq!((second.endpoint, second.allowed_ips.len(), second.keepalive.as_str()), (None, 0, "off"));
        assert!(status.only_peer().is_err());
        assert!(Status::parse("too\tshort\n").is_err());
    }
}
