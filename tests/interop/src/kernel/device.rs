//! An interface of the kernel's WireGuard.
use super::Seat;
use crate::keys::KeyPair;
use crate::status::Status;
use anyhow::{Result, ensure};

/// `wg0` on a seat of a guest, with a fresh key.
#[derive(Clone, Debug)]
pub struct KernelDevice {
    /// Where it stands.
    pub seat: Seat,
    /// Its keys.
    pub keys: KeyPair,
}

impl KernelDevice {
    /// Makes it. It has no address and is down.
    ///
    /// # Errors
    /// When the guest refuses.
    pub fn new(seat: Seat, keys: KeyPair) -> Result<Self> {
        seat.ip("link add wg0 type wireguard")?;
        Ok(Self { seat, keys })
    }

    /// Gives it its configuration and the addresses, and sets it up.
    ///
    /// # Errors
    /// What `wg` and `ip` complain.
    pub fn bring_up(&self, addresses: &[&str], interface: &str, peers: &str) -> Result<()> {
        self.set_configuration(interface, peers)?;
        for address in addresses {
            let flags = if address.contains(':') { "nodad" } else { "" };
            self.seat.ip(&format!("addr add {address} dev wg0 {flags}"))?;
        }
        self.seat.ip("link set wg0 mtu 1420 up")
    }

    /// The `[Peer]` section by which another machine knows this one, but for endpoint and preshared key.
    #[must_use]
    pub fn as_peer(&self, allowed_ips: &str) -> String {
        format!("[Peer]\nPublicKey = {}\nAllowedIPs = {allowed_ips}\n", self.keys.public)
    }

    /// Replaces the whole configuration (`wg setconf`): lines of `[Interface]` beside the key, then the peers.
    ///
    /// # Errors
    /// What `wg` complains.
    pub fn set_configuration(&self, interface: &str, peers: &str) -> Result<()> {
        let text = format!("[Interface]\nPrivateKey = {}\n{interface}\n{peers}", self.keys.private);
        self.run_with_file(&text, |file| format!("wg setconf wg0 {file}"))
    }

    /// `wg set wg0` with `arguments`.
    ///
    /// # Errors
    /// What `wg` complains.
    pub fn set(&self, arguments: &str) -> Result<()> {
        self.seat.run(&format!("wg set wg0 {arguments}")).map(drop)
    }

    /// Gives a peer another preshared key, for the next handshake.
    ///
    /// # Errors
    /// What `wg` complains.
    pub fn set_preshared_key(&self, peer: &str, key: &str) -> Result<()> {
        self.run_with_file(key, |file| format!("wg set wg0 peer {peer} preshared-key {file}"))
    }

    /// What `wg show dump` says.
    ///
    /// # Errors
    /// When `wg` fails or says something else.
    pub fn status(&self) -> Result<Status> {
        Status::parse(&self.seat.run("wg show wg0 dump")?)
    }

    /// Runs a command that reads a file with `text`, which is gone afterwards.
    fn run_with_file(&self, text: &str, command: impl Fn(&str) -> String) -> Result<()> {
        ensure!(!text.contains(['\'', '\\', '%']), "the shell would read this as something else");
        let (file, text) = (self.seat.file("wg0"), text.replace('\n', "\\n"));
        let command = command(&file);
        self.seat.run(&format!("printf '{text}' > {file} && {command}; s=$?; rm {file}; exit $s")).map(drop)
    }
}
