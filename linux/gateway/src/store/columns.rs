//! What every database has in common: how our types become columns, and ranges of addresses.
use super::{Pool, StoreError, Subject, UserId};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use underpass_core::PublicKey;

/// The subject of failures, as bytes: a letter, then a number or a key.
pub(super) fn subject(subject: &Subject) -> Vec<u8> {
    let user = |user: &UserId| user.0.to_be_bytes();
    match subject {
        Subject::User(id) => [b"u".as_slice(), &user(id)].concat(),
        Subject::Device(key) => [b"d".as_slice(), key.as_bytes()].concat(),
        Subject::Both(id, key) => [b"b".as_slice(), &user(id), key.as_bytes()].concat(),
    }
}

/// The subject that such bytes are of.
pub(super) fn subject_of(bytes: &[u8]) -> Result<Subject, StoreError> {
    let user = |bytes: &[u8]| bytes.try_into().ok().map(i64::from_be_bytes).map(UserId);
    let key = |bytes: &[u8]| bytes.try_into().ok().map(PublicKey::from_bytes);
    let subject = match bytes.split_first() {
        Some((b'u', rest)) => user(rest).map(Subject::User),
        Some((b'd', rest)) => key(rest).map(Subject::Device),
        Some((b'b', rest)) => {
            rest.split_at_checked(8).and_then(|(id, rest)| Some(Subject::Both(user(id)?, key(rest)?)))
        }
        _ => None,
    };
    subject.ok_or_else(|| StoreError::Senseless("failures of nobody".into()))
}

/// A number as databases have it.
pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::TooLarge(number))
}

/// The range of a pool, as numbers.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) first: u128,
    pub(super) last: u128,
    is_v4: bool,
}

impl Range {
    pub(super) fn of(pool: &Pool) -> Result<Self, StoreError> {
        let range =
            Self { first: Self::number(pool.first), last: Self::number(pool.last), is_v4: pool.first.is_ipv4() };
        let is_range = pool.first.is_ipv4() == pool.last.is_ipv4() && range.first <= range.last;
        if is_range { Ok(range) } else { Err(StoreError::Range(pool.name.clone())) }
    }

    pub(super) fn number(address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => address.to_bits(),
        }
    }

    pub(super) fn address(&self, number: u128) -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if self.is_v4 => IpAddr::V4(Ipv4Addr::from_bits(number)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }

    pub(super) fn highest(&self) -> u128 {
        if self.is_v4 { u32::MAX.into() } else { u128::MAX }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_v4 && (self.first..=self.last).contains(&Self::number(address))
    }
}
