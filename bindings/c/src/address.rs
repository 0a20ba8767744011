//! Addresses. These structs never grow.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use ipnet::IpNet;
use underpass_core::Status;
use underpass_core::tunnel::Path;

/// No address.
pub const UNDERPASS_FAMILY_NONE: u8 = 0;
/// IPv4.
pub const UNDERPASS_FAMILY_IPV4: u8 = 4;
/// IPv6.
pub const UNDERPASS_FAMILY_IPV6: u8 = 6;

/// An IP address, or a network.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct underpass_ip {
    /// UNDERPASS_FAMILY_*.
    pub family: u8,
    /// The length of the network's prefix, where a network is meant; else 0 and not looked at.
    pub prefix: u8,
    /// 0.
    pub reserved: [u8; 2],
    /// In network order; IPv4 in the first four.
    pub bytes: [u8; 16],
}

/// An IP address and a UDP port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct underpass_address {
    /// UNDERPASS_FAMILY_*.
    pub family: u8,
    /// 0.
    pub reserved: u8,
    /// In host order.
    pub port: u16,
    /// The interface of an IPv6 link-local address, else 0.
    pub scope_id: u32,
    /// In network order; IPv4 in the first four.
    pub ip: [u8; 16],
}

/// The two ends of a datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct underpass_path {
    /// The other side.
    pub remote: underpass_address,
    /// Our address: where a datagram arrived, or from where to send one. IPv4 in IPv6 is taken as IPv4.
    /// UNDERPASS_FAMILY_NONE: any.
    pub local: underpass_ip,
}

impl underpass_ip {
    /// The address; `None` for none.
    #[inline]
    pub(crate) fn address(&self) -> Result<Option<IpAddr>, Status> {
        match self.family {
            UNDERPASS_FAMILY_NONE => Ok(None),
            family => ip_of(family, &self.bytes).map(Some),
        }
    }

    pub(crate) fn network(&self) -> Result<IpNet, Status> {
        let address = ip_of(self.family, &self.bytes)?;
        IpNet::new(address, self.prefix).map_err(|_| Status::Prefix)
    }
}

impl From<IpAddr> for underpass_ip {
    #[inline]
    fn from(address: IpAddr) -> Self {
        let (family, bytes) = parts_of(address);
        Self { family, bytes, ..Self::default() }
    }
}

impl From<IpNet> for underpass_ip {
    fn from(network: IpNet) -> Self {
        Self { prefix: network.prefix_len(), ..network.addr().into() }
    }
}

impl underpass_address {
    #[inline]
    pub(crate) fn socket(&self) -> Result<SocketAddr, Status> {
        Ok(match ip_of(self.family, &self.ip)? {
            IpAddr::V4(ip) => SocketAddr::from((ip, self.port)),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, self.port, 0, self.scope_id).into(),
        })
    }
}

impl From<SocketAddr> for underpass_address {
    #[inline]
    fn from(address: SocketAddr) -> Self {
        let (family, ip) = parts_of(address.ip());
        let scope_id = match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(address) => address.scope_id(),
        };
        Self { family, reserved: 0, port: address.port(), scope_id, ip }
    }
}

impl underpass_path {
    #[inline]
    pub(crate) fn path(&self) -> Result<Path, Status> {
        Ok(Path::new(self.remote.socket()?).with_local(self.local.address()?))
    }
}

impl From<Path> for underpass_path {
    #[inline]
    fn from(path: Path) -> Self {
        Self { remote: path.remote.into(), local: path.local.map(Into::into).unwrap_or_default() }
    }
}

#[inline]
fn ip_of(family: u8, bytes: &[u8; 16]) -> Result<IpAddr, Status> {
    match family {
        UNDERPASS_FAMILY_IPV4 => {
            let [a, b, c, d, ..] = *bytes;
            Ok(Ipv4Addr::new(a, b, c, d).into())
        }
        UNDERPASS_FAMILY_IPV6 => Ok(Ipv6Addr::from(*bytes).into()),
        _ => Err(Status::Argument),
    }
}

#[inline]
fn parts_of(address: IpAddr) -> (u8, [u8; 16]) {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            (UNDERPASS_FAMILY_IPV4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V6(ip) => (UNDERPASS_FAMILY_IPV6, ip.octets()),
    }
}
