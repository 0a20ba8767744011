//! Underpass and the kernel's WireGuard on one wire.
use super::{KernelDevice, PATIENCE, Seat};
use crate::keys::KeyPair;
use crate::{Device, Implementation};
use anyhow::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use underpass_linux::demo::stage::Stage;

/// The port on which both listen.
const PORT: u16 = 51820;

/// Who speaks first, because only he knows where the other is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Ours.
    Underpass,
    /// Theirs.
    Kernel,
}

/// The IP version of the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// 192.0.2.1 is ours, 192.0.2.2 the kernel's.
    V4,
    /// 2001:db8::1 is ours, 2001:db8::2 the kernel's.
    V6,
}

impl Outer {
    /// The address of Underpass.
    #[must_use]
    pub fn ours(self) -> IpAddr {
        self.address(1)
    }

    /// The address of the kernel.
    #[must_use]
    pub fn kernel(self) -> IpAddr {
        self.address(2)
    }

    fn address(self, number: u8) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(192, 0, 2, number).into(),
            Self::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()).into(),
        }
    }
}

/// Two interfaces, each called `wg0`: inside, 10.9.0.1 and fd09::1 are ours, 10.9.0.2 and fd09::2 the kernel's.
#[derive(Debug)]
pub struct KernelPair {
    /// On a machine of its own, whose `eth0` is the wire.
    pub ours: Device,
    /// On a seat of a guest, whose `eth0` is the wire.
    pub kernel: KernelDevice,
}

impl KernelPair {
    /// Both know each other, over IPv4 and without a preshared key.
    ///
    /// # Errors
    /// When one does not start, or `wg` complains.
    pub fn new(stage: &Stage, seat: Seat, first: First) -> Result<Self> {
        let pair = Self::strangers(stage, seat)?;
        pair.introduce(first, Outer::V4, None)?;
        Ok(pair)
    }

    /// Starts both on a wire; they know nobody.
    ///
    /// # Errors
    /// When one does not start.
    pub fn strangers(stage: &Stage, seat: Seat) -> Result<Self> {
        let machine = stage.machine("ours")?;
        seat.wire(&machine, "eth0")?;
        for outer in [Outer::V4, Outer::V6] {
            let (bits, flags) = if outer == Outer::V4 { (24, "") } else { (64, "nodad") };
            machine.ip(&format!("addr add {}/{bits} dev eth0 {flags}", outer.ours()))?;
            seat.ip(&format!("addr add {}/{bits} dev eth0 {flags}", outer.kernel()))?;
        }
        let ours = Device::start(&machine, Implementation::Underpass)?;
        let keys = KeyPair::generate(&machine)?;
        Ok(Self { ours, kernel: KernelDevice::new(seat, keys)? })
    }

    /// Introduces them to each other and brings both up.
    ///
    /// # Errors
    /// What `wg` and `ip` complain.
    pub fn introduce(&self, first: First, outer: Outer, preshared_key: Option<&str>) -> Result<()> {
        self.bring_up_kernel(first, outer, preshared_key)?;
        self.bring_up_ours(first, outer, preshared_key)
    }

    /// Brings the kernel's interface up.
    ///
    /// # Errors
    /// What `wg` and `ip` complain.
    pub fn bring_up_kernel(&self, first: First, outer: Outer, preshared_key: Option<&str>) -> Result<()> {
        let endpoint = (first == First::Kernel).then(|| outer.ours());
        let peer = self.ours.as_peer("10.9.0.1/32, fd09::1/128") + &further(endpoint, preshared_key);
        self.kernel.bring_up(&["10.9.0.2/24", "fd09::2/64"], &format!("ListenPort = {PORT}"), &peer)
    }

    /// Brings ours up.
    ///
    /// # Errors
    /// What `wg` and `ip` complain.
    pub fn bring_up_ours(&self, first: First, outer: Outer, preshared_key: Option<&str>) -> Result<()> {
        let endpoint = (first == First::Underpass).then(|| outer.kernel());
        let peer = self.kernel.as_peer("10.9.0.2/32, fd09::2/128") + &further(endpoint, preshared_key);
        self.ours.bring_up(&["10.9.0.1/24", "fd09::1/64"], &format!("ListenPort = {PORT}"), &peer)
    }

    /// Pings through the tunnel from the side that speaks first, until an answer comes.
    ///
    /// # Errors
    /// When none comes within [`PATIENCE`].
    pub fn ping(&self, first: First) -> Result<()> {
        match first {
            First::Underpass => self.ping_kernel("10.9.0.2"),
            First::Kernel => self.ping_ours("10.9.0.1"),
        }
    }

    /// Pings the kernel at `address` through the tunnel, until an answer comes.
    ///
    /// # Errors
    /// When none comes within [`PATIENCE`].
    pub fn ping_kernel(&self, address: &str) -> Result<()> {
        let deadline = PATIENCE.as_secs().to_string();
        let ping = self.ours.machine.spawn("ping", &["-c", "1", "-w", &deadline, address])?;
        ping.wait(PATIENCE * 2)?.success().map(drop)
    }

    /// Pings us at `address` through the tunnel from the guest, until an answer comes.
    ///
    /// # Errors
    /// When none comes within [`PATIENCE`].
    pub fn ping_ours(&self, address: &str) -> Result<()> {
        self.kernel.seat.wait_until(&format!("ping -c 1 -W 20 {address}")).map(drop)
    }
}

/// What else may stand in the section of a peer.
fn further(endpoint: Option<IpAddr>, preshared_key: Option<&str>) -> String {
    let endpoint = endpoint.map(|address| format!("Endpoint = {}\n", SocketAddr::new(address, PORT)));
    let preshared_key = preshared_key.map(|key| format!("PresharedKey = {key}\n"));
    endpoint.unwrap_or_default() + &preshared_key.unwrap_or_default()
}
