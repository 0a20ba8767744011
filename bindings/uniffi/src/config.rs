//! Configurations: the text of wg-quick, what it says, and the way back.
use crate::diagnostic::Diagnostic;
use crate::error::TunnelError;
use crate::records::{InterfaceConfiguration, PeerConfiguration};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use underpass_core::config::{self, MAX_DIAGNOSTICS, Parsed, QuickConfig};
use zeroize::Zeroizing;

/// Bytes of the longest text that is read.
pub const MAX_TEXT: usize = 16 * 1024 * 1024;

/// A configuration. It does not change; its keys are wiped when the last reference to it is gone.
#[derive(uniffi::Object)]
#[uniffi::export(Debug)]
pub struct Configuration {
    pub(crate) said: QuickConfig,
    diagnostics: Vec<Diagnostic>,
    more: u64,
}

#[uniffi::export]
impl Configuration {
    /// Reads a text in the dialect of wg-quick, of `wg setconf`, and of the phone applications. Up to 100 findings are kept.
    ///
    /// # Errors
    /// `Config`, with all that was found, if there is an error among it; `Argument` for a text of more than 16 MiB.
    #[uniffi::constructor]
    pub fn parse(text: String) -> Result<Arc<Self>, TunnelError> {
        Self::read(&Zeroizing::new(text), MAX_DIAGNOSTICS)
    }

    /// The same, but keeps so many findings. Errors come before warnings where there are more. Whether the text is refused
    /// does not depend on the number.
    ///
    /// # Errors
    /// As those of `parse`.
    #[uniffi::constructor]
    pub fn parse_with(text: String, max_diagnostics: u32) -> Result<Arc<Self>, TunnelError> {
        Self::read(&Zeroizing::new(text), usize::try_from(max_diagnostics).unwrap_or(usize::MAX))
    }

    /// A configuration from records. What it says can be written as text and read again.
    ///
    /// # Errors
    /// `Config` where the text that it makes has errors; `Argument` where a value has no place in a text (a comma in a name,
    /// one public key for two peers); `Prefix`, `Mtu`, `LowOrderKey`.
    #[uniffi::constructor]
    pub fn build(interface: InterfaceConfiguration, peers: Vec<PeerConfiguration>) -> Result<Arc<Self>, TunnelError> {
        Self::from_records(&interface, &peers, &QuickConfig::default())
    }

    /// The same configuration with other records. Settings that no record holds (those of AmneziaWG) stay.
    ///
    /// # Errors
    /// As those of `build`.
    pub fn edited(
        &self,
        interface: InterfaceConfiguration,
        peers: Vec<PeerConfiguration>,
    ) -> Result<Arc<Self>, TunnelError> {
        Self::from_records(&interface, &peers, &self.said)
    }

    /// What its `[Interface]` section says. In Kotlin and Swift it is `interfaceSection`: `interface` is a word of Kotlin's.
    #[must_use]
    #[uniffi::method(name = "interface_section")]
    pub fn interface(&self) -> InterfaceConfiguration {
        InterfaceConfiguration::of(&self.said)
    }

    /// What its `[Peer]` sections say.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerConfiguration> {
        self.said.tunnel.peers.iter().map(PeerConfiguration::of).collect()
    }

    /// What is odd in its text, in the order of the text. None of it is an error.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.diagnostics.clone()
    }

    /// How many findings were counted only. Most often 0.
    #[must_use]
    pub fn more_diagnostics(&self) -> u64 {
        self.more
    }

    /// The configuration as wg-quick text. It holds the private key, and the text that Kotlin or Swift gets is not wiped.
    #[must_use]
    pub fn to_text(&self) -> String {
        config::write(&self.said).to_string()
    }
}

impl Configuration {
    fn read(text: &str, max_diagnostics: usize) -> Result<Arc<Self>, TunnelError> {
        if text.len() > MAX_TEXT {
            return Err(TunnelError::argument("text"));
        }
        let Parsed { config, diagnostics, more, out_of_memory } = config::parse_with(text, max_diagnostics);
        if out_of_memory {
            return Err(TunnelError::Memory);
        }
        let diagnostics = diagnostics.into_iter().map(Diagnostic::from).collect();
        let more = more as u64;
        match config {
            Some(said) => Ok(Arc::new(Self { said, diagnostics, more })),
            None => Err(TunnelError::Config { diagnostics, more }),
        }
    }

    fn from_records(
        interface: &InterfaceConfiguration,
        peers: &[PeerConfiguration],
        without_record: &QuickConfig,
    ) -> Result<Arc<Self>, TunnelError> {
        let mut wanted = interface.to_core()?;
        wanted.amnezia = without_record.amnezia.clone();
        wanted.linux = without_record.linux.clone();
        // Reserved at once, so that no reallocation leaves a copy of a key behind.
        wanted.tunnel.peers.reserve_exact(peers.len());
        let mut keys = HashSet::new();
        for (index, peer) in (0..).zip(peers) {
            if peer.public_key.0.is_low_order() && peer.public_key.0.as_bytes() != &[0; 32] {
                return Err(TunnelError::LowOrderKey { index: Some(index) });
            }
            if !keys.insert(peer.public_key.0) {
                return Err(TunnelError::argument("peers"));
            }
            wanted.tunnel.peers.push(peer.to_core()?);
        }
        let made = Self::read(&config::write(&wanted), MAX_DIAGNOSTICS)?;
        if made.said == wanted { Ok(made) } else { Err(TunnelError::argument("configuration")) }
    }
}

/// Without what it says: commands may hold secrets.
impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("peers", &self.said.tunnel.peers.len())
            .field("diagnostics", &self.diagnostics)
            .finish_non_exhaustive()
    }
}
