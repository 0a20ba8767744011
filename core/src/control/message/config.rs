//! Settings that a gateway gives its clients.
use super::text::{domain, list};
use super::{Fault, Reader, Writer, need};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Routes at most, and excluded routes at most.
pub const MAX_ROUTES: usize = 256;
/// Name servers at most.
pub const MAX_DNS: usize = 8;
/// Search domains at most, and split domains at most.
pub const MAX_DOMAINS: usize = 64;

/// Settings. A client takes of them what [`local`](crate::control::local) lets it take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Rises with each change.
    pub version: u64,
    /// The inner IPv4 address, with the length of its network.
    pub v4: Option<Ipv4Net>,
    /// The inner IPv6 address, with the length of its network.
    pub v6: Option<Ipv6Net>,
    /// What is reached through the tunnel: [`MAX_ROUTES`] at most.
    pub routes: Vec<IpNet>,
    /// What is reached beside the tunnel, although a route covers it: [`MAX_ROUTES`] at most.
    pub excluded: Vec<IpNet>,
    /// Name servers: [`MAX_DNS`] at most.
    pub dns: Vec<IpAddr>,
    /// Domains to complete names with: [`MAX_DOMAINS`] at most.
    pub search: Vec<String>,
    /// Domains that the name servers alone are asked for; empty: they are asked for all. [`MAX_DOMAINS`] at most.
    pub split: Vec<String>,
    /// The MTU of the virtual interface.
    pub mtu: Option<u16>,
    /// Seconds between persistent keepalives; 0: none.
    pub keepalive: Option<u16>,
    /// Whether the local network stays in reach beside the tunnel.
    pub lan: bool,
    /// Whether nothing may leave beside the tunnel.
    pub kill_switch: bool,
}

const VERSION: u8 = 1;
const V4: u8 = 2;
const V6: u8 = 3;
const ROUTES: u8 = 4;
const EXCLUDED: u8 = 5;
const DNS: u8 = 6;
const SEARCH: u8 = 7;
const SPLIT: u8 = 8;
const MTU: u8 = 9;
const KEEPALIVE: u8 = 10;
const LAN: u8 = 11;
const KILL_SWITCH: u8 = 12;
// 13 is kept for padding machines.

impl Config {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.key(VERSION).uint(self.version);
            map.optional(V4, self.v4, |out, net| write_net(out, &net.into()));
            map.optional(V6, self.v6, |out, net| write_net(out, &net.into()));
            map.key(ROUTES).array(&self.routes, write_net);
            map.key(EXCLUDED).array(&self.excluded, write_net);
            map.key(DNS).array(&self.dns, write_address);
            map.key(SEARCH).array(&self.search, |out, domain| out.text(domain));
            map.key(SPLIT).array(&self.split, |out, domain| out.text(domain));
            map.optional(MTU, self.mtu, |out, mtu| out.uint(mtu));
            map.optional(KEEPALIVE, self.keepalive, |out, seconds| out.uint(seconds));
            map.key(LAN).bool(self.lan);
            map.key(KILL_SWITCH).bool(self.kill_switch);
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut config, mut version) = (Self::default(), None);
        from.map(|key, from| {
            match key {
                VERSION => version = Some(from.uint()?),
                V4 => config.v4 = Some(net_v4(from)?),
                V6 => config.v6 = Some(net_v6(from)?),
                ROUTES => config.routes = list(from, MAX_ROUTES, prefix)?,
                EXCLUDED => config.excluded = list(from, MAX_ROUTES, prefix)?,
                DNS => config.dns = list(from, MAX_DNS, address)?,
                SEARCH => config.search = list(from, MAX_DOMAINS, domain)?,
                SPLIT => config.split = list(from, MAX_DOMAINS, domain)?,
                MTU => config.mtu = Some(from.number()?),
                KEEPALIVE => config.keepalive = Some(from.number()?),
                LAN => config.lan = from.bool()?,
                KILL_SWITCH => config.kill_switch = from.bool()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { version: need(version, VERSION)?, ..config })
    }
}

fn write_address(out: &mut Writer<'_>, address: &IpAddr) {
    match address {
        IpAddr::V4(address) => out.bytes(&address.octets()),
        IpAddr::V6(address) => out.bytes(&address.octets()),
    }
}

fn write_net(out: &mut Writer<'_>, net: &IpNet) {
    out.pair(|out| write_address(out, &net.addr()), |out| out.uint(net.prefix_len()));
}

fn address(from: &mut Reader<'_>) -> Result<IpAddr, Fault> {
    let bytes = from.bytes()?;
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).map_err(|_| Fault::Range)
}

/// An address and the length of its network: an array of two.
fn net(from: &mut Reader<'_>) -> Result<IpNet, Fault> {
    if from.array(2)? != 2 {
        return Err(Fault::Range);
    }
    let address = address(from)?;
    IpNet::new(address, from.number()?).map_err(|_| Fault::Range)
}

/// A network: the bits beyond its length are zero.
fn prefix(from: &mut Reader<'_>) -> Result<IpNet, Fault> {
    Some(net(from)?).filter(|net| net.trunc() == *net).ok_or(Fault::Range)
}

fn net_v4(from: &mut Reader<'_>) -> Result<Ipv4Net, Fault> {
    match net(from)? {
        IpNet::V4(net) => Ok(net),
        IpNet::V6(_) => Err(Fault::Range),
    }
}

fn net_v6(from: &mut Reader<'_>) -> Result<Ipv6Net, Fault> {
    match net(from)? {
        IpNet::V6(net) => Ok(net),
        IpNet::V4(_) => Err(Fault::Range),
    }
}
