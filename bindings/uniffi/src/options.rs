//! What a tunnel is made from.
use crate::changes::{Padding, TunnelLimits};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::error::TunnelError;
use crate::floors::Floors;
use crate::keys::PrivateKey;
use std::sync::Arc;
use underpass_core::limits::DEFAULT_MTU;
use underpass_core::{Tai64N, TunnelConfig};

/// What a tunnel is made from. All of it may be left out: a tunnel without private key drops everything until it gets one.
#[derive(Clone, Debug, Default, uniffi::Record)]
pub struct TunnelOptions {
    /// Private key, MTU and peers. What else it says (addresses, name servers, applications) is the application's to do.
    #[uniffi(default = None)]
    pub configuration: Option<Arc<Configuration>>,
    /// Our private key, instead of that of the configuration.
    #[uniffi(default = None)]
    pub private_key: Option<Arc<PrivateKey>>,
    /// Bytes of the largest packet, 68 to 65535, instead of that of the configuration.
    #[uniffi(default = None)]
    pub mtu: Option<u16>,
    /// How packets are padded; else to 16 bytes.
    #[uniffi(default = None)]
    pub padding: Option<Padding>,
    /// Bounds on memory and work; else those that suit a phone.
    #[uniffi(default = None)]
    pub limits: Option<TunnelLimits>,
    /// What `saved_floors` gave in an earlier life, so that a clock set back does not lock us out and no old initiation of a peer
    /// is taken for a new one.
    #[uniffi(default = None)]
    pub saved_floors: Option<Vec<u8>>,
    /// The clock; else the system's.
    #[uniffi(default = None)]
    pub clock: Option<Arc<Clock>>,
}

impl TunnelOptions {
    /// The core's form of it, and the clock.
    pub(crate) fn to_core(&self) -> Result<TunnelConfig, TunnelError> {
        let said = self.configuration.as_ref().map(|configuration| &configuration.said.tunnel);
        let floors = self.saved_floors.as_deref().map(Floors::read).transpose()?.unwrap_or_default();
        let own_key = self.private_key.as_ref().map(|key| key.0.clone()).filter(|key| !key.is_zero());
        let mut peers = said.map(|said| said.peers.clone()).unwrap_or_default();
        for peer in &mut peers {
            peer.timestamp_floor = floors.peers.get(&peer.public_key).copied().unwrap_or(Tai64N::ZERO);
        }
        Ok(TunnelConfig {
            private_key: own_key.or_else(|| said.and_then(|said| said.private_key.clone())),
            mtu: self.mtu.or(said.map(|said| said.mtu)).unwrap_or(DEFAULT_MTU),
            padding: self.padding.map(Into::into).unwrap_or_default(),
            limits: self.limits.clone().unwrap_or_default().to_core(),
            timestamp_floor: floors.tunnel,
            peers,
        })
    }
}
