//! The places where stories happen.
use crate::{Device, Implementation, answers};
use anyhow::Result;
use std::net::SocketAddr;
use underpass_linux::demo::stage::{Machine, Stage};

/// Two machines on one wire.
#[derive(Debug)]
pub struct Wire {
    /// `eth0` has 192.0.2.1/24 and 2001:db8::1/64.
    pub left: Machine,
    /// `eth0` has 192.0.2.2/24 and 2001:db8::2/64.
    pub right: Machine,
}

impl Wire {
    /// Lays the wire.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(stage: &Stage) -> Result<Self> {
        let (left, right) = (stage.machine("left")?, stage.machine("right")?);
        left.wire("eth0", &right, "eth0")?;
        for (machine, number) in [(&left, 1), (&right, 2)] {
            machine.ip(&format!("addr add 192.0.2.{number}/24 dev eth0"))?;
            machine.ip(&format!("addr add 2001:db8::{number}/64 dev eth0 nodad"))?;
        }
        Ok(Self { left, right })
    }
}

/// Two interfaces over one wire that know each other; only the left one knows where the other is, and so initiates.
///
/// Left is 10.9.0.1 and fd09::1 inside, right is 10.9.0.2 and fd09::2 and listens on port 51820.
#[derive(Debug)]
pub struct Pair {
    /// The one that speaks first.
    pub left: Device,
    /// The one that answers.
    pub right: Device,
    /// The machines.
    pub wire: Wire,
}

impl Pair {
    /// Over IPv4, without a preshared key.
    ///
    /// # Errors
    /// When a daemon does not start or `wg` complains.
    pub fn new(stage: &Stage, initiator: Implementation, responder: Implementation) -> Result<Self> {
        let wire = Wire::new(stage)?;
        let pair = Self::strangers(wire, initiator, responder)?;
        pair.introduce("192.0.2.2:51820", None)?;
        Ok(pair)
    }

    /// Starts both daemons; they know nobody.
    ///
    /// # Errors
    /// When a daemon does not start.
    pub fn strangers(wire: Wire, initiator: Implementation, responder: Implementation) -> Result<Self> {
        let (left, right) = (Device::start(&wire.left, initiator)?, Device::start(&wire.right, responder)?);
        Ok(Self { left, right, wire })
    }

    /// Introduces them to each other and brings both up.
    ///
    /// # Errors
    /// What `wg` and `ip` complain.
    pub fn introduce(&self, right_endpoint: &str, preshared_key: Option<&str>) -> Result<()> {
        let preshared = preshared_key.map_or(String::new(), |key| format!("PresharedKey = {key}\n"));
        let left = self.left.as_peer("10.9.0.1/32, fd09::1/128") + &preshared;
        self.right.bring_up(&["10.9.0.2/24", "fd09::2/64"], "ListenPort = 51820", &left)?;
        let right = self.right.as_peer("10.9.0.2/32, fd09::2/128") + &preshared;
        let right = format!("{right}Endpoint = {right_endpoint}\n");
        self.left.bring_up(&["10.9.0.1/24", "fd09::1/64"], "", &right)
    }

    /// Pings right from left through the tunnel until an answer comes.
    ///
    /// # Errors
    /// When none comes.
    pub fn ping(&self) -> Result<()> {
        answers(&self.wire.left, "10.9.0.2")
    }
}

/// A port on the left machine, inside the tunnel of a [`Pair`].
#[must_use]
pub fn inside_left(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 1], port))
}

/// A port on the right machine, inside the tunnel of a [`Pair`].
#[must_use]
pub fn inside_right(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 9, 0, 2], port))
}

/// A machine at home behind a router that translates addresses, and a server with a public address.
///
/// home 10.1.1.2 — 10.1.1.1 router 198.51.100.1 — 198.51.100.2 server
#[derive(Debug)]
pub struct Nat {
    /// `eth0` has 10.1.1.2/24; the default route goes to the router.
    pub home: Machine,
    /// `lan` has 10.1.1.1/24, `wan` has 198.51.100.1/24; what leaves by `wan` is masqueraded.
    pub router: Machine,
    /// `eth0` has 198.51.100.2/24 and no route to the home network.
    pub server: Machine,
}

impl Nat {
    /// Builds it. The router forgets an idle UDP flow after `udp_timeout` seconds.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(stage: &Stage, udp_timeout: u32) -> Result<Self> {
        let (home, router, server) = (stage.machine("home")?, stage.machine("router")?, stage.machine("server")?);
        home.wire("eth0", &router, "lan")?;
        router.wire("wan", &server, "eth0")?;
        home.ip("addr add 10.1.1.2/24 dev eth0")?;
        home.ip("route add default via 10.1.1.1")?;
        router.ip("addr add 10.1.1.1/24 dev lan")?;
        router.ip("addr add 198.51.100.1/24 dev wan")?;
        server.ip("addr add 198.51.100.2/24 dev eth0")?;
        router.sysctl("net.ipv4.ip_forward=1")?;
        router.nft(
            "table ip home_router {
                chain postrouting {
                    type nat hook postrouting priority srcnat; policy accept;
                    oifname wan masquerade
                }
                chain forward {
                    type filter hook forward priority filter; policy drop;
                    iifname lan accept
                    ct state established,related accept
                }
            }",
        )?;
        router.sysctl(&format!("net.netfilter.nf_conntrack_udp_timeout={udp_timeout}"))?;
        router.sysctl(&format!("net.netfilter.nf_conntrack_udp_timeout_stream={udp_timeout}"))?;
        Ok(Self { home, router, server })
    }
}
