//! Timestamps that outlive a tunnel, as one blob that an application stores.
//!
//! Its bytes are: 1, the tunnel's timestamp (12 bytes), then for each peer its public key (32 bytes) and its timestamp (12 bytes).
use crate::error::TunnelError;
use std::collections::HashMap;
use underpass_core::{PublicKey, Tai64N, Tunnel};

/// The first byte: which form it has.
const FORM: u8 = 1;
const KEY: usize = 32;
const TIMESTAMP: usize = 12;

/// What an earlier life of a tunnel left behind.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    pub(crate) tunnel: Tai64N,
    pub(crate) peers: HashMap<PublicKey, Tai64N>,
}

impl Floors {
    /// Reads what [`write`] wrote.
    pub(crate) fn read(saved: &[u8]) -> Result<Self, TunnelError> {
        let damaged = || TunnelError::argument("saved_floors");
        let rest = saved.strip_prefix(&[FORM]).ok_or_else(damaged)?;
        let (tunnel, rest) = rest.split_first_chunk::<TIMESTAMP>().ok_or_else(damaged)?;
        let rows = rest.chunks_exact(KEY + TIMESTAMP);
        if !rows.remainder().is_empty() {
            return Err(damaged());
        }
        let mut floors = Self { tunnel: Tai64N::from_bytes(*tunnel), ..Self::default() };
        for row in rows {
            let (key, floor) = row.split_first_chunk::<KEY>().ok_or_else(damaged)?;
            floors.peers.insert(PublicKey::from_bytes(*key), timestamp(floor)?);
        }
        Ok(floors)
    }
}

/// The timestamps of a tunnel and of those of its peers that were heard.
pub(crate) fn write(tunnel: &Tunnel) -> Vec<u8> {
    let mut saved = vec![FORM];
    saved.extend_from_slice(tunnel.timestamp_floor().as_bytes());
    for peer in tunnel.peers().filter(|peer| peer.timestamp_floor() != Tai64N::ZERO) {
        saved.extend_from_slice(peer.public_key().as_bytes());
        saved.extend_from_slice(peer.timestamp_floor().as_bytes());
    }
    saved
}

/// The timestamp of 12 bytes.
pub(crate) fn timestamp(bytes: &[u8]) -> Result<Tai64N, TunnelError> {
    let bytes = <[u8; TIMESTAMP]>::try_from(bytes).map_err(|_| TunnelError::argument("timestamp_floor"))?;
    Ok(Tai64N::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_here_is_refused() {
        for (bytes, whole) in [
            (vec![], false),
            (vec![FORM; 1], false),
            (vec![FORM; 13], true),
            (vec![FORM; 14], false),
            (vec![FORM; 13 + 44], true),
            (vec![FORM; 13 + 43], false),
            ([vec![2], vec![0; 12]].concat(), false),
        ] {
            assert_eq!(Floors::read(&bytes).is_ok(), whole, "{} bytes", bytes.len());
        }
    }
}
