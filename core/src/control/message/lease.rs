//! Leases of inner addresses.
use super::{Fault, Reader, Writer, need};
use core::net::{Ipv4Addr, Ipv6Addr};

/// Asks for an address of each family, or to keep those that are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The IPv4 address that the client would like.
    pub want_v4: Option<Ipv4Addr>,
    /// The IPv6 address that the client would like.
    pub want_v6: Option<Ipv6Addr>,
}

/// The addresses that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address.
    pub v6: Option<Ipv6Addr>,
    /// Seconds after which the client asks to keep them.
    pub renew_after: u32,
    /// Seconds after which it asks with every try it has; not less than `renew_after`.
    pub rebind_after: u32,
    /// Seconds after which they are not its own any more; not less than `rebind_after`.
    pub valid_for: u32,
}

/// Keys of both.
const V4: u8 = 1;
const V6: u8 = 2;
const RENEW_AFTER: u8 = 3;
const REBIND_AFTER: u8 = 4;
const VALID_FOR: u8 = 5;

impl LeaseRequest {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.optional(V4, self.want_v4, |out, address| out.bytes(&address.octets()));
            map.optional(V6, self.want_v6, |out, address| out.bytes(&address.octets()));
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let mut wanted = Self::default();
        from.map(|key, from| {
            match key {
                V4 => wanted.want_v4 = Some(from.array_of_bytes::<4>()?.into()),
                V6 => wanted.want_v6 = Some(from.array_of_bytes::<16>()?.into()),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(wanted)
    }
}

impl Lease {
    pub(super) fn write(&self, out: &mut Writer<'_>) {
        out.map(|map| {
            map.optional(V4, self.v4, |out, address| out.bytes(&address.octets()));
            map.optional(V6, self.v6, |out, address| out.bytes(&address.octets()));
            map.key(RENEW_AFTER).uint(self.renew_after);
            map.key(REBIND_AFTER).uint(self.rebind_after);
            map.key(VALID_FOR).uint(self.valid_for);
        });
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Fault> {
        let (mut v4, mut v6) = (None, None);
        let (mut renew, mut rebind, mut valid) = (None, None, None);
        from.map(|key, from| {
            match key {
                V4 => v4 = Some(from.array_of_bytes::<4>()?.into()),
                V6 => v6 = Some(from.array_of_bytes::<16>()?.into()),
                RENEW_AFTER => renew = Some(from.number()?),
                REBIND_AFTER => rebind = Some(from.number()?),
                VALID_FOR => valid = Some(from.number()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let lease = Self {
            v4,
            v6,
            renew_after: need(renew, RENEW_AFTER)?,
            rebind_after: need(rebind, REBIND_AFTER)?,
            valid_for: need(valid, VALID_FOR)?,
        };
        let rises = lease.renew_after <= lease.rebind_after && lease.rebind_after <= lease.valid_for;
        if rises { Ok(lease) } else { Err(Fault::Range) }
    }
}
