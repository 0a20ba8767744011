//! Keys as objects: their bytes stay here until somebody asks for them.
use crate::error::TunnelError;
use std::fmt;
use std::sync::Arc;
use underpass_core as core;
use underpass_core::{NoRandomness, Rng};
use zeroize::{Zeroize, Zeroizing};

/// The randomness of the system.
pub(crate) struct System;

impl Rng for System {
    fn fill(&mut self, dest: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(dest).map_err(|_| NoRandomness)
    }
}

/// Our secret key. It is wiped when the last reference to it is gone, and never printed.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct PrivateKey(pub(crate) core::PrivateKey);

/// A secret that we share with one peer. It is wiped when the last reference to it is gone, and never printed.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct PresharedKey(pub(crate) core::PresharedKey);

/// The key by which a peer is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, uniffi::Object)]
#[uniffi::export(Debug, Display, Eq, Hash)]
pub struct PublicKey(pub(crate) core::PublicKey);

/// What both secrets can do.
macro_rules! secret {
    ($key:ident) => {
        #[uniffi::export]
        impl $key {
            /// A new key.
            ///
            /// # Errors
            /// `Random`: the system gives no randomness.
            #[uniffi::constructor]
            pub fn generate() -> Result<Arc<Self>, TunnelError> {
                Ok(Arc::new(Self(core::$key::generate(&mut System)?)))
            }

            /// The key that a text of 44 characters of base64 says.
            ///
            /// # Errors
            /// `Key`.
            #[uniffi::constructor]
            pub fn from_base64(text: String) -> Result<Arc<Self>, TunnelError> {
                Ok(Arc::new(Self(core::$key::from_base64(&Zeroizing::new(text))?)))
            }

            /// The key that a text of 64 hexadecimal digits says.
            ///
            /// # Errors
            /// `Key`.
            #[uniffi::constructor]
            pub fn from_hex(text: String) -> Result<Arc<Self>, TunnelError> {
                Ok(Arc::new(Self(core::$key::from_hex(&Zeroizing::new(text))?)))
            }

            /// The key of these 32 bytes.
            ///
            /// # Errors
            /// `Key`.
            #[uniffi::constructor]
            pub fn from_bytes(bytes: Vec<u8>) -> Result<Arc<Self>, TunnelError> {
                Ok(Arc::new(Self(core::$key::from_bytes(thirty_two(bytes)?))))
            }

            /// The key in base64, for a configuration. The text that Kotlin or Swift gets is not wiped.
            #[must_use]
            pub fn to_base64(&self) -> String {
                self.0.to_base64().to_string()
            }

            /// The bytes of the key, for storage under a key of the system. Wipe them when they are stored.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                self.0.as_bytes().to_vec()
            }
        }
    };
}
secret!(PrivateKey);
secret!(PresharedKey);

#[uniffi::export]
impl PrivateKey {
    /// The public key that belongs to it.
    #[must_use]
    pub fn public_key(&self) -> Arc<PublicKey> {
        Arc::new(PublicKey(self.0.public_key()))
    }
}

#[uniffi::export]
impl PublicKey {
    /// The key that a text of 44 characters of base64 says.
    ///
    /// # Errors
    /// `Key`.
    #[uniffi::constructor]
    pub fn from_base64(text: String) -> Result<Arc<Self>, TunnelError> {
        Ok(Arc::new(Self(core::PublicKey::from_base64(&text)?)))
    }

    /// The key that a text of 64 hexadecimal digits says.
    ///
    /// # Errors
    /// `Key`.
    #[uniffi::constructor]
    pub fn from_hex(text: String) -> Result<Arc<Self>, TunnelError> {
        Ok(Arc::new(Self(core::PublicKey::from_hex(&text)?)))
    }

    /// The key of these 32 bytes.
    ///
    /// # Errors
    /// `Key`.
    #[uniffi::constructor]
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Arc<Self>, TunnelError> {
        Ok(Arc::new(Self(core::PublicKey::from_bytes(thirty_two(bytes)?))))
    }

    /// The key in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        self.0.to_base64()
    }

    /// The key in hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.to_hex()
    }

    /// The bytes of the key.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }
}

/// The bytes as an array. The list is wiped.
fn thirty_two(mut bytes: Vec<u8>) -> Result<[u8; 32], TunnelError> {
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| TunnelError::Key);
    bytes.zeroize();
    key
}

impl PublicKey {
    pub(crate) fn shared(key: &core::PublicKey) -> Arc<Self> {
        Arc::new(Self(*key))
    }
}

macro_rules! redacted {
    ($($key:ident),*) => {$(
        impl fmt::Debug for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($key), "(redacted)"))
            }
        }
        impl fmt::Display for $key {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
        impl PartialEq for $key {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }
        impl Eq for $key {}
    )*};
}
redacted!(PrivateKey, PresharedKey);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.0)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
