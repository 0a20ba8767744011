//! Our types as columns, and errors of SQLite as ours.
use super::super::{ChangeKind, CodeId, HashOfToken, StoreError, Subject, UserId};
use crate::name::Name;
use crate::time::Time;
use rusqlite::ErrorCode;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use underpass_core::PublicKey;

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_millis().into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_millis)
    }
}

impl ToSql for Name {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Name {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for UserId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for UserId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self)
    }
}

impl ToSql for CodeId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl ToSql for HashOfToken {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

/// A public key as a column.
pub(super) struct Key(pub(super) PublicKey);

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_bytes().as_slice().into())
    }
}

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(|bytes| Self(PublicKey::from_bytes(bytes)))
    }
}

/// An address as a column: its bytes as in packets.
#[derive(Clone, Copy)]
pub(super) struct Address(pub(super) IpAddr);

impl ToSql for Address {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            IpAddr::V4(address) => address.octets().to_vec().into(),
            IpAddr::V6(address) => address.octets().to_vec().into(),
        })
    }
}

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let four = <[u8; 4]>::try_from(bytes).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        let sixteen = <[u8; 16]>::try_from(bytes).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
        four.or(sixteen).map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

/// The subject of failures, as bytes: a letter, then a number or a key.
pub(super) fn subject(subject: &Subject) -> Vec<u8> {
    let user = |user: &UserId| user.0.to_be_bytes();
    match subject {
        Subject::User(id) => [b"u".as_slice(), &user(id)].concat(),
        Subject::Device(key) => [b"d".as_slice(), key.as_bytes()].concat(),
        Subject::Both(id, key) => [b"b".as_slice(), &user(id), key.as_bytes()].concat(),
    }
}

/// The number of a kind of change: its place in [`ChangeKind::ALL`].
pub(super) fn number_of(kind: ChangeKind) -> i64 {
    let place = ChangeKind::ALL.iter().position(|known| *known == kind);
    place.and_then(|place| i64::try_from(place).ok()).unwrap_or_default()
}

/// The kind of change with this number.
pub(super) fn kind_of(number: i64) -> Option<ChangeKind> {
    usize::try_from(number).ok().and_then(|number| ChangeKind::ALL.get(number).copied())
}

/// A number as databases have it.
pub(super) fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::TooLarge(number))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match &error {
            E::SqliteFailure(code, _) => match code.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(error.to_string()),
                ErrorCode::DiskFull => Self::Full,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
                _ => Self::Failed(error.to_string()),
            },
            E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) => {
                Self::Senseless(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}
