//! Columns as our types, and errors of PostgreSQL as ours.
use super::super::{StoreError, UserId};
use super::Result;
use crate::name::Name;
use crate::time::Time;
use ::postgres::Row;
use ::postgres::error::SqlState;
use std::error::Error as _;
use std::net::IpAddr;
use underpass_core::PublicKey;

pub(super) fn name(row: &Row, column: usize) -> Result<Name> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| StoreError::Senseless(format!("a name: {error}")))
}

pub(super) fn time(row: &Row, column: usize) -> Result<Time> {
    Ok(Time::from_millis(row.try_get(column)?))
}

pub(super) fn user(row: &Row, column: usize) -> Result<UserId> {
    Ok(UserId(row.try_get(column)?))
}

pub(super) fn key(row: &Row, column: usize) -> Result<PublicKey> {
    let bytes: &[u8] = row.try_get(column)?;
    let key = bytes.try_into().map(PublicKey::from_bytes);
    key.map_err(|_| StoreError::Senseless("a key that is not 32 bytes long".into()))
}

pub(super) fn number<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T> {
    let number: i64 = row.try_get(column)?;
    number.try_into().map_err(|_| StoreError::Senseless(format!("{number} where it cannot be")))
}

pub(super) fn address(row: &Row, column: usize) -> Result<IpAddr> {
    let bytes: &[u8] = row.try_get(column)?;
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or(sixteen).map_err(|_| StoreError::Senseless("an address that is none".into()))
}

/// An address as its bytes in packets.
pub(super) fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

impl From<::postgres::Error> for StoreError {
    fn from(error: ::postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let is_value = error.source().is_some_and(|source| source.is::<::postgres::types::WrongType>());
            let text = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            return if is_value { Self::Senseless(text) } else { Self::Away(text) };
        };
        let code = said.code();
        if *code == SqlState::DISK_FULL {
            Self::Full
        } else if [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED, SqlState::T_R_DEADLOCK_DETECTED]
            .contains(code)
        {
            Self::Busy
        } else if ["57P", "08", "28", "53"].iter().any(|class| code.code().starts_with(class)) {
            Self::Away(said.message().to_owned())
        } else {
            // The message has names of tables, the details would have values.
            Self::Failed(format!("{} ({})", said.message(), code.code()))
        }
    }
}
