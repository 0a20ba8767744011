//! The machines of the story: a phone in a café, the internet with its two NATs, the gateway, the office server.
use super::stage::{Machine, Stage};
use anyhow::Result;
use std::net::{Ipv4Addr, SocketAddr};

/// The office server.
pub(super) const OFFICE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 10);
/// What the gateway is called from outside.
pub(super) const GATEWAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 51820);
/// The café's NAT, as the gateway sees it.
pub(super) const CAFE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The mobile network's NAT, as the gateway sees it.
pub(super) const MOBILE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 44);
/// The phone inside the tunnel.
pub(super) const PHONE_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The gateway inside the tunnel.
pub(super) const GATEWAY_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Where everybody stands.
pub(super) const DRAWING: &str = "\
A phone, the internet, a gateway and an office server: four machines made of
network namespaces on this one. Interfaces, NAT, TCP and the tunnel are real.

  phone 10.0.0.1                         gateway 10.0.0.2   office 10.50.0.10
  +---------+                            +---------+        +------------+
  | browser |      ~ the internet ~      |         |  LAN   | web server |
  | tunnel  |==[NAT]==================[]==  tunnel  |--------|            |
  +---------+                            +---------+        +------------+
             first  the cafe's NAT 203.0.113.9
             then   the mobile network's NAT 198.51.100.44
";

/// The machines; they are gone when this is dropped.
pub(super) struct Scene {
    pub(super) phone: Machine,
    pub(super) internet: Machine,
    pub(super) gateway: Machine,
    pub(super) office: Machine,
}

impl Scene {
    /// Makes the machines and lays the wires. The phone is in the café.
    pub(super) fn new(stage: &Stage) -> Result<Self> {
        let machine = |name| stage.machine(name);
        let scene = Self {
            phone: machine("phone")?,
            internet: machine("internet")?,
            gateway: machine("gateway")?,
            office: machine("office")?,
        };
        scene.phone.wire("wlan0", &scene.internet, "cafe")?;
        scene.phone.wire("rmnet0", &scene.internet, "mobile")?;
        scene.internet.wire("wan", &scene.gateway, "eth0")?;
        scene.gateway.wire("lan0", &scene.office, "eth0")?;
        scene.build_internet()?;
        scene.build_office()?;
        scene.phone.ip("addr add 192.168.1.2/24 dev wlan0")?;
        scene.phone.ip("route add default via 192.168.1.1")?;
        Ok(scene)
    }

    /// One router plays the internet: it is the NAT of the café and that of the mobile network, and lets nothing in.
    fn build_internet(&self) -> Result<()> {
        let internet = &self.internet;
        internet.ip("addr add 192.168.1.1/24 dev cafe")?;
        internet.ip("addr add 100.70.3.1/24 dev mobile")?;
        internet.ip("addr add 192.0.2.254/24 dev wan")?;
        internet.ip(&format!("addr add {CAFE}/32 dev lo"))?;
        internet.ip(&format!("addr add {MOBILE}/32 dev lo"))?;
        internet.sysctl("net.ipv4.ip_forward=1")?;
        internet.nft(&format!(
            "table ip nats {{
                chain postrouting {{
                    type nat hook postrouting priority srcnat; policy accept;
                    oifname wan ip saddr 192.168.1.0/24 snat to {CAFE}
                    oifname wan ip saddr 100.70.3.0/24 snat to {MOBILE}
                }}
                chain forward {{
                    type filter hook forward priority filter; policy drop;
                    iifname {{ cafe, mobile }} oifname wan accept
                    ct state established,related accept
                }}
            }}"
        ))
    }

    /// The gateway joins the internet and the office's network.
    fn build_office(&self) -> Result<()> {
        self.gateway.ip(&format!("addr add {}/24 dev eth0", GATEWAY.ip()))?;
        self.gateway.ip("route add default via 192.0.2.254")?;
        self.gateway.ip("addr add 10.50.0.1/24 dev lan0")?;
        self.gateway.sysctl("net.ipv4.ip_forward=1")?;
        self.office.ip(&format!("addr add {OFFICE}/24 dev eth0"))?;
        self.office.ip("route add default via 10.50.0.1")
    }

    /// The phone loses the café's network, and with it its address; the mobile network gives it another.
    pub(super) fn leave_the_cafe(&self) -> Result<()> {
        self.phone.ip("link set wlan0 down")?;
        self.phone.ip("addr flush dev wlan0")?;
        self.phone.ip("addr add 100.70.3.8/24 dev rmnet0")?;
        self.phone.ip("route add default via 100.70.3.1")
    }
}
